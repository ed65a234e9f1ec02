use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use bytes::Bytes;

use super::{
    EncodeError,
    compress::{Assembly, Packed, pack},
    csv,
};
use crate::files::{Compression, CsvOptions, FileOptions, Format};

/// A text file in the making: chunks come compressed and are put in order.
#[derive(Debug)]
pub(super) struct TextPart {
    dialect: Arc<Dialect>,
    assembly: Assembly,
    chunks: usize,
    /// Bytes of text that the last chunk took, so that the next one asks for its memory at once.
    capacity: usize,
}

#[derive(Debug)]
struct Dialect {
    format: Format,
    compression: Compression,
    csv: CsvOptions,
    schema: SchemaRef,
}

/// A chunk, compressed.
#[derive(Debug)]
pub(super) struct TextChunk {
    packed: Packed,
    text_bytes: usize,
}

/// A chunk to be encoded, on any thread.
pub(super) struct TextWork {
    dialect: Arc<Dialect>,
    batches: Vec<RecordBatch>,
    first: bool,
    capacity: usize,
}

impl TextPart {
    pub(super) fn new(options: &FileOptions, schema: SchemaRef) -> Self {
        let dialect =
            Dialect { format: options.format, compression: options.compression, csv: options.csv.clone(), schema };
        Self { assembly: Assembly::new(options.compression), dialect: Arc::new(dialect), chunks: 0, capacity: 1 << 20 }
    }

    pub(super) fn chunk(&mut self, batches: Vec<RecordBatch>) -> TextWork {
        let first = self.chunks == 0;
        self.chunks += 1;
        TextWork { dialect: self.dialect.clone(), batches, first, capacity: self.capacity }
    }

    pub(super) fn append(&mut self, chunk: TextChunk) -> Vec<Bytes> {
        self.capacity = chunk.text_bytes + chunk.text_bytes / 16;
        self.assembly.append(chunk.packed)
    }

    pub(super) fn finish(&mut self) -> Result<Vec<Bytes>, EncodeError> {
        Ok(self.assembly.finish()?)
    }
}

impl TextWork {
    pub(super) fn run(self) -> Result<TextChunk, EncodeError> {
        let dialect = &self.dialect;
        let mut text = Vec::with_capacity(self.capacity);
        if dialect.format == Format::Csv {
            if self.first {
                csv::write_start(&dialect.schema, &dialect.csv, &mut text);
            }
            for batch in &self.batches {
                csv::write_batch(batch, &dialect.csv, &mut text)?;
            }
        } else {
            let mut writer = arrow::json::WriterBuilder::new()
                .with_explicit_nulls(true)
                .build::<_, arrow::json::writer::LineDelimited>(&mut text);
            for batch in &self.batches {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
        let text_bytes = text.len();
        Ok(TextChunk { packed: pack(dialect.compression, text)?, text_bytes })
    }
}
