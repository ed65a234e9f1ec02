//! A container as a place for files.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    blocks::{BlockIds, BlockSizes},
    client::{Client, Head, Listed, Writing},
    config::AzureBlobConfig,
    error::Failure,
    sweep::may_not,
    upload::AzureBlobUpload,
};
use crate::{
    contract::{Error, ErrorKind, Retries},
    files::{NewObject, Staged, Stat, Store, Upload},
};

/// Bytes that are read in one request.
const READ_SIZE: u64 = 8 << 20;

/// A container, or a folder in one.
#[derive(Debug, Clone)]
pub struct AzureBlobStore {
    pub(super) shared: Arc<Shared>,
}

/// What a store and its uploads share.
pub(super) struct Shared {
    pub(super) client: Client,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
    pub(super) retries: Retries,
    pub(super) sizes: BlockSizes,
    /// Blobs that this process staged blocks for, each with its publish. Their names need not tell.
    open: Mutex<HashSet<(Uuid, String)>>,
}

impl AzureBlobStore {
    pub(super) fn new(client: Client, config: &AzureBlobConfig, retries: Retries) -> Self {
        let shared = Shared {
            client,
            prefix: config.prefix.clone(),
            retries,
            sizes: config.blocks,
            open: Mutex::new(HashSet::new()),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Shared {
    /// A blob's name in the container.
    pub(super) fn name(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    pub(super) fn error(&self, failure: Failure, operation: &'static str, name: &str) -> Error {
        failure.into_error(operation, self.client.container(), name)
    }

    pub(super) fn open(&self) -> MutexGuard<'_, HashSet<(Uuid, String)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Repeats a request that no publish can cancel: what is visible, or about to be, is settled first.
    pub(super) async fn settle<T, F>(&self, request: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.retries.run(&CancellationToken::new(), request).await
    }

    /// Every blob below a prefix of names. `staged`: also those of which nothing is committed; where there is no right
    /// to list, none.
    pub(super) async fn below(&self, below: &str, staged: bool) -> Result<Vec<Listed>, Error> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let page = || async {
                match self.client.list(below, staged, marker.clone()).await {
                    Err(failure) if staged && failure.lacks_right() => {
                        may_not(&failure, "list blobs");
                        Ok((Vec::new(), None))
                    }
                    page => page.map_err(|failure| self.error(failure, "list blobs", below)),
                }
            };
            let (blobs, next) = self.settle(page).await?;
            all.extend(blobs);
            if next.is_none() {
                return Ok(all);
            }
            marker = next;
        }
    }

    async fn look(&self, name: &str) -> Result<Option<Head>, Error> {
        let look = || async {
            let head = self.client.head(name).await;
            head.map_err(|failure| self.error(failure, "look at a blob", name))
        };
        self.settle(look).await
    }

    /// The next piece of a blob that is being read; a request that breaks is made again from where it began.
    async fn piece(&self, name: &str, head: &Head, at: u64) -> Result<Bytes, Error> {
        let range = at..(at + READ_SIZE).min(head.bytes);
        let read = || async {
            let piece = self.client.get(name, range.clone(), head.etag.as_deref()).await;
            piece.map_err(|failure| {
                let changed = failure.stands_already();
                let error = self.error(failure, "read a blob", name);
                if changed { error.with("blob", "replaced while it was read") } else { error }
            })
        };
        self.settle(read).await
    }
}

#[async_trait]
impl Store for AzureBlobStore {
    fn kind(&self) -> &'static str {
        "azure_blob"
    }

    async fn stage(&self, object: &NewObject, cancel: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        let name = self.shared.name(&object.path);
        if cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "begin the upload").with("blob", name));
        }
        self.shared.open().insert((object.publish, name.clone()));
        Ok(Box::new(AzureBlobUpload::new(self.shared.clone(), object.clone(), name, cancel.clone())))
    }

    async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        self.shared.reveal(staged).await
    }

    async fn put(&self, object: &NewObject, bytes: Bytes) -> Result<(), Error> {
        self.shared.put(object, &bytes).await
    }

    async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        self.shared.sweep(prefix, publish).await
    }

    async fn stat(&self, path: &str) -> Result<Option<Stat>, Error> {
        let head = self.shared.look(&self.shared.name(path)).await?;
        let quoted = |etag: String| format!("etag:{}", etag.trim_matches('"'));
        Ok(head.map(|head| Stat { bytes: head.bytes, checksum: head.etag.map(quoted) }))
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let name = self.shared.name(path);
        let Some(head) = self.shared.look(&name).await? else {
            let error = Error::new(ErrorKind::Missing, "read a blob");
            return Err(error.with("container", self.shared.client.container()).with("blob", name));
        };
        let shared = self.shared.clone();
        let pieces = stream::try_unfold((shared, name, head, 0), |(shared, name, head, at)| async move {
            if at >= head.bytes {
                return Ok(None);
            }
            let piece = shared.piece(&name, &head, at).await?;
            let next = at + piece.len() as u64;
            Ok(Some((piece, (shared, name, head, next))))
        });
        Ok(pieces.boxed())
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        let name = self.shared.name(path);
        let remove = || async {
            let gone = self.shared.client.delete(&name).await;
            gone.map_err(|failure| self.shared.error(failure, "remove a blob", &name))
        };
        self.shared.settle(remove).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let blobs = self.shared.below(&self.shared.name(prefix), false).await?;
        // Tools keep an empty blob for a folder; it is none of ours.
        let files = blobs.iter().filter(|blob| !blob.folder && !blob.name.ends_with('/'));
        Ok(files.filter_map(|blob| blob.name.strip_prefix(&self.shared.prefix)).map(str::to_owned).collect())
    }

    async fn probe(&self) -> Result<(), Error> {
        let shared = &self.shared;
        let publish = Uuid::now_v7();
        let name = shared.name(&format!(".herald-probe-{publish}"));
        let prove = || async {
            let writing = Writing { name: &name, content_type: "application/octet-stream", publish, create_only: true };
            let proven = shared.client.prove(writing, BlockIds::fresh(publish).id(0)).await;
            proven.map_err(|failure| shared.error(failure, "write a blob", &name))
        };
        shared.settle(prove).await
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("client", &self.client).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
