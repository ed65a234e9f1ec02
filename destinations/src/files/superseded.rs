//! Manifests that a replaced file makes wrong.
//!
//! Where a publish replaces the file of the one before (`overwrite`), that one's manifest stands beside it under a name of its
//! own, with the size and hash of the file that is about to go. It is withdrawn first, with its marker, so that no reader
//! ever finds the new file under the old manifest: between the two a file without a manifest stands there, which is not complete.

use bytes::Bytes;
use uuid::Uuid;

use super::{
    NewObject, Store,
    destination::LARGEST_MANIFEST,
    names::{beside, folder_of, publish_of_manifest},
    sealed::Body,
    verify::read_whole,
};
use crate::contract::{Error, ErrorKind, Manifest};

/// What was withdrawn, in the order in which it was written.
pub(super) struct Superseded(Vec<(NewObject, Bytes)>);

impl Superseded {
    /// Takes away every manifest of another publish that names a file which this one replaces, and that publish's marker;
    /// all or none, as far as the store answers.
    pub(super) async fn withdraw<S: Store>(store: &S, body: &Body) -> Result<Self, Error> {
        let mut withdrawn = Self(Vec::new());
        match withdrawn.take(store, body).await {
            Ok(()) => Ok(withdrawn),
            Err(error) => {
                // The file that they describe still stands, and nobody else knows their texts.
                withdrawn.restore(store).await;
                Err(error)
            }
        }
    }

    async fn take<S: Store>(&mut self, store: &S, body: &Body) -> Result<(), Error> {
        for part in body.parts.iter().filter(|part| part.staged.object.replace) {
            let object = &part.staged.object;
            let folder = folder_of(&object.path);
            // Ids begin with the time in milliseconds, of 48 bits: for centuries, with a 0.
            let near = match store.list(&format!("{folder}0")).await {
                // A target that only takes lets nobody look; readers there go by the file alone.
                Err(error) if error.kind() == ErrorKind::Unauthorized => continue,
                near => near?,
            };
            for path in &near {
                let Some(id) = publish_of_manifest(path).filter(|id| *id != object.publish) else { continue };
                if folder_of(path) == folder && names(store, path, id, beside(&object.path)).await? {
                    withdraw(store, folder, id, &near, &mut self.0).await?;
                }
            }
        }
        Ok(())
    }

    /// Puts it all back: the file was not replaced after all. What can't be put back is logged.
    pub(super) async fn restore<S: Store>(self, store: &S) {
        for (object, text) in self.0 {
            if let Err(error) = store.put(&object, text).await {
                tracing::warn!(path = %object.path, %error, "the manifest of the publish before could not be put back");
            }
        }
    }
}

/// Whether the manifest at `path` is that of this publish, and names the file.
async fn names<S: Store>(store: &S, path: &str, publish: Uuid, file: &str) -> Result<bool, Error> {
    let Some(text) = small(store, path).await? else { return Ok(false) };
    let manifest: Option<Manifest> = serde_json::from_slice(&text).ok();
    Ok(manifest.is_some_and(|manifest| manifest.id == publish && manifest.files.iter().any(|named| named.path == file)))
}

/// Takes away manifest and marker of a publish, which begin with its id.
async fn withdraw<S: Store>(
    store: &S,
    folder: &str,
    publish: Uuid,
    near: &[String],
    withdrawn: &mut Vec<(NewObject, Bytes)>,
) -> Result<(), Error> {
    let start = format!("{folder}{publish}.");
    let mut own: Vec<&String> =
        near.iter().filter(|path| path.starts_with(&start) && folder_of(path) == folder).collect();
    // The manifest last: a repeated commit finds the rest by it.
    own.sort_by_key(|path| publish_of_manifest(path).is_some());
    for path in own {
        let Some(text) = small(store, path).await? else { continue };
        let content_type =
            if publish_of_manifest(path).is_some() { "application/json" } else { "application/octet-stream" };
        let object = NewObject { path: path.clone(), publish, content_type: content_type.to_owned(), replace: true };
        // Before it goes: a removal without an answer may have been done.
        withdrawn.insert(0, (object, Bytes::from(text)));
        store.remove(path).await?;
    }
    Ok(())
}

/// A small object; `None`: it is gone, or it is large.
async fn small<S: Store>(store: &S, path: &str) -> Result<Option<Vec<u8>>, Error> {
    match store.stat(path).await? {
        Some(stat) if stat.bytes <= LARGEST_MANIFEST => {}
        _ => return Ok(None),
    }
    match read_whole(store, path).await {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}
