//! The thread that encrypts, and the two queues that it stands between.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes};
use pgp::{composed::MessageBuilder, crypto::sym::SymmetricKeyAlgorithm};
use rand::thread_rng;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::JoinHandle,
};

use super::Encryption;
use crate::encode::EncodeError;

/// Blocks that wait on either side of the thread.
const QUEUE: usize = 4;
/// Bytes that leave the thread at once, and of a partial packet; a power of two.
const BLOCK: u32 = 1 << 18;

/// Encrypts the bytes of one part as they come. Where it is dropped, the thread ends by itself.
#[derive(Debug)]
pub(crate) struct Encryptor {
    /// `None` marks the end: a queue that merely closes is a part given up, which must not look like a short one.
    plain: Sender<Option<Bytes>>,
    sealed: Receiver<Bytes>,
    thread: JoinHandle<Result<(), EncodeError>>,
}

impl Encryptor {
    /// Must be called within a runtime.
    pub(crate) fn new(encryption: &Encryption) -> Self {
        let (plain, reader) = channel(QUEUE);
        let (writer, sealed) = channel(QUEUE);
        let encryption = encryption.clone();
        let thread = tokio::task::spawn_blocking(move || {
            let source = Source { queue: reader, block: Bytes::new(), ended: false };
            let mut sink = Sink { queue: writer, block: Vec::new() };
            run(&encryption, source, &mut sink)?;
            sink.flush().map_err(EncodeError::Encryption)
        });
        Self { plain, sealed, thread }
    }

    /// Takes bytes and returns what is encrypted by now, in order.
    pub(crate) async fn push(&mut self, mut bytes: Bytes) -> Result<Vec<Bytes>, EncodeError> {
        let mut ready = Vec::new();
        // A row group may be large: the queue must not hold several.
        while !bytes.is_empty() {
            let block = bytes.split_to(bytes.len().min(BLOCK as usize));
            ready.extend(self.send(Some(block)).await?);
        }
        Ok(ready)
    }

    /// Ends the part and returns its last bytes.
    pub(crate) async fn finish(mut self) -> Result<Vec<Bytes>, EncodeError> {
        let mut rest = self.send(None).await?;
        while let Some(bytes) = self.sealed.recv().await {
            rest.push(bytes);
        }
        self.thread.await.map_err(|_| EncodeError::Thread)??;
        Ok(rest)
    }

    /// While the thread has no place for more, what it gives must be taken, or each side would wait for the other.
    async fn send(&mut self, block: Option<Bytes>) -> Result<Vec<Bytes>, EncodeError> {
        let mut ready = Vec::new();
        let place = loop {
            tokio::select! {
                place = self.plain.reserve() => break place.ok(),
                Some(bytes) = self.sealed.recv() => ready.push(bytes),
            }
        };
        match place {
            Some(place) => place.send(block),
            None => return Err(failure(&mut self.thread).await),
        }
        while let Ok(bytes) = self.sealed.try_recv() {
            ready.push(bytes);
        }
        Ok(ready)
    }
}

/// Why the thread is gone.
async fn failure(thread: &mut JoinHandle<Result<(), EncodeError>>) -> EncodeError {
    match thread.await {
        Ok(Err(error)) => error,
        _ => EncodeError::Thread,
    }
}

fn run(encryption: &Encryption, source: Source, sink: &mut Sink) -> Result<(), EncodeError> {
    // The crate's words could tell of key material: the kind of its error says enough.
    let failed = |error: pgp::errors::Error| match error {
        pgp::errors::Error::IO { source, .. } => EncodeError::Encryption(source),
        _ => EncodeError::Encryption(io::Error::other("a key was refused")),
    };
    let mut message = MessageBuilder::from_reader("", source).seipd_v1(thread_rng(), SymmetricKeyAlgorithm::AES256);
    message.partial_chunk_size(BLOCK).map_err(failed)?;
    for recipient in encryption.recipients() {
        message.encrypt_to_key(thread_rng(), recipient).map_err(failed)?;
    }
    if let Some(signer) = encryption.signer() {
        let key = signer.key().ok_or(EncodeError::Thread)?;
        message.sign(key, signer.password(), key.hash_alg());
    }
    message.to_writer(thread_rng(), sink).map_err(failed)
}

struct Source {
    queue: Receiver<Option<Bytes>>,
    block: Bytes,
    ended: bool,
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() && !self.ended {
            match self.queue.blocking_recv() {
                Some(Some(block)) => self.block = block,
                Some(None) => self.ended = true,
                None => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        let length = self.block.len().min(out.len());
        self.block.copy_to_slice(&mut out[..length]);
        Ok(length)
    }
}

struct Sink {
    queue: Sender<Bytes>,
    block: Vec<u8>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.block.extend_from_slice(bytes);
        if self.block.len() >= BLOCK as usize {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = Bytes::from(std::mem::take(&mut self.block));
        self.queue.blocking_send(block).map_err(|_| io::ErrorKind::ConnectionAborted.into())
    }
}
