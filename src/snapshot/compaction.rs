//! Base and layers → a new base; small layers → one.

use uuid::Uuid;

use super::{Columns, Pointer, SnapshotStore};
use crate::publish::{Failure, code};

impl SnapshotStore {
    /// Keeps reading cheap: a snapshot of too many layers is written anew. After a publish of `some` members only the
    /// smallest layers become one, so that the cost follows what such publishes changed, and never the base.
    ///
    /// # Errors
    /// `snapshot_unreadable`, `disk_full`, or what the disk said.
    pub fn tidy(&self, activation: &str, publish: Uuid, pointer: Pointer, some: bool) -> Result<Pointer, Failure> {
        if some {
            return match pointer.mergeable() {
                None => Ok(pointer),
                Some(first) => self.merge_layers(activation, publish, pointer, first),
            };
        }
        if pointer.wants_compaction() {
            return self.compact(activation, publish, &pointer, pointer.partitions);
        }
        Ok(pointer)
    }

    /// Writes the layers from number `first` on as one. Who is gone stays in it, since older files may hold the member.
    fn merge_layers(
        &self,
        activation: &str,
        publish: Uuid,
        pointer: Pointer,
        first: usize,
    ) -> Result<Pointer, Failure> {
        let newest = Pointer { layers: pointer.layers[first..].to_vec(), gone: None, ..pointer.clone() };
        let snapshot = self.open(activation, &newest)?;
        let without = || code::internal("layers without files were to be merged");
        let columns =
            Columns { fields: snapshot.has_fields(), ..Columns::of(snapshot.key_type().ok_or_else(without)?) };
        let mut layer = self.layer(activation, publish, "merged", &columns)?;
        let encoder = layer.encoder();
        for partition in 0..pointer.partitions as usize {
            let rows = snapshot.partition_as_written(partition, pointer.partitions)?.ok_or_else(without)?;
            layer.append(encoder.encode(partition, &rows)?)?;
        }
        let mut layers = pointer.layers;
        layers.truncate(first);
        layers.push(layer.finish()?);
        Ok(Pointer { layers, ..pointer })
    }

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
