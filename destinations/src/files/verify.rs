//! Reading back, in bounded memory.

use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::{Stat, Store};
use crate::contract::{DeliveredFile, Depth, Error, ErrorKind, Part, PartState};

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
    let state = match hash(store, &file.path).await {
        Ok(found) if found == file.sha256 => PartState::Ok,
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

async fn hash<S: Store>(store: &S, path: &str) -> Result<String, Error> {
    let mut content = store.read(path).await?;
    let mut hash = Sha256::new();
    while let Some(bytes) = content.next().await {
        hash.update(&bytes?);
    }
    Ok(faster_hex::hex_string(&hash.finalize()))
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
