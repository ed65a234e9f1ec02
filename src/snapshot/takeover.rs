//! A snapshot under another name: an activation was renamed.

use uuid::Uuid;

use super::{Columns, Pointer, SnapshotStore, gone};
use crate::publish::{Failure, code};

impl SnapshotStore {
    /// Writes what the snapshot of one activation holds anew, as that of another: files are bound to the name of
    /// theirs. Nothing of the former one is changed.
    ///
    /// # Errors
    /// `snapshot_unreadable`, `disk_full`, or what the disk said.
    pub fn copy(&self, from: &str, to: &str, pointer: &Pointer) -> Result<Pointer, Failure> {
        let (snapshot, id) = (self.open(from, pointer)?, Uuid::now_v7());
        let mut copied = Pointer { layers: Vec::new(), gone: None, ..pointer.clone() };
        if let Some(key) = snapshot.key_type() {
            let columns = Columns { fields: snapshot.has_fields(), ..Columns::of(key) };
            let mut base = self.layer(to, id, "renamed", &columns)?;
            let encoder = base.encoder();
            for partition in 0..pointer.partitions as usize {
                let held = snapshot.partition(partition, pointer.partitions)?;
                let held = held.ok_or_else(|| code::internal("a partition is missing"))?;
                base.append(encoder.encode(partition, &held)?)?;
            }
            copied.layers.push(base.finish()?);
        }
        if pointer.gone.is_some() {
            let former = self.gone(from, pointer)?;
            let mut file = self.file(to, id, "renamed-gone", gone::schema())?;
            let encoder = file.encoder();
            for partition in 0..pointer.partitions as usize {
                let rows = former.partition(partition, pointer.partitions)?.rows().map_err(code::internal)?;
                file.append(encoder.encode_batch(partition, &rows)?)?;
            }
            copied.gone = Some(file.finish()?);
        }
        Ok(copied)
    }

    /// Whether files of an activation stand here.
    pub fn has_files(&self, activation: &str) -> bool {
        self.folder(activation).exists()
    }
}
