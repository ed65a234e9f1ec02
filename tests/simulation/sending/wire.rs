//! What passes between the program and the target, seen by nobody but the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use herald_destinations::{
    conformance::rows_of_batch,
    contract::{
        Account, Batch, Capabilities, Changes, Config, Delivered, DeliveredFile, Depth, Destination, Error, ErrorKind,
        Extra, Manifest, Op, Part, Publication, PublishContext, Rejection, Retries, Ticket,
    },
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A row on its way.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) member: String,
    /// As the target shows it: without nulls.
    pub(crate) record: BTreeMap<String, String>,
    pub(crate) returning: Option<bool>,
    pub(crate) changed: Option<BTreeSet<String>>,
}

/// What the program was told.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Nothing: it did not wait.
    None,
    /// All rows were taken but for these.
    Taken(BTreeSet<usize>),
    /// An error, and whether the rows may have arrived all the same.
    Failed(ErrorKind, bool),
}

/// A batch that the program handed over.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) publish: Uuid,
    pub(crate) op: Op,
    pub(crate) rows: Vec<Row>,
    pub(crate) answer: Answer,
}

/// Somebody stops the publish while a batch is under way.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// Batches that pass before.
    pub(crate) after: u32,
    /// Whether the batch arrives.
    pub(crate) arrives: bool,
    pub(crate) cancel: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    stop: Option<Stop>,
    /// The error of the last publication that could not begin.
    not_begun: Option<ErrorKind>,
}

/// A target that is listened to. Clones hear the same.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    inner: Arc<dyn Config>,
    state: Arc<Mutex<State>>,
}

impl Wire {
    pub(crate) fn to(inner: impl Config + 'static) -> Self {
        Self { inner: Arc::new(inner), state: Arc::default() }
    }

    /// From now on.
    pub(crate) fn arm(&self, stop: Option<Stop>) {
        self.state(|state| (state.stop, state.not_begun) = (stop, None));
    }

    pub(crate) fn len(&self) -> usize {
        self.state(|state| state.calls.len())
    }

    /// Batches since there were so many.
    pub(crate) fn since(&self, from: usize) -> Vec<Call> {
        self.state(|state| state.calls[from..].to_vec())
    }

    pub(crate) fn not_begun(&self) -> Option<ErrorKind> {
        self.state(|state| state.not_begun)
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Config for Wire {
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
        Ok(Arc::new(Tapped { inner: self.inner.connect(retries).await?, wire: self.clone() }))
    }
}

#[derive(Debug)]
struct Tapped {
    inner: Arc<dyn Destination>,
    wire: Wire,
}

#[async_trait]
impl Destination for Tapped {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn ticket(&self, context: &PublishContext) -> Ticket {
        self.inner.ticket(context)
    }

    async fn probe(&self) -> Result<(), Error> {
        self.inner.probe().await
    }

    async fn begin(&self, context: &PublishContext) -> Result<Box<dyn Publication>, Error> {
        let begun = self.inner.begin(context).await;
        let begun = begun.inspect_err(|error| self.wire.state(|state| state.not_begun = Some(error.kind())));
        Ok(Box::new(TappedPublication { inner: begun?, wire: self.wire.clone(), publish: context.publish }))
    }

    async fn commit(&self, ticket: &Ticket) -> Result<Delivered, Error> {
        self.inner.commit(ticket).await
    }

    async fn discard(&self, ticket: &Ticket) -> Result<(), Error> {
        self.inner.discard(ticket).await
    }

    async fn verify(&self, files: &[DeliveredFile], extras: &[Extra], depth: Depth) -> Result<Vec<Part>, Error> {
        self.inner.verify(files, extras, depth).await
    }

    async fn remove(&self, paths: &[String]) -> Result<Vec<String>, Error> {
        self.inner.remove(paths).await
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.inner.read(path).await
    }

    async fn manifests(&self, context: &PublishContext) -> Result<Vec<Manifest>, Error> {
        self.inner.manifests(context).await
    }
}

#[derive(Debug)]
struct TappedPublication {
    inner: Box<dyn Publication>,
    wire: Wire,
    publish: Uuid,
}

#[async_trait]
impl Publication for TappedPublication {
    async fn write(&mut self, batch: Batch) -> Result<Vec<Rejection>, Error> {
        let call = Call { publish: self.publish, op: batch.op, rows: rows(&batch), answer: Answer::None };
        let (number, stop) = self.wire.state(|state| {
            state.calls.push(call);
            let now = state.stop.take_if(|stop| stop.after == 0);
            state.stop.iter_mut().for_each(|stop| stop.after -= 1);
            (state.calls.len() - 1, now)
        });
        if let Some(stop) = &stop {
            if stop.arrives {
                // Whatever it says, nobody waits for it.
                let _ = self.inner.write(batch).await;
            }
            stop.cancel.cancel();
            return std::future::pending().await;
        }
        let written = self.inner.write(batch).await;
        let answer = match &written {
            Ok(rejections) => Answer::Taken(rejections.iter().map(|one| one.row).collect()),
            Err(error) => Answer::Failed(error.kind(), error.doubtful()),
        };
        self.wire.state(|state| state.calls[number].answer = answer);
        written
    }

    async fn seal(self: Box<Self>, account: Account) -> Result<Ticket, Error> {
        self.inner.seal(account).await
    }
}

fn rows(batch: &Batch) -> Vec<Row> {
    let schema = batch.rows.schema();
    let row = |(index, row): (usize, herald_destinations::conformance::Row)| {
        let (mut returning, mut changed) = (None, None);
        match &batch.changes {
            Some(Changes::Returning(which)) => returning = Some(which.value(index)),
            Some(Changes::Fields(fields)) => {
                let named = schema.fields().iter().zip(fields).filter(|(_, which)| which.value(index));
                changed = Some(named.map(|(field, _)| field.name().clone()).collect());
            }
            Some(Changes::None) | None => {}
        }
        let record = shown(row.fields);
        Row { member: row.member, record, returning, changed }
    };
    rows_of_batch(batch).into_iter().enumerate().map(row).collect()
}

/// A record without its nulls.
pub(crate) fn shown(record: BTreeMap<String, Option<String>>) -> BTreeMap<String, String> {
    record.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}
