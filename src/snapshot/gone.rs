//! Who was removed lately: keyed hashes of member keys, for targets that are told who returns.

use std::{collections::HashMap, path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, Int64Array, RecordBatch},
    buffer::BooleanBuffer,
    compute::{sort_to_indices, take_record_batch},
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
    error::ArrowError,
};
use chrono::{DateTime, Days, Utc};
use parquet::errors::ParquetError;

use super::{
    Holding, Keys, Pointer, Rows,
    key::{IDENTITY, identities, partition},
    reader::{LayerFile, unreadable},
};
use crate::publish::Failure;

/// How long a removed member is remembered.
const REMEMBERED: Days = Days::new(90);

/// Members that were removed lately, by partition.
#[derive(Debug)]
pub struct Gone {
    file: Option<LayerFile>,
    partitions: u32,
}

/// Those of one partition: hash → when, in seconds.
#[derive(Debug, Default)]
pub struct GoneMembers(HashMap<[u8; IDENTITY as usize], i64>);

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("hash", DataType::FixedSizeBinary(IDENTITY), false),
        Field::new("at", DataType::Int64, false),
    ]))
}

impl Gone {
    pub(super) fn open(folder: &Path, activation: &str, pointer: &Pointer, keys: &Keys) -> Result<Self, Failure> {
        let open = |layer| LayerFile::open(folder, activation, layer, keys).map_err(|error| unreadable(&error));
        let file = pointer.gone.as_ref().map(open).transpose()?;
        // Its own, which may be fewer than the snapshot has by now.
        let partitions = file.as_ref().map_or(1, LayerFile::groups);
        Ok(Self { file, partitions })
    }

    /// Those of partition number `wanted` of `partitions`, at least as many as the file has.
    ///
    /// # Errors
    /// `snapshot_unreadable` when the file is damaged.
    pub fn partition(&self, wanted: usize, partitions: u32) -> Result<GoneMembers, Failure> {
        let Some(file) = &self.file else { return Ok(GoneMembers::default()) };
        let split = (partitions / self.partitions).max(1) as usize;
        let rows = file.group(wanted / split).map_err(|error: ParquetError| unreadable(&error))?;
        let (hashes, times) = (rows.column(0).as_fixed_size_binary(), rows.column(1).as_primitive::<Int64Type>());
        let members = (0..rows.num_rows()).filter_map(|row| {
            let hash: [u8; IDENTITY as usize] = hashes.value(row).try_into().ok()?;
            let first = u64::from_be_bytes(std::array::from_fn(|at| hash[at]));
            (partition(first, partitions) == wanted).then(|| (hash, times.value(row)))
        });
        Ok(GoneMembers(members.collect()))
    }
}

impl GoneMembers {
    /// Which of these members were removed lately.
    ///
    /// # Errors
    /// None that can be met: the hashes are of one width.
    pub fn returning(&self, keys: &ArrayRef, secret: &Keys) -> Result<BooleanBuffer, ArrowError> {
        if self.0.is_empty() {
            return Ok(BooleanBuffer::new_unset(keys.len()));
        }
        let hashes = identities(keys, secret)?;
        Ok(BooleanBuffer::collect_bool(keys.len(), |row| self.0.contains_key(hashes.value(row))))
    }

    /// Takes note of what a publish settled: who is gone now, and who is back. Forgets whom it need not remember. Of
    /// whom nobody knows, nothing changes: who is added again after an add without an answer returns still.
    ///
    /// # Errors
    /// None that can be met: the hashes are of one width.
    pub fn note(&mut self, settled: &Rows, now: DateTime<Utc>, secret: &Keys) -> Result<(), ArrowError> {
        let hashes = identities(settled.keys(), secret)?;
        for row in 0..settled.len() {
            let Ok(hash) = <[u8; IDENTITY as usize]>::try_from(hashes.value(row)) else { continue };
            match settled.holding(row) {
                Holding::Gone => drop(self.0.insert(hash, now.timestamp())),
                Holding::Held => drop(self.0.remove(&hash)),
                Holding::Stale | Holding::Perhaps => {}
            }
        }
        let oldest = now.checked_sub_days(REMEMBERED).unwrap_or(now).timestamp();
        self.0.retain(|_, at| *at >= oldest);
        Ok(())
    }

    /// As rows of a file.
    ///
    /// # Errors
    /// None that can be met: the columns are of one length.
    pub(super) fn rows(&self) -> Result<RecordBatch, ArrowError> {
        let mut bytes = Vec::with_capacity(self.0.len() * IDENTITY as usize);
        let mut times = Vec::with_capacity(self.0.len());
        for (hash, at) in &self.0 {
            bytes.extend_from_slice(hash);
            times.push(*at);
        }
        let hashes = FixedSizeBinaryArray::try_new(IDENTITY, bytes.into(), None)?;
        let rows = RecordBatch::try_new(schema(), vec![Arc::new(hashes), Arc::new(Int64Array::from(times))])?;
        let order = sort_to_indices(rows.column(0), None, None)?;
        take_record_batch(&rows, &order)
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
