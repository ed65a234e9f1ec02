//! What listeners are told.

use chrono::{DateTime, Utc};
use herald_destinations::contract::{Account, Mode};
use serde::Serialize;
use uuid::Uuid;

use crate::publish::{Phase, PublishKind, Receipt, Status};

/// An event, ready to be sent.
#[derive(Debug)]
pub(super) struct Message {
    /// Counts up within one process.
    pub(super) id: u64,
    /// Its type.
    pub(super) name: &'static str,
    /// JSON.
    pub(super) data: String,
}

/// `publish`: how a publish stands. Names no member: a receipt doesn't.
#[derive(Debug, Serialize)]
pub(super) struct Published<'a> {
    id: Uuid,
    activation: &'a str,
    sequence: u64,
    kind: PublishKind,
    mode: Mode,
    status: Status,
    counts: &'a Account,
    queued_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    /// The whole account, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<&'a Receipt>,
}

impl<'a> Published<'a> {
    pub(super) fn of(receipt: &'a Receipt) -> Self {
        Self {
            id: receipt.id,
            activation: &receipt.activation,
            sequence: receipt.sequence,
            kind: receipt.kind,
            mode: receipt.mode,
            status: receipt.status,
            counts: &receipt.counts,
            queued_at: receipt.queued_at,
            started_at: receipt.started_at,
            finished_at: receipt.finished_at,
            receipt: ended(receipt.status).then_some(receipt),
        }
    }
}

/// `progress`: how far a publish is.
#[derive(Debug, Clone, Serialize)]
pub(in crate::http) struct Stage {
    /// Null before it is on record.
    pub(in crate::http) publish: Option<Uuid>,
    /// Name of the activation.
    pub(in crate::http) activation: String,
    /// What it does: `waiting`, `resolving`, …
    pub(in crate::http) phase: &'static str,
    /// Rows or objects done.
    pub(in crate::http) done: u64,
    /// Of so many, if that is known.
    pub(in crate::http) total: Option<u64>,
}

/// `activation`: it was paused or resumed, or is further in its life.
#[derive(Debug, Serialize)]
pub(super) struct Moved<'a> {
    pub(super) name: &'a str,
    pub(super) state: &'a str,
}

pub(super) const fn ended(status: Status) -> bool {
    !matches!(status, Status::Queued | Status::Running)
}

pub(super) const fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting => "waiting",
        Phase::Resolving => "resolving",
        Phase::Delivering => "delivering",
        Phase::Committing => "committing",
        Phase::Removing => "removing",
        Phase::Verifying => "verifying",
    }
}
