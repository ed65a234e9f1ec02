//! The sample of `herald init`: a commented config, its schema for editors, and a small lake of invented people.
//!
//! ```text
//! DIR/config/herald.yaml           what to publish, and where
//!     config/herald.schema.json    completes keys in editors
//!     lake/*.parquet               individual, email, phone, engagement
//! ```
//!
//! The same generation gives the same rows on every machine.

mod lake;
mod people;
mod tables;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use parquet::errors::ParquetError;

pub use people::Changes;

/// What [`write`] puts into its folder, relative to it.
pub const FILES: [&str; 8] = [
    CONFIG,
    SCHEMA,
    "lake/individual.parquet",
    "lake/email.parquet",
    "lake/phone.parquet",
    "lake/engagement/2026-08.parquet",
    "lake/engagement/2026-09.parquet",
    "lake/engagement/2026-10.parquet",
];

const CONFIG: &str = "config/herald.yaml";
const SCHEMA: &str = "config/herald.schema.json";

/// Writes the sample into `dir`, made where it is missing.
///
/// # Errors
/// [`SampleError::Exists`] when any of [`FILES`] is there already: then nothing is written.
/// [`SampleError::Io`] and [`SampleError::Encode`] when a file can't be written.
pub fn write(dir: &Path) -> Result<(), SampleError> {
    let existing: Vec<PathBuf> =
        FILES.iter().map(|file| dir.join(file)).filter(|path| path.symlink_metadata().is_ok()).collect();
    if !existing.is_empty() {
        return Err(SampleError::Exists(Paths(existing)));
    }
    put(&dir.join(CONFIG), include_str!("herald.yaml"))?;
    put(&dir.join(SCHEMA), &schema())?;
    lake::write(dir, 0)
}

/// Rewrites the sample's lake as it stands in a later `generation` (0: as [`write`] left it), and tells how its
/// `individual` table differs from the generation before. Any order of generations is fine.
///
/// # Errors
/// [`SampleError::NoSample`] when `dir` holds no sample. [`SampleError::Io`] and [`SampleError::Encode`] when a
/// file can't be written; the files are replaced one by one, each whole.
pub fn change(dir: &Path, generation: u32) -> Result<Changes, SampleError> {
    if !dir.join(FILES[2]).is_file() {
        return Err(SampleError::NoSample(dir.to_path_buf()));
    }
    lake::write(dir, generation)?;
    Ok(Changes::of(generation))
}

fn schema() -> String {
    format!("{:#}\n", crate::config::schema())
}

fn put(path: &Path, text: &str) -> Result<(), SampleError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| SampleError::Io { path: folder.to_path_buf(), source })?;
    }
    fs::write(path, text).map_err(|source| SampleError::Io { path: path.to_path_buf(), source })
}

/// Why the sample could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// Files that would be overwritten.
    #[error("already there: {0}; choose another folder, or remove them")]
    Exists(Paths),
    /// A folder without a sample has no lake to change.
    #[error("no sample in {}; write one first, without --generation", .0.display())]
    NoSample(PathBuf),
    /// The file system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// What was being written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Parquet could not be written.
    #[error("{}: {source}", .path.display())]
    Encode {
        /// What was being written.
        path: PathBuf,
        /// Why not.
        source: ParquetError,
    },
}

/// Paths, shown with commas between.
#[derive(Debug)]
pub struct Paths(Vec<PathBuf>);

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, path) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", path.display())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_write_names_every_file_in_the_way_and_touches_none() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path()).unwrap();
        let before: Vec<Vec<u8>> = FILES.iter().map(|file| fs::read(dir.path().join(file)).unwrap()).collect();
        let error = write(dir.path()).unwrap_err().to_string();
        for file in FILES {
            assert!(error.contains(file), "{error} does not name {file}");
        }
        let after: Vec<Vec<u8>> = FILES.iter().map(|file| fs::read(dir.path().join(file)).unwrap()).collect();
        assert_eq!(before, after);
    }

    #[test]
    fn one_file_in_the_way_stops_the_whole_sample() {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join(CONFIG), "mine").unwrap();
        let error = write(dir.path()).unwrap_err();
        assert!(matches!(error, SampleError::Exists(_)), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join(CONFIG)).unwrap(), "mine");
        assert!(!dir.path().join("lake").exists());
    }

    #[test]
    fn a_change_needs_a_sample_to_change() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(change(dir.path(), 1), Err(SampleError::NoSample(_))));
    }

    #[test]
    fn generations_are_the_same_bytes_every_time() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&one, &two] {
            write(dir.path()).unwrap();
        }
        change(one.path(), 2).unwrap();
        change(one.path(), 1).unwrap();
        change(two.path(), 1).unwrap();
        for file in FILES {
            let read = |dir: &tempfile::TempDir| fs::read(dir.path().join(file)).unwrap();
            assert_eq!(read(&one), read(&two), "{file}");
        }
    }
}
