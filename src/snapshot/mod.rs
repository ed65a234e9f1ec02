//! What each target holds, and the difference to what it should.
//!
//! A snapshot is one base file and a few layers over it, each an encrypted Parquet file whose row group number *p*
//! holds partition *p* of the members, sorted by key:
//!
//! | column | |
//! |---|---|
//! | `key` | the member's key, in the one form that [`KeyCodec`] gives it |
//! | `fingerprint` | 16 bytes; null in a layer: the target does not hold this member any more |
//! | `sequence` | the publish that acknowledged it last |
//!
//! No attribute value is in it. The newest layer that knows a key is right.

mod compaction;
mod delta;
mod fingerprint;
#[cfg(test)]
mod generated;
mod key;
mod layer;
mod merge;
mod pread;
mod reader;
mod secret;
mod store;
#[cfg(test)]
mod tests;

pub use delta::{Delta, delta};
pub use fingerprint::fingerprints;
pub use key::{KeyCodec, hashes, partition};
pub use layer::{EncodedPartition, LayerWriter, PartitionEncoder, Rows};
pub use merge::rows_in_both;
pub use reader::{Held, Snapshot};
pub use secret::Keys;
pub use store::{Layer, Pointer, SnapshotStore};

/// Folder of all snapshots, in the data folder.
pub(crate) const FOLDER: &str = "snapshots";
