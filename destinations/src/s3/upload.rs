//! An object on its way, in parts.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::instrument::{Instrument, WithSubscriber};

use super::{client::PartTag, store::Shared};
use crate::{
    contract::{Error, ErrorKind},
    files::{NewObject, Staged, Upload},
};

/// The first parts' size. Amazon takes none below 5 MiB but the last.
const FIRST_SIZE: usize = 8 << 20;
/// After so many parts the next are twice as large, so that an upload's 10,000 parts hold 8 TB, which is past any
/// object, while an object of up to 8 GB has parts of one size, as stores such as R2 demand.
const PARTS_OF_A_SIZE: usize = 1_000;
/// Parts on their way at once; with the one being filled, they bound an upload's memory.
const AT_ONCE: usize = 4;

/// What completing an upload takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Handle {
    pub(super) upload: String,
    pub(super) parts: Vec<PartTag>,
}

/// An upload whose parts are being sent. Dropping it stops the parts on their way.
pub(super) struct S3Upload {
    shared: Arc<Shared>,
    object: NewObject,
    key: Arc<str>,
    upload: Arc<str>,
    cancel: CancellationToken,
    /// The part being filled.
    buffer: BytesMut,
    sending: JoinSet<Result<(usize, PartTag), Error>>,
    /// By part number less one; `None` while on its way.
    tags: Vec<Option<PartTag>>,
    bytes: u64,
}

/// Size of the part that follows `parts` others.
fn size_after(parts: usize) -> usize {
    FIRST_SIZE << (parts / PARTS_OF_A_SIZE)
}

impl S3Upload {
    pub(super) fn new(
        shared: Arc<Shared>,
        object: NewObject,
        key: String,
        upload: String,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            shared,
            object,
            key: key.into(),
            upload: upload.into(),
            cancel,
            buffer: BytesMut::new(),
            sending: JoinSet::new(),
            tags: Vec::new(),
            bytes: 0,
        }
    }

    /// Sends a part, once there is room for it on the way.
    async fn send(&mut self, part: Bytes) -> Result<(), Error> {
        while self.sending.len() >= AT_ONCE {
            self.arrived().await?;
        }
        let index = self.tags.len();
        self.tags.push(None);
        let sent =
            send_part(self.shared.clone(), self.key.clone(), self.upload.clone(), index, part, self.cancel.clone());
        // The publish's span goes along, and so does whoever listens to it.
        self.sending.spawn(sent.in_current_span().with_current_subscriber());
        Ok(())
    }

    /// Waits for one part on its way, if there is any.
    async fn arrived(&mut self) -> Result<(), Error> {
        let Some(part) = self.sending.join_next().await else { return Ok(()) };
        let (index, tag) = part.map_err(lost)??;
        if let Some(slot) = self.tags.get_mut(index) {
            *slot = Some(tag);
        }
        Ok(())
    }
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "write a part").with("key", &self.key));
        }
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let size = size_after(self.tags.len());
            if self.buffer.is_empty() && bytes.len() >= size {
                // A whole part needs no copy.
                self.send(bytes.split_to(size)).await?;
                continue;
            }
            if self.buffer.capacity() == 0 {
                self.buffer.reserve(size.min(FIRST_SIZE));
            }
            let taken = bytes.len().min(size - self.buffer.len());
            self.buffer.extend_from_slice(&bytes.split_to(taken));
            if self.buffer.len() == size {
                let part = self.buffer.split().freeze();
                self.send(part).await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Staged, Error> {
        // An upload needs a part, even an empty one.
        if !self.buffer.is_empty() || self.tags.is_empty() {
            let part = self.buffer.split().freeze();
            self.send(part).await?;
        }
        while !self.sending.is_empty() {
            self.arrived().await?;
        }
        let parts: Option<Vec<PartTag>> = std::mem::take(&mut self.tags).into_iter().collect();
        let handle = parts.map(|parts| Handle { upload: self.upload.as_ref().to_owned(), parts });
        // A write that failed leaves a hole; whoever ends such an upload all the same must not commit it.
        let handle = handle.ok_or_else(|| Error::new(ErrorKind::Internal, "end an upload that lost a part"))?;
        let handle = serde_json::to_value(handle)
            .map_err(|error| Error::new(ErrorKind::Internal, "note an upload's parts").caused_by(error))?;
        Ok(Staged { object: self.object.clone(), bytes: self.bytes, handle })
    }
}

/// Sends one part until it has arrived.
async fn send_part(
    shared: Arc<Shared>,
    key: Arc<str>,
    upload: Arc<str>,
    index: usize,
    bytes: Bytes,
    cancel: CancellationToken,
) -> Result<(usize, PartTag), Error> {
    let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
    let once = || async {
        let checked = shared.checked();
        let answer = match shared.client.part(&key, &upload, number, bytes.clone(), checked).await {
            Err(failure) if shared.goes_unchecked(&failure, checked) => {
                shared.client.part(&key, &upload, number, bytes.clone(), false).await
            }
            answer => answer,
        };
        answer.map_err(|failure| shared.error(failure, "write a part", &key).with("part", number))
    };
    let tag = shared.retries.run(&cancel, once).await?;
    Ok((index, tag))
}

fn lost(error: JoinError) -> Error {
    let kind = if error.is_cancelled() { ErrorKind::Cancelled } else { ErrorKind::Internal };
    Error::new(kind, "write a part")
}

/// What waits to be sent is of members, and not shown.
impl fmt::Debug for S3Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Upload").field("key", &self.key).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_parts_hold_the_largest_object() {
        let all: u128 = (0..10_000).map(|parts| size_after(parts) as u128).sum();
        assert!(all > 5 << 40, "{all}");
        assert!(size_after(9_999) <= 5 << 30);
    }

    #[test]
    fn eight_gigabytes_have_parts_of_one_size() {
        assert_eq!(size_after(0), size_after(999));
        assert_eq!(size_after(1_000), 2 * size_after(999));
    }
}
