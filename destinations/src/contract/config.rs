//! From options in a config file to a connected destination.

use std::{fmt::Debug, path::Path, sync::Arc};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use super::{Capabilities, Destination, Error, Mode, Retries, Shaper};
use crate::files::{FileOptions, Format};

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
    /// The one format that its files have, where the activation has no say in it.
    fn format(&self) -> Option<Format> {
        None
    }

    /// What is wrong with an activation that publishes here, told before anything is read. Most kinds take whatever
    /// comes. The keys of the errors are those of the activation.
    fn check(&self, _activation: &ActivationFacts<'_>) -> Vec<ConfigError> {
        Vec::new()
    }

    /// What makes records of these columns into what the target takes; `None`: they are taken as they are.
    ///
    /// # Errors
    /// A column whose type the target can't take; the key is the activation's, such as `attributes.EMAIL1`.
    fn shaper(&self, _schema: &SchemaRef) -> Result<Option<Arc<dyn Shaper>>, ConfigError> {
        Ok(None)
    }

    /// Connects; the credentials may be used only with the first request. Every request is made under `retries`,
    /// whose tally the caller may read.
    ///
    /// # Errors
    /// When credentials can't be found or a client can't be built.
    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error>;
}

/// What a target may judge of an activation before anything is read.
#[derive(Debug, Clone, Copy)]
pub struct ActivationFacts<'a> {
    /// Full or incremental.
    pub mode: Mode,
    /// Whether removals are sent, in mode incremental.
    pub removes: bool,
    /// Whether everything is sent again now and then.
    pub resyncs: bool,
    /// Names of the attributes, in their order.
    pub attributes: &'a [&'a str],
    /// How files look, defaults filled in.
    pub files: &'a FileOptions,
    /// Keys that the `files` block itself gives.
    pub files_given: &'a [&'a str],
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
