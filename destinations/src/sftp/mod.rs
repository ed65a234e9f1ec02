//! A folder on a server that speaks SFTP.
//!
//! The server's key is always checked. A part is written under a temporary name, forced to the server's disk where it
//! can be asked to, held against its size, and renamed. What an answer that was lost leaves open is told by looking.
//!
//! ```text
//! store, upload ─▶ pool ─▶ place ─▶ protocol, transfer ─▶ connection
//!   async         threads   what is done in the folder      ssh2
//! ```

mod config;
mod connection;
mod error;
mod extension;
mod folders;
mod host_key;
mod known_hosts;
mod login;
mod options;
mod paths;
mod place;
mod pool;
mod protocol;
mod reveal;
mod store;
mod transfer;
mod upload;
mod wire;

pub use config::{Deadlines, SftpConfig};
pub use options::{Rename, TempName};
pub use store::SftpStore;

use crate::contract::Kind;

/// The kind `sftp`.
pub static KIND: &dyn Kind = &config::Sftp;
