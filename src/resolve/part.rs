//! One delivered part, fetched to this machine: the columns of it that are asked for, batch by batch.
//!
//! Arrow's own readers serve here, and not the engine: the columns stand in the manifest, so that nothing is inferred, and
//! numbers are read as the texts that they are.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::PathBuf,
    sync::Arc,
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use herald_destinations::files::{Compression, FileOptions, Format};
use parquet::arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder};

use super::{
    delimited::{one_byte, unguarded},
    engine::without_values,
    tables::detect,
};
use crate::{
    config::TableFormat,
    publish::{Failure, code},
};

/// A part, fetched.
#[derive(Debug, Clone)]
pub struct FetchedPart {
    /// Where it stands on this machine.
    pub file: PathBuf,
    /// Where it stands at the target, for messages.
    pub path: String,
    /// Its columns, in order.
    pub columns: Vec<String>,
    /// Of a full publish: the fields that hold the member's key. `None`: an incremental one, which names members itself.
    pub key_fields: Option<Vec<String>>,
    /// Rows that it must hold.
    pub rows: u64,
    /// How it was written, as far as its name does not say.
    pub files: FileOptions,
}

/// Batches of the columns that were asked for, in that order; of a text format all of them texts.
pub(super) struct PartReader(Batches);

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Rows of a batch.
const BATCH_ROWS: usize = 32_768;

impl FetchedPart {
    /// Format and compression: by the name, or, where that says nothing, as the config has it.
    fn kind(&self) -> (TableFormat, FileCompressionType) {
        detect(&self.path).unwrap_or_else(|| {
            let compression = match self.files.compression {
                Compression::Gzip => FileCompressionType::GZIP,
                Compression::Bzip2 => FileCompressionType::BZIP2,
                Compression::Zstd => FileCompressionType::ZSTD,
                Compression::None | Compression::Snappy => FileCompressionType::UNCOMPRESSED,
            };
            match self.files.format {
                // Its compression is within.
                Format::Parquet => (TableFormat::Parquet, FileCompressionType::UNCOMPRESSED),
                Format::Csv => (TableFormat::Csv, compression),
                Format::Ndjson => (TableFormat::Ndjson, compression),
            }
        })
    }

    /// Whether its values are texts, whatever their types were.
    pub(super) fn is_text(&self) -> bool {
        self.kind().0 != TableFormat::Parquet
    }

    /// It can't serve.
    pub(super) fn refused(&self, why: &str) -> Failure {
        Failure {
            code: code::NOT_ADOPTABLE.into(),
            message: format!("`{}` can't be read back: {why}", self.path),
            remedy: "write the keys of the members that the target holds to a file, one a line, and adopt with \
                     `--keys FILE`; or publish once with `--full`"
                .into(),
            retryable: false,
        }
    }

    /// It can't be read as what it should be; whatever the error quotes stays out.
    pub(super) fn unreadable(&self, error: &impl std::fmt::Display) -> Failure {
        self.refused(&without_values(&error.to_string()))
    }
}

impl PartReader {
    /// Opens a part for reading these columns of it.
    ///
    /// # Errors
    /// `not_adoptable`, naming the part, or what the disk said.
    pub(super) fn open(part: &FetchedPart, wanted: &[String]) -> Result<Self, Failure> {
        if let Some(missing) = wanted.iter().find(|name| !part.columns.contains(name)) {
            return Err(part.refused(&format!("it has no column `{missing}`")));
        }
        let file = File::open(&part.file).map_err(|error| code::disk(&error, "read a part that was fetched"))?;
        let (format, compression) = part.kind();
        let text = || -> Result<_, Failure> {
            let read = compression.convert_read(file.try_clone().map_err(|error| part.unreadable(&error))?);
            read.map_err(|error| part.unreadable(&error))
        };
        let batches = match format {
            TableFormat::Parquet => parquet(&file, wanted).map_err(|error| part.unreadable(&error))?,
            TableFormat::Csv => csv(text()?, part, wanted).map_err(|error| part.unreadable(&error))?,
            TableFormat::Ndjson => ndjson(text()?, wanted).map_err(|error| part.unreadable(&error))?,
            TableFormat::Arrow => return Err(part.refused("herald writes no files of this format")),
        };
        Ok(Self(batches))
    }
}

impl Iterator for PartReader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

fn parquet(file: &File, wanted: &[String]) -> Result<Batches, ArrowError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.try_clone()?)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted.iter().map(String::as_str));
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?;
    let wanted = wanted.to_vec();
    // A projection keeps the order of the file.
    Ok(Box::new(reader.map(move |batch| in_order(&batch?, &wanted))))
}

fn csv(text: Box<dyn Read + Send>, part: &FetchedPart, wanted: &[String]) -> Result<Batches, ArrowError> {
    let csv = part.files.csv.clone();
    let (text, delimiter) = one_byte(text, csv.delimiter);
    let reader = arrow::csv::ReaderBuilder::new(Arc::new(texts(&part.columns)))
        .with_header(csv.header)
        .with_delimiter(delimiter)
        .with_batch_size(BATCH_ROWS)
        .build(text)?;
    let wanted = wanted.to_vec();
    Ok(Box::new(reader.map(move |batch| {
        let batch = in_order(&batch?, &wanted)?;
        if csv.formula_guard { unguarded(&batch) } else { Ok(batch) }
    })))
}

fn ndjson(text: Box<dyn Read + Send>, wanted: &[String]) -> Result<Batches, ArrowError> {
    let reader = arrow::json::ReaderBuilder::new(Arc::new(texts(wanted)))
        .with_coerce_primitive(true)
        .with_batch_size(BATCH_ROWS)
        .build(BufReader::new(text))?;
    Ok(Box::new(reader))
}

fn texts(columns: &[String]) -> Schema {
    Schema::new(columns.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>())
}

fn in_order(batch: &RecordBatch, wanted: &[String]) -> Result<RecordBatch, ArrowError> {
    let columns = wanted.iter().map(|name| batch.schema_ref().index_of(name)).collect::<Result<Vec<_>, _>>()?;
    batch.project(&columns)
}
