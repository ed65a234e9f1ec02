//! Publishing files, whatever the place: paths, parts, manifest.
//!
//! A [`Store`] can stage, reveal and remove objects; [`FilesDestination`] makes of it a whole
//! [`Destination`](crate::contract::Destination):
//!
//! ```text
//! write ─▶ encode ─▶ SHA-256 ─▶ upload, unseen     seal: parts and manifest stand in the ticket
//!                                                  commit: reveal every part, then put the manifest
//! ```

mod check;
mod count;
mod destination;
mod names;
mod options;
mod publication;
mod sealed;
mod store;
mod template;
mod verify;

pub use destination::{CAPABILITIES, FilesDestination};
pub use options::{Compression, CsvOptions, DEFAULT_PATH, FileOptions, Format, Quote};
pub use store::{NewObject, Staged, Stat, Store, Upload};
