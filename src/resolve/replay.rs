//! What publishes delivered, read back → who is a member at the target.
//!
//! Parts are read one after another, as consumers apply them, and only the columns that tell a member and what was done.
//! What each says of a member falls into the buckets of the member's key, so that no more than a bucket is ever held.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, UInt32Array, make_comparator,
    },
    compute::{SortColumn, SortOptions, cast, filter, lexsort_to_indices, not, take, take_record_batch},
    datatypes::{DataType, Field, Fields},
    error::ArrowError,
};
use datafusion::logical_expr::Expr;
use herald_destinations::contract::Op;
use tokio_util::sync::CancellationToken;

use super::{
    part::{FetchedPart, PartReader},
    plan::PublishPlan,
    record::Source,
    spool::{Spool, SpoolFiller, failure},
};
use crate::{
    publish::Failure,
    snapshot::{KeyCodec, Keys},
};

/// Takes what publishes delivered, oldest first.
pub struct Replay {
    codec: KeyCodec,
    buckets: u32,
    filler: SpoolFiller,
    /// What comes later counts.
    order: i64,
}

/// Who is a member at the target once all is applied, by bucket.
#[derive(Debug)]
pub struct Replayed {
    spool: Spool,
    buckets: u32,
}

/// Columns of an incremental part.
const OP: &str = "_op";
const MEMBER: &str = "_member";

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("buckets", &self.buckets).finish_non_exhaustive()
    }
}

impl PublishPlan {
    /// The record's fields that hold just the key's columns, in the order of the key. `None`: one is not mapped as it is.
    pub fn key_fields(&self) -> Option<Vec<String>> {
        let record = self.record();
        let holds = |source: &Source, column: &String| match source {
            Source::Direct(direct) => matches!(&record.direct[*direct], Expr::Column(held) if held.name == *column),
            Source::Related { .. } => false,
        };
        self.key_of(self.table())
            .iter()
            .map(|column| {
                let at = record.sources.iter().position(|source| holds(source, column))?;
                Some(record.schema.field(at).name().clone())
            })
            .collect()
    }

    /// Begins to apply what publishes delivered, about `rows` rows of it; `folder` exists and is empty.
    ///
    /// # Errors
    /// When the table's files can't be read.
    pub async fn replay(
        &self,
        folder: &Path,
        rows: u64,
        secret: &Keys,
        cancel: &CancellationToken,
    ) -> Result<Replay, Failure> {
        let buckets = self.buckets().await?.max(Self::buckets_of(rows));
        let others = Fields::from(vec![
            Field::new("order", DataType::Int64, false),
            Field::new("gone", DataType::Boolean, false),
        ]);
        let filler = self.spooling(folder, buckets, secret, cancel).fill("replay", &others);
        Ok(Replay { codec: self.codec().clone(), buckets, filler, order: 0 })
    }
}

impl Replay {
    /// Applies one part of a publish. It reads a file, so it is for a thread that may block.
    ///
    /// # Errors
    /// `not_adoptable`, naming the part, or what the disk said.
    pub fn part(&mut self, part: &FetchedPart) -> Result<(), Failure> {
        self.order += 1;
        let wanted = match &part.key_fields {
            None => vec![OP.to_owned(), MEMBER.to_owned()],
            Some(fields) => fields.clone(),
        };
        if part.is_text() && self.codec.member_type() == DataType::Binary {
            return Err(part.refused("bytes in a text format do not name a key"));
        }
        let mut rows = 0;
        for batch in PartReader::open(part, &wanted)? {
            let batch = batch.map_err(|error| part.unreadable(&error))?;
            let (keys, gone) = match &part.key_fields {
                None => self.changes(part, &batch)?,
                Some(_) => (self.whole(part, &batch)?, BooleanArray::from(vec![false; batch.num_rows()])),
            };
            if let Some(row) = (0..keys.len()).find(|row| keys.is_null(*row)) {
                let row = rows + row as u64 + 1;
                return Err(part.refused(&format!("row {row} names no key of the type that the table has")));
            }
            rows += batch.num_rows() as u64;
            self.take(keys, gone)?;
        }
        if rows != part.rows {
            return Err(part.refused(&format!("it holds {rows} rows, and its manifest says {}", part.rows)));
        }
        Ok(())
    }

    /// Takes members that are there, by their stored keys, none null.
    ///
    /// # Errors
    /// What the disk said.
    pub fn members(&mut self, keys: ArrayRef) -> Result<(), Failure> {
        let gone = BooleanArray::from(vec![false; keys.len()]);
        self.take(keys, gone)
    }

    fn take(&mut self, keys: ArrayRef, gone: BooleanArray) -> Result<(), Failure> {
        let order = Int64Array::from_value(self.order, keys.len());
        self.filler.push(keys, &[Arc::new(order), Arc::new(gone)])
    }

    /// Whom an incremental part names, and whether it takes them away.
    fn changes(&self, part: &FetchedPart, batch: &RecordBatch) -> Result<(ArrayRef, BooleanArray), Failure> {
        let ops = text(batch.column(0)).map_err(failure)?;
        let known = |op: Option<&str>| [Op::Add, Op::Update, Op::Remove].iter().any(|known| Some(known.as_str()) == op);
        if !ops.iter().all(known) {
            return Err(part.refused("its `_op` holds other words than add, update and remove"));
        }
        let gone = ops.iter().map(|op| Some(op == Some(Op::Remove.as_str()))).collect();
        let members = batch.column(1);
        if !part.is_text() && members.data_type() != &DataType::Utf8 && self.codec.member_type() != DataType::Utf8 {
            return Ok((self.codec.encode(std::slice::from_ref(members)).map_err(failure)?, gone));
        }
        let read = self.codec.read_members(&text(members).map_err(failure)?).map_err(failure)?;
        if read.ambiguous.is_some() {
            return Err(part.refused("a composite key in it has a `|` in one of its parts, and reads as several keys"));
        }
        Ok((read.keys, gone))
    }

    /// Whom a full part holds.
    fn whole(&self, part: &FetchedPart, batch: &RecordBatch) -> Result<ArrayRef, Failure> {
        let keys = if part.is_text() {
            let texts = batch.columns().iter().map(text).collect::<Result<Vec<_>, _>>().map_err(failure)?;
            self.codec.read_columns(&texts)
        } else {
            self.codec.encode(batch.columns())
        };
        keys.map_err(failure)
    }

    /// Ends it.
    ///
    /// # Errors
    /// What the disk said.
    pub fn finish(self) -> Result<Replayed, Failure> {
        Ok(Replayed { spool: self.filler.finish()?, buckets: self.buckets })
    }
}

impl Replayed {
    /// How many buckets.
    pub fn buckets(&self) -> u32 {
        self.buckets
    }

    /// Stored keys of a bucket's members, ascending and unique.
    ///
    /// # Errors
    /// What the disk said.
    pub fn bucket(&self, number: usize) -> Result<ArrayRef, Failure> {
        last_said(&self.spool.read(number)?).map_err(failure)
    }
}

/// Of rows of key, order and whether it is gone: the keys whose last row says that they are there.
fn last_said(rows: &RecordBatch) -> Result<ArrayRef, ArrowError> {
    let by = |column: usize| SortColumn { values: Arc::clone(rows.column(column)), options: None };
    let order = lexsort_to_indices(&[by(0), by(1)], None)?;
    let sorted = take_record_batch(rows, &order)?;
    let keys = sorted.column(0);
    let compare = make_comparator(keys, keys, SortOptions::default())?;
    let last: UInt32Array = (0..keys.len())
        .filter(|row| row + 1 == keys.len() || compare(*row, row + 1).is_ne())
        .map(|row| row as u32)
        .collect();
    let gone = take(sorted.column(2), &last, None)?;
    filter(&take(keys, &last, None)?, &not(gone.as_boolean())?)
}

/// A column as texts; CSV does not tell an empty text from none, and a key is never none.
fn text(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let column = cast(column, &DataType::Utf8)?;
    let texts = column.as_string::<i32>();
    if texts.null_count() == 0 {
        return Ok(texts.clone());
    }
    Ok(StringArray::from_iter_values(texts.iter().map(Option::unwrap_or_default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_last_of_a_member_counts() {
        let rows = RecordBatch::try_from_iter([
            ("_key", Arc::new(StringArray::from(vec!["b", "a", "c", "a", "b", "d", "b"])) as ArrayRef),
            ("order", Arc::new(Int64Array::from(vec![1, 1, 1, 2, 2, 3, 3]))),
            ("gone", Arc::new(BooleanArray::from(vec![false, false, false, true, true, false, false]))),
        ])
        .unwrap();
        let there = last_said(&rows).unwrap();
        assert_eq!(there.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["b", "c", "d"]);
        assert_eq!(last_said(&rows.slice(0, 0)).unwrap().len(), 0);
    }
}
