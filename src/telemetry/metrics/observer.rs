//! What publishes tell, counted.

use super::{Metrics, names};
use crate::publish::{Event, Observer, Phase, PublishKind, Receipt, Status};

/// Moves counters and histograms.
#[derive(Debug)]
pub(super) struct Counting(pub(super) Metrics);

impl Observer for Counting {
    fn notice(&self, event: &Event<'_>) {
        match event {
            Event::Receipt(receipt) => {
                if !matches!(receipt.status, Status::Queued | Status::Running) {
                    self.0.ended(receipt);
                }
            }
            Event::Phase { activation, phase, took } => {
                self.0.time(names::DURATION, &[("activation", *activation), ("phase", phase_word(*phase))], *took);
            }
            Event::Retried { target, reason, times } => {
                self.0.add(names::RETRIES, &[("target", *target), ("reason", *reason)], *times);
            }
            Event::Progress { .. } => {}
        }
    }
}

impl Metrics {
    fn ended(&self, receipt: &Receipt) {
        let (activation, target) = (("activation", &*receipt.activation), ("target", &*receipt.target));
        let (kind, status) = (kind_word(receipt.kind), status_word(receipt.status));
        self.add(names::PUBLISHES, &[activation, target, ("kind", kind), ("status", status)], 1);
        self.add(names::BYTES, &[activation, target], receipt.bytes);
        let counts = &receipt.counts;
        for (outcome, count) in [
            ("resolved", counts.resolved),
            ("suppressed", counts.suppressed),
            ("unchanged", counts.unchanged),
            ("added", counts.added),
            ("updated", counts.updated),
            ("removed", counts.removed),
            ("delivered", counts.delivered),
            ("rejected", counts.rejected),
            ("owed", counts.owed),
        ] {
            self.add(names::RECORDS, &[activation, target, ("outcome", outcome)], count);
        }
    }
}

const fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Resolving => "resolving",
        Phase::Delivering => "delivering",
        Phase::Committing => "committing",
        Phase::Removing => "removing",
        Phase::Verifying => "verifying",
    }
}

const fn kind_word(kind: PublishKind) -> &'static str {
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

const fn status_word(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Running => "running",
        Status::Succeeded => "succeeded",
        Status::Partial => "partial",
        Status::Failed => "failed",
        Status::Blocked => "blocked",
        Status::Cancelled => "cancelled",
    }
}
