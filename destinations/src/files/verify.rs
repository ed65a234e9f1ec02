//! Reading back, in bounded memory.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::{
    Stat, Store,
    count::{Kind, Seen, count},
    names::seen_from_root,
};
use crate::contract::{DeliveredFile, Depth, Error, ErrorKind, Extra, Manifest, Part, PartState};

/// Chunks of a part that wait to be looked at.
const AHEAD: usize = 4;

/// Compares a part with what was delivered: its size, and, when asked to, every byte by its hash; else what the server
/// says of it with what it said when the part became visible.
pub(super) async fn verify_file<S: Store>(store: &S, file: &DeliveredFile, depth: Depth) -> Result<Part, Error> {
    let stat = store.stat(&file.path).await;
    let is_other = |stat: &Stat| file.checksum.is_some() && stat.checksum.is_some() && stat.checksum != file.checksum;
    let changed = depth == Depth::Quick && stat.as_ref().is_ok_and(|stat| stat.as_ref().is_some_and(is_other));
    let state = if changed { PartState::Differs } else { compare(stat, file.bytes)? };
    let part = Part { path: file.path.clone(), state };
    if part.state != PartState::Ok || depth == Depth::Quick {
        return Ok(part);
    }
    let state = match look(store, &file.path).await {
        Ok(seen) if seen.sha256 != file.sha256 => PartState::Differs,
        Ok(seen) if seen.rows.is_none_or(|rows| rows.may_be(file.rows)) => PartState::Ok,
        Ok(_) => PartState::Differs,
        Err(error) => state_of(error)?,
    };
    Ok(Part { state, ..part })
}

/// Compares presence and size.
pub(super) async fn verify_size<S: Store>(store: &S, path: &str, bytes: u64) -> Result<Part, Error> {
    let state = compare(store.stat(path).await, bytes)?;
    Ok(Part { path: path.to_owned(), state })
}

fn compare(found: Result<Option<Stat>, Error>, bytes: u64) -> Result<PartState, Error> {
    match found {
        Ok(None) => Ok(PartState::Missing),
        Ok(Some(stat)) if stat.bytes == bytes => Ok(PartState::Ok),
        Ok(Some(_)) => Ok(PartState::Differs),
        Err(error) => state_of(error),
    }
}

/// What an object is like that can't be read; other errors are the target's, not the object's.
fn state_of(error: Error) -> Result<PartState, Error> {
    match error.kind() {
        ErrorKind::Missing => Ok(PartState::Missing),
        ErrorKind::Unauthorized => Ok(PartState::Unverifiable),
        _ => Err(error),
    }
}

/// Reads a part through once, for its hash and its rows. Both are taken on a thread that may compute for long, a few chunks
/// behind the one that reads.
async fn look<S: Store>(store: &S, path: &str) -> Result<Seen, Error> {
    let mut content = store.read(path).await?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    let kind = Kind::of(path);
    let counting = tokio::task::spawn_blocking(move || count(kind, receiver));
    let mut read = Ok(());
    while let Some(bytes) = content.next().await {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                read = Err(error);
                break;
            }
        };
        if sender.send(bytes).await.is_err() {
            break;
        }
    }
    drop(sender);
    let seen = counting.await.map_err(|_| Error::new(ErrorKind::Internal, "count the rows of a part"))?;
    read.map(|()| seen)
}

/// Compares a manifest with the parts of its publish: it must be one, and say of each part that it names what the
/// receipt says. A publish's only manifest names all of its parts.
pub(super) async fn verify_manifest<S: Store>(
    store: &S,
    extra: &Extra,
    files: &[DeliveredFile],
    only: bool,
) -> Result<Part, Error> {
    let part = verify_size(store, &extra.path, extra.bytes).await?;
    if part.state != PartState::Ok {
        return Ok(part);
    }
    let state = match read_whole(store, &extra.path).await {
        Ok(text) if agrees(&extra.path, &text, files, only) => PartState::Ok,
        Ok(_) => PartState::Differs,
        Err(error) => state_of(error)?,
    };
    Ok(Part { state, ..part })
}

fn agrees(path: &str, text: &[u8], files: &[DeliveredFile], only: bool) -> bool {
    let Ok(manifest) = serde_json::from_slice::<Manifest>(text) else { return false };
    let said: HashMap<String, &DeliveredFile> =
        manifest.files.iter().map(|file| (seen_from_root(path, &file.path), file)).collect();
    let same = |file: &DeliveredFile, said: &DeliveredFile| {
        (file.rows, file.bytes, &file.sha256) == (said.rows, said.bytes, &said.sha256)
    };
    files.iter().all(|file| said.get(&file.path).map_or(!only, |said| same(file, said)))
}

/// A small object, whole.
pub(super) async fn read_whole<S: Store>(store: &S, path: &str) -> Result<Vec<u8>, Error> {
    let content = store.read(path).await?;
    content
        .try_fold(Vec::new(), |mut whole, bytes| async move {
            whole.extend_from_slice(&bytes);
            Ok(whole)
        })
        .await
}
