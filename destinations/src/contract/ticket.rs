//! What is stored of a publish in flight, and what is known of one that arrived.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Account, Mode};

/// Handle of a publish that is not committed: small, stored, without secrets or member values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The kind that wrote it.
    pub kind: String,
    /// Format of `body`.
    pub version: u16,
    /// The publish.
    pub publish: Uuid,
    /// Whether it can be committed; until then it can only be discarded.
    pub sealed: bool,
    /// The kind's own.
    pub body: serde_json::Value,
}

/// What stands at the target after a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Parts, in order.
    pub files: Vec<DeliveredFile>,
    /// Manifest, markers, side files.
    pub extras: Vec<Extra>,
}

/// A part; its path is relative to the target's root, or, in a manifest, to the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeliveredFile {
    /// Where it stands.
    pub path: String,
    /// Data rows.
    pub rows: u64,
    /// Size as stored.
    pub bytes: u64,
    /// Lower-case hex, taken while writing.
    pub sha256: String,
    /// What the server said of the content once it was visible, where it says anything: `etag:…`, `crc32c:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// An object beside the parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Extra {
    /// Relative to the target's root.
    pub path: String,
    /// Size as stored.
    pub bytes: u64,
}

/// `manifest.json`: written last, it means that its parts are complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Manifest {
    /// The publish.
    pub id: Uuid,
    /// Name of the activation.
    pub activation: String,
    /// `full` replaces all before it.
    pub mode: Mode,
    /// Consumers apply manifests in this order.
    pub sequence: u64,
    /// Sequence of the publish before, null for the first.
    pub previous: Option<u64>,
    /// The runner's counts.
    pub counts: Account,
    /// Column names and types, in file order.
    pub columns: Vec<Column>,
    /// Parts; paths relative to the manifest.
    pub files: Vec<DeliveredFile>,
    /// The manifest itself, where it was read back from a target; no part of what is written.
    #[serde(skip)]
    pub stands_at: Option<Extra>,
}

/// A column of the published files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its Arrow type, as text.
    #[serde(rename = "type")]
    pub data_type: String,
}

/// How closely to read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Presence, size, and what checksum the server offers.
    Quick,
    /// Every byte.
    Whole,
}

/// One object, read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Relative to the target's root.
    pub path: String,
    /// What was found.
    pub state: PartState,
}

/// What reading back found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartState {
    /// Just as delivered.
    Ok,
    /// Gone.
    Missing,
    /// There, but not what was delivered.
    Differs,
    /// The target does not let it be read.
    Unverifiable,
}
