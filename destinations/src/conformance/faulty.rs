//! A store that fails on order: stands in for trouble that a test can't bring about for real.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    contract::{Error, ErrorKind},
    files::{NewObject, Staged, Store, Upload},
};

/// The call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Opening an object.
    Stage,
    /// Writing to an open object.
    Write,
    /// Ending an object.
    Finish,
    /// Making an object visible.
    Reveal,
    /// Writing the manifest.
    Put,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub step: Step,
    /// With what.
    pub kind: ErrorKind,
    /// How many calls fail before all is well.
    pub times: u32,
    /// Whether the call does its work first, so that only the answer is lost.
    pub applied: bool,
}

/// Passes calls on to a store, and fails those of one step as often as told.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    fault: Fault,
    left: Arc<AtomicU32>,
}

impl<S: Store> FaultyStore<S> {
    /// `inner`, with a fault.
    pub fn new(inner: S, fault: Fault) -> Self {
        Self { inner, fault, left: Arc::new(AtomicU32::new(fault.times)) }
    }
}

fn due(fault: Fault, left: &AtomicU32, step: Step) -> bool {
    fault.step == step && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn injected(fault: Fault) -> Error {
    Error::new(fault.kind, "pass a fault that was injected").with("step", format!("{:?}", fault.step))
}

impl<S: Store> FaultyStore<S> {
    fn before(&self, step: Step) -> Result<bool, Error> {
        match due(self.fault, &self.left, step) {
            true if !self.fault.applied => Err(injected(self.fault)),
            due => Ok(due),
        }
    }

    fn after<T>(&self, due: bool, answer: Result<T, Error>) -> Result<T, Error> {
        if due { answer.and_then(|_| Err(injected(self.fault))) } else { answer }
    }
}

#[async_trait]
impl<S: Store> Store for FaultyStore<S> {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    async fn stage(&self, object: &NewObject, cancel: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        let due = self.before(Step::Stage)?;
        let upload = self.after(due, self.inner.stage(object, cancel).await)?;
        Ok(Box::new(FaultyUpload { inner: upload, fault: self.fault, left: self.left.clone() }))
    }

    async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        let due = self.before(Step::Reveal)?;
        self.after(due, self.inner.reveal(staged).await)
    }

    async fn put(&self, object: &NewObject, bytes: Bytes) -> Result<(), Error> {
        let due = self.before(Step::Put)?;
        self.after(due, self.inner.put(object, bytes).await)
    }

    async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        self.inner.sweep(prefix, publish).await
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        self.inner.size(path).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.inner.read(path).await
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.inner.remove(path).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.inner.list(prefix).await
    }

    async fn probe(&self) -> Result<(), Error> {
        self.inner.probe().await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn Upload>,
    fault: Fault,
    left: Arc<AtomicU32>,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let due = due(self.fault, &self.left, Step::Write);
        if due && !self.fault.applied {
            return Err(injected(self.fault));
        }
        self.inner.write(bytes).await?;
        if due { Err(injected(self.fault)) } else { Ok(()) }
    }

    async fn finish(self: Box<Self>) -> Result<Staged, Error> {
        let due = due(self.fault, &self.left, Step::Finish);
        if due && !self.fault.applied {
            return Err(injected(self.fault));
        }
        let staged = self.inner.finish().await?;
        if due { Err(injected(self.fault)) } else { Ok(staged) }
    }
}
