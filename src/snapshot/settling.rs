//! From what was about to be sent to what the target holds now.

use std::collections::BTreeSet;

use arrow::{
    array::{BooleanArray, UInt8Array},
    error::ArrowError,
};
use chrono::{DateTime, Utc};
use herald_destinations::contract::Op;
use uuid::Uuid;

use super::{Columns, Gone, GoneMembers, Holding, Layer, Pointer, Rows, Sent, Snapshot, SnapshotStore, gone};
use crate::publish::{Failure, code};

/// How far the sending of one operation has come. Records are numbered from 0 in the order of the file that says
/// what is about to be sent, for each operation by itself, and are sent in that order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// Records before this one were answered.
    pub done: u64,
    /// Records before this one may have been sent.
    pub begun: u64,
}

/// How far the sending of a publish has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Of adds, updates and removals.
    pub ranges: [Range; 3],
    /// Records that the target refused.
    pub refused: [BTreeSet<u64>; 3],
}

/// What became of the records of a publish.
#[derive(Debug, Clone)]
pub struct Settled {
    /// What the target holds now, as far as anybody knows.
    pub pointer: Pointer,
    /// Records that it acknowledged.
    pub delivered: u64,
    /// Records that it refused.
    pub rejected: u64,
    /// The others.
    pub owed: u64,
}

/// The place of an operation in [`Answers`].
pub(super) fn place(op: Op) -> usize {
    match op {
        Op::Add => 0,
        Op::Update => 1,
        Op::Remove => 2,
    }
}

impl Answers {
    /// How far an operation has come.
    pub fn of(&mut self, op: Op) -> &mut Range {
        &mut self.ranges[place(op)]
    }

    /// Notes a refused record.
    pub fn refuse(&mut self, op: Op, record: u64) {
        self.refused[place(op)].insert(record);
    }

    fn fate(&self, op: usize, record: u64) -> Fate {
        let Range { done, begun } = self.ranges[op];
        match record {
            refused if self.refused[op].contains(&refused) => Fate::Refused,
            answered if answered < done => Fate::Delivered,
            sent if sent < begun => Fate::Unknown,
            _ => Fate::Unsent,
        }
    }
}

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Delivered,
    Refused,
    Unknown,
    Unsent,
}

/// Where a walk over the records stands.
#[derive(Debug, Default)]
struct Tally {
    next: [u64; 3],
    fates: [u64; 4],
    /// Change of the number of members that are held.
    members: i64,
}

impl SnapshotStore {
    /// Takes the answers of a target into the snapshot: what it acknowledged as it is, what it refused not at all, what
    /// nobody knows as perhaps. `sending` is the file that says what was about to be sent, over `before`. Who was removed
    /// `now` is kept where the target is told what changed.
    ///
    /// # Errors
    /// `snapshot_unreadable`, `disk_full`, or what the disk said.
    pub fn settle(
        &self,
        (activation, publish): (&str, Uuid),
        before: &Pointer,
        sending: &Layer,
        answers: &Answers,
        now: DateTime<Utc>,
    ) -> Result<Settled, Failure> {
        let file = self.open_one(activation, sending, before.partitions)?;
        let key = file.key_type().ok_or_else(|| code::internal("what was about to be sent is not on record"))?;
        let columns = Columns { fields: file.has_fields(), ..Columns::of(key) };
        let mut layer = self.layer(activation, publish, "settled", &columns)?;
        let encoder = layer.encoder();
        let mut tally = Tally::default();
        for partition in 0..before.partitions as usize {
            let rows = as_sent(&file, partition, before.partitions)?;
            let settled = tally.settle(&rows, answers).map_err(code::internal)?;
            layer.append(encoder.encode(partition, &settled)?)?;
        }
        let layer = layer.finish()?;
        let mut pointer = before.clone();
        pointer.members = pointer.members.saturating_add_signed(tally.members);
        let settled = self.open_one(activation, &layer, before.partitions)?;
        if columns.fields {
            pointer.gone = self.remember((activation, publish), before, &settled, now)?;
        }
        // One without rows says nothing over others; the sweep takes it.
        if layer.rows > 0 || pointer.layers.is_empty() {
            pointer.layers.push(layer);
        }
        let [delivered, rejected, unknown, unsent] = tally.fates;
        Ok(Settled { pointer, delivered, rejected, owed: unknown + unsent })
    }

    /// Takes note of who is gone and who is back.
    fn remember(
        &self,
        (activation, publish): (&str, Uuid),
        before: &Pointer,
        settled: &Snapshot,
        now: DateTime<Utc>,
    ) -> Result<Option<Layer>, Failure> {
        let former = self.gone(activation, before)?;
        let mut file = self.file(activation, publish, "gone", gone::schema())?;
        let encoder = file.encoder();
        for partition in 0..before.partitions as usize {
            let mut members: GoneMembers = former.partition(partition, before.partitions)?;
            let rows = as_sent(settled, partition, before.partitions)?;
            members.note(&rows, now, self.keys()).map_err(code::internal)?;
            let rows = members.rows().map_err(code::internal)?;
            file.append(encoder.encode_batch(partition, &rows)?)?;
        }
        let file = file.finish()?;
        Ok((file.rows > 0).then_some(file))
    }

    /// Who was removed lately.
    ///
    /// # Errors
    /// `snapshot_unreadable` when the file is gone, damaged, or encrypted with another key.
    pub fn gone(&self, activation: &str, pointer: &Pointer) -> Result<Gone, Failure> {
        Gone::open(&self.folder(activation), activation, pointer, self.keys())
    }
}

fn as_sent(file: &Snapshot, partition: usize, partitions: u32) -> Result<Rows, Failure> {
    file.partition_as_written(partition, partitions)?.ok_or_else(|| code::internal("a partition is missing"))
}

impl Tally {
    /// The rows of one partition as the target holds them now.
    fn settle(&mut self, rows: &Rows, answers: &Answers) -> Result<Rows, ArrowError> {
        let mut kept = Vec::with_capacity(rows.len());
        let mut states = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            let sent = rows.sent(row).unwrap_or(Sent::Add);
            let op = place(sent.op());
            let fate = answers.fate(op, self.next[op]);
            self.next[op] += 1;
            self.fates[fate as usize] += 1;
            let state = match (fate, sent) {
                (Fate::Refused | Fate::Unsent, _) => None,
                (Fate::Delivered, Sent::Remove) => Some(Holding::Gone),
                (Fate::Delivered, _) => Some(Holding::Held),
                (Fate::Unknown, Sent::Update) => Some(Holding::Stale),
                (Fate::Unknown, _) => Some(Holding::Perhaps),
            };
            self.members += match (state, sent) {
                (Some(Holding::Gone), _) => -1,
                (Some(_), Sent::Add) => 1,
                _ => 0,
            };
            kept.push(state.is_some());
            states.extend(state.map(|state| state as u8));
        }
        rows.settled()?.filter(&BooleanArray::from(kept))?.in_states(UInt8Array::from(states))
    }
}
