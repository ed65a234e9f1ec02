//! The `files` block of an activation.

use herald_destinations::files::{Compression, Format, Quote};
use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{Duration, Secret, Size};

/// How published files look.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Files {
    /// Encoding. Default: `parquet`.
    pub(in crate::config) format: Option<Format>,
    /// Compression: `snappy`, `zstd` or `none` for Parquet; `none`, `gzip`, `bzip2` or `zstd` for text.
    /// Default: `zstd` for Parquet, `gzip` for text.
    pub(in crate::config) compression: Option<Compression>,
    /// Path of a part below the target's root. Placeholders: `{activation}` `{segment}` `{date}` `{yyyy}` `{mm}`
    /// `{dd}` `{hh}` `{timestamp}` `{datetime}` `{sequence}` `{publish_id}` `{mode}` `{part}` `{ext}`.
    /// Default: `{activation}/{date}/{publish_id}/part-{part}.{ext}`.
    #[schemars(length(min = 1))]
    pub(in crate::config) path: Option<String>,
    /// A known naming in place of `path`.
    pub(in crate::config) layout: Option<Layout>,
    /// Lets a path stand still, each publish replacing the file before it: mode full, one part. Default: false.
    pub(in crate::config) overwrite: Option<bool>,
    /// A new part starts past so many rows. Default: 5000000.
    #[schemars(range(min = 1))]
    pub(in crate::config) max_rows: Option<u64>,
    /// A new part starts past this size. Default: `512MiB`.
    pub(in crate::config) max_size: Option<Size>,
    /// Dialect of CSV.
    pub(in crate::config) csv: Option<Csv>,
    /// Encryption of parts.
    pub(in crate::config) encrypt: Option<Encrypt>,
    /// Whether each part has a file `PART.sha256` beside it, as `sha256sum -c` takes it. Default: false.
    pub(in crate::config) checksums: Option<bool>,
    /// Whether a manifest is written last. Default: true.
    pub(in crate::config) manifest: Option<bool>,
    /// Name of an empty file that is written after all others, such as `_SUCCESS`. Default: none.
    #[schemars(length(min = 1))]
    pub(in crate::config) marker: Option<String>,
    /// Removes old publishes; never the newest full one or anything after it. Default: all stay.
    pub(in crate::config) keep: Option<Keep>,
}

/// Dialect of CSV.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Csv {
    /// One character between fields, of any kind but quotes and line breaks. Default: a comma.
    #[schemars(length(min = 1, max = 1))]
    pub(in crate::config) delimiter: Option<String>,
    /// Whether the first line names the columns. Default: true.
    pub(in crate::config) header: Option<bool>,
    /// Which fields stand in quotes. Default: `minimal`.
    pub(in crate::config) quote: Option<Quote>,
    /// What stands for null. Default: nothing.
    pub(in crate::config) null: Option<String>,
    /// Whether texts that begin with `=`, `+`, `-`, `@`, a tab or a carriage return get an apostrophe in front, so
    /// that no spreadsheet runs them. Default: false.
    pub(in crate::config) formula_guard: Option<bool>,
    /// Whether a part starts with a byte order mark. Default: false.
    pub(in crate::config) bom: Option<bool>,
}

/// A known naming of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum Layout {
    /// As Data Cloud names them: `<Segment>_<Activation>_<yyyy-MM-dd-HH-mm-ss-SSS>_<00000>.<ext>`.
    DataCloud,
}

/// Encryption of parts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Encrypt {
    /// Files of OpenPGP public keys, relative to the config file. Whoever has a private key of one of them can read.
    #[schemars(length(min = 1))]
    pub(in crate::config) pgp: Vec<String>,
    /// File of the OpenPGP private key that signs, relative to the config file. Default: nobody signs.
    #[schemars(length(min = 1))]
    pub(in crate::config) sign: Option<String>,
    /// Opens the private key.
    pub(in crate::config) passphrase: Option<Secret>,
}

/// How long delivered files stay: one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["publishes"]}, {"required": ["age"]}]))]
pub(in crate::config) struct Keep {
    /// So many publishes.
    #[schemars(range(min = 1))]
    pub(in crate::config) publishes: Option<u32>,
    /// This long.
    pub(in crate::config) age: Option<Duration>,
}
