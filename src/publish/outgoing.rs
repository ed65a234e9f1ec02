//! What is on its way to a target: batches, with what the books need to know of each row.

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, FixedSizeBinaryArray},
    buffer::BooleanBuffer,
    compute::{concat, concat_batches, filter, filter_record_batch},
    error::ArrowError,
};
use herald_destinations::contract::{Batch, Changes, Op};

/// A batch, and who is in it.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    /// What the target gets.
    pub(super) batch: Batch,
    /// The members' keys as the snapshot stores them.
    pub(super) keys: ArrayRef,
    /// The records' fingerprints; removals have none.
    pub(super) prints: Option<FixedSizeBinaryArray>,
}

impl Outgoing {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Some rows, without a copy.
    pub(super) fn slice(&self, from: usize, rows: usize) -> Self {
        Self {
            batch: self.batch.slice(from, rows),
            keys: self.keys.slice(from, rows),
            prints: self.prints.as_ref().map(|prints| prints.slice(from, rows)),
        }
    }

    /// The rows that are chosen.
    pub(super) fn filter(&self, chosen: &BooleanArray) -> Result<Self, ArrowError> {
        let which = |bits: &BooleanBuffer| -> Result<BooleanBuffer, ArrowError> {
            Ok(filter(&BooleanArray::new(bits.clone(), None), chosen)?.as_boolean().values().clone())
        };
        let changes = match &self.batch.changes {
            Some(Changes::Returning(rows)) => Some(Changes::Returning(which(rows)?)),
            Some(Changes::Fields(fields)) => {
                Some(Changes::Fields(fields.iter().map(which).collect::<Result<Vec<_>, _>>()?))
            }
            Some(Changes::None) => Some(Changes::None),
            None => None,
        };
        let prints = match &self.prints {
            Some(prints) => Some(filter(prints, chosen)?.as_fixed_size_binary().clone()),
            None => None,
        };
        Ok(Self {
            batch: Batch {
                op: self.batch.op,
                members: filter(&self.batch.members, chosen)?,
                rows: filter_record_batch(&self.batch.rows, chosen)?,
                changes,
            },
            keys: filter(&self.keys, chosen)?,
            prints,
        })
    }

    /// Batches of one operation as one.
    fn join(pieces: &[Self]) -> Result<Option<Self>, ArrowError> {
        let [first, rest @ ..] = pieces else { return Ok(None) };
        if rest.is_empty() {
            return Ok(Some(first.clone()));
        }
        let all = |column: fn(&Self) -> &dyn Array| concat(&pieces.iter().map(column).collect::<Vec<_>>());
        let prints: Option<Vec<&dyn Array>> =
            pieces.iter().map(|piece| piece.prints.as_ref().map(|prints| prints as &dyn Array)).collect();
        Ok(Some(Self {
            batch: Batch {
                op: first.batch.op,
                members: all(|piece| &piece.batch.members)?,
                rows: concat_batches(first.batch.rows.schema_ref(), pieces.iter().map(|piece| &piece.batch.rows))?,
                changes: join_changes(pieces),
            },
            keys: all(|piece| &piece.keys)?,
            prints: prints.map(|prints| concat(&prints)).transpose()?.map(|all| all.as_fixed_size_binary().clone()),
        }))
    }
}

fn join_changes(pieces: &[Outgoing]) -> Option<Changes> {
    let bits = |of: &dyn Fn(&Changes) -> Option<BooleanBuffer>| {
        let mut all = BooleanBufferBuilder::new(pieces.iter().map(Outgoing::len).sum());
        for piece in pieces {
            match piece.batch.changes.as_ref().and_then(of) {
                Some(bits) => all.append_buffer(&bits),
                None => all.append_n(piece.len(), true),
            }
        }
        all.finish()
    };
    Some(match pieces.first()?.batch.changes.as_ref()? {
        Changes::None => Changes::None,
        Changes::Returning(_) => Changes::Returning(bits(&|changes| match changes {
            Changes::Returning(rows) => Some(rows.clone()),
            _ => None,
        })),
        Changes::Fields(fields) => {
            let field = |at: usize| {
                bits(&|changes| match changes {
                    Changes::Fields(fields) => fields.get(at).cloned(),
                    _ => None,
                })
            };
            Changes::Fields((0..fields.len()).map(field).collect())
        }
    })
}

/// Fills batches up to the size that the target takes, over the borders of buckets. Rows of one operation keep their
/// order.
#[derive(Debug)]
pub(super) struct Filler {
    most: usize,
    waiting: [Vec<Outgoing>; 3],
}

/// Rows of a batch where the target has no limit of its own.
const ROWS: usize = 8192;

impl Filler {
    pub(super) fn new(max_rows: Option<usize>) -> Self {
        Self { most: max_rows.unwrap_or(ROWS).max(1), waiting: Default::default() }
    }

    /// Takes rows in, and returns the batches that are full.
    pub(super) fn push(&mut self, outgoing: Outgoing) -> Result<Vec<Outgoing>, ArrowError> {
        let waiting = &mut self.waiting[outgoing.batch.op as usize];
        let mut full = Vec::new();
        let mut from = 0;
        while from < outgoing.len() {
            let there: usize = waiting.iter().map(Outgoing::len).sum();
            let rows = (self.most - there).min(outgoing.len() - from);
            waiting.push(outgoing.slice(from, rows));
            from += rows;
            if there + rows == self.most {
                full.extend(Outgoing::join(&std::mem::take(waiting))?);
            }
        }
        Ok(full)
    }

    /// The rest.
    pub(super) fn finish(self) -> Result<Vec<Outgoing>, ArrowError> {
        let joined = self.waiting.iter().map(|waiting| Outgoing::join(waiting));
        Ok(joined.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

/// Rows of a batch that are still to be handed over, in order: all of them, then halves of what was refused whole.
#[derive(Debug)]
pub(super) struct Halves(Vec<(usize, usize)>);

impl Halves {
    pub(super) fn of(rows: usize) -> Self {
        Self(vec![(0, rows)])
    }

    /// The next rows: the first one, and how many.
    pub(super) fn next(&mut self) -> Option<(usize, usize)> {
        std::iter::from_fn(|| self.0.pop()).find(|(_, rows)| *rows > 0)
    }

    /// These rows come again, by halves.
    pub(super) fn split(&mut self, from: usize, rows: usize) {
        let half = rows / 2;
        self.0.extend([(from + half, rows - half), (from, half)]);
    }
}

/// `Op as usize` counts as the arrays here do.
const _: () = assert!(Op::Add as usize == 0 && Op::Update as usize == 1 && Op::Remove as usize == 2);
