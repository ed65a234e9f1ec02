use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

use super::{
    Store,
    commit::{AT_ONCE, Commit},
    names::{Names, is_manifest, seen_from_root},
    publication::FilesPublication,
    sealed::{Body, TICKET_VERSION},
    verify::{read_whole, verify_file, verify_manifest, verify_size},
};
use crate::contract::{
    Capabilities, Delivered, DeliveredFile, Depth, Destination, Error, ErrorKind, Extra, Manifest, Part, Publication,
    PublishContext, Ticket, Visibility,
};

/// A manifest is small; what is larger is none.
pub(super) const LARGEST_MANIFEST: u64 = 64 << 20;

/// A target that takes files, over any [`Store`].
#[derive(Debug)]
pub struct FilesDestination<S> {
    store: Arc<S>,
}

impl<S: Store> FilesDestination<S> {
    /// Publishes into `store`.
    pub fn new(store: S) -> Self {
        Self { store: Arc::new(store) }
    }

    async fn manifest_at(&self, path: &str) -> Result<Option<Manifest>, Error> {
        match self.store.stat(path).await? {
            Some(stat) if stat.bytes <= LARGEST_MANIFEST => {}
            _ => return Ok(None),
        }
        let text = match read_whole(self.store.as_ref(), path).await {
            Ok(text) => text,
            // Removed between listing and reading.
            Err(error) if error.kind() == ErrorKind::Missing => return Ok(None),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice::<Manifest>(&text) {
            Ok(mut manifest) => {
                for file in &mut manifest.files {
                    file.path = seen_from_root(path, &file.path);
                }
                manifest.stands_at = Some(Extra { path: path.to_owned(), bytes: text.len() as u64 });
                Ok(Some(manifest))
            }
            Err(error) => {
                tracing::warn!(path, line = error.line(), "this manifest is not one of herald's and is left out");
                Ok(None)
            }
        }
    }
}

/// What every target for files can do.
pub const CAPABILITIES: Capabilities = Capabilities {
    visibility: Visibility::AtCommit,
    max_rows: None,
    parallel: None,
    names_rejected_rows: true,
    change_events: false,
};

#[async_trait]
impl<S: Store> Destination for FilesDestination<S> {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn ticket(&self, context: &PublishContext) -> Ticket {
        // A path that does not parse can't have been begun either: `begin` says so.
        let prefix = Names::new(context).map_or_else(|_| context.activation.clone(), |names| names.prefix(context));
        Ticket {
            kind: self.store.kind().to_owned(),
            version: TICKET_VERSION,
            publish: context.publish,
            sealed: false,
            body: serde_json::json!({ "prefix": prefix }),
        }
    }

    async fn probe(&self) -> Result<(), Error> {
        self.store.probe().await
    }

    async fn begin(&self, context: &PublishContext) -> Result<Box<dyn Publication>, Error> {
        let names = Names::new(context)?;
        // What an earlier attempt staged is of no use: its rows may have been others.
        self.store.sweep(&names.prefix(context), context.publish).await?;
        Ok(Box::new(FilesPublication::new(self.store.clone(), context.clone(), names)?))
    }

    async fn commit(&self, ticket: &Ticket) -> Result<Delivered, Error> {
        let body = Body::of(ticket, self.store.kind())?;
        if !ticket.sealed {
            return Err(
                Error::new(ErrorKind::Internal, "commit a publish that is not sealed").with("publish", ticket.publish)
            );
        }
        Commit::new(self.store.as_ref(), &body).run(ticket.publish).await
    }

    async fn discard(&self, ticket: &Ticket) -> Result<(), Error> {
        let body = Body::of(ticket, self.store.kind())?;
        self.store.sweep(&body.prefix, ticket.publish).await
    }

    async fn verify(&self, files: &[DeliveredFile], extras: &[Extra], depth: Depth) -> Result<Vec<Part>, Error> {
        let store = self.store.as_ref();
        let work: Vec<_> = files.iter().map(|file| verify_file(store, file, depth)).collect();
        let mut parts: Vec<Part> = stream::iter(work).buffered(AT_ONCE).try_collect().await?;
        let only = extras.iter().filter(|extra| is_manifest(&extra.path)).count() == 1;
        let work: Vec<_> = extras
            .iter()
            .map(|extra| async move {
                match depth {
                    Depth::Whole if is_manifest(&extra.path) && extra.bytes <= LARGEST_MANIFEST => {
                        verify_manifest(store, extra, files, only).await
                    }
                    _ => verify_size(store, &extra.path, extra.bytes).await,
                }
            })
            .collect();
        parts.extend(stream::iter(work).buffered(AT_ONCE).try_collect::<Vec<_>>().await?);
        Ok(parts)
    }

    async fn remove(&self, paths: &[String]) -> Result<Vec<String>, Error> {
        let work: Vec<_> = paths.iter().map(|path| self.store.remove(path)).collect();
        let answers: Vec<_> = stream::iter(work).buffered(AT_ONCE).collect().await;
        let mut gone = Vec::with_capacity(paths.len());
        let mut first = None;
        for (path, answer) in paths.iter().zip(answers) {
            match answer {
                Ok(()) => gone.push(path.clone()),
                Err(error) => {
                    tracing::warn!(%path, %error, "could not remove an object");
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) if gone.is_empty() => Err(error),
            _ => Ok(gone),
        }
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.store.read(path).await
    }

    async fn manifests(&self, context: &PublishContext) -> Result<Vec<Manifest>, Error> {
        let prefix = Names::new(context)?.common_prefix(context);
        let paths = self.store.list(&prefix).await?;
        let work: Vec<_> = paths.iter().filter(|path| is_manifest(path)).map(|path| self.manifest_at(path)).collect();
        let found = stream::iter(work).buffered(AT_ONCE).try_collect::<Vec<_>>().await?;
        let mut manifests: Vec<Manifest> =
            found.into_iter().flatten().filter(|manifest| manifest.activation == context.activation).collect();
        manifests.sort_by_key(|manifest| (manifest.sequence, manifest.id));
        Ok(manifests)
    }
}
