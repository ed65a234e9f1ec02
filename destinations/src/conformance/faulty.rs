//! A store that fails on order: stands in for trouble that a test can't bring about for real.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    contract::Error,
    files::{NewObject, Staged, Stat, Store, Upload},
    reference::{Script, around},
};

/// The call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Removing what staging left.
    Sweep,
    /// Looking at an object from without.
    Stat,
    /// Reading an object.
    Read,
    /// Removing a visible object.
    Remove,
    /// Proving the right to write.
    Probe,
}

/// Passes calls on to a store, but for those that the script has a mishap for.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    script: Script<Step>,
}

impl<S: Store> FaultyStore<S> {
    /// `inner`, with mishaps.
    pub fn new(inner: S, script: &Script<Step>) -> Self {
        Self { inner, script: script.clone() }
    }

    async fn call<T>(&self, step: Step, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        around(step, self.script.call(step), None, None, call).await
    }
}

#[async_trait]
impl<S: Store> Store for FaultyStore<S> {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    async fn stage(&self, object: &NewObject, cancel: &CancellationToken) -> Result<Box<dyn Upload>, Error> {
        let inner = self.call(Step::Stage, self.inner.stage(object, cancel)).await?;
        Ok(Box::new(FaultyUpload { inner, script: self.script.clone() }))
    }

    async fn reveal(&self, staged: &Staged) -> Result<(), Error> {
        self.call(Step::Reveal, self.inner.reveal(staged)).await
    }

    async fn put(&self, object: &NewObject, bytes: Bytes) -> Result<(), Error> {
        self.call(Step::Put, self.inner.put(object, bytes)).await
    }

    async fn sweep(&self, prefix: &str, publish: Uuid) -> Result<(), Error> {
        self.call(Step::Sweep, self.inner.sweep(prefix, publish)).await
    }

    async fn stat(&self, path: &str) -> Result<Option<Stat>, Error> {
        self.call(Step::Stat, self.inner.stat(path)).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.call(Step::Read, self.inner.read(path)).await
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        self.call(Step::Remove, self.inner.remove(path)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.inner.list(prefix).await
    }

    async fn probe(&self) -> Result<(), Error> {
        self.call(Step::Probe, self.inner.probe()).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn Upload>,
    script: Script<Step>,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        let mishap = self.script.call(Step::Write);
        around(Step::Write, mishap, None, None, self.inner.write(bytes)).await
    }

    async fn finish(self: Box<Self>) -> Result<Staged, Error> {
        let mishap = self.script.call(Step::Finish);
        around(Step::Finish, mishap, None, None, self.inner.finish()).await
    }
}
