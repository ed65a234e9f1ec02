//! Reading a snapshot, partition by partition.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{BinaryArray, BooleanArray, RecordBatch, UInt64Array},
    compute::{concat_batches, take_record_batch},
    datatypes::{DataType, Field, Schema},
};
use parquet::{
    arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    encryption::decrypt::FileDecryptionProperties,
    errors::ParquetError,
};

use super::{
    Holding, Keys, Layer, Pointer, Rows,
    key::{hashes, partition},
    layer::binding,
    merge,
    pread::SharedFile,
    rows::{FIELDS, settled},
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
    fields: bool,
    keys: Keys,
}

/// One file of a snapshot, open for reading.
#[derive(Debug)]
pub(super) struct LayerFile {
    file: SharedFile,
    metadata: ArrowReaderMetadata,
}

impl Snapshot {
    pub(super) fn open(folder: &Path, activation: &str, pointer: &Pointer, keys: &Keys) -> Result<Self, Failure> {
        let files = pointer
            .layers
            .iter()
            .map(|layer| LayerFile::open(folder, activation, layer, keys))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(&error))?;
        let fields = files.iter().any(LayerFile::has_fields);
        Ok(Self { files, partitions: pointer.partitions, members: pointer.members, fields, keys: keys.clone() })
    }

    /// Members held, those that are perhaps there included.
    pub fn members(&self) -> u64 {
        self.members
    }

    /// Type of the keys; `None` while nothing is held.
    pub fn key_type(&self) -> Option<DataType> {
        self.files.first().map(|file| file.metadata.schema().field(0).data_type().clone())
    }

    /// Whether it has a fingerprint for each field.
    pub fn has_fields(&self) -> bool {
        self.fields
    }

    /// Partition number `wanted` of `partitions`, which is at least as many as the files have. `None`: nothing held.
    ///
    /// # Errors
    /// `snapshot_unreadable` when a file is damaged.
    pub fn partition(&self, wanted: usize, partitions: u32) -> Result<Option<Held>, Failure> {
        let present = |rows: Rows| {
            let gone = Holding::Gone as u8;
            if rows.states().values().contains(&gone) {
                let states = rows.states().values().iter();
                return rows.filter(&BooleanArray::from_iter(states.map(|state| Some(*state != gone))));
            }
            Ok(rows)
        };
        let read = || Ok(self.read(wanted, partitions, false)?.map(present).transpose()?);
        read().map_err(|error: ParquetError| unreadable(&error))
    }

    /// As [`partition`](Self::partition), with the rows of members that are gone, and what was about to be sent.
    ///
    /// # Errors
    /// `snapshot_unreadable` when a file is damaged.
    pub fn partition_as_written(&self, wanted: usize, partitions: u32) -> Result<Option<Rows>, Failure> {
        self.read(wanted, partitions, true).map_err(|error| unreadable(&error))
    }

    fn read(&self, wanted: usize, partitions: u32, as_written: bool) -> Result<Option<Rows>, ParquetError> {
        let split = (partitions / self.partitions).max(1) as usize;
        let mut held: Option<RecordBatch> = None;
        for file in &self.files {
            let layer = file.group(wanted / split)?;
            let layer = if as_written { layer } else { settled(&layer)? };
            let layer = if self.fields && !file.has_fields() { with_fields(&layer)? } else { layer };
            let layer = if split > 1 { self.narrow(&layer, wanted, partitions)? } else { layer };
            held = Some(match held {
                None => layer,
                Some(older) => merge::newest(&older, &layer)?,
            });
        }
        Ok(held.map(Rows::from_batch))
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

impl LayerFile {
    pub(super) fn open(folder: &Path, activation: &str, layer: &Layer, keys: &Keys) -> Result<Self, ParquetError> {
        let name = layer.file.as_str();
        let file = SharedFile::new(File::open(folder.join(name))?)?;
        let decryption =
            FileDecryptionProperties::builder(keys.file.to_vec()).with_aad_prefix(binding(activation, name)).build()?;
        let options = ArrowReaderOptions::new().with_file_decryption_properties(decryption);
        let metadata = ArrowReaderMetadata::load(&file, options)?;
        Ok(Self { file, metadata })
    }

    fn has_fields(&self) -> bool {
        self.metadata.schema().field_with_name(FIELDS).is_ok()
    }

    /// How many row groups, one a partition.
    pub(super) fn groups(&self) -> u32 {
        u32::try_from(self.metadata.metadata().num_row_groups()).unwrap_or(1).max(1)
    }

    /// All rows of one row group.
    pub(super) fn group(&self, group: usize) -> Result<RecordBatch, ParquetError> {
        let rows = usize::try_from(self.metadata.metadata().row_group(group).num_rows()).unwrap_or(0);
        // A file of few rows has many such.
        if rows == 0 {
            return Ok(RecordBatch::new_empty(Arc::clone(self.metadata.schema())));
        }
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.metadata.clone())
            .with_row_groups(vec![group])
            .with_batch_size(rows.max(1))
            .build()?;
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        Ok(concat_batches(self.metadata.schema(), &batches)?)
    }
}

/// Rows of a file that was written before the target was told what changed.
fn with_fields(rows: &RecordBatch) -> Result<RecordBatch, ParquetError> {
    let mut fields: Vec<_> = rows.schema_ref().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(FIELDS, DataType::Binary, true)));
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(BinaryArray::new_null(rows.num_rows())));
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

pub(super) fn unreadable(error: &ParquetError) -> Failure {
    Failure {
        remedy: "bring the data folder back from a backup, or rebuild the snapshot from what the target holds with \
                 `herald adopt`"
            .into(),
        ..secret::lost(&format!("the snapshot can't be read: {error}"))
    }
}
