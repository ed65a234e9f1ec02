//! A connected target, and one publish to it. No method has a default: what a destination forgets
//! would otherwise go silently wrong.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::{
    Account, Batch, Capabilities, Delivered, DeliveredFile, Depth, Error, Extra, Manifest, Part, PublishContext,
    Rejection, Ticket,
};

/// A target that is ready to be published to. Shared by all activations of the target.
#[async_trait]
pub trait Destination: Debug + Send + Sync + 'static {
    /// The facts that the runner acts on.
    fn capabilities(&self) -> Capabilities;

    /// Names what [`begin`](Self::begin) may leave at the target, so that another process can discard it
    /// after a crash. No I/O: it is stored before the first request.
    fn ticket(&self, context: &PublishContext) -> Ticket;

    /// Proves credentials and the right to write; leaves nothing behind.
    async fn probe(&self) -> Result<(), Error>;

    /// Starts a publish. What an earlier attempt of the same publish left is in the way of nothing.
    async fn begin(&self, context: &PublishContext) -> Result<Box<dyn Publication>, Error>;

    /// Makes a sealed publish visible. Idempotent, from any process: the same ticket yields an equal answer.
    async fn commit(&self, ticket: &Ticket) -> Result<Delivered, Error>;

    /// Removes whatever a publish that was not committed left. Idempotent, from any process; a no-op when
    /// nothing is there. Never undoes a commit.
    async fn discard(&self, ticket: &Ticket) -> Result<(), Error>;

    /// Reads back what a publish delivered, and compares.
    async fn verify(&self, files: &[DeliveredFile], extras: &[Extra], depth: Depth) -> Result<Vec<Part>, Error>;

    /// Removes exactly the named objects (paths relative to the target's root). Those already gone count as
    /// removed. Returns the paths that are gone now; an error only when none can be reached.
    async fn remove(&self, paths: &[String]) -> Result<Vec<String>, Error>;

    /// Reads back one object that it delivered; the path is relative to the target's root.
    /// [`ErrorKind::Missing`](super::ErrorKind) where nothing stands there, or nothing can be read back.
    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error>;

    /// The manifests of this activation that stand at the target, by sequence. The paths of their files are relative to
    /// the target's root, as in [`Delivered`].
    async fn manifests(&self, context: &PublishContext) -> Result<Vec<Manifest>, Error>;
}

/// One publish in flight. Dropping it at any await is safe: [`Destination::discard`] then leaves nothing.
#[async_trait]
pub trait Publication: Debug + Send {
    /// Stages one batch, or, where visible at write, delivers it; the answer names the rows that the target refused
    /// for good. Where rows are not named, a batch refused whole is an error of kind
    /// [`Refused`](super::ErrorKind::Refused), and the runner tries halves.
    async fn write(&mut self, batch: Batch) -> Result<Vec<Rejection>, Error>;

    /// Ends writing. The ticket holds all that [`Destination::commit`] needs.
    async fn seal(self: Box<Self>, account: Account) -> Result<Ticket, Error>;
}
