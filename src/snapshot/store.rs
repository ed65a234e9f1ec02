//! Where snapshots stand, and the small value that says which files make one up.

use std::{
    fs,
    path::{Path, PathBuf},
};

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Columns, FOLDER, Keys, LayerWriter, Snapshot};
use crate::publish::{Failure, code};

/// Which files make up a snapshot. Stored with the receipt that it belongs to, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// Format of this value and of the files.
    pub version: u16,
    /// A value that tells encryption keys apart.
    pub key_check: String,
    /// Partitions of every file; a power of two.
    pub partitions: u32,
    /// Base first, newest last.
    pub layers: Vec<Layer>,
    /// Members held, those that are perhaps there included.
    pub members: u64,
    /// Hashes of members that were removed lately, for targets that are told who returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Layer>,
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// File name in the activation's folder.
    pub file: String,
    /// Rows, those of removed members included.
    pub rows: u64,
}

/// Layers beyond this many are merged into a new base.
const MOST_LAYERS: usize = 8;
/// Of the layers that become one, none holds more than so many times the rows of those after it: each row is then
/// written anew a few times, however many publishes follow.
const MERGED_AT_ONCE: u64 = 4;
/// So are layers that hold more than one row for so many of the base.
const BASE_PER_LAYER_ROW: u64 = 4;

impl Pointer {
    /// Format that this version writes.
    pub const VERSION: u16 = 2;

    /// All files that it names.
    fn files(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().chain(&self.gone)
    }

    /// Whether reading base and layers costs enough to merge them.
    pub fn wants_compaction(&self) -> bool {
        let layered = self.layers.iter().skip(1).map(|layer| layer.rows).fold(0, u64::saturating_add);
        let base = self.layers.first().map_or(0, |layer| layer.rows);
        self.layers.len() > MOST_LAYERS || (self.layers.len() > 1 && layered.saturating_mul(BASE_PER_LAYER_ROW) > base)
    }
}

impl Pointer {
    /// The first of the layers that are best merged; `None`: there are few enough.
    pub(super) fn mergeable(&self) -> Option<usize> {
        if self.layers.len() <= MOST_LAYERS {
            return None;
        }
        // The base is none of them.
        let last = self.layers.len() - 1;
        let mut first = last - 1;
        let mut rows = self.layers[first..].iter().map(|layer| layer.rows).fold(0, u64::saturating_add);
        while first > 1 && self.layers[first - 1].rows <= rows.saturating_mul(MERGED_AT_ONCE) {
            first -= 1;
            rows = rows.saturating_add(self.layers[first].rows);
        }
        Some(first)
    }
}

/// The snapshots of one data folder.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    root: PathBuf,
    keys: Keys,
}

impl SnapshotStore {
    /// The store in a data folder.
    pub fn new(data_dir: &Path, keys: Keys) -> Self {
        Self { root: data_dir.join(FOLDER), keys }
    }

    /// The keys that members and records are hashed with.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn folder(&self, activation: &str) -> PathBuf {
        self.root.join(activation)
    }

    /// Opens a snapshot for reading.
    ///
    /// # Errors
    /// `snapshot_unreadable` when a file is gone, damaged, or encrypted with another key.
    pub fn open(&self, activation: &str, pointer: &Pointer) -> Result<Snapshot, Failure> {
        if pointer.version != Pointer::VERSION {
            return Err(super::secret::lost("the snapshot was written by another version of herald"));
        }
        if pointer.key_check != self.keys.check() {
            return Err(super::secret::lost("the snapshot was encrypted with another key"));
        }
        Snapshot::open(&self.folder(activation), activation, pointer, &self.keys)
    }

    /// Whether a snapshot was written by this version, with this key: one that can't be opened then has lost files.
    pub fn wrote(&self, pointer: &Pointer) -> bool {
        pointer.version == Pointer::VERSION && pointer.key_check == self.keys.check()
    }

    /// Starts a new file; `name` tells it from the activation's other files.
    ///
    /// # Errors
    /// `disk_full`, or `internal` when the folder can't be written.
    pub fn layer(
        &self,
        activation: &str,
        publish: Uuid,
        name: &str,
        columns: &Columns,
    ) -> Result<LayerWriter, Failure> {
        self.file(activation, publish, name, columns.schema())
    }

    pub(super) fn file(
        &self,
        activation: &str,
        publish: Uuid,
        name: &str,
        schema: SchemaRef,
    ) -> Result<LayerWriter, Failure> {
        let folder = self.folder(activation);
        fs::create_dir_all(&folder).map_err(|error| code::disk(&error, "make the snapshot's folder"))?;
        // Never a name that was used before: a file that is being read, or that a pointer names, stays as it is.
        let name = format!("{publish}-{name}-{}.parquet", Uuid::now_v7().simple());
        LayerWriter::create(&folder, name, activation, schema, &self.keys)
    }

    /// Opens one file by itself, of `partitions` partitions: what was about to be sent.
    ///
    /// # Errors
    /// `snapshot_unreadable` when the file is gone, damaged, or encrypted with another key.
    pub fn open_one(&self, activation: &str, layer: &Layer, partitions: u32) -> Result<Snapshot, Failure> {
        let pointer = Pointer { layers: vec![layer.clone()], ..self.empty(partitions) };
        self.open(activation, &pointer)
    }

    /// An empty pointer for a snapshot that begins now.
    pub fn empty(&self, partitions: u32) -> Pointer {
        Pointer {
            version: Pointer::VERSION,
            key_check: self.keys.check(),
            partitions,
            layers: Vec::new(),
            members: 0,
            gone: None,
        }
    }

    /// Removes the files of an activation that no pointer names: what a crash or an older publish left.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn sweep(&self, activation: &str, keep: &[&Pointer]) -> Result<(), Failure> {
        let kept = |name: &str| keep.iter().any(|pointer| pointer.files().any(|layer| layer.file == name));
        let entries = match fs::read_dir(self.folder(activation)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(code::disk(&error, "read the snapshot's folder")),
        };
        for entry in entries.flatten() {
            if !entry.file_name().to_str().is_some_and(kept) {
                // One that can't be removed now goes at the next sweep.
                let _ = fs::remove_file(entry.path());
            }
        }
        if keep.iter().all(|pointer| pointer.layers.is_empty()) {
            let _ = fs::remove_dir(self.folder(activation));
        }
        Ok(())
    }
}
