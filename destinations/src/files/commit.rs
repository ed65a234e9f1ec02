//! Making a sealed publish visible: parts, then checksums, then the manifest, then the marker.

use bytes::Bytes;
use futures::{StreamExt, stream};
use uuid::Uuid;

use super::{
    NewObject, Stat, Store,
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
        if self.is_committed().await? {
            return self.complete(publish).await;
        }
        let older = Superseded::withdraw(self.store, self.body).await?;
        if let Err(error) = self.reveal().await {
            if !error.kind().passes() && !self.any_stands().await {
                older.restore(self.store).await;
            }
            return Err(error);
        }
        self.put_beside().await?;
        self.confirm().await
    }

    /// Reveals all parts.
    async fn reveal(&self) -> Result<(), Error> {
        let parts = &self.body.parts;
        let reveals: Vec<_> = parts.iter().map(|part| self.store.reveal(&part.staged)).collect();
        let answers: Vec<Result<(), Error>> =
            stream::iter(reveals).buffered(AT_ONCE).map(|answer| answer.map_err(settled)).collect().await;
        if !answers.iter().any(|answer| answer.as_ref().is_err_and(|error| !error.kind().passes())) {
            return answers.into_iter().collect();
        }
        for (part, answer) in parts.iter().zip(&answers) {
            let stands = match answer {
                Ok(()) => true,
                Err(error) => error.kind() != ErrorKind::Conflict && self.stands(part).await,
            };
            if stands {
                self.take_back(&part.staged.object).await;
            }
        }
        // Some others may pass, but this publish can't be complete any more.
        let errors = answers.into_iter().filter_map(Result::err);
        errors.into_iter().find(|error| !error.kind().passes()).map_or(Ok(()), Err)
    }

    /// Writes what stands beside the parts.
    async fn put_beside(&self) -> Result<(), Error> {
        let beside = self.body.beside();
        for (done, (object, text)) in beside.iter().enumerate() {
            let Err(error) = self.put(object, text).await else { continue };
            if error.kind().passes() {
                return Err(error);
            }
            // An earlier attempt may have written what is refused now.
            let own = match error.kind() {
                ErrorKind::Conflict => false,
                _ => match self.holds(&object.path, text).await {
                    Err(look) if look.kind().passes() => return Err(look),
                    // Nobody may look: its name is this publish's own.
                    look => look.unwrap_or(true),
                },
            };
            let written = if own { done + 1 } else { done };
            self.undo(&beside[..written], self.body.parts.iter()).await;
            return Err(error);
        }
        Ok(())
    }

    async fn put(&self, object: &NewObject, text: &str) -> Result<(), Error> {
        self.store.put(object, Bytes::from(text.to_owned())).await.map_err(settled)
    }

    /// What is left to do once the manifest stands. That commit is never undone: what can't be done for good is logged,
    /// and a marker that can't be written is left out of what was delivered.
    async fn complete(&self, publish: Uuid) -> Result<Delivered, Error> {
        let beside = self.body.beside();
        let manifest = beside.iter().position(|(object, _)| self.is_manifest(object)).unwrap_or(beside.len());
        let mut delivered = self.body.delivered();
        let mut whole = true;
        for (object, text) in &beside[manifest..] {
            // The manifest too: its content stands, but a store may have noted that it is not whole yet, and would sweep it.
            match self.put(object, text).await {
                Ok(()) => {}
                Err(error) if error.kind().passes() => return Err(error),
                Err(error) if self.is_manifest(object) => {
                    tracing::warn!(path = %object.path, %error, "a manifest that stands could not be written again");
                    whole = false;
                }
                Err(error) => {
                    tracing::warn!(path = %object.path, %error, "a publish is complete, but its marker could not be written");
                    delivered.extras.retain(|extra| extra.path != object.path);
                }
            }
        }
        // A whole publish that was repeated has staged its parts a second time.
        if whole {
            match self.store.sweep(&self.body.prefix, publish).await {
                Err(error) if error.kind().passes() => return Err(error),
                Err(error) => tracing::warn!(%error, "what a committed publish staged could not be removed"),
                Ok(()) => {}
            }
        }
        for (file, stat) in delivered.files.iter_mut().zip(self.looks().await) {
            match stat {
                Ok(Some(stat)) if stat.bytes == file.bytes => file.checksum = stat.checksum,
                Err(error) if error.kind().passes() => return Err(error),
                // Whatever readers did with it since.
                _ => {}
            }
        }
        Ok(delivered)
    }

    fn is_manifest(&self, object: &NewObject) -> bool {
        self.body.manifest.as_ref().is_some_and(|manifest| manifest.object.path == object.path)
    }

    /// Whether readers wait for this object, so that what it announces must stand while it does.
    fn announces(&self, object: &NewObject) -> bool {
        self.is_manifest(object) || self.body.marker.as_ref().is_some_and(|marker| marker.path == object.path)
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

    /// Takes back a publish that will never be complete, the last first: no marker without a manifest, no manifest
    /// without its parts.
    async fn undo(&self, beside: &[(NewObject, String)], parts: impl Iterator<Item = &SealedPart>) {
        for (object, _) in beside.iter().rev() {
            if !self.take_back(object).await && self.announces(object) {
                return;
            }
        }
        for part in parts {
            self.take_back(&part.staged.object).await;
        }
    }

    /// Removes a visible object, unless it took another's place: that one is gone, and nothing would be left. Manifest and
    /// marker have names of their own. `false`: it may still stand.
    async fn take_back(&self, object: &NewObject) -> bool {
        if object.replace && !self.announces(object) {
            return true;
        }
        let removed = self.store.remove(&object.path).await;
        if let Err(error) = &removed {
            tracing::warn!(path = %object.path, %error, "an object of a failed publish could not be removed");
        }
        removed.is_ok()
    }

    /// Whether the manifest stands already: then all before it was committed, whatever readers did with the parts since.
    async fn is_committed(&self) -> Result<bool, Error> {
        let Some(manifest) = &self.body.manifest else { return Ok(false) };
        match self.holds(&manifest.object.path, &manifest.text).await {
            // A target that only takes lets nobody look: the parts are revealed, once more if need be.
            Err(error) if error.kind() == ErrorKind::Unauthorized => Ok(false),
            holds => holds,
        }
    }

    /// Whether this text stands at the path; where sizes can be seen and contents can't be read, one as long.
    async fn holds(&self, path: &str, text: &str) -> Result<bool, Error> {
        match self.store.stat(path).await? {
            Some(stat) if stat.bytes == text.len() as u64 => {}
            _ => return Ok(false),
        }
        match read_whole(self.store, path).await {
            Ok(there) => Ok(there == text.as_bytes()),
            // Missing: a reader took it away since.
            Err(error) if matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Missing) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// What stands of each part, from without.
    async fn looks(&self) -> Vec<Result<Option<Stat>, Error>> {
        let looks: Vec<_> = self.body.parts.iter().map(|part| self.store.stat(&part.staged.object.path)).collect();
        stream::iter(looks).buffered(AT_ONCE).collect().await
    }

    /// Looks at every part once more from without, and keeps what the server says of it for a later `verify`.
    /// A part that a reader took away at once, or that this target lets nobody look at, is taken at its word. So is one
    /// that another writer has replaced since, where all take each other's place; elsewhere the publish is not complete.
    async fn confirm(&self) -> Result<Delivered, Error> {
        let mut delivered = self.body.delivered();
        let mut other = None;
        let mut own = Vec::with_capacity(self.body.parts.len());
        for ((file, part), stat) in delivered.files.iter_mut().zip(&self.body.parts).zip(self.looks().await) {
            match stat {
                Ok(Some(stat)) if stat.bytes != file.bytes => {
                    let found = Error::new(ErrorKind::Refused, "find a part as it was sent")
                        .with("path", &file.path)
                        .with("sent", file.bytes)
                        .with("found", stat.bytes);
                    if part.staged.object.replace {
                        tracing::warn!(error = %found, "another writer replaced a file that was just published");
                    } else {
                        other.get_or_insert(found);
                        continue;
                    }
                }
                Ok(stat) => file.checksum = stat.and_then(|stat| stat.checksum),
                Err(error) if error.kind().passes() => return Err(error),
                Err(error) if error.kind() == ErrorKind::Unauthorized => {}
                Err(error) => tracing::warn!(path = %file.path, %error, "a part that is published can't be looked at"),
            }
            own.push(part);
        }
        let Some(other) = other else { return Ok(delivered) };
        self.undo(&self.body.beside(), own.into_iter()).await;
        Err(other)
    }
}

/// A refusal that may follow a try which was applied, and whose answer was lost, says nothing of what stands: it is to
/// come again. The attempt after it starts without that doubt.
fn settled(error: Error) -> Error {
    let refused =
        matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Missing | ErrorKind::Full | ErrorKind::Refused);
    match refused && error.doubtful() {
        true => Error::new(ErrorKind::TimedOut, "tell whether an earlier try was applied").caused_by(error),
        false => error,
    }
}
