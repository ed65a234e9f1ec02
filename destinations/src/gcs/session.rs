//! An upload that goes on after whatever breaks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio_util::sync::CancellationToken;

use super::{
    client::{Chunk, Object, Progress, Session, Writing, base64_of},
    error::Failure,
    store::Shared,
};
use crate::{
    contract::{Error, ErrorKind},
    files::NewObject,
};

const OPERATION: &str = "write a chunk";

/// An object on its way to its temporary name.
#[derive(Debug)]
pub(super) struct Sending {
    shared: Arc<Shared>,
    object: NewObject,
    name: String,
    session: Session,
    cancel: CancellationToken,
}

/// How far one chunk has come, by the server's word.
struct Standing {
    /// Bytes of the object that arrived.
    held: AtomicU64,
    /// An answer is missing: before anything is sent again, the server is asked.
    asks: AtomicBool,
}

/// What came of a chunk.
enum Outcome {
    /// All of it arrived.
    Arrived,
    /// It was the last, and the object stands.
    Whole(Object),
    /// The server knows the upload no more, or otherwise than it was sent.
    Lost(Failure),
}

impl Sending {
    pub(super) async fn begin(
        shared: Arc<Shared>,
        object: &NewObject,
        cancel: &CancellationToken,
    ) -> Result<Self, Error> {
        let name = shared.temporary(object.publish, &object.path);
        let writing =
            Writing { name: &name, content_type: &object.content_type, publish: object.publish, create_only: true };
        let begin = || async {
            match shared.client.begin(writing).await {
                // What an earlier attempt had on its way ended after it was swept.
                Err(failure) if failure.is_unmet() => match shared.client.delete(&name, None).await {
                    Ok(()) => shared.client.begin(writing).await,
                    Err(failure) => Err(failure),
                },
                answer => answer,
            }
            .map_err(|failure| shared.error(failure, "begin the upload", &name))
        };
        let session = shared.retries.run(cancel, begin).await?;
        Ok(Self { object: object.clone(), name, session, cancel: cancel.clone(), shared })
    }

    /// Sends a chunk until it has arrived. The object, after the last one.
    pub(super) async fn send(&self, chunk: Chunk) -> Result<Option<Object>, Error> {
        let standing = Standing { held: AtomicU64::new(chunk.from), asks: AtomicBool::new(false) };
        let outcome = self.shared.retries.run(&self.cancel, || self.send_once(&chunk, &standing)).await?;
        let total = chunk.from + chunk.bytes.len() as u64;
        match (outcome, chunk.last) {
            (Outcome::Arrived, _) => Ok(None),
            (Outcome::Whole(object), Some(crc32c)) => self.as_sent(object, total, crc32c).await.map(Some),
            (Outcome::Lost(failure), Some(crc32c)) => self.found(failure, total, crc32c).await.map(Some),
            (Outcome::Whole(_), None) => Err(self.lost("the server ended it before the last chunk")),
            (Outcome::Lost(failure), None) => Err(self.lost(failure)),
        }
    }

    async fn send_once(&self, chunk: &Chunk, standing: &Standing) -> Result<Outcome, Error> {
        let client = &self.shared.client;
        if standing.asks.swap(true, Ordering::Relaxed) {
            let progress = client.progress(&self.session).await;
            if let Some(outcome) = self.note(progress, chunk, standing)? {
                return Ok(outcome);
            }
        }
        loop {
            let from = standing.held.load(Ordering::Relaxed);
            let done = usize::try_from(from - chunk.from).unwrap_or(usize::MAX).min(chunk.bytes.len());
            let rest = Chunk { from, bytes: chunk.bytes.slice(done..), last: chunk.last };
            let progress = client.chunk(&self.session, &self.object.content_type, rest).await;
            if let Some(outcome) = self.note(progress, chunk, standing)? {
                return Ok(outcome);
            }
            if standing.held.load(Ordering::Relaxed) == from {
                return Err(self.error(ErrorKind::Unavailable, OPERATION).caused_by("the server took none of it"));
            }
        }
    }

    /// Takes down what the server says; `None`: the chunk is still to be sent, or its rest.
    fn note(
        &self,
        progress: Result<Progress, Failure>,
        chunk: &Chunk,
        standing: &Standing,
    ) -> Result<Option<Outcome>, Error> {
        let end = chunk.from + chunk.bytes.len() as u64;
        match progress {
            Ok(Progress::Whole(object)) => Ok(Some(Outcome::Whole(object))),
            Ok(Progress::Holds(held)) if (chunk.from..=end).contains(&held) => {
                standing.held.store(held, Ordering::Relaxed);
                Ok((held == end && chunk.last.is_none()).then_some(Outcome::Arrived))
            }
            Ok(Progress::Holds(held)) => {
                let message = format!("the server holds {held} bytes, and was sent those from {} to {end}", chunk.from);
                Ok(Some(Outcome::Lost(Failure { message, ..Failure::default() })))
            }
            // Another attempt's object came first; whose content it is shows in it.
            Err(failure) if failure.is_gone() || failure.is_unmet() => Ok(Some(Outcome::Lost(failure))),
            Err(failure) => Err(self.shared.error(failure, OPERATION, &self.name)),
        }
    }

    /// Holds what the server says of the object against what was sent.
    async fn as_sent(&self, object: Object, bytes: u64, crc32c: u32) -> Result<Object, Error> {
        let crc32c = base64_of(crc32c);
        if object.size == bytes && object.crc32c.as_ref().is_none_or(|found| *found == crc32c) {
            return Ok(object);
        }
        if let Err(failure) = self.shared.client.delete(&self.name, Some(&object.generation)).await {
            tracing::warn!(%failure, "a damaged temporary object could not be removed");
        }
        Err(self
            .error(ErrorKind::Unavailable, "find an object as it was sent")
            .with("sent", format_args!("{bytes} bytes, crc32c {crc32c}"))
            .with(
                "found",
                format_args!("{} bytes, crc32c {}", object.size, object.crc32c.as_deref().unwrap_or("none")),
            ))
    }

    /// The upload is unknown. Where its last answer was lost, the object stands all the same.
    async fn found(&self, failure: Failure, bytes: u64, crc32c: u32) -> Result<Object, Error> {
        let look = || async {
            self.shared
                .client
                .head(&self.name)
                .await
                .map_err(|failure| self.shared.error(failure, OPERATION, &self.name))
        };
        let publish = self.object.publish.to_string();
        match self.shared.retries.run(&self.cancel, look).await? {
            Some(object)
                if object.size == bytes
                    && object.crc32c.as_ref() == Some(&base64_of(crc32c))
                    && object.publish() == Some(&publish) =>
            {
                Ok(object)
            }
            _ => Err(self.lost(failure)),
        }
    }

    /// The bytes before this chunk are gone from here, so only the whole publish can be repeated.
    fn lost(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.error(ErrorKind::Unavailable, "go on with an upload").caused_by(why)
    }

    fn error(&self, kind: ErrorKind, operation: &'static str) -> Error {
        Error::new(kind, operation).with("bucket", self.shared.client.bucket()).with("object", &self.name)
    }
}
