//! What a destination knows of the publish it serves.

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::files::FileOptions;

/// Whole membership, or the changes since the last publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Replaces all that was published before.
    Full,
    /// Adds, updates and removes.
    Incremental,
}

impl Mode {
    /// The word used in configs, paths, receipts and manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Incremental => "incremental",
        }
    }
}

/// One publish, as its destination sees it. Every name that is created at the target follows from
/// these values alone: no clock, no random number.
#[derive(Debug, Clone)]
pub struct PublishContext {
    /// The publish; equal across attempts, so it serves as idempotency key.
    pub publish: Uuid,
    /// 1, 2, 3 … per activation.
    pub sequence: u64,
    /// Sequence of the last publish that the target acknowledged, if any; consumers replay in this order.
    pub previous: Option<u64>,
    /// Name of the activation.
    pub activation: String,
    /// Name of the segment.
    pub segment: String,
    /// Full or incremental.
    pub mode: Mode,
    /// When the publish started: the one time that paths and manifests show.
    pub started_at: DateTime<Utc>,
    /// The record's columns, in the order of the config; all nullable. `_op` and `_member` are not among them.
    pub schema: SchemaRef,
    /// The member's key type, as in [`Batch::members`](super::Batch::members).
    pub member_type: arrow::datatypes::DataType,
    /// How files look, for file targets.
    pub files: FileOptions,
    /// Stops the publish; a destination gives up at the next request or batch.
    pub cancel: CancellationToken,
}

/// The counts of a publish, as in its receipt and manifest; taken by the runner, which alone counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Account {
    /// Members after duplicates collapsed.
    pub resolved: u64,
    /// Withheld on purpose.
    pub suppressed: u64,
    /// Not sent, because the target holds the same record.
    pub unchanged: u64,
    /// New at the target.
    pub added: u64,
    /// Changed.
    pub updated: u64,
    /// Gone from the target.
    pub removed: u64,
    /// Acknowledged by the target.
    pub delivered: u64,
    /// Refused for good.
    pub rejected: u64,
    /// Neither: comes again by itself.
    pub owed: u64,
}
