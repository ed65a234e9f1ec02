//! The only currency of rows between the runner and a destination.

use arrow::{
    array::{ArrayRef, RecordBatch},
    buffer::BooleanBuffer,
};

/// What a batch does at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// The target does not hold these members yet. A full publish has adds only.
    Add,
    /// The target holds an older record of these members.
    Update,
    /// The target holds these members and should not.
    Remove,
}

impl Op {
    /// The word that stands in the `_op` column, in receipts and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Remove => "remove",
        }
    }
}

/// Rows of one operation.
///
/// `members` and `rows` have the same length. For [`Op::Remove`] every column of `rows` is null: only
/// `members` counts.
#[derive(Clone)]
pub struct Batch {
    /// What to do with the rows.
    pub op: Op,
    /// The member's key: in its own type, or, if composite, its parts joined by `|` as text.
    pub members: ArrayRef,
    /// The records, in the schema of [`PublishContext::schema`](super::PublishContext::schema).
    pub rows: RecordBatch,
    /// What is known of each change; `None` unless
    /// [`Capabilities::change_events`](super::Capabilities::change_events).
    pub changes: Option<Changes>,
}

/// What is known of the changes of a batch, for targets that pass them on as events.
#[derive(Debug, Clone)]
pub enum Changes {
    /// Of adds: which members were there before, were removed, and return.
    Returning(BooleanBuffer),
    /// Of updates: for each field of the record, in order, the rows in which it changed.
    Fields(Vec<BooleanBuffer>),
    /// Of removals there is nothing to say.
    None,
}

impl Batch {
    /// Some rows of the batch, without a copy.
    #[must_use]
    pub fn slice(&self, from: usize, rows: usize) -> Self {
        Self {
            op: self.op,
            members: self.members.slice(from, rows),
            rows: self.rows.slice(from, rows),
            changes: self.changes.as_ref().map(|changes| changes.slice(from, rows)),
        }
    }
}

impl Changes {
    fn slice(&self, from: usize, rows: usize) -> Self {
        match self {
            Self::Returning(which) => Self::Returning(which.slice(from, rows)),
            Self::Fields(fields) => Self::Fields(fields.iter().map(|which| which.slice(from, rows)).collect()),
            Self::None => Self::None,
        }
    }
}

impl std::fmt::Debug for Batch {
    /// Never shows a value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("op", &self.op).field("rows", &self.rows.num_rows()).finish_non_exhaustive()
    }
}

/// A record that the target refused for good. Never holds an attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Row of the batch, from 0.
    pub row: usize,
    /// A short stable code: `too_large`, `invalid_value`, … or the platform's own.
    pub code: String,
    /// What it means and what to do about it.
    pub message: String,
}
