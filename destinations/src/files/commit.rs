//! Making a sealed publish visible: parts, then checksums, then the manifest, then the marker.

use bytes::Bytes;
use futures::{StreamExt, stream};
use uuid::Uuid;

use super::{
    NewObject, Store,
    sealed::{Body, SealedPart},
    superseded::Superseded,
    verify::{read_whole, verify_file},
};
use crate::contract::{Delivered, Depth, Error, ErrorKind, PartState};

/// Objects that are revealed, read back or removed at once.
pub(super) const AT_ONCE: usize = 8;

/// A commit at work.
pub(super) struct Commit<'a, S> {
    store: &'a S,
    body: &'a Body,
}

impl<'a, S: Store> Commit<'a, S> {
    pub(super) fn new(store: &'a S, body: &'a Body) -> Self {
        Self { store, body }
    }

    /// Shows all of it, in order. Where something can never be shown, what was is taken back: nothing stays visible that
    /// no manifest will ever name.
    pub(super) async fn run(&self, publish: Uuid) -> Result<Delivered, Error> {
        let before = self.is_committed().await?;
        if before {
            // A whole publish that was repeated has staged its parts a second time.
            self.store.sweep(&self.body.prefix, publish).await?;
        } else {
            let older = Superseded::withdraw(self.store, self.body).await?;
            if let Err(error) = self.reveal().await {
                if !error.kind().passes() && !self.any_stands().await {
                    older.restore(self.store).await;
                }
                return Err(error);
            }
        }
        self.put_beside(before).await?;
        self.confirm(before).await
    }

    /// Reveals all parts.
    async fn reveal(&self) -> Result<(), Error> {
        let parts = &self.body.parts;
        let reveals: Vec<_> = parts.iter().map(|part| self.store.reveal(&part.staged)).collect();
        let answers: Vec<Result<(), Error>> = stream::iter(reveals).buffered(AT_ONCE).collect().await;
        if answers.iter().any(|answer| answer.as_ref().is_err_and(|error| !error.kind().passes())) {
            let mut revealed = Vec::with_capacity(parts.len());
            for (part, answer) in parts.iter().zip(&answers) {
                let stands = match answer {
                    Ok(()) => true,
                    Err(error) => error.kind() != ErrorKind::Conflict && self.stands(part).await,
                };
                if stands {
                    revealed.push(&part.staged.object);
                }
            }
            self.take_back(revealed.into_iter()).await;
        }
        answers.into_iter().collect()
    }

    /// Writes what stands beside the parts; where the manifest stands already, only what comes after it.
    async fn put_beside(&self, before: bool) -> Result<(), Error> {
        let beside = self.body.beside();
        let manifest = |path: &str| self.body.manifest.as_ref().is_some_and(|manifest| manifest.object.path == path);
        let first = match beside.iter().position(|(object, _)| manifest(&object.path)) {
            Some(at) if before => at + 1,
            _ => 0,
        };
        for (done, (object, text)) in beside.iter().enumerate().skip(first) {
            let put = self.store.put(object, Bytes::from(text.clone())).await;
            if put.as_ref().is_err_and(|error| !error.kind().passes()) {
                // The last first: no marker without a manifest, no manifest without its parts.
                self.take_back(beside[..done].iter().rev().map(|(object, _)| object)).await;
                self.take_back(self.body.parts.iter().map(|part| &part.staged.object)).await;
            }
            put?;
        }
        Ok(())
    }

    async fn any_stands(&self) -> bool {
        for part in &self.body.parts {
            if self.stands(part).await {
                return true;
            }
        }
        false
    }

    /// Whether a part is visible though it could not be revealed now: an earlier attempt did it. What has other content
    /// is somebody else's.
    async fn stands(&self, part: &SealedPart) -> bool {
        let found = verify_file(self.store, &part.delivered(), Depth::Whole).await;
        found.is_ok_and(|found| found.state == PartState::Ok)
    }

    /// Removes visible objects of a publish that will never be complete, but for those that took another's place.
    async fn take_back(&self, objects: impl Iterator<Item = &NewObject>) {
        for object in objects.filter(|object| !object.replace) {
            if let Err(error) = self.store.remove(&object.path).await {
                tracing::warn!(path = %object.path, %error, "an object of a failed publish could not be removed");
            }
        }
    }

    /// Whether the manifest stands already: then all before it was committed, whatever readers did with the parts since.
    async fn is_committed(&self) -> Result<bool, Error> {
        let Some(manifest) = &self.body.manifest else { return Ok(false) };
        let stat = match self.store.stat(&manifest.object.path).await {
            // A target that only takes lets nobody look: the parts are revealed, once more if need be.
            Err(error) if error.kind() == ErrorKind::Unauthorized => return Ok(false),
            stat => stat?,
        };
        match stat {
            Some(stat) if stat.bytes == manifest.text.len() as u64 => {
                let there = read_whole(self.store, &manifest.object.path).await?;
                Ok(there == manifest.text.as_bytes())
            }
            _ => Ok(false),
        }
    }

    /// Looks at every part once more from without, and keeps what the server says of it for a later `verify`.
    /// A part that a reader took away at once, or that this target lets nobody look at, is taken at its word; so is any
    /// part once all was committed `before`.
    async fn confirm(&self, before: bool) -> Result<Delivered, Error> {
        let mut delivered = self.body.delivered();
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
}
