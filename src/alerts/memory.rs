//! What is firing and who was told, kept over a restart.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::judge::Memory;

/// What was put on record last; nothing, where there is none or it can't be read: then all is told anew.
pub(super) fn read(path: &Path) -> Memory {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(%error, "the record of alerts is damaged: what is firing is told again");
            Memory::default()
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Memory::default(),
        Err(error) => {
            tracing::warn!(%error, "the record of alerts can't be read: what is firing is told again");
            Memory::default()
        }
    }
}

/// Replaces what is on record: a crash leaves the old or the new one.
pub(super) fn write(path: &Path, memory: &Memory) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(&serde_json::to_vec(memory)?)?;
    file.sync_all()?;
    fs::rename(beside, path)
}
