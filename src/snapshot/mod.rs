//! What each target holds, and the difference to what it should.
//!
//! A snapshot is one base file and a few layers over it, each an encrypted Parquet file whose row group number *p*
//! holds partition *p* of the members, sorted by key:
//!
//! | column | |
//! |---|---|
//! | `key` | the member's key, in the one form that [`KeyCodec`] gives it |
//! | `fingerprint` | of the record, 16 bytes; null where the record is not known or the member is gone |
//! | `sequence` | the publish that acknowledged it last, or tried to |
//! | `state` | held, stale, perhaps, gone: [`Holding`] |
//! | `fields` | for targets that are told what changed: a fingerprint for each field |
//!
//! No attribute value is in it. The newest layer that knows a key is right.

mod compaction;
mod delta;
mod fields;
mod fingerprint;
#[cfg(test)]
mod generated;
mod gone;
mod key;
mod layer;
mod merge;
mod named;
mod pread;
mod reader;
mod rows;
mod secret;
mod settling;
mod store;
mod takeover;
#[cfg(test)]
mod tests;
mod texts;

pub use delta::{Delta, delta};
pub use fields::{changed_fields, field_prints};
pub use fingerprint::fingerprints;
pub use gone::{Gone, GoneMembers};
pub use key::{KeyCodec, hashes, identities, partition, plain};
pub use layer::{EncodedPartition, LayerWriter, PartitionEncoder};
pub use merge::rows_in_both;
pub use named::MemberKeys;
pub use reader::{Held, Snapshot};
pub use rows::{Columns, Holding, Rows, Sent};
pub use secret::Keys;
pub use settling::{Answers, Range, Settled};
pub use store::{Layer, Pointer, SnapshotStore};
pub use texts::TextKeys;

/// Folder of all snapshots, in the data folder.
pub(crate) const FOLDER: &str = "snapshots";
