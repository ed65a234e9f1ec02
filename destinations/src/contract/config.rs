//! From options in a config file to a connected destination.

use std::{fmt::Debug, path::Path, sync::Arc};

use async_trait::async_trait;

use super::{Capabilities, Destination, Error, Retries};

/// A kind of destination, compiled in. [`KINDS`](crate::KINDS) lists them all.
pub trait Kind: Debug + Sync + 'static {
    /// The word after `type:`, also a metric label: `local`, `s3`, …
    fn name(&self) -> &'static str;
    /// One line for people who choose a kind.
    fn summary(&self) -> &'static str;
    /// Whether it takes files, so that an activation's `files` mean something to it; others take records.
    fn takes_files(&self) -> bool;
    /// JSON Schema of the options, the `type` key left out. Secrets are marked `writeOnly`.
    fn schema(&self) -> schemars::Schema;
    /// Reads options that fit [`schema`](Self::schema); relative paths are relative to `folder`. No I/O.
    ///
    /// # Errors
    /// The first rule that the schema can't say, such as two keys that exclude each other.
    fn parse(&self, options: serde_json::Value, folder: &Path) -> Result<Box<dyn Config>, ConfigError>;
}

/// Checked options. Has no `Serialize`, and its `Debug` shows no secret.
#[async_trait]
pub trait Config: Debug + Send + Sync {
    /// The kind's name.
    fn kind(&self) -> &'static str;
    /// What makes the target the same target: host or account, bucket, path; never its credentials.
    /// Snapshots are bound to it.
    fn identity(&self) -> String;
    /// The facts that the connected destination will state too.
    fn capabilities(&self) -> Capabilities;
    /// Connects; the credentials may be used only with the first request. Every request is made under `retries`,
    /// whose tally the caller may read.
    ///
    /// # Errors
    /// When credentials can't be found or a client can't be built.
    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error>;
}

/// An option that is well-formed but wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The key at fault within the options, dotted (`sse.kms_key`); empty for the options as a whole.
    pub key: String,
    /// What is wrong, what was expected.
    pub message: String,
}
