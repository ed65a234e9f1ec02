//! A blob on its way, in blocks.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::instrument::{Instrument, WithSubscriber};

use super::{blocks::BlockIds, store::Shared};
use crate::{
    contract::{Error, ErrorKind},
    files::{NewObject, Staged, Upload},
};

/// Blocks on their way at once.
const AT_ONCE: usize = 4;

/// What committing takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Handle {
    /// By which the ids of this upload's blocks differ from those of others.
    pub(super) upload: String,
    /// How many blocks there are, numbered from 0.
    pub(super) blocks: u32,
}

/// An upload whose blocks are being sent. Dropping it stops the blocks on their way.
pub(super) struct AzureBlobUpload {
    shared: Arc<Shared>,
    object: NewObject,
    name: Arc<str>,
    ids: BlockIds,
    cancel: CancellationToken,
    /// The block being filled.
    buffer: BytesMut,
    sending: JoinSet<Result<usize, Error>>,
    /// Bytes of the blocks on their way.
    flying: usize,
    /// Blocks that were begun, and of these those that have not arrived.
    blocks: u32,
    missing: u32,
    bytes: u64,
}

impl AzureBlobUpload {
    pub(super) fn new(shared: Arc<Shared>, object: NewObject, name: String, cancel: CancellationToken) -> Self {
        Self {
            ids: BlockIds::fresh(object.publish),
            shared,
            object,
            name: name.into(),
            cancel,
            buffer: BytesMut::new(),
            sending: JoinSet::new(),
            flying: 0,
            blocks: 0,
            missing: 0,
            bytes: 0,
        }
    }

    /// Size of the block being filled.
    fn size(&self) -> Result<usize, Error> {
        self.shared.sizes.after(self.blocks as usize).ok_or_else(|| {
            Error::new(ErrorKind::Refused, "write a block")
                .with("blob", &self.name)
                .with("blocks", "no more than 50,000 fit in a blob: make parts smaller, with `files.max_size`")
        })
    }

    /// Sends a block, once there is room for it on the way.
    async fn send(&mut self, block: Bytes) -> Result<(), Error> {
        let next = self.shared.sizes.after(self.blocks as usize + 1).unwrap_or_default();
        let most = self.shared.sizes.in_memory();
        while !self.sending.is_empty() && (self.sending.len() >= AT_ONCE || self.flying + block.len() + next > most) {
            self.arrived().await?;
        }
        let (id, length) = (self.ids.id(self.blocks), block.len());
        self.blocks += 1;
        self.missing += 1;
        self.flying += length;
        let sent = send_block(self.shared.clone(), self.name.clone(), id, block, self.cancel.clone());
        // The publish's span goes along, and so does whoever listens to it.
        self.sending.spawn(sent.in_current_span().with_current_subscriber());
        Ok(())
    }

    /// Waits for one block on its way, if there is any.
    async fn arrived(&mut self) -> Result<(), Error> {
        let Some(sent) = self.sending.join_next().await else { return Ok(()) };
        self.flying -= sent.map_err(lost)??;
        self.missing -= 1;
        Ok(())
    }
}

#[async_trait]
impl Upload for AzureBlobUpload {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "write a block").with("blob", &self.name));
        }
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let size = self.size()?;
            if self.buffer.is_empty() && bytes.len() >= size {
                // A whole block needs no copy.
                self.send(bytes.split_to(size)).await?;
                continue;
            }
            if self.buffer.capacity() == 0 {
                self.buffer.reserve(size);
            }
            let taken = bytes.len().min(size - self.buffer.len());
            self.buffer.extend_from_slice(&bytes.split_to(taken));
            if self.buffer.len() == size {
                let block = std::mem::take(&mut self.buffer).freeze();
                self.send(block).await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Staged, Error> {
        // An empty blob is a list of no blocks.
        if !self.buffer.is_empty() {
            let block = std::mem::take(&mut self.buffer).freeze();
            self.send(block).await?;
        }
        while !self.sending.is_empty() {
            self.arrived().await?;
        }
        // A write that failed leaves a hole; whoever ends such an upload all the same must not commit it.
        if self.missing > 0 {
            return Err(Error::new(ErrorKind::Internal, "end an upload that lost a block"));
        }
        let handle = serde_json::to_value(Handle { upload: self.ids.nonce(), blocks: self.blocks })
            .map_err(|error| Error::new(ErrorKind::Internal, "note an upload's blocks").caused_by(error))?;
        Ok(Staged { object: self.object.clone(), bytes: self.bytes, handle })
    }
}

impl fmt::Debug for AzureBlobUpload {
    /// Without what is being filled: members' values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureBlobUpload")
            .field("blob", &self.name)
            .field("blocks", &self.blocks)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Sends one block until it has arrived; its size.
async fn send_block(
    shared: Arc<Shared>,
    name: Arc<str>,
    id: Vec<u8>,
    bytes: Bytes,
    cancel: CancellationToken,
) -> Result<usize, Error> {
    let once = || async {
        let sent = shared.client.block(&name, &id, bytes.clone()).await;
        sent.map_err(|failure| shared.error(failure, "write a block", &name))
    };
    shared.retries.run(&cancel, once).await?;
    Ok(bytes.len())
}

fn lost(error: JoinError) -> Error {
    let kind = if error.is_cancelled() { ErrorKind::Cancelled } else { ErrorKind::Internal };
    Error::new(kind, "write a block")
}
