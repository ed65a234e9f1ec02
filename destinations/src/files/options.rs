//! How published files look: the `files` block of an activation, checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encode::pgp::Encryption;

/// Checked options, with every default filled in. Written by the config, read by the encoders. Nothing stores them: they
/// may hold a private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// Encoding of a part.
    pub format: Format,
    /// Compression of a part.
    pub compression: Compression,
    /// Path of a part below the target's root, with `{placeholders}`: `{activation}` `{segment}` `{sequence}`
    /// `{yyyy}` `{mm}` `{dd}` `{hh}` `{date}` (`yyyy-mm-dd`) `{timestamp}` (`yyyyMMddTHHmmssZ`) `{mode}`
    /// `{publish_id}` `{part}` (five digits from `00000`) `{ext}`, and `{datetime}` (`yyyy-MM-dd-HH-mm-ss-SSS`). All
    /// times are the start of the publish, in UTC.
    pub path: String,
    /// Whether `path` may stand still, and a publish replaces the file before it.
    pub overwrite: bool,
    /// A part holds no more rows.
    pub max_rows: u64,
    /// A part is closed at the first chance past this many bytes.
    pub max_size: u64,
    /// Dialect, for `csv`.
    pub csv: CsvOptions,
    /// Whom parts are encrypted for; `None`: they are not.
    pub encrypt: Option<Encryption>,
    /// Whether each part has a file of its SHA-256 beside it.
    pub checksums: bool,
    /// Whether a manifest is written.
    pub manifest: bool,
    /// Name of an empty file that is written after all others; `None`: none is.
    pub marker: Option<String>,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            format: Format::Parquet,
            compression: Compression::Zstd,
            path: DEFAULT_PATH.to_owned(),
            overwrite: false,
            max_rows: 5_000_000,
            max_size: 512 << 20,
            csv: CsvOptions::default(),
            encrypt: None,
            checksums: false,
            manifest: true,
            marker: None,
        }
    }
}

/// Where parts stand unless the config says otherwise.
pub const DEFAULT_PATH: &str = "{activation}/{date}/{publish_id}/part-{part}.{ext}";

/// Names as Data Cloud gives them, `<Segment>_<Activation>_<yyyy-MM-dd-HH-mm-ss-SSS>_<00000>.<ext>`, each publish in a
/// folder of its own.
pub const DATA_CLOUD_PATH: &str = "{activation}/{date}/{publish_id}/{segment}_{activation}_{datetime}_{part}.{ext}";

/// Encoding of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Columnar.
    Parquet,
    /// Text, RFC 4180.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// Compression of a part. `snappy` is for Parquet alone; `gzip` and `bzip2` are for text alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As it is.
    None,
    /// Parquet.
    Snappy,
    /// Parquet and text.
    Zstd,
    /// Text.
    Gzip,
    /// Text.
    Bzip2,
}

/// Dialect of CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// One character between fields, also one that takes several bytes.
    pub delimiter: char,
    /// Whether the first line names the columns.
    pub header: bool,
    /// When a field stands in quotes.
    pub quote: Quote,
    /// What stands for null; never quoted.
    pub null: String,
    /// Whether texts that a spreadsheet would take for a formula get an apostrophe in front.
    pub formula_guard: bool,
    /// Whether a part starts with the byte order mark by which some spreadsheets know UTF-8.
    pub bom: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: ',',
            header: true,
            quote: Quote::Minimal,
            null: String::new(),
            formula_guard: false,
            bom: false,
        }
    }
}

/// When a CSV field stands in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Quote {
    /// Where it must: delimiter, quote, line break, an empty string, a text equal to the null text.
    Minimal,
    /// Every text that is not null, and column names; others where they must.
    Text,
    /// Every field that is not null.
    All,
}
