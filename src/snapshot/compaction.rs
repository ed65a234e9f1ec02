//! Base and layers → a new base.

use arrow::datatypes::DataType;
use uuid::Uuid;

use super::{Pointer, Rows, SnapshotStore};
use crate::publish::{Failure, code};

impl SnapshotStore {
    /// Writes what base and layers together hold as one file.
    ///
    /// # Errors
    /// `snapshot_unreadable`, `disk_full`, or what the disk said.
    pub fn compact(
        &self,
        activation: &str,
        publish: Uuid,
        pointer: &Pointer,
        key_type: &DataType,
    ) -> Result<Pointer, Failure> {
        let snapshot = self.open(activation, pointer)?;
        let mut base = self.layer(activation, publish, "compact", key_type)?;
        let encoder = base.encoder();
        for partition in 0..pointer.partitions as usize {
            let held: Rows = snapshot
                .partition(partition, pointer.partitions)?
                .ok_or_else(|| code::internal("a snapshot without files was to be merged"))?;
            base.append(encoder.encode(partition, &held)?)?;
        }
        Ok(Pointer { layers: vec![base.finish()?], ..pointer.clone() })
    }
}
