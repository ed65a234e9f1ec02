//! Base and layers → a new base.

use uuid::Uuid;

use super::{Columns, Pointer, SnapshotStore};
use crate::publish::{Failure, code};

impl SnapshotStore {
    /// Writes what base and layers together hold as one file of `partitions` partitions, at least as many as before.
    ///
    /// # Errors
    /// `snapshot_unreadable`, `disk_full`, or what the disk said.
    pub fn compact(
        &self,
        activation: &str,
        publish: Uuid,
        pointer: &Pointer,
        partitions: u32,
    ) -> Result<Pointer, Failure> {
        let snapshot = self.open(activation, pointer)?;
        let without = || code::internal("a snapshot without files was to be merged");
        let columns =
            Columns { fields: snapshot.has_fields(), ..Columns::of(snapshot.key_type().ok_or_else(without)?) };
        let mut base = self.layer(activation, publish, "compact", &columns)?;
        let encoder = base.encoder();
        for partition in 0..partitions as usize {
            let held = snapshot.partition(partition, partitions)?.ok_or_else(without)?;
            base.append(encoder.encode(partition, &held)?)?;
        }
        Ok(Pointer { layers: vec![base.finish()?], partitions, ..pointer.clone() })
    }
}
