//! A receipt for people: an account whose sums can be seen to be right.

use std::{collections::BTreeMap, fmt::Write};

use herald_destinations::contract::Account;

use super::{
    output::{Colour, Style},
    text,
};
use crate::publish::{PublishKind, Receipt, Status};

/// The word of a status, and how it looks.
pub(super) const fn status(status: Status) -> (&'static str, Colour) {
    match status {
        Status::Queued => ("queued", Colour::Dim),
        Status::Running => ("running", Colour::Bold),
        Status::Succeeded => ("succeeded", Colour::Green),
        Status::Partial => ("partial", Colour::Yellow),
        Status::Failed => ("failed", Colour::Red),
        Status::Blocked => ("blocked", Colour::Yellow),
        Status::Cancelled => ("cancelled", Colour::Yellow),
    }
}

/// The word of a kind.
pub(super) const fn kind(kind: PublishKind) -> &'static str {
    match kind {
        PublishKind::Scheduled => "scheduled",
        PublishKind::Rapid => "rapid",
        PublishKind::Manual => "manual",
        PublishKind::Retry => "retry",
        PublishKind::Resync => "resync",
        PublishKind::Recovery => "recovery",
        PublishKind::Teardown => "teardown",
    }
}

/// The whole receipt.
pub(super) fn render(receipt: &Receipt, style: Style) -> String {
    let mut out = String::new();
    head(&mut out, receipt, style);
    sums(&mut out, receipt, style);
    taken_back(&mut out, receipt);
    files(&mut out, receipt, style);
    foot(&mut out, receipt, style);
    out.truncate(out.trim_end().len());
    out
}

fn head(out: &mut String, receipt: &Receipt, style: Style) {
    let (word, colour) = status(receipt.status);
    let _ = writeln!(
        out,
        "{}  {} #{}  {}, {}",
        style.paint(colour, word),
        style.paint(Colour::Bold, &receipt.activation),
        receipt.sequence,
        receipt.mode.as_str(),
        kind(receipt.kind),
    );
    let _ = writeln!(out, "{}  segment {} → target {}", receipt.id, receipt.segment, receipt.target);
    if let Some(reason) = &receipt.override_reason {
        let _ = writeln!(out, "guards passed by override: {reason}");
    }
    if let Some(error) = &receipt.error {
        let _ = writeln!(out, "\n{}: {error}\n  help: {}", style.paint(Colour::Red, "error"), error.remedy);
        if error.retryable {
            out.push_str("  the same publish may succeed later\n");
        }
    }
}

/// One line of a sum: sign, what, how many, of which.
type Line<'a> = (&'a str, &'a str, u64, String);

fn sums(out: &mut String, receipt: &Receipt, style: Style) {
    let counts = &receipt.counts;
    changes(out, counts, &receipt.suppressed_by, &receipt.withheld, style);
    let mut fates: Vec<Line<'_>> = vec![
        (" ", "delivered", counts.delivered, String::new()),
        ("+", "rejected", counts.rejected, text::breakdown(&receipt.rejected_by)),
    ];
    if counts.owed > 0 {
        fates.push(("+", "owed", counts.owed, "comes again by itself".to_owned()));
    }
    fates.push(("=", "accounted for", counts.delivered + counts.rejected + counts.owed, String::new()));
    block(out, &fates, width(counts), style);
}

/// From members to what is to be sent.
pub(super) fn changes(
    out: &mut String,
    counts: &Account,
    suppressed_by: &BTreeMap<String, u64>,
    withheld: &BTreeMap<String, u64>,
    style: Style,
) {
    let none = String::new;
    let members = [
        (" ", "members resolved", counts.resolved, none()),
        ("−", "suppressed", counts.suppressed, text::breakdown(suppressed_by)),
        ("−", "unchanged", counts.unchanged, none()),
        ("=", "added or updated", counts.added + counts.updated, none()),
    ];
    let changes = [
        (" ", "added", counts.added, none()),
        ("+", "updated", counts.updated, none()),
        ("+", "removed", counts.removed, none()),
        ("=", "to send", counts.added + counts.updated + counts.removed, none()),
    ];
    block(out, &members, width(counts), style);
    block(out, &changes, width(counts), style);
    let withheld = text::breakdown(withheld);
    if !withheld.is_empty() {
        let _ = writeln!(out, "\n  left out by `send`: {withheld}");
    }
}

fn block(out: &mut String, lines: &[Line<'_>], width: usize, style: Style) {
    out.push('\n');
    for (sign, what, number, of) in lines {
        let number = format!("{:>width$}", text::count(*number));
        let number = if *sign == "=" { style.paint(Colour::Bold, &number) } else { number };
        let _ = write!(out, "  {sign} {what:<17}{number}");
        if !of.is_empty() {
            let _ = write!(out, "   {}", style.paint(Colour::Dim, of));
        }
        out.push('\n');
    }
}

/// Room for the largest number of an account.
fn width(counts: &Account) -> usize {
    let sent = counts.added + counts.updated + counts.removed;
    text::count(counts.resolved.max(sent).max(counts.suppressed)).len().max(6)
}

/// What a teardown took back of objects.
fn taken_back(out: &mut String, receipt: &Receipt) {
    let Some(taken) = &receipt.taken_back else { return };
    let _ = writeln!(out, "\n  {} removed", text::plural(taken.removed, "object"));
    if taken.shared > 0 {
        let _ = writeln!(out, "  {} left: receipts of other activations name them, too", text::count(taken.shared));
    }
    if taken.left > 0 {
        let _ = writeln!(out, "  {} could not be removed", text::count(taken.left));
        for path in &taken.left_paths {
            let _ = writeln!(out, "    {path}");
        }
    }
}

fn files(out: &mut String, receipt: &Receipt, style: Style) {
    if receipt.files.is_empty() && receipt.extras.is_empty() {
        return;
    }
    let mut table = text::Table::new(&["  FILE", ">ROWS", ">SIZE", "SHA-256"]);
    for file in &receipt.files {
        table.row(vec![
            format!("  {}", file.path),
            text::count(file.rows),
            text::bytes(file.bytes),
            file.sha256.chars().take(12).chain(['…']).collect(),
        ]);
    }
    for extra in &receipt.extras {
        table.row(vec![format!("  {}", extra.path), String::new(), text::bytes(extra.bytes), String::new()]);
    }
    let _ = writeln!(out, "\n{}", table.render(style));
}

fn foot(out: &mut String, receipt: &Receipt, style: Style) {
    let mut facts = Vec::new();
    if !receipt.files.is_empty() {
        let files = u64::try_from(receipt.files.len()).unwrap_or(u64::MAX);
        facts.push(format!("{} in {}", text::bytes(receipt.bytes), text::plural(files, "file")));
    }
    if let (Some(started), Some(finished)) = (receipt.started_at, receipt.finished_at)
        && let Ok(took) = (finished - started).to_std()
    {
        facts.push(text::duration(took));
        if let Some(rate) = rate(receipt.counts.delivered, took.as_secs_f64()) {
            facts.push(format!("{} rows/s", text::count(rate)));
        }
    }
    if receipt.attempts > 1 {
        facts.push(format!("{} attempts", receipt.attempts));
    }
    if !facts.is_empty() {
        let _ = writeln!(out, "\n  {}", facts.join(" · "));
    }
    let times =
        [("queued", Some(receipt.queued_at)), ("started", receipt.started_at), ("finished", receipt.finished_at)];
    let times: Vec<String> =
        times.iter().filter_map(|(word, at)| at.map(|at| format!("{word} {}", text::time(at)))).collect();
    let _ = writeln!(out, "  {}", style.paint(Colour::Dim, &times.join(" · ")));
}

/// Rows per second, rounded; `None` where there is nothing to divide.
fn rate(rows: u64, seconds: f64) -> Option<u64> {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (rows > 0 && seconds > 0.0).then(|| (rows as f64 / seconds).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::{Receipt, Style, render};

    fn receipt() -> Receipt {
        serde_json::from_value(serde_json::json!({
            "id": "019aaa00-0000-7000-8000-000000000001", "sequence": 3, "activation": "gold", "segment": "gold_de",
            "target": "partner", "kind": "manual", "mode": "incremental", "status": "partial",
            "counts": { "resolved": 12000, "suppressed": 345, "unchanged": 10655, "added": 800, "updated": 200,
                        "removed": 50, "delivered": 1049, "rejected": 1, "owed": 0 },
            "withheld": {}, "suppressed_by": { "filter": 300, "missing:email": 45 }, "rejected_by": { "too_large": 1 },
            "files": [ { "path": "gold/part-00000.parquet", "rows": 1049, "bytes": 2048, "sha256": "ab".repeat(32) } ],
            "extras": [ { "path": "gold/manifest.json", "bytes": 512 } ],
            "bytes": 2048, "attempts": 1, "queued_at": "2026-11-22T14:00:00Z", "started_at": "2026-11-22T14:00:01Z",
            "finished_at": "2026-11-22T14:00:03Z", "override": null, "error": null
        }))
        .unwrap()
    }

    #[test]
    fn the_account_adds_up_line_by_line() {
        assert_eq!(
            render(&receipt(), Style::PLAIN),
            "partial  gold #3  incremental, manual
019aaa00-0000-7000-8000-000000000001  segment gold_de → target partner

    members resolved 12,000
  − suppressed          345   filter 300, missing:email 45
  − unchanged        10,655
  = added or updated  1,000

    added               800
  + updated             200
  + removed              50
  = to send           1,050

    delivered         1,049
  + rejected              1   too_large 1
  = accounted for     1,050

  FILE                      ROWS      SIZE  SHA-256
  gold/part-00000.parquet  1,049  2.00 KiB  abababababab…
  gold/manifest.json                 512 B

  2.00 KiB in 1 file · 2.0s · 525 rows/s
  queued 2026-11-22 14:00:00Z · started 2026-11-22 14:00:01Z · finished 2026-11-22 14:00:03Z"
        );
    }

    #[test]
    fn a_failure_says_what_to_do() {
        let mut failed = receipt();
        failed.error = Some(crate::publish::Failure {
            code: "target_unreachable".to_owned(),
            message: "could not connect".to_owned(),
            remedy: "check the address".to_owned(),
            retryable: true,
        });
        let shown = render(&failed, Style::PLAIN);
        assert!(shown.contains("error: target_unreachable: could not connect\n  help: check the address\n"), "{shown}");
    }
}
