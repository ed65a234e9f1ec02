//! A folder on this machine.
//!
//! A part is written under a temporary name in the folder where it will stand, forced to disk, moved to its name
//! in one step that never replaces another file, and the folder is forced to disk after it. A power cut at any
//! instant leaves either no part or all of it.

mod config;
mod error;
mod paths;
mod store;
mod upload;

pub use config::LocalOptions;
pub use store::LocalStore;

/// The kind, for [`KINDS`](crate::KINDS).
pub static KIND: &dyn crate::contract::Kind = &config::Local;
