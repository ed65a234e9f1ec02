//! Where Herald publishes to: the contract of a destination, the encoders, and one folder per kind.
//!
//! Nothing here knows of the query engine, the state store or the HTTP API.

pub mod azure_blob;
pub mod conformance;
pub mod contract;
pub mod encode;
pub mod files;
pub mod gcs;
mod http;
pub mod identity;
pub mod liveramp;
pub mod local;
mod own_folder;
pub mod reference;
pub mod s3;
pub mod sftp;
pub mod webhook;

/// Every kind of destination that is compiled in.
pub static KINDS: &[&dyn contract::Kind] =
    &[local::KIND, s3::KIND, azure_blob::KIND, gcs::KIND, sftp::KIND, liveramp::KIND, webhook::KIND];

/// Finds a kind by the word after `type:`.
pub fn kind(name: &str) -> Option<&'static dyn contract::Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}
