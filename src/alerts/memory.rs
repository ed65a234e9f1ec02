//! What is firing and who was told, kept over a restart.

use std::{fs, io, path::Path};

use super::judge::Memory;
use crate::state::replace;

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
    replace(path, &serde_json::to_vec(memory)?)
}
