//! `herald verify`: what targets hold, against the receipts and never against the lake.

use std::collections::BTreeMap;

use herald_destinations::contract::{DeliveredFile, Depth, Extra, Part, PartState};
use serde::Serialize;
use uuid::Uuid;

use super::{
    args::{Global, Verify},
    context,
    exit::{Exit, Stop},
    output::{Colour, Output},
    receipts::no_such_publish,
    text::{self, Table},
};
use crate::{
    config::Config,
    publish::{PublishKind, Receipt, Status},
    state::{Filter, State},
};

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

/// An object that a receipt says is there.
#[derive(Debug)]
enum Object {
    File(DeliveredFile),
    Extra(Extra),
}

/// Who delivered an object, and to where.
#[derive(Debug)]
struct Delivery {
    publish: Uuid,
    target: String,
    object: Object,
}

pub(super) async fn run(global: &Global, args: &Verify, output: Output) -> Result<Exit, Stop> {
    let (config, state) = context::open(global).await?;
    let depth = if args.quick { Depth::Quick } else { Depth::Whole };
    let mut parts = Vec::new();
    match args.of.as_deref().map(|of| (of, of.parse::<Uuid>())) {
        None => {
            for name in config.activations.keys() {
                parts.extend(read_back(&config, &state, name, None, depth).await?);
            }
        }
        Some((_, Ok(id))) => {
            let receipt = state.receipt(id).await?.ok_or_else(|| no_such_publish(id))?;
            parts.extend(read_back(&config, &state, &receipt.activation, Some(&receipt), depth).await?);
        }
        Some((name, Err(_))) => {
            context::known(&config, &state, name).await?;
            parts.extend(read_back(&config, &state, name, None, depth).await?);
        }
    }
    let ok = parts.iter().all(|part| !matches!(part.state, PartState::Missing | PartState::Differs));
    let findings = Findings { ok, parts };
    if output.json() {
        output.document(&findings)?;
    } else {
        output.text(render(&findings, output))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

/// Reads back what an activation delivered, or of it what one publish did.
async fn read_back(
    config: &Config,
    state: &State,
    name: &str,
    only: Option<&Receipt>,
    depth: Depth,
) -> Result<Vec<Finding>, Stop> {
    let filter = Filter { activation: Some(name.to_owned()), limit: u32::MAX, ..Filter::default() };
    let mut standing = standing(state.receipts(filter).await?.into_iter().rev());
    let mut findings = Vec::new();
    if let Some(receipt) = only {
        standing.retain(|_, delivery| delivery.publish == receipt.id);
        // Taken back, or overwritten by a later publish: no longer this publish's to vouch for.
        let paths = receipt.files.iter().map(|file| &file.path).chain(receipt.extras.iter().map(|extra| &extra.path));
        findings.extend(paths.filter(|path| !standing.contains_key(*path)).map(|path| Finding {
            activation: name.to_owned(),
            target: receipt.target.clone(),
            publish: receipt.id,
            path: path.clone(),
            state: PartState::Unverifiable,
        }));
    }
    let mut by_target: BTreeMap<String, (Vec<DeliveredFile>, Vec<Extra>)> = BTreeMap::new();
    let mut publishes = BTreeMap::new();
    for (path, delivery) in standing {
        publishes.insert(path, delivery.publish);
        let (files, extras) = by_target.entry(delivery.target).or_default();
        match delivery.object {
            Object::File(file) => files.push(file),
            Object::Extra(extra) => extras.push(extra),
        }
    }
    for (target, (files, extras)) in by_target {
        let found: Vec<Part> = match config.targets.get(&target) {
            Some(known) => {
                let destination =
                    known.config.connect(context::patience()).await.map_err(|error| context::failure(&error))?;
                destination.verify(&files, &extras, depth).await.map_err(|error| context::failure(&error))?
            }
            // The config no longer says how to reach it.
            None => files
                .into_iter()
                .map(|file| file.path)
                .chain(extras.into_iter().map(|extra| extra.path))
                .map(|path| Part { path, state: PartState::Unverifiable })
                .collect(),
        };
        findings.extend(found.into_iter().map(|part| Finding {
            activation: name.to_owned(),
            target: target.clone(),
            publish: publishes.get(&part.path).copied().unwrap_or_default(),
            path: part.path,
            state: part.state,
        }));
    }
    Ok(findings)
}

/// What should be there after all these publishes, oldest first: a later one may overwrite a path, and a
/// teardown ends what came before it.
fn standing(receipts: impl Iterator<Item = Receipt>) -> BTreeMap<String, Delivery> {
    let mut standing = BTreeMap::new();
    for receipt in receipts.filter(|receipt| matches!(receipt.status, Status::Succeeded | Status::Partial)) {
        if receipt.kind == PublishKind::Teardown {
            standing.clear();
            continue;
        }
        let files = receipt.files.into_iter().map(|file| (file.path.clone(), Object::File(file)));
        let extras = receipt.extras.into_iter().map(|extra| (extra.path.clone(), Object::Extra(extra)));
        for (path, object) in files.chain(extras) {
            standing.insert(path, Delivery { publish: receipt.id, target: receipt.target.clone(), object });
        }
    }
    standing
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

#[cfg(test)]
mod tests {
    use super::{Receipt, standing};

    fn receipt(sequence: u64, kind: &str, status: &str, paths: &[&str]) -> Receipt {
        let files: Vec<_> = paths
            .iter()
            .map(|path| serde_json::json!({ "path": path, "rows": 1, "bytes": sequence, "sha256": "" }))
            .collect();
        serde_json::from_value(serde_json::json!({
            "id": uuid::Uuid::from_u128(sequence.into()), "sequence": sequence, "activation": "gold", "segment": "s",
            "target": "t", "kind": kind, "mode": "full", "status": status,
            "counts": { "resolved": 0, "suppressed": 0, "unchanged": 0, "added": 0, "updated": 0, "removed": 0,
                        "delivered": 0, "rejected": 0, "owed": 0 },
            "withheld": {}, "suppressed_by": {}, "rejected_by": {}, "files": files, "extras": [], "bytes": 0,
            "attempts": 1, "queued_at": "2026-11-22T14:00:00Z", "started_at": null, "finished_at": null,
            "override": null, "error": null
        }))
        .unwrap()
    }

    #[test]
    fn the_last_publish_of_a_path_vouches_for_it() {
        let all = [
            receipt(1, "manual", "succeeded", &["gone"]),
            receipt(2, "teardown", "succeeded", &[]),
            receipt(3, "manual", "succeeded", &["a", "b"]),
            receipt(4, "manual", "failed", &["never"]),
            receipt(5, "manual", "partial", &["b"]),
        ];
        let found: Vec<(String, u128)> =
            standing(all.into_iter()).into_iter().map(|(path, by)| (path, by.publish.as_u128())).collect();
        assert_eq!(found, [("a".to_owned(), 3), ("b".to_owned(), 5)]);
    }
}
