//! Reading a snapshot, partition by partition.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array},
    compute::{concat_batches, filter_record_batch, take_record_batch},
    datatypes::{DataType, UInt32Type},
};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    encryption::decrypt::FileDecryptionProperties,
    errors::ParquetError,
};

use super::{
    Keys, Pointer, Rows,
    key::{hashes, partition},
    layer::binding,
    merge,
    pread::SharedFile,
    secret,
};
use crate::publish::Failure;

/// What the target holds of one partition.
pub type Held = Rows;

/// A snapshot, open for reading. Threads may share it.
#[derive(Debug)]
pub struct Snapshot {
    files: Vec<LayerFile>,
    partitions: u32,
    members: u64,
    keys: Keys,
}

#[derive(Debug)]
struct LayerFile {
    file: SharedFile,
    metadata: ArrowReaderMetadata,
}

impl Snapshot {
    pub(super) fn open(folder: &Path, activation: &str, pointer: &Pointer, keys: &Keys) -> Result<Self, Failure> {
        let files = pointer
            .layers
            .iter()
            .map(|layer| open(folder, activation, &layer.file, keys))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(&error))?;
        Ok(Self { files, partitions: pointer.partitions, members: pointer.members, keys: keys.clone() })
    }

    /// Members held.
    pub fn members(&self) -> u64 {
        self.members
    }

    /// Type of the keys; `None` while nothing is held.
    pub fn key_type(&self) -> Option<DataType> {
        self.files.first().map(|file| file.metadata.schema().field(0).data_type().clone())
    }

    /// Partition number `wanted` of `partitions`, which is at least as many as the files have. `None`: nothing held.
    ///
    /// # Errors
    /// `snapshot_unreadable` when a file is damaged.
    pub fn partition(&self, wanted: usize, partitions: u32) -> Result<Option<Held>, Failure> {
        self.read(wanted, partitions).map_err(|error| unreadable(&error))
    }

    fn read(&self, wanted: usize, partitions: u32) -> Result<Option<Held>, ParquetError> {
        let split = (partitions / self.partitions).max(1) as usize;
        let mut held: Option<RecordBatch> = None;
        for file in &self.files {
            let layer = self.read_group(file, wanted / split)?;
            let layer = if split > 1 { self.narrow(&layer, wanted, partitions)? } else { layer };
            held = Some(match held {
                None => layer,
                Some(older) => merge::newest(&older, &layer)?,
            });
        }
        held.map(|held| {
            let alive = without_removed(&held)?;
            Ok(Rows {
                keys: Arc::clone(alive.column(0)),
                fingerprints: alive.column(1).as_fixed_size_binary().clone(),
                sequences: alive.column(2).as_primitive::<UInt32Type>().clone(),
            })
        })
        .transpose()
    }

    #[expect(clippy::unused_self, reason = "reads as a step of `read`")]
    fn read_group(&self, layer: &LayerFile, group: usize) -> Result<RecordBatch, ParquetError> {
        let rows = usize::try_from(layer.metadata.metadata().row_group(group).num_rows()).unwrap_or(0);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(layer.file.clone(), layer.metadata.clone())
            .with_row_groups(vec![group])
            .with_batch_size(rows.max(1))
            .build()?;
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        Ok(concat_batches(layer.metadata.schema(), &batches)?)
    }

    /// The rows of a coarse partition that belong to a finer one.
    fn narrow(&self, rows: &RecordBatch, wanted: usize, partitions: u32) -> Result<RecordBatch, ParquetError> {
        let chosen: UInt64Array = hashes(rows.column(0), &self.keys)
            .into_iter()
            .enumerate()
            .filter(|(_, hash)| partition(*hash, partitions) == wanted)
            .map(|(row, _)| row as u64)
            .collect();
        Ok(take_record_batch(rows, &chosen)?)
    }
}

fn open(folder: &Path, activation: &str, name: &str, keys: &Keys) -> Result<LayerFile, ParquetError> {
    let file = SharedFile::new(File::open(folder.join(name))?)?;
    let decryption =
        FileDecryptionProperties::builder(keys.file.to_vec()).with_aad_prefix(binding(activation, name)).build()?;
    let options = ArrowReaderOptions::new().with_file_decryption_properties(decryption);
    let metadata = ArrowReaderMetadata::load(&file, options)?;
    Ok(LayerFile { file, metadata })
}

fn without_removed(rows: &RecordBatch) -> Result<RecordBatch, ParquetError> {
    let prints: &ArrayRef = rows.column(1);
    match prints.nulls() {
        Some(nulls) if nulls.null_count() > 0 => {
            Ok(filter_record_batch(rows, &BooleanArray::new(nulls.inner().clone(), None))?)
        }
        _ => Ok(rows.clone()),
    }
}

fn unreadable(error: &ParquetError) -> Failure {
    secret::lost(&format!("the snapshot can't be read: {error}"))
}
