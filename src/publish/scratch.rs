//! Where a process keeps what it needs only while it lives: spilled and spooled rows.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use uuid::Uuid;

/// Folder of all processes' scratch, in the data folder.
const FOLDER: &str = "scratch";
/// Held by the process while it lives.
const LOCK: &str = "lock";

/// A folder of this process. Dropped, it is removed; of a process that was killed, the next one removes it.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes this process's folder, and removes those of processes that are gone.
    pub(super) fn open(data_dir: &Path) -> io::Result<Self> {
        let all = data_dir.join(FOLDER);
        private(&all)?;
        // One at a time: a folder whose owner has not locked it yet must not look abandoned.
        let turn = File::create(all.join(LOCK))?;
        turn.lock()?;
        for entry in fs::read_dir(&all)?.flatten().filter(|entry| entry.path().is_dir()) {
            let abandoned = File::open(entry.path().join(LOCK)).map_or(true, |lock| lock.try_lock().is_ok());
            if abandoned {
                // Its owner may be removing it at this moment.
                match fs::remove_dir_all(entry.path()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        let folder = all.join(Uuid::now_v7().to_string());
        private(&folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    /// A folder of this process, below its own.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_removed_and_a_living_ones_stays() {
        let data_dir = tempfile::tempdir().unwrap();
        let alive = Scratch::open(data_dir.path()).unwrap();
        fs::write(alive.path("rows"), "x").unwrap();
        let dead = data_dir.path().join(FOLDER).join("dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("rows"), "x").unwrap();
        let next = Scratch::open(data_dir.path()).unwrap();
        assert!(alive.path("rows").exists());
        assert!(!dead.exists());
        let folder = next.path("");
        drop(next);
        assert!(!folder.exists());
    }
}
