//! What stands below `type: gcs`, as written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Options of a Google Cloud Storage target as they stand in a config.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Name of the bucket.
    pub(super) bucket: String,
    /// Folder below which everything is written; a missing `/` at its end is added. What is on its way stands beside it,
    /// in `PREFIX.herald/`.
    #[serde(default)]
    pub(super) prefix: String,
    /// File with a service account's key, or another credentials file of Google's. Relative to the config file that
    /// names it. None: application default credentials.
    pub(super) service_account: Option<PathBuf>,
    /// Sends no credentials, as emulators like it.
    #[serde(default)]
    pub(super) anonymous: bool,
    /// Base address in place of Google's: `https://host[:port]`.
    pub(super) endpoint: Option<String>,
}
