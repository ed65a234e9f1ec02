//! What a place for files must be able to do. `local`, `s3` and their siblings implement this; all else
//! about publishing files is shared by them in [`files`](super).

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::contract::Error;

/// A place for files. Paths are relative to the target's root, with `/` between their parts, and never leave it.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// The kind's name.
    fn kind(&self) -> &'static str;

    /// Opens an object for writing, unseen by readers until [`reveal`](Self::reveal).
    async fn stage(&self, object: &NewObject, cancel: &CancellationToken) -> Result<Box<dyn Upload>, Error>;

    /// Makes a staged object visible, whole. Idempotent, from any process.
    /// [`ErrorKind::Conflict`](crate::contract::ErrorKind) where something else stands there and `replace` is not set.
    async fn reveal(&self, staged: &Staged) -> Result<(), Error>;

    /// Writes a small object whole, visible at once. Idempotent: the same bytes at the path are success.
    async fn put(&self, object: &NewObject, bytes: Bytes) -> Result<(), Error>;

    /// Removes what staging left of one publish below a path prefix: temporary files, open uploads, folders that
    /// it made and that are empty. Never a revealed object. Idempotent, from any process.
    async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error>;

    /// A visible object, seen without reading it; `None`: not there.
    async fn stat(&self, path: &str) -> Result<Option<Stat>, Error>;

    /// Reads a visible object.
    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error>;

    /// Removes a visible object, and folders that this leaves empty. One that is gone is success.
    async fn remove(&self, path: &str) -> Result<(), Error>;

    /// Paths of the visible objects below a path prefix.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Proves credentials and the right to write; leaves nothing behind.
    async fn probe(&self) -> Result<(), Error>;
}

/// An object to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewObject {
    /// Where it will stand.
    pub path: String,
    /// The publish it belongs to; temporary names hold it.
    pub publish: Uuid,
    /// Media type, for stores that keep one.
    pub content_type: String,
    /// Whether it may take the place of an object that stands there.
    pub replace: bool,
}

/// A visible object from without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its size.
    pub bytes: u64,
    /// What the server itself says of its content, with the name of the measure: `etag:…`, `crc32c:…`. It stays until
    /// somebody writes the object anew. `None`: this server says nothing.
    pub checksum: Option<String>,
}

/// An object being written. Dropping it at any await is safe: [`Store::sweep`] then leaves nothing.
#[async_trait]
pub trait Upload: Debug + Send {
    /// Takes the next bytes; memory stays bounded, whatever the object's size.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error>;

    /// All bytes are durable at the target, unseen.
    async fn finish(self: Box<Self>) -> Result<Staged, Error>;
}

/// A staged object: all that [`Store::reveal`] needs, from any process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// The object.
    pub object: NewObject,
    /// Its size.
    pub bytes: u64,
    /// The store's own, such as an upload id and its parts.
    pub handle: serde_json::Value,
}
