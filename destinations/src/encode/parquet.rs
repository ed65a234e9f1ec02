use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{ArrayRef, RecordBatch},
    compute::{CastOptions, cast_with_options},
    datatypes::{Field, Schema, SchemaRef},
    error::ArrowError,
};
use bytes::Bytes;
use parquet::{
    arrow::{
        ARROW_SCHEMA_META_KEY, ArrowWriter,
        arrow_writer::{
            ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, ArrowWriterOptions, compute_leaves,
        },
        encode_arrow_schema,
    },
    basic::{Compression as Codec, ZstdLevel},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
};

use super::{EncodeError, plain::storable_field, plain_schema};
use crate::files::{Compression, FileOptions};

/// On a million profiles level 3 takes a sixth more time than level 1, for 3 % smaller files.
const ZSTD_LEVEL: i32 = 1;
/// What a column chunk adds to the footer: its metadata, statistics and offset index.
const FOOTER_BYTES_A_COLUMN: u64 = 260;
/// A column whose dictionary grows past this is written plain from there on. Small, so that keys and hashes are
/// soon found out: on a million profiles a limit of 1 MiB costs twice the time, for files half as large again.
const DICTIONARY_BYTES: usize = 64 << 10;

/// A Parquet file in the making: row groups come encoded and are put in order.
#[derive(Debug)]
pub(super) struct ParquetPart {
    schema: SchemaRef,
    writer: Writer,
    factory: Factory,
    sink: Sink,
    row_groups: usize,
    appended: usize,
}

struct Writer(Option<SerializedFileWriter<Sink>>);

struct Factory(ArrowRowGroupWriterFactory);

/// A row group, encoded.
#[derive(Debug)]
pub(super) struct RowGroup(Vec<ArrowColumnChunk>);

/// A row group to be encoded, on any thread.
pub(super) struct RowGroupWork {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    writers: Vec<ArrowColumnWriter>,
}

impl ParquetPart {
    pub(super) fn new(options: &FileOptions, schema: SchemaRef) -> Result<Self, EncodeError> {
        let codec = match options.compression {
            Compression::None => Codec::UNCOMPRESSED,
            Compression::Snappy => Codec::SNAPPY,
            _ => Codec::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?),
        };
        let told = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), encode_arrow_schema(&plain_schema(&schema)));
        let properties = WriterProperties::builder()
            .set_created_by(concat!("herald ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(codec)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_key_value_metadata(Some(vec![told]))
            .build();
        let sink = Sink::default();
        let schema = Arc::new(Schema::new(schema.fields().iter().map(storable_field).collect::<Vec<_>>()));
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let (writer, factory) =
            ArrowWriter::try_new_with_options(sink.clone(), schema.clone(), options)?.into_serialized_writer()?;
        Ok(Self { schema, writer: Writer(Some(writer)), factory: Factory(factory), sink, row_groups: 0, appended: 0 })
    }

    pub(super) fn row_group(&mut self, batches: Vec<RecordBatch>) -> Result<RowGroupWork, EncodeError> {
        let writers = self.factory.0.create_column_writers(self.row_groups)?;
        self.row_groups += 1;
        Ok(RowGroupWork { schema: self.schema.clone(), batches, writers })
    }

    pub(super) fn append(&mut self, group: RowGroup) -> Result<Vec<Bytes>, EncodeError> {
        let writer = self.writer.0.as_mut().ok_or(EncodeError::Thread)?;
        let mut row_group = writer.next_row_group()?;
        for column in group.0 {
            column.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        writer.flush()?;
        self.appended += 1;
        Ok(self.sink.take())
    }

    /// What the footer of the row groups so far will take.
    pub(super) fn footer_bytes(&self) -> u64 {
        self.row_groups as u64 * self.schema.fields().len() as u64 * FOOTER_BYTES_A_COLUMN
    }

    pub(super) fn finish(&mut self) -> Result<Vec<Bytes>, EncodeError> {
        if let Some(writer) = self.writer.0.take() {
            writer.close()?;
        }
        Ok(self.sink.take())
    }
}

impl RowGroupWork {
    pub(super) fn run(mut self) -> Result<RowGroup, EncodeError> {
        for batch in std::mem::take(&mut self.batches) {
            let mut writers = self.writers.iter_mut();
            for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
                let column = stored(column, field)?;
                for leaf in compute_leaves(field, &column)? {
                    writers.next().ok_or(EncodeError::Thread)?.write(&leaf)?;
                }
            }
        }
        Ok(RowGroup(self.writers.into_iter().map(ArrowColumnWriter::close).collect::<Result<_, _>>()?))
    }
}

/// A column in the type that the file holds it in. What does not fit is an error, never a null.
fn stored(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    // The words of the error would name the value.
    let exact = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, field.data_type(), &exact)
        .map_err(|_| ArrowError::ParquetError("a time is outside of what the file can hold".to_owned()))
}

/// Collects what the file writer writes, until it is taken.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<Bytes> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if bytes.is_empty() { Vec::new() } else { vec![Bytes::from(bytes)] }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sink")
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl std::fmt::Debug for Factory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Factory")
    }
}
