//! Tables of files: their format, schema, and which files they are made of.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::{
    datasource::{
        file_format::{
            FileFormat, arrow::ArrowFormat, csv::CsvFormat, file_compression_type::FileCompressionType,
            json::JsonFormat, parquet::ParquetFormat,
        },
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
    error::DataFusionError,
    prelude::SessionContext,
};
use object_store::ObjectMeta;

use super::{engine, listing::Location, stores};
use crate::{
    config::{Table, TableFormat},
    publish::{Failure, code},
};

/// A table that can be queried by its name.
#[derive(Debug, Clone)]
pub(super) struct TableInfo {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its files when it was planned with.
    pub pins: Pins,
}

/// The files of a table as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pins {
    place: Location,
    /// Whether the table's format is declared, so that no file is left out for its extension.
    declared: bool,
    files: BTreeMap<String, Pin>,
}

/// Enough of a file to notice that it is another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pin {
    size: u64,
    modified: i64,
    tag: Option<String>,
}

impl Pins {
    fn new(place: Location, declared: bool, files: &[ObjectMeta]) -> Self {
        let pin = |file: &ObjectMeta| {
            let modified = file.last_modified.timestamp_micros();
            (file.location.to_string(), Pin { size: file.size, modified, tag: file.e_tag.clone() })
        };
        Self { place, declared, files: files.iter().map(pin).collect() }
    }

    /// Compares with what is there now.
    ///
    /// # Errors
    /// `source_changed`, naming a file.
    pub(super) async fn check(&self, session: &SessionContext) -> Result<(), Failure> {
        let found = self.place.files(session, self.declared).await.map_err(|error| engine::failure(&error))?;
        let now = Self::new(self.place.clone(), self.declared, &found.chosen);
        let differing = self.files.iter().find(|(path, pin)| now.files.get(*path) != Some(*pin)).map(|(path, _)| path);
        let appeared = || now.files.keys().find(|path| !self.files.contains_key(*path));
        match differing.or_else(appeared) {
            None => Ok(()),
            Some(path) => Err(Failure {
                code: code::SOURCE_CHANGED.into(),
                message: format!("`{path}` changed while it was read"),
                remedy: "publish again; write new files beside the old ones, or replace them between publishes".into(),
                retryable: true,
            }),
        }
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|pin| pin.size).sum()
    }
}

/// Makes a table known to the session, once.
///
/// # Errors
/// What is wrong with its files or columns, in words.
pub(super) async fn register(session: &SessionContext, table: &Table) -> Result<TableInfo, Failure> {
    let plain = |message: String| Failure {
        code: code::SOURCE_UNREADABLE.into(),
        message,
        remedy: "check the table's path".into(),
        retryable: false,
    };
    stores::register(session, &table.location).map_err(|error| plain(error.to_string()))?;
    let place = Location::parse(&table.location).map_err(|error| engine::failure(&error))?;
    let declared = table.format.is_some();
    let found = place.files(session, declared).await.map_err(|error| engine::failure(&error))?;
    let first = found.chosen.first().ok_or_else(|| Failure {
        code: code::SOURCE_MISSING.into(),
        ..plain(format!("no file at `{}`", table.location))
    })?;
    let kind_of = |file: &ObjectMeta| match table.format {
        Some(format) => Some((format, compression(file.location.as_ref()))),
        None => detect(file.location.as_ref()),
    };
    let kind =
        kind_of(first).ok_or_else(|| plain(format!("`{}` has no known extension; say `format`", first.location)))?;
    if let Some(other) = found.chosen.iter().find(|file| kind_of(file) != Some(kind)) {
        return Err(plain(format!(
            "`{}` and `{}` are of different formats or compressions; take one sort with a glob, the other as a table of its own",
            first.location, other.location
        )));
    }
    // The engine passes over files without a byte, which would make a table cut short look like an empty one.
    let cut_short = matches!(kind.0, TableFormat::Parquet | TableFormat::Arrow);
    if let Some(empty) = found.chosen.iter().find(|file| file.size == 0 && (cut_short || table.columns.is_empty())) {
        return Err(plain(format!("`{}` is empty", empty.location)));
    }
    let unreadable = |error: DataFusionError| {
        let failure = engine::failure(&error);
        Failure {
            message: format!("`{}` can't be read as {:?}: {}", table.location, kind.0, failure.message),
            ..failure
        }
    };
    let urls = place.urls(&found).map_err(unreadable)?;
    let options = options(session, &urls[0], kind).await.map_err(unreadable)?;
    let schema = if table.columns.is_empty() {
        let mut schemas = Vec::with_capacity(urls.len());
        for url in &urls {
            schemas.push(options.infer_schema(&session.state(), url).await.map_err(unreadable)?.as_ref().clone());
        }
        Arc::new(Schema::try_merge(schemas).map_err(|error| unreadable(error.into()))?)
    } else {
        self::declared(session, table)?
    };
    let pins = Pins::new(place, declared, &found.chosen);
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(schema);
    let provider = Arc::new(ListingTable::try_new(config).map_err(unreadable)?);
    let schema = datafusion::catalog::TableProvider::schema(provider.as_ref());
    session.register_table(table.name.as_str(), provider).map_err(unreadable)?;
    Ok(TableInfo { schema, pins })
}

async fn options(
    session: &SessionContext,
    url: &ListingTableUrl,
    (format, compression): (TableFormat, FileCompressionType),
) -> Result<ListingOptions, DataFusionError> {
    let defaults = session.state().default_table_options();
    let format: Arc<dyn FileFormat> = match format {
        TableFormat::Parquet => Arc::new(ParquetFormat::default().with_options(defaults.parquet)),
        TableFormat::Csv => Arc::new(
            CsvFormat::default()
                .with_has_header(true)
                .with_newlines_in_values(true)
                .with_file_compression_type(compression),
        ),
        TableFormat::Ndjson => Arc::new(JsonFormat::default().with_file_compression_type(compression)),
        TableFormat::Arrow => Arc::new(ArrowFormat),
    };
    // Files are told by the table's path, not by an extension that the format would dictate.
    let options = ListingOptions::new(format).with_file_extension("");
    let names = if url.is_collection() { options.infer_partitions(&session.state(), url).await? } else { Vec::new() };
    Ok(options.with_table_partition_cols(names.into_iter().map(|name| (name, DataType::Utf8)).collect()))
}

/// Declared columns, their types as SQL writes them.
fn declared(session: &SessionContext, table: &Table) -> Result<SchemaRef, Failure> {
    let fields = table.columns.iter().map(|(name, data_type)| {
        let word = match data_type.as_str() {
            "string" | "text" => "VARCHAR",
            other => other,
        };
        let cast = format!("CAST(NULL AS {word})");
        let expression = session.state().create_logical_expr(&cast, &datafusion::common::DFSchema::empty());
        let data_type = expression.ok().and_then(|expression| {
            datafusion::logical_expr::ExprSchemable::get_type(&expression, &datafusion::common::DFSchema::empty()).ok()
        });
        data_type.map(|data_type| arrow::datatypes::Field::new(name, data_type, true)).ok_or_else(|| Failure {
            code: "invalid_type".into(),
            message: format!("column `{name}`: `{word}` is no SQL type"),
            remedy: "use a type such as string, bigint, double, boolean, date, timestamp or decimal(18, 2)".into(),
            retryable: false,
        })
    });
    Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?)))
}

pub(super) fn detect(path: &str) -> Option<(TableFormat, FileCompressionType)> {
    let compression = compression(path);
    let bare = if compression.is_compressed() { path.rsplit_once('.')?.0 } else { path };
    let format = match Path::new(bare).extension()?.to_str()? {
        "parquet" | "pq" => TableFormat::Parquet,
        "csv" => TableFormat::Csv,
        "ndjson" | "jsonl" | "json" => TableFormat::Ndjson,
        "arrow" | "ipc" | "feather" => TableFormat::Arrow,
        _ => return None,
    };
    Some((format, compression))
}

fn compression(path: &str) -> FileCompressionType {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("gz") => FileCompressionType::GZIP,
        Some("bz2") => FileCompressionType::BZIP2,
        Some("xz") => FileCompressionType::XZ,
        Some("zst") => FileCompressionType::ZSTD,
        _ => FileCompressionType::UNCOMPRESSED,
    }
}
