//! Drawing up the key sets of a segment's rule, each into buckets.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch, UInt32Array},
    compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch},
    datatypes::{Field, Schema, SchemaRef},
};
use datafusion::prelude::DataFrame;

use super::{
    engine,
    expression::Ordering,
    members::{belonging, collapse},
    membership::{KeySet, Selection},
    narrow::narrowed_query,
    plan::{PublishPlan, Reads},
    sieve::Sieve,
    spool::{Spool, Spooling, failure},
};
use crate::{
    publish::Failure,
    snapshot::{MemberKeys, hashes, partition},
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
    let whole = ranked_from(plan.key_sets());
    for (number, set) in plan.key_sets().iter().enumerate() {
        let name = format!("set-{number}");
        let named = plan.members().filter(|_| !whole[number]);
        let set = match set {
            KeySet::Query(query) => {
                let query = match named {
                    None => query.clone(),
                    Some(members) => narrowed_query(query, members).map_err(|error| engine::failure(&error))?,
                };
                let frame = DataFrame::new(plan.session().state(), query);
                let expected =
                    if named.is_some() { plan.expected().await? } else { plan.rows_of(plan.table()).await? };
                let sieve = Arc::new(Sieve::new(expected));
                let columns = frame.schema().fields().len();
                let spool = spooling.run(frame, &name, columns, &[], Some(&sieve)).await?;
                DrawnSet { spool, sieve }
            }
            KeySet::Members(selection) => members(plan, spooling, &drawn, selection, named, None, &name).await?,
            KeySet::Ranked { selection, order, members: most } => {
                members(plan, spooling, &drawn, selection, None, Some((order.as_slice(), *most)), &name).await?
            }
            KeySet::Named(members) => self::named(spooling, members, &name)?,
        };
        drawn.push(set);
    }
    Ok(drawn)
}

/// The keys of one bucket, by set.
pub(super) fn keys_of(drawn: &[DrawnSet], bucket: usize) -> Result<Vec<ArrayRef>, Failure> {
    drawn.iter().map(|set| set.spool.read(bucket).map(|rows| Arc::clone(rows.column(0)))).collect()
}

/// By set: whether members are ranked, or chosen for a ranking, by it. Who is among the first depends on everybody, so
/// these hold all their keys, whoever was named.
fn ranked_from(sets: &[KeySet]) -> Vec<bool> {
    let mut whole = vec![false; sets.len()];
    // A set asks only those before it.
    for number in (0..sets.len()).rev() {
        let asked = match &sets[number] {
            KeySet::Ranked { selection, .. } => selection,
            KeySet::Members(selection) if whole[number] => selection,
            _ => continue,
        };
        asked.test.sets().into_iter().for_each(|set| whole[set] = true);
    }
    whole
}

/// The named members.
fn named(spooling: &Spooling, members: &MemberKeys, name: &str) -> Result<DrawnSet, Failure> {
    let schema = Schema::new(vec![Field::new("_key", members.keys().data_type().clone(), true)]);
    let mut writer = Spool::write(&spooling.folder, name, &Arc::new(schema));
    let sieve = Arc::new(Sieve::new(members.len() as u64));
    write_spread(&mut writer, members.keys(), spooling, &sieve)?;
    Ok(DrawnSet { spool: writer.finish(), sieve })
}

/// The members of a selection: all, or those who were named, or the first so many in an order.
async fn members(
    plan: &PublishPlan,
    spooling: &Spooling,
    drawn: &[DrawnSet],
    selection: &Selection,
    named: Option<&MemberKeys>,
    first: Option<(&[Ordering], u64)>,
    name: &str,
) -> Result<DrawnSet, Failure> {
    let (order, most) = first.map_or((&[][..], None), |(order, most)| (order, Some(most)));
    let (frame, layout) = plan.scan(selection, Reads::Ranked(order), named).await?;
    let through: Vec<Arc<Sieve>> =
        selection.required_sets().into_iter().map(|set| Arc::clone(&drawn[set].sieve)).collect();
    let key_columns = plan.key_of(&selection.table).len();
    let rows = spooling.run(frame, &format!("{name}-rows"), key_columns, &through, None).await?;
    let first_order = rows.schema().fields().len() - order.len();

    let mut writer = Spool::write(&spooling.folder, name, &keys_schema(rows.schema()));
    let mut ranking = most.map(|most| Ranking::new(order, most as usize));
    let sieve = Arc::new(Sieve::new(most.unwrap_or(rows.rows).min(rows.rows)));
    for bucket in 0..spooling.buckets as usize {
        let keys = keys_of(drawn, bucket)?;
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
    if let Some(ranking) = ranking
        && let Some(keys) = ranking.finish()?
    {
        write_spread(&mut writer, &keys, spooling, &sieve)?;
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

/// Writes keys of any bucket, each into its own.
fn write_spread(
    writer: &mut super::spool::SpoolWriter,
    keys: &ArrayRef,
    spooling: &Spooling,
    sieve: &Sieve,
) -> Result<(), Failure> {
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); spooling.buckets as usize];
    for (row, hash) in hashes(keys, &spooling.secret).into_iter().enumerate() {
        rows[partition(hash, spooling.buckets)].push(row as u32);
    }
    for (bucket, rows) in rows.into_iter().enumerate() {
        let keys = arrow::compute::take(keys, &UInt32Array::from(rows), None).map_err(failure)?;
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
