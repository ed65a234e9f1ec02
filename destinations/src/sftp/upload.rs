//! A file on its way: gathered where others wait, written on a thread that waits for the server.

use std::{
    fmt,
    sync::{Arc, mpsc},
};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    connection::Connection,
    error::Failure,
    place::Place,
    pool::{BREATH, Pool, Work},
};
use crate::{
    contract::{Error, ErrorKind},
    files::{NewObject, Staged, Upload},
};

/// Bytes that are gathered before the thread is told of them.
const GATHER: usize = 1 << 20;
/// Bytes that may wait for the thread; with those on the way, they bound an upload's memory.
const AHEAD: usize = 16 << 20;
const WRITE: &str = "write a part";

/// A staged object, as whoever reveals it knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Handle {
    /// Where it stands, relative to the target.
    pub(super) at: String,
    /// What was sent: a file of the same size may be another.
    pub(super) crc32c: u32,
}

/// What the thread is told.
enum Piece {
    /// More content, with the room that it takes.
    Bytes(Vec<Bytes>, OwnedSemaphorePermit),
    /// That was all.
    End,
}

/// A file that is being written. Dropping it leaves it as it is, for a sweep.
pub(super) struct SftpUpload {
    object: NewObject,
    at: String,
    pieces: mpsc::Sender<Piece>,
    room: Arc<Semaphore>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    bytes: u64,
    crc32c: u32,
    /// `None` once it has failed.
    work: Option<Work<u64>>,
    cancel: CancellationToken,
}

impl SftpUpload {
    /// Opens a file for writing on a connection of its own.
    pub(super) async fn open(
        pool: &Arc<Pool>,
        place: &Place,
        object: &NewObject,
        cancel: &CancellationToken,
    ) -> Result<Self, Failure> {
        let (pieces, given) = mpsc::channel();
        let (tell, opened) = oneshot::channel();
        let (place, wanted) = (place.clone(), object.clone());
        let at = place.staged_at(object);
        let work = pool.start(move |server| write(server, &place, &wanted, &given, tell))?;
        if opened.await.is_err() {
            let never = || Failure::new(ErrorKind::Internal, "a file was neither opened nor refused");
            return Err(work.answer().await.err().unwrap_or_else(never));
        }
        Ok(Self {
            object: object.clone(),
            at,
            pieces,
            room: Arc::new(Semaphore::new(AHEAD)),
            gathered: Vec::new(),
            gathered_bytes: 0,
            bytes: 0,
            crc32c: 0,
            work: Some(work),
            cancel: cancel.clone(),
        })
    }

    /// Hands over what was gathered, once there is room for it.
    async fn flush(&mut self) -> Result<(), Error> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let wanted = u32::try_from(self.gathered_bytes.min(AHEAD)).unwrap_or(u32::MAX);
        let room = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Error::new(ErrorKind::Cancelled, WRITE)),
            room = self.room.clone().acquire_many_owned(wanted) => room,
        };
        let room = room.map_err(|error| Error::new(ErrorKind::Internal, WRITE).caused_by(error))?;
        self.gathered_bytes = 0;
        let piece = Piece::Bytes(std::mem::take(&mut self.gathered), room);
        match self.pieces.send(piece) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended().await.map_or_else(|error| error, |_| Error::new(ErrorKind::Internal, WRITE))),
        }
    }

    /// How the thread's work ended.
    async fn ended(&mut self) -> Result<u64, Error> {
        match self.work.take() {
            Some(work) => work.answer().await.map_err(|failure| failure.into_error(WRITE)),
            None => Err(Error::new(ErrorKind::Internal, "write to a part that failed before")),
        }
    }
}

/// The thread's part of it; the bytes written.
fn write(
    server: &mut Connection,
    place: &Place,
    object: &NewObject,
    pieces: &mpsc::Receiver<Piece>,
    opened: oneshot::Sender<()>,
) -> Result<u64, Failure> {
    let at = place.staged_at(object);
    let mut writing = place.open(server, object)?;
    // Whoever does not listen any more drops the other end of the pieces too.
    let _ = opened.send(());
    let mut take = || loop {
        match pieces.recv_timeout(BREATH) {
            Ok(Piece::Bytes(all, _room)) => {
                for bytes in &all {
                    server.write(&mut writing, bytes)?;
                }
            }
            Ok(Piece::End) => return Ok(()),
            // The rows take long to come by.
            Err(mpsc::RecvTimeoutError::Timeout) => {
                server.settle(&mut writing)?;
                server.breathe()?;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Failure::given_up()),
        }
    };
    match take().and_then(|()| place.finish(server, writing, &at)) {
        Err(failure) => Err(place.explained(server, failure, &at)),
        bytes => bytes,
    }
}

#[async_trait]
impl Upload for SftpUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, WRITE));
        }
        self.bytes += bytes.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &bytes);
        self.gathered_bytes += bytes.len();
        self.gathered.push(bytes);
        if self.gathered_bytes >= GATHER { self.flush().await } else { Ok(()) }
    }

    async fn finish(mut self: Box<Self>) -> Result<Staged, Error> {
        self.flush().await?;
        // A thread that has ended says why below.
        let _ = self.pieces.send(Piece::End);
        let written = tokio::select! {
            biased;
            () = self.cancel.clone().cancelled_owned() => return Err(Error::new(ErrorKind::Cancelled, WRITE)),
            written = self.ended() => written?,
        };
        if written != self.bytes {
            return Err(Error::new(ErrorKind::Internal, WRITE).with("given", self.bytes).with("written", written));
        }
        let handle = serde_json::to_value(Handle { at: self.at.clone(), crc32c: self.crc32c })
            .map_err(|error| Error::new(ErrorKind::Internal, "note where a part stands").caused_by(error))?;
        Ok(Staged { object: self.object.clone(), bytes: self.bytes, handle })
    }
}

/// What waits to be sent is of members, and not shown.
impl fmt::Debug for SftpUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SftpUpload").field("at", &self.at).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
