//! Azure Blob Storage.
//!
//! A part is staged as uncommitted blocks below its final name, which no reader sees, and becomes visible when the
//! list of its blocks is committed, under the condition that nothing stands there (`If-None-Match: *`). Which publish a
//! blob belongs to stands in its metadata, so that an answer that was lost can be told from a blob of somebody
//! else's. Nothing but time removes uncommitted blocks without showing a blob for a moment; so a publish that is
//! discarded has its blocks overwritten by a single byte each, and the service drops them within a week (ADR 12).
//!
//! Rights needed: the role *Storage Blob Data Contributor* on the container, or a SAS with `rcwdl`.

mod blocks;
mod client;
mod config;
mod connection;
mod error;
mod given;
mod options;
mod reveal;
mod store;
mod sweep;
mod upload;

pub use blocks::BlockSizes;
pub use client::Deadlines;
pub use config::AzureBlobConfig;
pub use store::AzureBlobStore;

use crate::contract::Kind;

/// The kind `azure_blob`.
pub static KIND: &dyn Kind = &config::AzureBlob;
