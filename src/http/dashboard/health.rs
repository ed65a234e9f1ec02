//! Whether an activation needs somebody, in one word.

use crate::{fleet::Standing, publish::Status, state::Outcome};

/// How an activation is; what needs somebody most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    /// The last publish that ended failed or was blocked.
    Failing,
    /// The lag is past its `freshness`.
    Late,
    /// Publishes, and some records are refused.
    Rejecting,
    /// Is torn down.
    Deleting,
    /// Was never published.
    New,
    /// All is well.
    Healthy,
    /// Its schedule stands still.
    Paused,
    /// Was torn down.
    Deleted,
}

impl Health {
    /// All, in order.
    pub(super) const ALL: [Self; 8] = [
        Self::Failing,
        Self::Late,
        Self::Rejecting,
        Self::Deleting,
        Self::New,
        Self::Healthy,
        Self::Paused,
        Self::Deleted,
    ];

    /// Of an activation and its publishes, newest first.
    pub(super) fn of(standing: &Standing, outcomes: &[Outcome]) -> Self {
        let ended =
            outcomes.iter().find(|one| !matches!(one.status, Status::Queued | Status::Running | Status::Cancelled));
        match (standing.state, ended.map(|one| one.status)) {
            ("deleting", _) => Self::Deleting,
            ("deleted", _) => Self::Deleted,
            ("paused", _) => Self::Paused,
            (_, Some(Status::Failed | Status::Blocked)) => Self::Failing,
            _ if standing.late => Self::Late,
            _ if standing.dead_letters > 0 => Self::Rejecting,
            (_, None) => Self::New,
            _ => Self::Healthy,
        }
    }

    /// The word, also that of `?state=`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Late => "late",
            Self::Rejecting => "rejecting",
            Self::Deleting => "deleting",
            Self::New => "new",
            Self::Healthy => "healthy",
            Self::Paused => "paused",
            Self::Deleted => "deleted",
        }
    }

    /// Its sign on the page.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Failing => "bad",
            Self::Late => "late",
            Self::Rejecting => "part",
            Self::Deleting => "run",
            Self::New => "idle",
            Self::Healthy => "ok",
            Self::Paused => "hold",
            Self::Deleted => "off",
        }
    }

    /// Whether somebody should look.
    pub(super) fn needs_somebody(self) -> bool {
        self <= Self::Rejecting
    }
}
