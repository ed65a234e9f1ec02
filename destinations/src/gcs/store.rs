//! A bucket as a place for files.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    client::{Client, Object, Writing},
    config::GcsConfig,
    error::Failure,
    upload::GcsUpload,
};
use crate::{
    contract::{Error, Retries},
    files::{NewObject, Staged, Stat, Store, Upload},
};

/// A bucket, or a folder in one.
#[derive(Debug, Clone)]
pub struct GcsStore {
    shared: Arc<Shared>,
}

/// What a store and its uploads share.
pub(super) struct Shared {
    pub(super) client: Client,
    /// Empty, or ends in `/`.
    prefix: String,
    /// The prefix's neighbour, for what is on its way: ends in `/`.
    beside: String,
    pub(super) retries: Retries,
    /// Not Google's: it may overlook preconditions without a word, as fake-gcs-server does for rewrites, so Herald looks
    /// before it writes.
    pub(super) looks_first: bool,
}

impl GcsStore {
    pub(super) fn new(client: Client, config: &GcsConfig, retries: Retries) -> Self {
        let prefix = config.prefix.clone();
        let beside = format!("{}.herald/", prefix.trim_end_matches('/'));
        Self { shared: Arc::new(Shared { client, prefix, beside, retries, looks_first: config.elsewhere }) }
    }
}

impl Shared {
    /// The name of the object at a path.
    pub(super) fn name(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// The name under which a publish's object is on its way. It does not begin with the prefix, so no reader of the
    /// prefix meets it.
    pub(super) fn temporary(&self, publish: Uuid, path: &str) -> String {
        format!("{}{publish}/{path}", self.beside)
    }

    pub(super) fn error(&self, failure: Failure, operation: &'static str, name: &str) -> Error {
        failure.into_error(operation, self.client.bucket(), name)
    }

    /// Repeats a request that no publish can cancel: what is visible, or about to be, is settled first.
    pub(super) async fn settle<T, F>(&self, request: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.retries.run(&CancellationToken::new(), request).await
    }

    /// The objects whose names begin so, all pages of them.
    pub(super) async fn list(&self, below: &str) -> Result<Vec<Object>, Error> {
        let mut all = Vec::new();
        let mut token = None;
        loop {
            let page = || async {
                let page = self.client.list(below, token.as_deref()).await;
                page.map_err(|failure| self.error(failure, "list objects", below))
            };
            let (objects, next) = self.settle(page).await?;
            all.extend(objects);
            if next.is_none() {
                return Ok(all);
            }
            token = next;
        }
    }

    async fn probe(&self) -> Result<(), Error> {
        // An upload that is begun and given up proves the right to create below the prefix, and shows nothing.
        let id = Uuid::now_v7();
        let at = self.name(&format!(".herald-probe-{id}"));
        let writing =
            |name| Writing { name, content_type: "application/octet-stream", publish: Uuid::nil(), create_only: true };
        let begin = || async {
            self.client.begin(writing(&at)).await.map_err(|failure| self.error(failure, "begin an upload", &at))
        };
        let session = self.settle(begin).await?;
        let cancel = || async {
            self.client.cancel(&session).await.map_err(|failure| self.error(failure, "give an upload up", &at))
        };
        self.settle(cancel).await?;

        // Beside it, an object goes the way of every part but the last step.
        let beside = format!("{}probe-{id}", self.beside);
        let put = || async {
            match self.client.put(writing(&beside), &Bytes::from_static(b"herald\n")).await {
                // Nobody else draws this name: the answer to an earlier try was lost.
                Err(failure) if failure.is_unmet() => Ok(()),
                answer => answer.map(drop).map_err(|failure| self.error(failure, "write an object", &beside)),
            }
        };
        self.settle(put).await?;
        let looked = self.look(&beside).await.map(drop);
        let listed = self.list(&beside).await.map(drop);
        self.remove(&beside).await?;
        looked.and(listed)
    }

    async fn look(&self, name: &str) -> Result<Option<Object>, Error> {
        let look =
            || async { self.client.head(name).await.map_err(|failure| self.error(failure, "look at an object", name)) };
        self.settle(look).await
    }

    pub(super) async fn remove(&self, name: &str) -> Result<(), Error> {
        let remove = || async {
            let gone = self.client.delete(name, None).await;
            gone.map_err(|failure| self.error(failure, "remove an object", name))
        };
        self.settle(remove).await
    }
}

#[async_trait]
impl Store for GcsStore {
    fn kind(&self) -> &'static str {
        "gcs"
    }

    async fn stage(&self, object: &NewObject, cancel: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        Ok(Box::new(GcsUpload::begin(self.shared.clone(), object, cancel).await?))
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
        let object = self.shared.look(&self.shared.name(path)).await?;
        Ok(object.map(|object| Stat {
            bytes: object.size,
            checksum: object.crc32c.map(|crc32c| format!("crc32c:{crc32c}")),
        }))
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let shared = self.shared.clone();
        let name = shared.name(path);
        let open = || async {
            shared.client.get(&name).await.map_err(|failure| shared.error(failure, "read an object", &name))
        };
        let chunks = shared.settle(open).await?;
        let named = move |chunk: Result<Bytes, Failure>| {
            chunk.map_err(|failure| shared.error(failure, "read an object", &name))
        };
        Ok(chunks.map(named).boxed())
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.shared.remove(&self.shared.name(path)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let shared = &self.shared;
        let objects = shared.list(&shared.name(prefix)).await?;
        // Consoles keep an empty object for a folder; without a prefix, what is on its way stands in the same listing.
        let visible = objects
            .iter()
            .map(|object| &object.name)
            .filter(|name| !name.ends_with('/') && !name.starts_with(&shared.beside));
        Ok(visible.filter_map(|name| name.strip_prefix(&shared.prefix)).map(str::to_owned).collect())
    }

    async fn probe(&self) -> Result<(), Error> {
        self.shared.probe().await
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("client", &self.client).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
