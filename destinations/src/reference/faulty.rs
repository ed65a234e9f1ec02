//! A destination that fails by a script: stands in for trouble that a test can't bring about for real.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;

use super::script::{Mishap, Operation, Script, around, injected};
use crate::contract::{
    Account, Batch, Capabilities, Config, Delivered, DeliveredFile, Depth, Destination, Error, Extra, Manifest, Part,
    Publication, PublishContext, Rejection, Retries, Ticket,
};

/// A target whose destinations fail by a script. What they fail with is what is left once their own retries are
/// spent: nothing here repeats a call.
#[derive(Debug, Clone)]
pub struct FaultyTarget {
    inner: Arc<dyn Config>,
    script: Script,
}

impl FaultyTarget {
    /// `inner`, with mishaps.
    pub fn new(inner: impl Config + 'static, script: &Script) -> Self {
        Self { inner: Arc::new(inner), script: script.clone() }
    }
}

#[async_trait]
impl Config for FaultyTarget {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn identity(&self) -> String {
        self.inner.identity()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error> {
        let inner = self.inner.connect(retries.clone()).await?;
        Ok(Arc::new(FaultyDestination { inner, faults: Faults { script: self.script.clone(), retries } }))
    }
}

/// Passes calls on to a destination, but for those that the script has a mishap for.
#[derive(Debug)]
pub struct FaultyDestination {
    inner: Arc<dyn Destination>,
    faults: Faults,
}

impl FaultyDestination {
    /// `inner`, with mishaps.
    pub fn new(inner: Arc<dyn Destination>, script: &Script) -> Self {
        Self { inner, faults: Faults { script: script.clone(), retries: Retries::default() } }
    }
}

#[derive(Debug, Clone)]
struct Faults {
    script: Script,
    retries: Retries,
}

impl Faults {
    async fn call<T>(
        &self,
        operation: Operation,
        cancel: Option<&CancellationToken>,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mishap = self.script.call(operation);
        around(operation, mishap, cancel, Some(self.retries.tally()), call).await
    }
}

#[async_trait]
impl Destination for FaultyDestination {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn ticket(&self, context: &PublishContext) -> Ticket {
        self.inner.ticket(context)
    }

    async fn probe(&self) -> Result<(), Error> {
        self.faults.call(Operation::Probe, None, self.inner.probe()).await
    }

    async fn begin(&self, context: &PublishContext) -> Result<Box<dyn Publication>, Error> {
        let begin = self.inner.begin(context);
        let inner = self.faults.call(Operation::Begin, Some(&context.cancel), begin).await?;
        Ok(Box::new(FaultyPublication { inner, faults: self.faults.clone(), cancel: context.cancel.clone() }))
    }

    async fn commit(&self, ticket: &Ticket) -> Result<Delivered, Error> {
        self.faults.call(Operation::Commit, None, self.inner.commit(ticket)).await
    }

    async fn discard(&self, ticket: &Ticket) -> Result<(), Error> {
        self.faults.call(Operation::Discard, None, self.inner.discard(ticket)).await
    }

    async fn verify(&self, files: &[DeliveredFile], extras: &[Extra], depth: Depth) -> Result<Vec<Part>, Error> {
        self.faults.call(Operation::Verify, None, self.inner.verify(files, extras, depth)).await
    }

    async fn remove(&self, paths: &[String]) -> Result<Vec<String>, Error> {
        self.faults.call(Operation::Remove, None, self.inner.remove(paths)).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.inner.read(path).await
    }

    async fn manifests(&self, context: &PublishContext) -> Result<Vec<Manifest>, Error> {
        self.faults.call(Operation::Manifests, Some(&context.cancel), self.inner.manifests(context)).await
    }
}

#[derive(Debug)]
struct FaultyPublication {
    inner: Box<dyn Publication>,
    faults: Faults,
    cancel: CancellationToken,
}

#[async_trait]
impl Publication for FaultyPublication {
    async fn write(&mut self, batch: Batch) -> Result<Vec<Rejection>, Error> {
        let mishap = self.faults.script.call(Operation::Write);
        if let Some(Mishap::Cut(kind)) = mishap {
            let half = batch.slice(0, batch.rows.num_rows() / 2);
            self.inner.write(half).await?;
            return Err(injected(kind, Operation::Write));
        }
        let Self { inner, faults, cancel } = self;
        around(Operation::Write, mishap, Some(&*cancel), Some(faults.retries.tally()), inner.write(batch)).await
    }

    async fn seal(self: Box<Self>, account: Account) -> Result<Ticket, Error> {
        let Self { inner, faults, cancel } = *self;
        faults.call(Operation::Seal, Some(&cancel), inner.seal(account)).await
    }
}
