//! The account of a publish, as users see it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use herald_destinations::contract::{Account, DeliveredFile, Extra, Mode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::withheld;

/// The account of a publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// UUIDv7.
    pub id: Uuid,
    /// 1, 2, 3 … per activation.
    pub sequence: u64,
    /// Name of the activation.
    pub activation: String,
    /// Name of the segment.
    pub segment: String,
    /// Name of the target.
    pub target: String,
    /// Why it ran.
    pub kind: PublishKind,
    /// Full or incremental.
    pub mode: Mode,
    /// How it stands.
    pub status: Status,
    /// What became of each record.
    pub counts: Account,
    /// What `send` left out: operation → records.
    pub withheld: BTreeMap<String, u64>,
    /// Reason → members.
    pub suppressed_by: BTreeMap<String, u64>,
    /// Code → records.
    pub rejected_by: BTreeMap<String, u64>,
    /// Parts; paths relative to the target's root.
    pub files: Vec<DeliveredFile>,
    /// Manifest, markers, side files.
    pub extras: Vec<Extra>,
    /// Bytes of `files`.
    pub bytes: u64,
    /// Most tries that any request of it took; 1 when all went well at once.
    pub attempts: u32,
    /// When it was asked for.
    pub queued_at: DateTime<Utc>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Reason given for passing a guard.
    #[serde(rename = "override")]
    pub override_reason: Option<String>,
    /// Why it did not succeed.
    pub error: Option<Failure>,
    /// Of a teardown that took objects back: what became of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<TakenBack>,
}

/// What became of the objects that were to be taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TakenBack {
    /// Gone now, by this teardown or before it.
    pub removed: u64,
    /// Left on purpose: receipts of another activation name them, too.
    pub shared: u64,
    /// Could not be removed, or were not tried any more.
    pub left: u64,
    /// The first of those that could not be removed.
    pub left_paths: Vec<String>,
}

/// Why a publish ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PublishKind {
    /// Its cadence.
    Scheduled,
    /// Its faster cadence, or a trigger.
    Rapid,
    /// Somebody asked.
    Manual,
    /// Its dead letters again.
    Retry,
    /// Everything again.
    Resync,
    /// Settles what a crash left.
    Recovery,
    /// The activation was deleted.
    Teardown,
}

/// How a publish stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waits.
    Queued,
    /// Runs.
    Running,
    /// Every record delivered.
    Succeeded,
    /// Some records rejected.
    Partial,
    /// Stopped by an error.
    Failed,
    /// Stopped by a guard.
    Blocked,
    /// Stopped by somebody.
    Cancelled,
}

impl Receipt {
    /// Takes note of why it did not succeed.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.error = Some(failure.shown());
    }
}

impl Failure {
    /// As it may be shown and kept: what quotes a source or a target may hold what came by `${file:}`.
    #[must_use]
    pub(crate) fn shown(mut self) -> Self {
        self.message = withheld::without(&self.message).into_owned();
        self.remedy = withheld::without(&self.remedy).into_owned();
        self
    }
}

/// Why a publish did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{code}: {}", withheld::without(message))]
pub struct Failure {
    /// A code of the contract.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub remedy: String,
    /// Whether the same publish may succeed later.
    pub retryable: bool,
}
