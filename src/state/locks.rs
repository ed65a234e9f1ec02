//! One publish of an activation at a time, on one machine.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::Duration,
};

use super::StateError;

const FOLDER: &str = "locks";
/// Between two tries. Polling, and not a blocking call on a thread, so that a waiting publish can be cancelled.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// Keeps every other process, and every other task of this one, from publishing an activation. The kernel
/// releases it with the process, however that ends, so there is never a stale lock to clear away.
#[derive(Debug)]
pub struct ActivationLock {
    _file: File,
}

impl ActivationLock {
    /// Takes the lock of an activation. With `wait`, until it is free; dropping the future stops the waiting.
    /// `None`: somebody else holds it and `wait` is false.
    ///
    /// # Errors
    /// When the lock's file can't be created.
    pub async fn acquire(data_dir: &Path, activation: &str, wait: bool) -> Result<Option<Self>, StateError> {
        loop {
            if let Some(file) = try_lock(data_dir, activation)? {
                return Ok(Some(Self { _file: file }));
            }
            if !wait {
                return Ok(None);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Locks `locks/NAME.lock`. The file stays: deleting it would let two holders lock two files of one name.
pub(super) fn try_lock(data_dir: &Path, name: &str) -> Result<Option<File>, StateError> {
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(StateError::internal(format_args!("{name:?} can't name a lock")));
    }
    let folder = data_dir.join(FOLDER);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| StateError::io("create", &folder, &error))?;
    let path = folder.join(format!("{name}.lock"));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| StateError::io("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(StateError::io("lock", &path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{ActivationLock, FOLDER};

    #[tokio::test]
    async fn a_second_taker_is_turned_away_or_waits() {
        let data_dir = tempfile::tempdir().unwrap();
        let first = ActivationLock::acquire(data_dir.path(), "gold", false).await.unwrap();
        assert!(first.is_some());
        assert!(ActivationLock::acquire(data_dir.path(), "gold", false).await.unwrap().is_none());
        assert!(ActivationLock::acquire(data_dir.path(), "other", false).await.unwrap().is_some());

        let path = data_dir.path().to_owned();
        let waiting = tokio::spawn(async move { ActivationLock::acquire(&path, "gold", true).await });
        tokio::time::sleep(Duration::from_millis(120)).await;
        assert!(!waiting.is_finished());
        drop(first);
        assert!(waiting.await.unwrap().unwrap().is_some());
    }

    #[tokio::test]
    async fn waiting_can_be_given_up() {
        let data_dir = tempfile::tempdir().unwrap();
        let held = ActivationLock::acquire(data_dir.path(), "gold", true).await.unwrap();
        let waited =
            tokio::time::timeout(Duration::from_millis(150), ActivationLock::acquire(data_dir.path(), "gold", true))
                .await;
        assert!(waited.is_err(), "the lock is held, so waiting must not end by itself");
        drop(held);
        assert!(ActivationLock::acquire(data_dir.path(), "gold", false).await.unwrap().is_some());
    }

    /// `flock` of util-linux takes the same kind of lock, in a process of its own that can be killed.
    #[tokio::test]
    async fn a_killed_process_leaves_no_lock_behind() {
        let data_dir = tempfile::tempdir().unwrap();
        drop(ActivationLock::acquire(data_dir.path(), "gold", false).await.unwrap());
        let path = data_dir.path().join(FOLDER).join("gold.lock");
        let mut child = std::process::Command::new("flock")
            .args(["--exclusive", "--no-fork"])
            .arg(&path)
            .args(["sleep", "600"])
            .spawn()
            .unwrap();
        let started = Instant::now();
        while ActivationLock::acquire(data_dir.path(), "gold", false).await.unwrap().is_some() {
            assert!(started.elapsed() < Duration::from_secs(20), "the child never took the lock");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ActivationLock::acquire(data_dir.path(), "gold", false).await.unwrap().is_some());
    }
}
