//! A target that shows members as they arrive, in memory.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use uuid::Uuid;

use super::KIND;
use crate::{
    conformance::{Row, rows_of_batch},
    contract::{
        Account, Batch, Capabilities, Changes, Config, Delivered, DeliveredFile, Depth, Destination, Error, ErrorKind,
        Extra, Manifest, Op, Part, PartState, Publication, PublishContext, Rejection, Retries, Ticket, Visibility,
    },
};

/// Format of the ticket's body, which is empty.
const TICKET_VERSION: u16 = 1;

/// A record, every value as text.
pub type Record = BTreeMap<String, Option<String>>;
type Condition = Arc<dyn Fn(Op, &str) -> bool + Send + Sync>;

/// Members and their records. Adds, updates and removals may be repeated: an add or update puts the record in place
/// of the one held, a removal of nobody does nothing.
#[derive(Clone)]
pub struct MemoryTarget {
    name: Arc<str>,
    state: Arc<Mutex<State>>,
}

struct State {
    records: BTreeMap<String, Record>,
    log: Vec<Applied>,
    refusal: Refusal,
    max_rows: Option<usize>,
    change_events: bool,
}

/// One row that the target took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The publish that brought it.
    pub publish: Uuid,
    /// Number of the batch within its publication, from 0.
    pub batch: usize,
    /// What was done.
    pub op: Op,
    /// The member's key.
    pub member: String,
    /// Of an add with change events: whether the member returns.
    pub returning: Option<bool>,
    /// Of an update with change events: the fields that changed.
    pub changed: Option<Vec<String>>,
}

/// Whom the target refuses, and how it says so.
#[derive(Clone, Default)]
pub enum Refusal {
    /// Nobody.
    #[default]
    Nobody,
    /// These rows, by name; their neighbours are taken.
    Named(Condition),
    /// Every batch that holds one of these rows, without saying which.
    Whole(Condition),
}

impl Refusal {
    /// Names the rows for which `condition` holds.
    pub fn named(condition: impl Fn(Op, &str) -> bool + Send + Sync + 'static) -> Self {
        Self::Named(Arc::new(condition))
    }

    /// Refuses batches whole that hold a row for which `condition` holds.
    pub fn whole(condition: impl Fn(Op, &str) -> bool + Send + Sync + 'static) -> Self {
        Self::Whole(Arc::new(condition))
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Named(_) => "Named",
            Self::Whole(_) => "Whole",
        })
    }
}

impl MemoryTarget {
    /// An empty target that takes anything; the name tells it from others.
    pub fn new(name: &str) -> Self {
        let state = State {
            records: BTreeMap::new(),
            log: Vec::new(),
            refusal: Refusal::Nobody,
            max_rows: None,
            change_events: false,
        };
        Self { name: name.into(), state: Arc::new(Mutex::new(state)) }
    }

    /// From now on refuses these rows.
    pub fn refuse(&self, refusal: Refusal) {
        self.state(|state| state.refusal = refusal);
    }

    /// From now on takes no more rows in a batch than this.
    pub fn limit_batches(&self, rows: usize) {
        self.state(|state| state.max_rows = Some(rows));
    }

    /// From now on wants to know what changed.
    pub fn want_changes(&self) {
        self.state(|state| state.change_events = true);
    }

    /// Member → record of all that it holds.
    pub fn records(&self) -> BTreeMap<String, Record> {
        self.state(|state| state.records.clone())
    }

    /// Every row that it took, in order.
    pub fn log(&self) -> Vec<Applied> {
        self.state(|state| state.log.clone())
    }

    /// Puts a member there behind Herald's back.
    pub fn set(&self, member: &str, record: Record) {
        self.state(|state| state.records.insert(member.to_owned(), record));
    }

    /// Takes a member away behind Herald's back.
    pub fn unset(&self, member: &str) {
        self.state(|state| state.records.remove(member));
    }

    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ticket_of(&self, publish: Uuid, sealed: bool) -> Ticket {
        let kind = Config::kind(self).to_owned();
        Ticket { kind, version: TICKET_VERSION, publish, sealed, body: serde_json::Value::Null }
    }
}

impl fmt::Debug for MemoryTarget {
    /// Never shows a member.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryTarget").field(&self.name).finish()
    }
}

impl State {
    fn take(&mut self, publish: Uuid, number: usize, batch: &Batch) -> Result<Vec<Rejection>, Error> {
        let rows = rows_of_batch(batch);
        if self.max_rows.is_some_and(|most| rows.len() > most) {
            return Err(Error::new(ErrorKind::Internal, "take a batch").with("rows", rows.len()));
        }
        let refused = |row: &Row| match &self.refusal {
            Refusal::Nobody => false,
            Refusal::Named(condition) | Refusal::Whole(condition) => condition(batch.op, &row.member),
        };
        let refused: Vec<bool> = rows.iter().map(refused).collect();
        if matches!(self.refusal, Refusal::Whole(_)) && refused.contains(&true) {
            return Err(Error::new(ErrorKind::Refused, "take a batch").with("rows", rows.len()));
        }
        for (index, row) in rows.into_iter().enumerate().filter(|(index, _)| !refused[*index]) {
            self.log.push(applied(publish, number, batch, index, &row.member));
            match batch.op {
                Op::Add | Op::Update => self.records.insert(row.member, row.fields),
                Op::Remove => self.records.remove(&row.member),
            };
        }
        let rejected = refused.iter().enumerate().filter(|(_, refused)| **refused);
        let rejection = |(row, _)| Rejection {
            row,
            code: "refused".to_owned(),
            message: "the test told the target to refuse it".to_owned(),
        };
        Ok(rejected.map(rejection).collect())
    }
}

fn applied(publish: Uuid, number: usize, batch: &Batch, index: usize, member: &str) -> Applied {
    let (mut returning, mut changed) = (None, None);
    match &batch.changes {
        Some(Changes::Returning(which)) => returning = Some(which.value(index)),
        Some(Changes::Fields(fields)) => {
            let schema = batch.rows.schema();
            let names = schema.fields().iter().zip(fields).filter(|(_, which)| which.value(index));
            changed = Some(names.map(|(field, _)| field.name().clone()).collect());
        }
        Some(Changes::None) | None => {}
    }
    Applied { publish, batch: number, op: batch.op, member: member.to_owned(), returning, changed }
}

#[async_trait]
impl Config for MemoryTarget {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn identity(&self) -> String {
        format!("memory {}", self.name)
    }

    fn capabilities(&self) -> Capabilities {
        self.state(|state| Capabilities {
            visibility: Visibility::AtWrite,
            max_rows: state.max_rows,
            parallel: None,
            names_rejected_rows: !matches!(state.refusal, Refusal::Whole(_)),
            change_events: state.change_events,
        })
    }

    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error> {
        Ok(Arc::new(MemoryDestination { target: self.clone(), retries }))
    }
}

#[derive(Debug)]
struct MemoryDestination {
    target: MemoryTarget,
    retries: Retries,
}

#[async_trait]
impl Destination for MemoryDestination {
    fn capabilities(&self) -> Capabilities {
        Config::capabilities(&self.target)
    }

    fn ticket(&self, context: &PublishContext) -> Ticket {
        self.target.ticket_of(context.publish, false)
    }

    async fn probe(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn begin(&self, context: &PublishContext) -> Result<Box<dyn Publication>, Error> {
        let (target, retries) = (self.target.clone(), self.retries.clone());
        Ok(Box::new(MemoryPublication { target, retries, context: context.clone(), batches: 0 }))
    }

    async fn commit(&self, _: &Ticket) -> Result<Delivered, Error> {
        Ok(Delivered::default())
    }

    async fn discard(&self, _: &Ticket) -> Result<(), Error> {
        Ok(())
    }

    async fn verify(&self, files: &[DeliveredFile], extras: &[Extra], _: Depth) -> Result<Vec<Part>, Error> {
        let paths = files.iter().map(|file| &file.path).chain(extras.iter().map(|extra| &extra.path));
        Ok(paths.map(|path| Part { path: path.clone(), state: PartState::Unverifiable }).collect())
    }

    async fn remove(&self, paths: &[String]) -> Result<Vec<String>, Error> {
        Ok(paths.to_vec())
    }

    async fn read(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        Err(Error::new(ErrorKind::Missing, "read an object back").with("path", path))
    }

    async fn manifests(&self, _: &PublishContext) -> Result<Vec<Manifest>, Error> {
        Ok(Vec::new())
    }
}

#[derive(Debug)]
struct MemoryPublication {
    target: MemoryTarget,
    retries: Retries,
    context: PublishContext,
    batches: usize,
}

#[async_trait]
impl Publication for MemoryPublication {
    async fn write(&mut self, batch: Batch) -> Result<Vec<Rejection>, Error> {
        let (publish, number) = (self.context.publish, self.batches);
        self.batches += 1;
        let take = || async { self.target.state(|state| state.take(publish, number, &batch)) };
        self.retries.run(&self.context.cancel, take).await
    }

    async fn seal(self: Box<Self>, _: Account) -> Result<Ticket, Error> {
        Ok(self.target.ticket_of(self.context.publish, true))
    }
}
