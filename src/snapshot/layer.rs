//! Writing one file of a snapshot: partitions are encoded where they are made, in parallel, and appended in order.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use parquet::{
    arrow::{
        ArrowSchemaConverter,
        arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves},
    },
    basic::{Compression, Encoding},
    encryption::encrypt::FileEncryptionProperties,
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::types::ColumnPath,
};

use super::{Keys, Layer, Rows};
use crate::publish::{Failure, code};

/// One partition, encoded: the bytes of a row group.
pub struct EncodedPartition {
    chunks: Vec<ArrowColumnChunk>,
    rows: u64,
}

impl std::fmt::Debug for EncodedPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedPartition").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Encodes partitions; shared by the threads that make them.
#[derive(Debug)]
pub struct PartitionEncoder {
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
}

/// A file being written. Until [`finish`](Self::finish) it is only bytes that the next sweep removes.
#[derive(Debug)]
pub struct LayerWriter {
    path: PathBuf,
    name: String,
    writer: SerializedFileWriter<BufWriter<File>>,
    encoder: Arc<PartitionEncoder>,
    rows: u64,
}

/// Bytes that are buffered before they go to the disk.
const BUFFER: usize = 1 << 20;

impl LayerWriter {
    pub(super) fn create(
        folder: &Path,
        name: String,
        activation: &str,
        schema: SchemaRef,
        keys: &Keys,
    ) -> Result<Self, Failure> {
        let path = folder.join(&name);
        let file = File::create_new(&path).map_err(|error| code::disk(&error, "begin a snapshot file"))?;
        let failed = |error: ParquetError| failure(error, "begin a snapshot file");
        let properties = properties(activation, &name, keys).map_err(failed)?;
        let parquet = ArrowSchemaConverter::new().convert(&schema).map_err(failed)?;
        let writer = SerializedFileWriter::new(
            BufWriter::with_capacity(BUFFER, file),
            parquet.root_schema_ptr(),
            Arc::new(properties),
        )
        .map_err(failed)?;
        let factory = ArrowRowGroupWriterFactory::new(&writer, Arc::clone(&schema));
        Ok(Self { path, name, writer, encoder: Arc::new(PartitionEncoder { factory, schema }), rows: 0 })
    }

    /// What encodes partitions for this file, on any thread.
    pub fn encoder(&self) -> Arc<PartitionEncoder> {
        Arc::clone(&self.encoder)
    }

    /// Appends the next partition; they come in order and none is left out.
    ///
    /// # Errors
    /// `disk_full`, or `internal` for another failure of the disk.
    pub fn append(&mut self, partition: EncodedPartition) -> Result<(), Failure> {
        let append = || -> Result<(), ParquetError> {
            let mut group = self.writer.next_row_group()?;
            for chunk in partition.chunks {
                chunk.append_to_row_group(&mut group)?;
            }
            group.close()?;
            Ok(())
        };
        append().map_err(|error| failure(error, "write the snapshot"))?;
        self.rows += partition.rows;
        Ok(())
    }

    /// Makes the file durable.
    ///
    /// # Errors
    /// `disk_full`, or `internal` for another failure of the disk.
    pub fn finish(self) -> Result<Layer, Failure> {
        let buffer = self.writer.into_inner().map_err(|error| failure(error, "end the snapshot file"))?;
        let durable = || -> std::io::Result<()> {
            buffer.into_inner()?.sync_all()?;
            self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        durable().map_err(|error| code::disk(&error, "make the snapshot file durable"))?;
        Ok(Layer { file: self.name, rows: self.rows })
    }
}

impl PartitionEncoder {
    /// Encodes partition number `partition`.
    ///
    /// # Errors
    /// `internal`: it only touches memory.
    pub fn encode(&self, partition: usize, rows: &Rows) -> Result<EncodedPartition, Failure> {
        self.encode_batch(partition, rows.batch())
    }

    pub(super) fn encode_batch(&self, partition: usize, batch: &RecordBatch) -> Result<EncodedPartition, Failure> {
        let encode = || -> Result<EncodedPartition, ParquetError> {
            if batch.schema_ref() != &self.schema {
                return Err(ParquetError::General("rows of other columns than the file's".into()));
            }
            let writers = self.factory.create_column_writers(partition)?;
            let mut chunks = Vec::with_capacity(writers.len());
            for ((mut writer, field), array) in writers.into_iter().zip(self.schema.fields()).zip(batch.columns()) {
                for leaf in compute_leaves(field, array)? {
                    writer.write(&leaf)?;
                }
                chunks.push(writer.close()?);
            }
            Ok(EncodedPartition { chunks, rows: batch.num_rows() as u64 })
        };
        encode().map_err(|error| failure(error, "encode a partition of the snapshot"))
    }
}

/// Binds a file to its activation and name: one file can't be passed off as another.
pub(super) fn binding(activation: &str, name: &str) -> Vec<u8> {
    format!("{activation}/{name}").into_bytes()
}

fn properties(activation: &str, name: &str, keys: &Keys) -> Result<WriterProperties, ParquetError> {
    let encryption = FileEncryptionProperties::builder(keys.file.to_vec())
        .with_aad_prefix(binding(activation, name))
        .with_aad_prefix_storage(false)
        .build()?;
    Ok(WriterProperties::builder()
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_dictionary_enabled(false)
        // Half the time of zstd's lowest level, on keys that share their beginnings.
        .set_compression(Compression::SNAPPY)
        .set_column_encoding(ColumnPath::from("key"), Encoding::PLAIN)
        // Fingerprints are random bytes: nothing to gain.
        .set_column_compression(ColumnPath::from("fingerprint"), Compression::UNCOMPRESSED)
        .set_column_compression(ColumnPath::from("fields"), Compression::UNCOMPRESSED)
        .set_column_compression(ColumnPath::from("hash"), Compression::UNCOMPRESSED)
        .set_column_encoding(ColumnPath::from("sequence"), Encoding::DELTA_BINARY_PACKED)
        .with_file_encryption_properties(encryption)
        .build())
}

/// A full disk hides in a Parquet error's source.
fn failure(error: ParquetError, operation: &str) -> Failure {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(error) => code::disk(&error, operation),
            Err(other) => code::internal(format!("could not {operation}: {other}")),
        },
        other if other.to_string().contains("No space left") => {
            code::disk(&std::io::Error::from(std::io::ErrorKind::StorageFull), operation)
        }
        other => code::internal(format!("could not {operation}: {other}")),
    }
}
