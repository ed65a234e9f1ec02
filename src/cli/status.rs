//! `herald status`: how activations stand.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    account,
    args::Global,
    context,
    exit::{Exit, Stop},
    output::{Colour, Output},
    text::{self, Table},
};
use crate::{
    config::Config,
    publish::Receipt,
    schedule::Cadence,
    state::{ActivationState, State},
};

/// How an activation stands.
#[derive(Debug, Serialize)]
struct Standing {
    name: String,
    /// `active`, `paused`, `deleting`, `deleted`.
    state: &'static str,
    last: Option<Receipt>,
    /// When it publishes by itself next, if the service runs; in the past: it is overdue. Null: never, as it stands.
    next: Option<DateTime<Utc>>,
    /// Since the start of the last good publish.
    lag_seconds: Option<u64>,
    /// In the snapshot.
    members: u64,
    dead_letters: u64,
    /// Whether the lag is past the activation's `freshness`.
    #[serde(skip)]
    late: bool,
}

pub(super) async fn run(global: &Global, name: Option<&str>, output: Output) -> Result<Exit, Stop> {
    let (config, state) = context::open(global).await?;
    if let Some(name) = name {
        context::known(&config, &state, name).await?;
        let standing = standing(&config, &state, name).await?;
        if output.json() {
            output.document(&standing)?;
        } else {
            let mut text = table(std::slice::from_ref(&standing)).render(output.style());
            if let Some(last) = &standing.last {
                text.push_str("\n\n");
                text.push_str(&account::render(last, output.style()));
            }
            output.text(text)?;
        }
        return Ok(Exit::Done);
    }
    let mut names: BTreeSet<String> = config.activations.keys().cloned().collect();
    names.extend(state.activations().await?.into_iter().map(|row| row.name));
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        all.push(standing(&config, &state, &name).await?);
    }
    if output.json() {
        output.lines(&all)?;
    } else if all.is_empty() {
        output.text("the config holds no activations")?;
    } else {
        output.text(table(&all).render(output.style()))?;
    }
    Ok(Exit::Done)
}

async fn standing(config: &Config, state: &State, name: &str) -> Result<Standing, Stop> {
    let row = state.activation(name).await?;
    let life = row.as_ref().map(|row| row.state).unwrap_or_default();
    let paused =
        row.is_some_and(|row| row.paused) || config.activations.get(name).is_some_and(|activation| activation.paused);
    let now = Utc::now();
    let next = match config.activations.get(name) {
        Some(activation) if life == ActivationState::Active && !paused => {
            Cadence::of(activation).due(&state.history(name).await?, now).first()
        }
        _ => None,
    };
    let good = state.last_good(name).await?;
    let lag = good.and_then(|receipt| receipt.started_at).map(|started| (now - started).to_std().unwrap_or_default());
    let freshness = config.activations.get(name).and_then(|activation| activation.freshness);
    Ok(Standing {
        name: name.to_owned(),
        state: if life == ActivationState::Active && paused { "paused" } else { life.as_str() },
        last: state.last(name).await?,
        next,
        lag_seconds: lag.map(|lag| lag.as_secs()),
        members: state.snapshot(name).await?.map_or(0, |snapshot| snapshot.rows),
        dead_letters: state.count_dead_letters(name).await?,
        late: lag.zip(freshness).is_some_and(|(lag, freshness)| lag > freshness),
    })
}

fn table(all: &[Standing]) -> Table {
    let mut table =
        Table::new(&["ACTIVATION", "STATE", "LAST", "FINISHED", "LAG", "NEXT", ">MEMBERS", ">DEAD LETTERS"]);
    for one in all {
        let (word, colour) = one.last.as_ref().map_or(("never", Colour::Dim), |last| account::status(last.status));
        table.coloured(
            vec![
                one.name.clone(),
                one.state.to_owned(),
                word.to_owned(),
                one.last.as_ref().and_then(|last| last.finished_at).map(text::time).unwrap_or_default(),
                lag(one),
                one.next.map(text::time).unwrap_or_default(),
                text::count(one.members),
                text::count(one.dead_letters),
            ],
            Some((2, colour)),
        );
    }
    table
}

fn lag(one: &Standing) -> String {
    let Some(seconds) = one.lag_seconds else { return String::new() };
    let lag = text::duration(Duration::from_secs(seconds));
    if one.late { format!("{lag}, too old") } else { lag }
}
