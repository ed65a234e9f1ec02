//! Publishing files, whatever the place: paths, parts, manifest.

mod options;
mod store;

pub use options::{Compression, CsvOptions, DEFAULT_PATH, FileOptions, Format, Quote};
pub use store::{NewObject, Staged, Store, Upload};
