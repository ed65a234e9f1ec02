//! A bucket as a place for files.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    client::{Client, Head, Writing},
    config::S3Config,
    error::Failure,
    options::Checksum,
    upload::S3Upload,
};
use crate::{
    contract::{Error, Retries},
    files::{NewObject, Staged, Stat, Store, Upload},
};

/// A bucket, or a folder in one.
#[derive(Debug, Clone)]
pub struct S3Store {
    pub(super) shared: Arc<Shared>,
}

/// What a store and its uploads share.
pub(super) struct Shared {
    pub(super) client: Client,
    /// Empty, or ends in `/`.
    pub(super) prefix: String,
    pub(super) retries: Retries,
    checksum: Checksum,
    /// The store turned out not to know of checksums.
    without_checksums: AtomicBool,
    /// The store turned out not to know of `If-None-Match`.
    without_conditions: AtomicBool,
    /// Not Amazon's: it may ignore `If-None-Match` without a word, so Herald looks before it writes.
    pub(super) looks_first: bool,
    /// Uploads begun by this process, and the publish each belongs to. Their keys need not tell.
    open: Mutex<HashMap<String, (Uuid, String)>>,
}

impl S3Store {
    pub(super) fn new(client: Client, config: &S3Config, retries: Retries) -> Self {
        Self {
            shared: Arc::new(Shared {
                client,
                prefix: config.prefix.clone(),
                retries,
                checksum: config.checksum,
                without_checksums: AtomicBool::new(false),
                without_conditions: AtomicBool::new(false),
                looks_first: config.endpoint.is_some(),
                open: Mutex::new(HashMap::new()),
            }),
        }
    }
}

impl Shared {
    pub(super) fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Whether a checksum travels with what is written now.
    pub(super) fn checked(&self) -> bool {
        self.checksum != Checksum::Off && !self.without_checksums.load(Ordering::Relaxed)
    }

    /// Whether to try once more without a checksum, now and from now on.
    pub(super) fn goes_unchecked(&self, failure: &Failure, checked: bool) -> bool {
        let goes = checked && self.checksum == Checksum::Auto && failure.minds_checksum();
        if goes && !self.without_checksums.swap(true, Ordering::Relaxed) {
            tracing::warn!(%failure, "the store refuses checksums: going on without");
        }
        goes
    }

    /// Whether a write can be told not to replace anything.
    pub(super) fn conditional(&self) -> bool {
        !self.without_conditions.load(Ordering::Relaxed)
    }

    /// Whether to try once more without a condition, now and from now on.
    pub(super) fn goes_unconditional(&self, failure: &Failure, conditional: bool) -> bool {
        let worded = || failure.message.to_ascii_lowercase().contains("if-none-match");
        let goes = conditional && (failure.unsupported() || worded());
        if goes && !self.without_conditions.swap(true, Ordering::Relaxed) {
            tracing::warn!(%failure, "the store refuses conditional writes: looking first instead");
        }
        goes
    }

    pub(super) fn error(&self, failure: Failure, operation: &'static str, key: &str) -> Error {
        failure.into_error(operation, self.client.bucket(), key)
    }

    pub(super) fn open(&self) -> MutexGuard<'_, HashMap<String, (Uuid, String)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an upload, without a checksum where the store does not know of any.
    pub(super) async fn begin(&self, object: &NewObject, key: &str) -> Result<String, Failure> {
        let writing = |checked| Writing { key, content_type: &object.content_type, publish: object.publish, checked };
        let checked = self.checked();
        match self.client.create(writing(checked)).await {
            Err(failure) if self.goes_unchecked(&failure, checked) => self.client.create(writing(false)).await,
            answer => answer,
        }
    }

    /// Repeats a request that no publish can cancel: what is visible, or about to be, is settled first.
    pub(super) async fn settle<T, F>(&self, request: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.retries.run(&CancellationToken::new(), request).await
    }
}

#[async_trait]
impl Store for S3Store {
    fn kind(&self) -> &'static str {
        "s3"
    }

    async fn stage(&self, object: &NewObject, cancel: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        let shared = &self.shared;
        let key = shared.key(&object.path);
        let tries = AtomicU32::new(0);
        let begin = || async {
            tries.fetch_add(1, Ordering::Relaxed);
            shared.begin(object, &key).await.map_err(|failure| shared.error(failure, "begin the upload", &key))
        };
        let upload = shared.retries.run(cancel, begin).await?;
        shared.open().insert(upload.clone(), (object.publish, key.clone()));
        // An upload whose beginning was not heard of would stay for good, and be paid for.
        if tries.into_inner() > 1
            && let Err(error) = shared.abort_lost(object, &key, &upload).await
        {
            tracing::warn!(%error, "an upload that was begun twice may be left open");
        }
        Ok(Box::new(S3Upload::new(shared.clone(), object.clone(), key, upload, cancel.clone())))
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
        let key = self.shared.key(path);
        let look = || async {
            let head = self.shared.client.head(&key).await;
            head.map_err(|failure| self.shared.error(failure, "look at an object", &key))
        };
        let stat = |head: Head| Stat { bytes: head.bytes, checksum: head.etag.map(|etag| format!("etag:{etag}")) };
        Ok(self.shared.settle(look).await?.map(stat))
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let key = self.shared.key(path);
        let open = || async {
            let chunks = self.shared.client.get(&key).await;
            chunks.map_err(|failure| self.shared.error(failure, "read an object", &key))
        };
        let chunks = self.shared.settle(open).await?;
        let shared = self.shared.clone();
        let named =
            move |chunk: Result<Bytes, Failure>| chunk.map_err(|failure| shared.error(failure, "read an object", &key));
        Ok(chunks.map(named).boxed())
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        let key = self.shared.key(path);
        let remove = || async {
            let gone = self.shared.client.delete(&key).await;
            gone.map_err(|failure| self.shared.error(failure, "remove an object", &key))
        };
        self.shared.settle(remove).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let below = self.shared.key(prefix);
        let mut paths = Vec::new();
        let mut token = None;
        loop {
            let page = || async {
                let page = self.shared.client.list(&below, token.clone()).await;
                page.map_err(|failure| self.shared.error(failure, "list objects", &below))
            };
            let (keys, next) = self.shared.settle(page).await?;
            // Consoles keep an empty object for a folder; it is none of ours.
            let objects = keys.iter().filter(|key| !key.ends_with('/'));
            paths.extend(objects.filter_map(|key| key.strip_prefix(&self.shared.prefix)).map(str::to_owned));
            if next.is_none() {
                return Ok(paths);
            }
            token = next;
        }
    }

    async fn probe(&self) -> Result<(), Error> {
        // An upload that is begun needs every right that a publish needs, the key's included, and shows nothing.
        let object = NewObject {
            path: format!(".herald-probe-{}", Uuid::now_v7()),
            publish: Uuid::nil(),
            content_type: "application/octet-stream".to_owned(),
            replace: false,
        };
        let shared = &self.shared;
        let key = shared.key(&object.path);
        let begin = || async {
            shared.begin(&object, &key).await.map_err(|failure| shared.error(failure, "begin an upload", &key))
        };
        let upload = shared.settle(begin).await?;
        let abort = || async {
            let gone = shared.client.abort(&key, &upload).await;
            gone.map_err(|failure| shared.error(failure, "abort an upload", &key))
        };
        shared.settle(abort).await
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("client", &self.client).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
