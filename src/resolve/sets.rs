//! Drawing up the key sets of a segment's rule, each into buckets.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch, UInt32Array},
    compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch},
    datatypes::{Field, Schema, SchemaRef},
};
use datafusion::prelude::DataFrame;

use super::{
    expression::Ordering,
    members::{belonging, collapse},
    membership::{KeySet, Selection},
    plan::{PublishPlan, Reads},
    sieve::Sieve,
    spool::{Spool, Spooling, failure},
};
use crate::{
    publish::Failure,
    snapshot::{hashes, partition},
};

/// A drawn-up set.
#[derive(Debug, Clone)]
pub(super) struct DrawnSet {
    /// Its keys, in buckets.
    pub(super) spool: Spool,
    /// A quick no to most who are not in it.
    pub(super) sieve: Arc<Sieve>,
}

/// Draws up all sets of a plan, in order: a set may ask those before it.
pub(super) async fn draw_up(plan: &PublishPlan, spooling: &Spooling) -> Result<Vec<DrawnSet>, Failure> {
    let mut drawn: Vec<DrawnSet> = Vec::with_capacity(plan.key_sets().len());
    for (number, set) in plan.key_sets().iter().enumerate() {
        let name = format!("set-{number}");
        let set = match set {
            KeySet::Query(query) => {
                let frame = DataFrame::new(plan.session().state(), query.clone());
                let expected = plan.rows_of(plan.table()).await?;
                let sieve = Arc::new(Sieve::new(expected));
                let columns = frame.schema().fields().len();
                let spool = spooling.run(frame, &name, columns, &[], Some(&sieve)).await?;
                DrawnSet { spool, sieve }
            }
            KeySet::Members(selection) => members(plan, spooling, &drawn, selection, &[], None, &name).await?,
            KeySet::Ranked { selection, order, members: most } => {
                members(plan, spooling, &drawn, selection, order, Some(*most), &name).await?
            }
        };
        drawn.push(set);
    }
    Ok(drawn)
}

/// The members of a selection, or the first `most` of them in an order.
async fn members(
    plan: &PublishPlan,
    spooling: &Spooling,
    drawn: &[DrawnSet],
    selection: &Selection,
    order: &[Ordering],
    most: Option<u64>,
    name: &str,
) -> Result<DrawnSet, Failure> {
    let (frame, layout) = plan.scan(selection, Reads::Ranked(order)).await?;
    let through: Vec<Arc<Sieve>> =
        selection.required_sets().into_iter().map(|set| Arc::clone(&drawn[set].sieve)).collect();
    let key_columns = plan.key_of(&selection.table).len();
    let rows = spooling.run(frame, &format!("{name}-rows"), key_columns, &through, None).await?;
    let first_order = rows.schema().fields().len() - order.len();

    let mut writer = Spool::write(&spooling.folder, name, &keys_schema(rows.schema()));
    let mut ranking = most.map(|most| Ranking::new(order, most as usize));
    let sieve = Arc::new(Sieve::new(most.unwrap_or(rows.rows).min(rows.rows)));
    for bucket in 0..spooling.buckets as usize {
        let keys = drawn
            .iter()
            .map(|set| set.spool.read(bucket).map(|rows| Arc::clone(rows.column(0))))
            .collect::<Result<Vec<_>, _>>()?;
        let passed = belonging(rows.read(bucket)?, &selection.test, &layout, &keys).map_err(failure)?;
        let (members, _) = collapse(passed, &layout).map_err(failure)?;
        match &mut ranking {
            None => write_keys(&mut writer, bucket, members.column(0), spooling, &sieve)?,
            Some(ranking) => {
                let mut columns = vec![0];
                columns.extend(first_order..rows.schema().fields().len());
                ranking.offer(members.project(&columns).map_err(failure)?)?;
            }
        }
    }
    if let Some(ranking) = ranking {
        write_ranked(&mut writer, ranking.finish()?, spooling, &sieve)?;
    }
    Ok(DrawnSet { spool: writer.finish(), sieve })
}

fn keys_schema(schema: &SchemaRef) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("_key", schema.field(0).data_type().clone(), true)]))
}

fn write_keys(
    writer: &mut super::spool::SpoolWriter,
    bucket: usize,
    keys: &ArrayRef,
    spooling: &Spooling,
    sieve: &Sieve,
) -> Result<(), Failure> {
    hashes(keys, &spooling.secret).into_iter().for_each(|hash| sieve.add(hash));
    let field = Field::new("_key", keys.data_type().clone(), true);
    let rows = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::clone(keys)]).map_err(failure)?;
    writer.bucket(bucket, &rows)
}

fn write_ranked(
    writer: &mut super::spool::SpoolWriter,
    keys: Option<ArrayRef>,
    spooling: &Spooling,
    sieve: &Sieve,
) -> Result<(), Failure> {
    let Some(keys) = keys else { return Ok(()) };
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); spooling.buckets as usize];
    for (row, hash) in hashes(&keys, &spooling.secret).into_iter().enumerate() {
        rows[partition(hash, spooling.buckets)].push(row as u32);
    }
    for (bucket, rows) in rows.into_iter().enumerate() {
        let keys = arrow::compute::take(&keys, &UInt32Array::from(rows), None).map_err(failure)?;
        write_keys(writer, bucket, &keys, spooling, sieve)?;
    }
    Ok(())
}

/// The first so many rows of all that are offered: at most twice as many are held.
struct Ranking<'a> {
    order: &'a [Ordering],
    most: usize,
    held: Vec<RecordBatch>,
    rows: usize,
}

/// Rows beyond the wanted ones that are gathered before they are thrown out.
const SLACK: usize = 200_000;

impl<'a> Ranking<'a> {
    fn new(order: &'a [Ordering], most: usize) -> Self {
        Self { order, most, held: Vec::new(), rows: 0 }
    }

    fn offer(&mut self, rows: RecordBatch) -> Result<(), Failure> {
        self.rows += rows.num_rows();
        self.held.push(rows);
        if self.rows > self.most + self.most.max(SLACK) {
            self.shrink()?;
        }
        Ok(())
    }

    fn shrink(&mut self) -> Result<(), Failure> {
        let Some(first) = self.held.first() else { return Ok(()) };
        let all = concat_batches(&first.schema(), &self.held).map_err(failure)?;
        let by = self.order.iter().zip(all.columns().iter().skip(1)).map(|(order, column)| SortColumn {
            values: Arc::clone(column),
            options: Some(SortOptions { descending: order.descending, nulls_first: order.nulls_first }),
        });
        let key = SortColumn { values: Arc::clone(all.column(0)), options: None };
        let columns: Vec<SortColumn> = by.chain(std::iter::once(key)).collect();
        let first = lexsort_to_indices(&columns, Some(self.most)).map_err(failure)?;
        let kept = take_record_batch(&all, &first).map_err(failure)?;
        self.rows = kept.num_rows();
        self.held = vec![kept];
        Ok(())
    }

    fn finish(mut self) -> Result<Option<ArrayRef>, Failure> {
        self.shrink()?;
        Ok(self.held.first().map(|rows| Arc::clone(rows.column(0))))
    }
}
