use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::error::failed;
use crate::{
    contract::{Error, ErrorKind},
    files::{NewObject, Staged, Upload},
};

/// Bytes that are gathered before a thread is asked to write them.
const GATHER: usize = 1 << 20;
/// A folder that another publish removed, empty, in between is made again so often.
const FOLDER_TRIES: usize = 16;

/// A temporary file being written. While one write is on its way to the disk, the next is gathered.
#[derive(Debug)]
pub(super) struct LocalUpload {
    object: NewObject,
    path: PathBuf,
    file: Option<File>,
    busy: Option<JoinHandle<io::Result<File>>>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    bytes: u64,
}

/// Work that may be given up while it waits for its thread. Once `drop` returns, it is done or never will be, so that
/// what follows a cancel meets no latecomer.
struct Wanted(Arc<Mutex<bool>>);

impl Drop for Wanted {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }
}

/// Runs short file I/O where it may block; dropped before it has begun, it never begins.
pub(super) async fn while_wanted<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let wanted = Wanted(Arc::new(Mutex::new(true)));
    let gate = wanted.0.clone();
    blocking(move || {
        let gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        if *gate { work() } else { Err(io::ErrorKind::Interrupted.into()) }
    })
    .await
}

/// Opens a new file for writing and makes its folders. Of the folders above the root, none is made.
pub(super) async fn create(root: &Path, path: &Path) -> Result<File, Error> {
    let (root, new) = (root.to_owned(), path.to_owned());
    while_wanted(move || create_now(&root, &new)).await.map_err(|error| failed("make a temporary file", path, error))
}

fn create_now(root: &Path, path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(root);
    let mut tries = 0;
    loop {
        tries += 1;
        if !folder.is_dir() {
            match fs::create_dir(root) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            fs::create_dir_all(folder)?;
            // New folders must outlive a power cut as their files do.
            for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(root)).chain(root.parent()) {
                sync_folder(above)?;
            }
        }
        match OpenOptions::new().write(true).create(true).truncate(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < FOLDER_TRIES => {}
            answer => return answer,
        }
    }
}

/// Forces the names in a folder to disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // The parent of a relative path of one name.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = match File::open(folder) {
        // A folder that may be written to, but not read, is not a reason to give up.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        folder => folder?,
    };
    match folder.sync_all() {
        // Some file systems can't force a folder; they do so on their own.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        answer => answer,
    }
}

/// Runs file I/O where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

impl LocalUpload {
    pub(super) fn new(object: NewObject, path: PathBuf, file: File) -> Self {
        Self { object, path, file: Some(file), busy: None, gathered: Vec::new(), gathered_bytes: 0, bytes: 0 }
    }

    /// Waits for the write on its way, then starts the next.
    async fn flush(&mut self) -> Result<(), Error> {
        self.settle().await?;
        let Some(mut file) = self.file.take() else {
            return Err(Error::new(ErrorKind::Internal, "write to a part that failed before"));
        };
        let gathered = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        self.busy = Some(tokio::task::spawn_blocking(move || {
            for bytes in gathered {
                file.write_all(&bytes)?;
            }
            Ok(file)
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Error> {
        if let Some(busy) = &mut self.busy {
            let answer = busy.await.map_err(io::Error::other).flatten();
            self.busy = None;
            self.file = Some(answer.map_err(|error| failed("write a part", &self.path, error))?);
        }
        Ok(())
    }
}

#[async_trait]
impl Upload for LocalUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.bytes += bytes.len() as u64;
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes);
        if self.gathered_bytes >= GATHER { self.flush().await } else { Ok(()) }
    }

    async fn finish(mut self: Box<Self>) -> Result<Staged, Error> {
        self.flush().await?;
        self.settle().await?;
        let Some(file) = self.file.take() else {
            return Err(Error::new(ErrorKind::Internal, "end a part that failed before"));
        };
        blocking(move || file.sync_all()).await.map_err(|error| failed("force a part to disk", &self.path, error))?;
        Ok(Staged { object: self.object.clone(), bytes: self.bytes, handle: serde_json::Value::Null })
    }
}
