//! Bringing a delivered part back to this machine, and proving that it is the one that was delivered.

use std::{fs::File, io::Write, path::Path};

use futures::StreamExt;
use herald_destinations::contract::{DeliveredFile, Destination, ErrorKind};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Failure, chain::refused, code};

/// Fetches a part to `to`.
///
/// # Errors
/// `not_adoptable`, naming the part, where it is missing or another than its manifest says; else what the target or the
/// disk said.
pub(super) async fn fetch(
    destination: &dyn Destination,
    part: &DeliveredFile,
    to: &Path,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let path = &part.path;
    let missing = || refused(format!("`{path}` is not there, and a manifest names it"));
    let mut content = match destination.read(path).await {
        Err(error) if error.kind() == ErrorKind::Missing => return Err(missing()),
        content => content?,
    };
    let full = |error: std::io::Error| code::disk(&error, "fetch a part");
    let mut file = File::create(to).map_err(full)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0_u64);
    loop {
        let next = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(code::interrupted()),
            next = content.next() => next,
        };
        let chunk = match next {
            None => break,
            Some(Err(error)) if error.kind() == ErrorKind::Missing => return Err(missing()),
            Some(chunk) => chunk?,
        };
        hash.update(&chunk);
        bytes += chunk.len() as u64;
        // A larger one is another, whatever else it holds; the disk need not take it.
        if bytes > part.bytes {
            break;
        }
        file.write_all(&chunk).map_err(full)?;
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if bytes != part.bytes || found != part.sha256 {
        return Err(refused(format!("`{path}` is not what its manifest says: size or SHA-256 differ")));
    }
    Ok(())
}
