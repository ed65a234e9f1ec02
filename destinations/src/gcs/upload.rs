//! An object on its way, chunk by chunk: one is sent while the next is filled.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::instrument::{Instrument, WithSubscriber};

use super::{client::Chunk, session::Sending, store::Shared};
use crate::{
    contract::{Error, ErrorKind},
    files::{NewObject, Staged, Upload},
};

/// A chunk's size: a multiple of 256 KiB, as the server demands, and as large as Google advises at least.
/// With the one being filled, two bound an upload's memory.
const CHUNK: usize = 8 << 20;

/// What revealing takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Handle {
    /// Of the temporary object: another attempt's has another.
    pub(super) generation: String,
    pub(super) crc32c: u32,
}

/// An upload whose chunks are being sent. Dropping it stops the one on its way.
pub(super) struct GcsUpload {
    sending: Arc<Sending>,
    object: NewObject,
    cancel: CancellationToken,
    /// The chunk being filled. A full one waits for one more byte, since the last is sent otherwise.
    buffer: BytesMut,
    /// Bytes in the chunks before it.
    before: u64,
    /// Of all bytes so far.
    crc32c: u32,
    on_its_way: JoinSet<Result<(), Error>>,
}

impl GcsUpload {
    pub(super) async fn begin(
        shared: Arc<Shared>,
        object: &NewObject,
        cancel: &CancellationToken,
    ) -> Result<Self, Error> {
        Ok(Self {
            sending: Arc::new(Sending::begin(shared, object, cancel).await?),
            object: object.clone(),
            cancel: cancel.clone(),
            buffer: BytesMut::new(),
            before: 0,
            crc32c: 0,
            on_its_way: JoinSet::new(),
        })
    }

    /// The chunk being filled, to be sent next.
    fn chunk(&mut self, last: Option<u32>) -> Chunk {
        let chunk = Chunk { from: self.before, bytes: self.buffer.split().freeze(), last };
        self.before += chunk.bytes.len() as u64;
        chunk
    }

    /// Waits for the chunk on its way, if there is any.
    async fn arrived(&mut self) -> Result<(), Error> {
        match self.on_its_way.join_next().await {
            Some(sent) => sent.map_err(|error| stopped(&error))?,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Upload for GcsUpload {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "write a chunk").with("path", &self.object.path));
        }
        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes);
        while !bytes.is_empty() {
            if self.buffer.len() == CHUNK {
                self.arrived().await?;
                let (sending, chunk) = (self.sending.clone(), self.chunk(None));
                let sent = async move { sending.send(chunk).await.map(drop) };
                // The publish's span goes along, and so does whoever listens to it.
                self.on_its_way.spawn(sent.in_current_span().with_current_subscriber());
            }
            let taken = bytes.len().min(CHUNK - self.buffer.len());
            self.buffer.extend_from_slice(&bytes.split_to(taken));
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Staged, Error> {
        self.arrived().await?;
        let (sending, crc32c) = (self.sending.clone(), self.crc32c);
        let chunk = self.chunk(Some(crc32c));
        let stands = sending.send(chunk).await?;
        let stands = stands.ok_or_else(|| Error::new(ErrorKind::Internal, "end an upload by its last chunk"))?;
        let handle = serde_json::to_value(Handle { generation: stands.generation, crc32c })
            .map_err(|error| Error::new(ErrorKind::Internal, "note a temporary object").caused_by(error))?;
        Ok(Staged { object: self.object.clone(), bytes: self.before, handle })
    }
}

fn stopped(error: &JoinError) -> Error {
    let kind = if error.is_cancelled() { ErrorKind::Cancelled } else { ErrorKind::Internal };
    Error::new(kind, "write a chunk")
}

/// What waits to be sent is of members, and not shown.
impl fmt::Debug for GcsUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsUpload")
            .field("path", &self.object.path)
            .field("before", &self.before)
            .finish_non_exhaustive()
    }
}
