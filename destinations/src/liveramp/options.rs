//! What stands below `type: liveramp`, as written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::columns::Region;

/// Kinds that may carry the files: the places that LiveRamp takes files from, and folders for trials.
pub(super) const CARRIERS: [&str; 4] = ["sftp", "s3", "gcs", "local"];

/// Options of a LiveRamp target as they stand in a config. `via` holds secrets in the clear, hence no `Debug`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// The connection that carries the files: a target of type `sftp`, `s3`, `gcs` or `local`. Its path or prefix is
    /// the folder above those that LiveRamp takes files from.
    #[schemars(schema_with = "carrier")]
    pub(super) via: Map<String, Value>,
    /// The list's name, first in every file's name: letters, digits, `-` and `_`.
    #[schemars(length(min = 1, max = 100))]
    pub(super) audience: String,
    /// Whose rules the files follow: those of the United States, or those of Europe.
    pub(super) region: Region,
    /// The folder below `via` that LiveRamp takes the audience's files from. Nothing else is put there.
    #[schemars(length(min = 1))]
    pub(super) folder: String,
    /// The folder below `via` that LiveRamp takes deletion files from. None: removals can't be sent.
    #[schemars(length(min = 1))]
    pub(super) deletions: Option<String>,
    /// What stands between columns. Default: `csv`.
    #[serde(default)]
    pub(super) format: Separator,
    /// Header of the first column, which holds the member's key. Default: `CCID` in the region `us`, `CustomerID` in `eu`.
    #[schemars(length(min = 1))]
    pub(super) key: Option<String>,
    /// Fewest rows of a file that LiveRamp takes; a publish that would write fewer fails. Default: 25.
    #[serde(default = "usual_min_rows")]
    #[schemars(range(min = 1))]
    pub(super) min_rows: u64,
}

/// LiveRamp's own limit.
fn usual_min_rows() -> u64 {
    25
}

fn carrier(_: &mut SchemaGenerator) -> Schema {
    // The config puts the schemas of these kinds in its place.
    json_schema!({ "type": "object", "x-herald-kinds": CARRIERS })
}

/// What stands between columns; the word is the file's extension too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Separator {
    /// A comma.
    #[default]
    Csv,
    /// A pipe.
    Psv,
    /// A tab.
    Tsv,
}

impl Separator {
    pub(super) const fn delimiter(self) -> char {
        match self {
            Self::Csv => ',',
            Self::Psv => '|',
            Self::Tsv => '\t',
        }
    }

    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Psv => "psv",
            Self::Tsv => "tsv",
        }
    }
}
