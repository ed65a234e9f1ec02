//! Google Cloud Storage, and servers that speak its JSON API.
//!
//! An object of Cloud Storage is visible the moment its upload ends, so it is uploaded under a temporary name and
//! revealed by a rewrite to its own, which copies within the store and is asked to refuse taking another's place
//! (`ifGenerationMatch=0`). Temporaries stand beside the prefix, never below it: `in.herald/PUBLISH/…` for `in/`, so
//! that whoever lists the prefix sees whole objects only. Which publish an object belongs to stands in its metadata,
//! so that an answer that was lost can be told from an object of somebody else's.
//!
//! Rights needed: `storage.objects.create`, `.get`, `.list` and `.delete` below the prefix and beside it.

mod client;
mod config;
mod error;
mod options;
mod reveal;
mod session;
mod store;
mod sweep;
mod upload;

pub use client::Deadlines;
pub use config::GcsConfig;
pub use store::GcsStore;

use crate::contract::Kind;

/// The kind `gcs`.
pub static KIND: &dyn Kind = &config::Gcs;
