//! Publishing files, whatever the place: paths, parts, manifest, side files.
//!
//! A [`Store`] can stage, reveal and remove objects; [`FilesDestination`] makes of it a whole
//! [`Destination`](crate::contract::Destination):
//!
//! ```text
//! write ─▶ encode ─▶ encrypt ─▶ SHA-256 ─▶ upload, unseen     seal: parts and manifest stand in the ticket
//!                                                             commit: reveal every part, put checksums, manifest, marker
//! ```

mod check;
mod closing;
mod commit;
mod count;
mod destination;
mod names;
mod options;
mod part;
mod publication;
mod rows;
mod sealed;
mod store;
mod superseded;
mod template;
mod verify;

pub use destination::{CAPABILITIES, FilesDestination};
pub use options::{Compression, CsvOptions, DATA_CLOUD_PATH, DEFAULT_PATH, FileOptions, Format, Quote};
pub use store::{NewObject, Staged, Stat, Store, Upload};
