//! The steps of an explanation, in words. They name entries of the config and publishes, never a value.

use chrono::SecondsFormat;
use herald_destinations::contract::Mode;

use super::{
    DeadLetter, Failure, PublishKind, Receipt,
    before::Before,
    explain::{Entry, Found, Outcome, Presence, Step},
    run::Run,
    standing::{notes, same_types},
};
use crate::{resolve::Resolved, state::ActivationState};

/// All steps, in order, and whether the target holds the member.
pub(super) async fn steps(run: &Run<'_>, before: &Before, found: &Found) -> Result<(Vec<Step>, Presence), Failure> {
    let resolved = found.examined.as_ref().and_then(|examined| examined.resolved.as_ref());
    let state = &run.publisher.state;
    let name = run.activation.name.as_str();
    let row = state.activation(name).await?;
    let life = row.as_ref().map(|row| row.state).unwrap_or_default();
    let paused = run.activation.paused || row.is_some_and(|row| row.paused);
    // Sealed or being sent, and not acknowledged: it may stand at the target already, as after a crash it would.
    let mut in_flight = state.in_flight(Some(name)).await?.into_iter();
    let identity = run.publisher.identity(run.activation, run.target);
    // What is cut short at a former place says nothing of this one.
    let here = |pending: &serde_json::Value| pending["identity"].as_str().is_none_or(|at| at == identity);
    let unsettled = in_flight.rfind(|publish| publish.pending.as_ref().is_some_and(here));

    let mut delta = delta(run, before, found);
    let moves = !matches!(delta.outcome, Outcome::Unchanged | Outcome::None);
    let held = match &found.entry {
        _ if delta.outcome == Outcome::Unknown => Presence::Perhaps,
        _ if moves && unsettled.is_some() => Presence::Perhaps,
        Some(_) if life == ActivationState::Deleting => Presence::Perhaps,
        Some(entry) => entry.presence,
        None => Presence::No,
    };
    match life {
        ActivationState::Active if paused => delta.detail.push_str("; the activation is paused: no schedule sends it"),
        ActivationState::Active => {}
        ActivationState::Deleting => delta.detail.push_str("; the activation is being deleted: nothing is sent"),
        ActivationState::Deleted => delta.detail.push_str(
            "; the activation was deleted: nothing is sent, and what it left at the target is not accounted for",
        ),
    }
    let mut last = last_delivery(run, found).await?;
    if let Some(publish) = unsettled {
        last.detail.push_str(&format!("; {} is on its way and not acknowledged yet", named(&publish.receipt)));
    }
    let mut steps = vec![segment(run, found), filter(run, resolved), requirement(run, resolved)];
    steps.extend(run.plan.shapes_records().then(|| identifiers(resolved)));
    steps.extend([delta, last]);
    Ok((steps, held))
}

fn step(name: &'static str, outcome: Outcome, detail: impl Into<String>) -> Step {
    Step { name, outcome, detail: detail.into() }
}

fn segment(run: &Run<'_>, found: &Found) -> Step {
    let segment = &run.activation.segment;
    let config = &run.publisher.config;
    let table = segment.split('.').next().and_then(|name| config.segments.get(name)).map_or("", |of| of.from.as_str());
    let Some(examined) = &found.examined else {
        let kind = match config.tables.get(table).map_or(1, |table| table.key.len()) {
            1 => format!("is {}", run.plan.member_type()),
            parts => format!("has {parts} parts, joined by `|`"),
        };
        return step("segment", Outcome::Failed, format!("this can't be a key of `{table}`, whose key {kind}"));
    };
    if examined.rows == 0 {
        return step("segment", Outcome::Failed, format!("the table `{table}` holds no row with this key"));
    }
    let because = examined.because.join("; ");
    let mut detail = match (&examined.resolved, because.is_empty()) {
        (Some(_), true) => format!("belongs to `{segment}`, whose rule rules nobody out"),
        (Some(_), false) => {
            let verb = if examined.because.len() == 1 { "holds" } else { "hold" };
            format!("belongs to `{segment}`: {} {verb}", examined.because.join(" and "))
        }
        (None, _) => format!("does not belong to `{segment}`: {because}"),
    };
    if examined.rows > 1 {
        let order = match config.tables.get(table).and_then(|table| table.updated_at.as_ref()) {
            Some(updated) => format!("the one with the latest `{updated}`, then the smallest"),
            None => "the smallest".to_owned(),
        };
        detail.push_str(&format!(
            "; {} rows hold this key and {} of them belong: {order} of those counts",
            examined.rows, examined.belonging
        ));
    }
    step("segment", if examined.resolved.is_some() { Outcome::Passed } else { Outcome::Failed }, detail)
}

fn filter(run: &Run<'_>, resolved: Option<&Resolved>) -> Step {
    let name = "filter";
    let Some(resolved) = resolved else {
        return step(name, Outcome::Skipped, "not asked: it does not belong to the segment");
    };
    match &run.activation.filter {
        None => step(name, Outcome::Passed, "the activation has no filter"),
        Some(filter) if resolved.suppressed_by.contains_key("filter") => {
            step(name, Outcome::Failed, format!("`{}` is false or null: it is suppressed", filter.at))
        }
        Some(filter) => step(name, Outcome::Passed, format!("`{}` is true", filter.at)),
    }
}

fn requirement(run: &Run<'_>, resolved: Option<&Resolved>) -> Step {
    let name = "requirement";
    let suppressed = |resolved: &Resolved| resolved.suppressed_by.keys().next().cloned();
    match resolved.map(suppressed) {
        None => step(name, Outcome::Skipped, "not asked: it does not belong to the segment"),
        Some(Some(reason)) => match reason.strip_prefix("missing:") {
            Some(field) => {
                step(name, Outcome::Failed, format!("the required attribute `{field}` is null: it is suppressed"))
            }
            None => step(name, Outcome::Skipped, "not asked: it is suppressed already"),
        },
        Some(None) => match run.activation.require.as_slice() {
            [] => step(name, Outcome::Passed, "the activation requires no attribute"),
            required => step(name, Outcome::Passed, format!("not null: `{}`", required.join("`, `"))),
        },
    }
}

/// Whether the target could find anybody by the record, where it looks.
fn identifiers(resolved: Option<&Resolved>) -> Step {
    let name = "identifiers";
    let reason = resolved.map(|resolved| resolved.suppressed_by.keys().next().map(String::as_str));
    match reason {
        None => step(name, Outcome::Skipped, "not asked: it does not belong to the segment"),
        Some(None) => step(name, Outcome::Passed, "the target takes the record"),
        Some(Some(reason)) if reason == "filter" || reason.starts_with("missing:") => {
            step(name, Outcome::Skipped, "not asked: it is suppressed already")
        }
        Some(Some(reason)) => {
            let detail = match reason.strip_prefix("invalid:") {
                Some(field) => format!("`{field}` holds a value that is none of its sort: it is suppressed"),
                None if reason == "no_identifier" => "it has no identifier that is of use: it is suppressed".to_owned(),
                None => format!("the target can't take the record, reason `{reason}`: it is suppressed"),
            };
            step(name, Outcome::Failed, detail)
        }
    }
}

fn delta(run: &Run<'_>, before: &Before, found: &Found) -> Step {
    let send = run.activation.send;
    let full = run.activation.mode == Mode::Full;
    if before.standing.is_some() && before.snapshot.is_none() {
        return step("delta", Outcome::Unknown, "the keys of the snapshot are of another type than the table's now");
    }
    let (outcome, mut detail, sent) = match (&found.wanted, &found.entry) {
        (Some(_), None) if before.standing.is_none() => {
            (Outcome::Added, "nothing was published yet: the first publish adds it".to_owned(), send.add)
        }
        (Some(_), None) => {
            (Outcome::Added, "the target does not hold it: the next publish adds it".to_owned(), send.add)
        }
        (Some(_), Some(entry)) if entry.presence == Presence::Perhaps => {
            (Outcome::Added, "the target holds it perhaps: the next publish adds it again".to_owned(), send.add)
        }
        (Some(_), Some(Entry { fingerprint: None, .. })) => (
            Outcome::Updated,
            "the target holds it, with a record that nobody knows: the next publish sends it".to_owned(),
            send.update,
        ),
        (Some(wanted), Some(entry)) if Some(wanted) == entry.fingerprint.as_ref() => {
            (Outcome::Unchanged, "the record is the one that the target holds".to_owned(), true)
        }
        (Some(_), Some(_)) => (
            Outcome::Updated,
            "the record differs from the one that the target holds: the next publish sends it".to_owned(),
            send.update,
        ),
        (None, Some(entry)) if entry.presence == Presence::Perhaps => (
            Outcome::Removed,
            "the target holds it perhaps, and it is not wanted there: the next publish removes it".to_owned(),
            send.remove,
        ),
        (None, Some(_)) => (
            Outcome::Removed,
            "the target holds it, and it is not wanted there any more: the next publish removes it".to_owned(),
            send.remove,
        ),
        (None, None) => (Outcome::None, "not wanted at the target, which does not hold it".to_owned(), true),
    };
    if full {
        detail.push_str("; each publish is full and holds every record that is wanted");
    } else if !sent {
        detail.push_str("; but `send` leaves that out, and the target keeps what it has");
    }
    if let Some(standing) = before.standing.as_ref().filter(|_| !full)
        && let Err(failure) = same_types(&standing.fields, &notes(run.activation, run.plan.schema()))
    {
        detail.push_str(&format!("; but the next publish fails with {}: {}", failure.code, failure.message));
    }
    step("delta", outcome, detail)
}

async fn last_delivery(run: &Run<'_>, found: &Found) -> Result<Step, Failure> {
    let name = "last delivery";
    let (state, activation) = (&run.publisher.state, run.activation.name.as_str());
    let delivered = match &found.entry {
        None => None,
        Some(entry) => Some(match state.receipt_numbered(activation, entry.sequence).await? {
            Some(receipt) if receipt.kind == PublishKind::Recovery => {
                format!(
                    "{} rebuilt the snapshot, which does not say what record of it the target holds",
                    named(&receipt)
                )
            }
            Some(receipt) if entry.fingerprint.is_none() => {
                format!("{} sent it last, and its answer is not known", named(&receipt))
            }
            Some(receipt) => format!("{} last delivered it", named(&receipt)),
            None => format!("publish number {} last delivered it", entry.sequence),
        }),
    };
    let letters = match &found.key {
        None => Vec::new(),
        Some(key) => run.publisher.dead_letters_of(activation, key).await?,
    };
    if letters.is_empty() {
        return Ok(match delivered {
            Some(delivered) => step(name, Outcome::Delivered, delivered),
            None => step(name, Outcome::None, "the target has acknowledged no record of it that it still holds"),
        });
    }
    let refused: Vec<String> = letters.iter().map(refused).collect();
    Ok(step(name, Outcome::Rejected, refused.into_iter().chain(delivered).collect::<Vec<_>>().join("; ")))
}

fn refused(letter: &DeadLetter) -> String {
    let times = if letter.count == 1 { "once".to_owned() } else { format!("{} times", letter.count) };
    let since = letter.since.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!(
        "its `{}` was refused {times} since {since}, last in publish {}: {}: {}",
        letter.op, letter.publish, letter.code, letter.message
    )
}

/// `publish ID (number 3, 2026-11-22T14:03:11Z)`
fn named(receipt: &Receipt) -> String {
    let at = receipt.finished_at.or(receipt.started_at).unwrap_or(receipt.queued_at);
    format!("publish {} (number {}, {})", receipt.id, receipt.sequence, at.to_rfc3339_opts(SecondsFormat::Secs, true))
}
