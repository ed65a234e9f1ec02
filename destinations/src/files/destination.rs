use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

use super::{
    Store,
    names::{Names, is_manifest, seen_from_root},
    publication::FilesPublication,
    sealed::{Body, SealedPart, TICKET_VERSION},
    verify::{read_whole, verify_file, verify_manifest, verify_size},
};
use crate::contract::{
    Capabilities, Delivered, DeliveredFile, Depth, Destination, Error, ErrorKind, Extra, Manifest, Part, PartState,
    Publication, PublishContext, Ticket, Visibility,
};

/// Parts that are revealed, read back or removed at once.
const AT_ONCE: usize = 8;
/// A manifest is small; what is larger is none.
const LARGEST_MANIFEST: u64 = 64 << 20;

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

    /// Reveals all parts. Where one can never be revealed, those that were are taken back: no part stays visible
    /// that no manifest will ever name.
    async fn reveal(&self, body: &Body) -> Result<(), Error> {
        let reveals: Vec<_> = body.parts.iter().map(|part| self.store.reveal(&part.staged)).collect();
        let answers: Vec<Result<(), Error>> = stream::iter(reveals).buffered(AT_ONCE).collect().await;
        if answers.iter().any(|answer| answer.as_ref().is_err_and(|error| !error.kind().passes())) {
            let mut revealed = Vec::with_capacity(body.parts.len());
            for (part, answer) in body.parts.iter().zip(&answers) {
                let stands = match answer {
                    Ok(()) => true,
                    Err(error) => error.kind() != ErrorKind::Conflict && self.stands(part).await,
                };
                if stands {
                    revealed.push(part);
                }
            }
            self.take_back(revealed.into_iter()).await;
        }
        answers.into_iter().collect()
    }

    /// Whether a part is visible though it could not be revealed now: an earlier attempt did it. What has other content
    /// is somebody else's.
    async fn stands(&self, part: &SealedPart) -> bool {
        let found = verify_file(self.store.as_ref(), &part.delivered(), Depth::Whole).await;
        found.is_ok_and(|found| found.state == PartState::Ok)
    }

    /// Removes visible parts of a publish that will never be complete, but for those that took another's place.
    async fn take_back(&self, parts: impl Iterator<Item = &SealedPart>) {
        for object in parts.map(|part| &part.staged.object).filter(|object| !object.replace) {
            if let Err(error) = self.store.remove(&object.path).await {
                tracing::warn!(path = %object.path, %error, "a part of a failed publish could not be removed");
            }
        }
    }

    /// Whether the manifest stands already: then all was committed before, whatever readers did with the parts since.
    async fn is_committed(&self, body: &Body) -> Result<bool, Error> {
        let Some(manifest) = body.manifest.as_ref().filter(|manifest| !manifest.object.replace) else {
            return Ok(false);
        };
        match self.store.stat(&manifest.object.path).await? {
            Some(stat) if stat.bytes == manifest.text.len() as u64 => {
                let there = read_whole(self.store.as_ref(), &manifest.object.path).await?;
                Ok(there == manifest.text.as_bytes())
            }
            _ => Ok(false),
        }
    }

    /// Looks at every part once more from without, and keeps what the server says of it for a later `verify`.
    /// A part that a reader took away at once, or that this target lets nobody look at, is taken at its word; so is any
    /// part once all was committed `before`.
    async fn confirm(&self, body: &Body, before: bool) -> Result<Delivered, Error> {
        let mut delivered = body.delivered();
        let looks: Vec<_> = delivered.files.iter().map(|file| self.store.stat(&file.path)).collect();
        let stats: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
        for (file, stat) in delivered.files.iter_mut().zip(stats) {
            match stat {
                Ok(Some(stat)) if stat.bytes == file.bytes => file.checksum = stat.checksum,
                Ok(Some(stat)) if !before => {
                    return Err(Error::new(ErrorKind::Refused, "find a part as it was sent")
                        .with("path", &file.path)
                        .with("sent", file.bytes)
                        .with("found", stat.bytes));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Unauthorized => {}
                Err(error) => return Err(error),
            }
        }
        Ok(delivered)
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
        if self.is_committed(&body).await? {
            // A whole publish that was repeated has staged its parts a second time.
            self.store.sweep(&body.prefix, ticket.publish).await?;
            return self.confirm(&body, true).await;
        }
        self.reveal(&body).await?;
        if let Some(manifest) = &body.manifest {
            let put = self.store.put(&manifest.object, Bytes::from(manifest.text.clone())).await;
            if put.as_ref().is_err_and(|error| !error.kind().passes()) {
                self.take_back(body.parts.iter()).await;
            }
            put?;
        }
        self.confirm(&body, false).await
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
