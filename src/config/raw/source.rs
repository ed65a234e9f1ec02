//! The `sources` map.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::text::{Name, OneOrMany, Ordered};

/// Where profiles live.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Source {
    /// What it is.
    #[serde(rename = "type")]
    #[allow(dead_code, reason = "there is one choice; the key is read so that configs name it")]
    pub(in crate::config) kind: SourceKind,
    /// Its tables; their names are unique over all sources.
    pub(in crate::config) tables: BTreeMap<Name, Table>,
}

/// Kinds of sources.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum SourceKind {
    /// Parquet, CSV, NDJSON or Arrow files.
    Files,
}

/// A named relation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Table {
    /// A file, a glob or a folder, relative to the config file; or a URL `s3://`, `gs://`, `az://`.
    #[schemars(length(min = 1))]
    pub(in crate::config) path: String,
    /// Format of the files. Default: by their extension.
    pub(in crate::config) format: Option<crate::config::model::TableFormat>,
    /// Column, or list of columns, that identifies a row.
    pub(in crate::config) key: OneOrMany,
    /// Column, or list of columns, that points to a member's key: makes this a related table.
    pub(in crate::config) member: Option<OneOrMany>,
    /// Column that says when a row last changed.
    #[schemars(length(min = 1))]
    pub(in crate::config) updated_at: Option<String>,
    /// Columns and their SQL types. Default: read from the files.
    pub(in crate::config) columns: Option<Ordered<String>>,
}
