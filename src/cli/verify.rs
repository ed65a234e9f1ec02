//! `herald verify`: what targets hold, against the receipts and never against the lake.

use std::collections::BTreeMap;

use herald_destinations::contract::{Depth, PartState};
use serde::Serialize;
use uuid::Uuid;

use super::{
    args::{Global, Verify},
    context,
    exit::{Exit, Stop},
    output::{Colour, Output},
    progress::Meter,
    text::{self, Table},
};
use crate::publish::Verification;

/// What reading back found.
#[derive(Debug, Serialize)]
struct Findings {
    ok: bool,
    parts: Vec<Finding>,
}

/// One object.
#[derive(Debug, Serialize)]
struct Finding {
    activation: String,
    target: String,
    publish: Uuid,
    path: String,
    state: PartState,
}

pub(super) async fn run(global: &Global, args: &Verify, output: Output) -> Result<Exit, Stop> {
    let (config, publisher) = context::publisher(global).await?;
    if let Some(name) = args.of.as_deref().filter(|of| of.parse::<Uuid>().is_err()) {
        context::activation(&config, name)?;
    }
    let depth = if args.quick { Depth::Quick } else { Depth::Whole };
    let meter = Meter::new(output.progress());
    let found = publisher.verify(args.of.as_deref(), depth, &meter).await;
    drop(meter);
    let found = found.map_err(|error| context::stopped(&config, error))?;
    let findings =
        Findings { ok: found.iter().all(Verification::is_clean), parts: found.into_iter().flat_map(parts).collect() };
    if output.json() {
        output.document(&findings)?;
    } else {
        output.text(render(&findings, output))?;
    }
    Ok(if findings.ok { Exit::Done } else { Exit::Failed })
}

fn parts(verification: Verification) -> impl Iterator<Item = Finding> {
    let Verification { id, activation, target, parts } = verification;
    parts.into_iter().map(move |part| Finding {
        activation: activation.clone(),
        target: target.clone(),
        publish: id,
        path: part.path,
        state: part.state,
    })
}

fn render(findings: &Findings, output: Output) -> String {
    if findings.parts.is_empty() {
        return "nothing delivered yet, so nothing to verify".to_owned();
    }
    let mut table = Table::new(&["STATE", "ACTIVATION", "TARGET", "PATH"]);
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for part in &findings.parts {
        let (word, colour) = match part.state {
            PartState::Ok => ("ok", Colour::Green),
            PartState::Missing => ("missing", Colour::Red),
            PartState::Differs => ("differs", Colour::Red),
            PartState::Unverifiable => ("unverifiable", Colour::Yellow),
        };
        *tally.entry(word).or_default() += 1;
        table.coloured(
            vec![word.to_owned(), part.activation.clone(), part.target.clone(), part.path.clone()],
            Some((0, colour)),
        );
    }
    let tally: Vec<String> = tally.iter().map(|(word, number)| format!("{} {word}", text::count(*number))).collect();
    format!("{}\n\n{}", table.render(output.style()), tally.join(", "))
}
