//! The spans that traces are made of. The log does not show them: its lines carry the one span of their publish.
//!
//! ```text
//! publish ─┬─ resolve   sources read, members and attributes resolved
//!          ├─ delta     compared with the snapshot; at targets that show nothing before the commit a part of `deliver`
//!          ├─ deliver   staged, or sent
//!          └─ commit    revealed, or what was answered taken into the snapshot
//! ```

use tracing::{Span, field::Empty, info_span};

use crate::publish::Receipt;

/// The target of these spans, by which they are told from those of the log. No level of `HERALD_LOG` speaks of it.
pub(super) const TARGET: &str = "spans";

/// The whole of a publish, with names of the config and its id.
pub fn publish(receipt: &Receipt) -> Span {
    info_span!(
        target: TARGET,
        parent: None,
        "publish",
        "herald.publish.id" = %receipt.id,
        "herald.activation" = receipt.activation,
        "herald.segment" = receipt.segment,
        "herald.target" = receipt.target,
        "herald.kind" = word(&receipt.kind),
        "herald.mode" = word(&receipt.mode),
        "herald.status" = Empty,
        "herald.resolved" = Empty,
        "herald.added" = Empty,
        "herald.updated" = Empty,
        "herald.removed" = Empty,
        "herald.delivered" = Empty,
        "herald.rejected" = Empty,
        "error.type" = Empty,
        "otel.status_code" = Empty,
    )
}

/// Says in the span of a publish how it ended.
pub fn ended(span: &Span, receipt: &Receipt) {
    span.record("herald.status", word(&receipt.status));
    let counts = &receipt.counts;
    for (name, count) in [
        ("herald.resolved", counts.resolved),
        ("herald.added", counts.added),
        ("herald.updated", counts.updated),
        ("herald.removed", counts.removed),
        ("herald.delivered", counts.delivered),
        ("herald.rejected", counts.rejected),
    ] {
        number(span, name, count);
    }
    if let Some(failure) = &receipt.error {
        failed(span, &failure.code);
    }
}

/// Says a number in a span. Signed, as spans have no other whole numbers: an unsigned one would become a text.
pub fn number(span: &Span, name: &str, count: u64) {
    span.record(name, i64::try_from(count).unwrap_or(i64::MAX));
}

/// Says that what a span is about failed, by a code of the project.
pub fn failed(span: &Span, code: &str) {
    span.record("error.type", code);
    span.record("otel.status_code", "ERROR");
}

/// The sources are read.
pub fn resolve() -> Span {
    info_span!(target: TARGET, "resolve", "herald.rows" = Empty, "error.type" = Empty, "otel.status_code" = Empty)
}

/// What was resolved is compared with the snapshot.
pub fn delta() -> Span {
    info_span!(target: TARGET, "delta", "herald.changes" = Empty, "error.type" = Empty, "otel.status_code" = Empty)
}

/// Records go to the target.
pub fn deliver() -> Span {
    info_span!(target: TARGET, "deliver", "herald.sent" = Empty, "error.type" = Empty, "otel.status_code" = Empty)
}

/// What went to the target is revealed, or settled.
pub fn commit() -> Span {
    info_span!(target: TARGET, "commit", "error.type" = Empty, "otel.status_code" = Empty)
}

/// The word that receipts use.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
