//! A place for files, in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::KIND;
use crate::{
    contract::{Capabilities, Config, Destination, Error, ErrorKind, Retries},
    files::{self, FilesDestination, NewObject, Staged, Stat, Store, Upload},
};

/// Files that show at commit. Everything about them but the place is that of any target of files: parts, manifests,
/// tickets.
#[derive(Clone)]
pub struct MemoryFiles {
    name: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By publish and path.
    staged: BTreeMap<(Uuid, String), Bytes>,
    /// By path, with the publish that wrote it.
    objects: BTreeMap<String, (Option<Uuid>, Bytes)>,
}

impl MemoryFiles {
    /// An empty target; the name tells it from others.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), state: Arc::default() }
    }

    /// Path → content of all that a reader sees.
    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.state(|state| state.objects.iter().map(|(path, (_, bytes))| (path.clone(), bytes.clone())).collect())
    }

    /// Paths of what is staged and not visible yet.
    pub fn staged(&self) -> Vec<String> {
        self.state(|state| state.staged.keys().map(|(_, path)| path.clone()).collect())
    }

    /// Puts an object there behind Herald's back, whatever stood there.
    pub fn set(&self, path: &str, bytes: impl Into<Bytes>) {
        self.state(|state| state.objects.insert(path.to_owned(), (None, bytes.into())));
    }

    /// Takes an object away behind Herald's back.
    pub fn unset(&self, path: &str) {
        self.state(|state| state.objects.remove(path));
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for MemoryFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryFiles").field(&self.name).finish()
    }
}

#[async_trait]
impl Config for MemoryFiles {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn identity(&self) -> String {
        format!("memory files {}", self.name)
    }

    fn capabilities(&self) -> Capabilities {
        files::CAPABILITIES
    }

    async fn connect(&self, _: Retries) -> Result<Arc<dyn Destination>, Error> {
        Ok(Arc::new(FilesDestination::new(self.clone())))
    }
}

impl State {
    fn show(&mut self, object: &NewObject, bytes: Bytes) -> Result<(), Error> {
        let stands = self.objects.get(&object.path).filter(|_| !object.replace);
        if stands.is_some_and(|(_, there)| *there != bytes) {
            return Err(Error::new(ErrorKind::Conflict, "make an object visible").with("path", &object.path));
        }
        self.objects.insert(object.path.clone(), (Some(object.publish), bytes));
        Ok(())
    }
}

#[async_trait]
impl Store for MemoryFiles {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn stage(&self, object: &NewObject, _: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        Ok(Box::new(MemoryUpload { files: self.clone(), object: object.clone(), bytes: BytesMut::new() }))
    }

    async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        let object = &staged.object;
        let key = (object.publish, object.path.clone());
        self.state(|state| match state.staged.get(&key).cloned() {
            Some(bytes) => {
                state.show(object, bytes)?;
                state.staged.remove(&key);
                Ok(())
            }
            // Revealed before, by an attempt whose answer was lost.
            None => match state.objects.get(&object.path) {
                Some((publish, _)) if *publish == Some(object.publish) => Ok(()),
                Some(_) => Err(Error::new(ErrorKind::Conflict, "make an object visible").with("path", &object.path)),
                None => Err(Error::new(ErrorKind::Missing, "find a staged object").with("path", &object.path)),
            },
        })
    }

    async fn put(&self, object: &NewObject, bytes: Bytes) -> Result<(), Error> {
        self.state(|state| state.show(object, bytes))
    }

    async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        self.state(|state| state.staged.retain(|(of, path), _| *of != publish || !path.starts_with(prefix)));
        Ok(())
    }

    async fn stat(&self, path: &str) -> Result<Option<Stat>, Error> {
        let stat = |bytes: &Bytes| Stat { bytes: bytes.len() as u64, checksum: None };
        Ok(self.state(|state| state.objects.get(path).map(|(_, bytes)| stat(bytes))))
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let found = self.state(|state| state.objects.get(path).map(|(_, bytes)| bytes.clone()));
        let bytes = found.ok_or_else(|| Error::new(ErrorKind::Missing, "read an object").with("path", path))?;
        Ok(stream::once(async { Ok(bytes) }).boxed())
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.unset(path);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let below = |state: &mut State| {
            state.objects.keys().filter(|path| path.starts_with(prefix)).cloned().collect::<Vec<_>>()
        };
        Ok(self.state(below))
    }

    async fn probe(&self) -> Result<(), Error> {
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryUpload {
    files: MemoryFiles,
    object: NewObject,
    bytes: BytesMut,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Staged, Error> {
        let Self { files, object, bytes } = *self;
        let size = bytes.len() as u64;
        files.state(|state| state.staged.insert((object.publish, object.path.clone()), bytes.freeze()));
        Ok(Staged { object, bytes: size, handle: serde_json::Value::Null })
    }
}
