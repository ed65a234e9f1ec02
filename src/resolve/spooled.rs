//! From the spool to records, bucket by bucket.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions},
    compute::{cast, filter, filter_record_batch},
};
use datafusion::prelude::SessionContext;

use super::{
    members::{Layout, belonging, collapse, filtered, required},
    record::{RecordPlan, Source},
    related::{self, Pointed},
    spool::{Spool, failure},
    test::Test,
};
use crate::{publish::Failure, snapshot::KeyCodec};

/// All that a publish read, on disk. The same bucket yields the same records however often it is asked.
pub struct Spooled {
    shape: Shape,
    buckets: u32,
    members: Spool,
    sets: Vec<Spool>,
    related: Vec<Spool>,
    local: SessionContext,
}

impl std::fmt::Debug for Spooled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spooled")
            .field("buckets", &self.buckets)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

/// What to make of spooled rows.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) layout: Layout,
    pub(super) test: Test,
    pub(super) record: RecordPlan,
    pub(super) codec: KeyCodec,
}

/// One bucket's records.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Member keys, ascending and unique.
    pub keys: ArrayRef,
    /// Their records.
    pub records: RecordBatch,
    /// Members, the suppressed ones included.
    pub resolved: u64,
    /// Reason → members.
    pub suppressed_by: BTreeMap<String, u64>,
    /// Rows that were given up for another of the same key.
    pub duplicates: u64,
}

impl Spooled {
    pub(super) fn new(
        shape: Shape,
        buckets: u32,
        members: Spool,
        sets: Vec<Spool>,
        related: Vec<Spool>,
        local: SessionContext,
    ) -> Self {
        Self { shape, buckets, members, sets, related, local }
    }

    /// How many buckets; a member is in the one that its key's hash names.
    pub fn buckets(&self) -> u32 {
        self.buckets
    }

    /// Rows of the segment's table that were read, an upper bound for its members.
    pub fn rows(&self) -> u64 {
        self.members.rows
    }

    /// Rows of the segment's table whose key is null.
    pub fn null_keys(&self) -> u64 {
        // A null key is in no set: it belongs only where the scan alone decides.
        if matches!(self.shape.test, Test::Always) { self.members.null_keys } else { 0 }
    }

    /// Makes the records of one bucket.
    ///
    /// # Errors
    /// What the engine or the disk said.
    pub async fn bucket(&self, number: usize) -> Result<Resolved, Failure> {
        let layout = &self.shape.layout;
        let sets = self
            .sets
            .iter()
            .map(|set| set.read(number).map(|rows| Arc::clone(rows.column(0))))
            .collect::<Result<Vec<_>, _>>()?;
        let rows = belonging(self.members.read(number)?, &self.shape.test, layout, &sets).map_err(failure)?;
        drop(sets);
        let (rows, duplicates) = collapse(rows, layout).map_err(failure)?;
        let resolved = rows.num_rows() as u64;
        let (rows, withheld) = filtered(rows, layout).map_err(failure)?;
        let mut suppressed_by = BTreeMap::new();
        if withheld > 0 {
            suppressed_by.insert("filter".to_owned(), withheld);
        }
        let records = self.records(number, &rows).await?;
        let keys = Arc::clone(rows.column(0));
        let (keys, records) = self.shaped(keys, records, &mut suppressed_by)?;
        let (keys, records, lacking) = required(keys, records, &self.shape.record.require).map_err(failure)?;
        for (field, members) in lacking {
            let name = self.shape.record.schema.field(field).name();
            suppressed_by.insert(format!("missing:{name}"), members);
        }
        Ok(Resolved { keys, records, resolved, suppressed_by, duplicates })
    }

    /// Records as the target takes them; those that it could not use are counted by the reason.
    fn shaped(
        &self,
        keys: ArrayRef,
        records: RecordBatch,
        suppressed_by: &mut BTreeMap<String, u64>,
    ) -> Result<(ArrayRef, RecordBatch), Failure> {
        let Some(shaper) = &self.shape.record.shaper else { return Ok((keys, records)) };
        let members = self.shape.codec.members(&keys).map_err(failure)?;
        let shaped = shaper.shape(&members, &records)?;
        if shaped.withheld.is_empty() {
            return Ok((keys, shaped.records));
        }
        let mut kept = vec![true; keys.len()];
        for (row, reason) in shaped.withheld {
            kept[row] = false;
            *suppressed_by.entry(reason).or_default() += 1;
        }
        let kept = BooleanArray::from(kept);
        let keys = filter(&keys, &kept).map_err(failure)?;
        Ok((keys, filter_record_batch(&shaped.records, &kept).map_err(failure)?))
    }

    async fn records(&self, number: usize, rows: &RecordBatch) -> Result<RecordBatch, Failure> {
        let (layout, plan) = (&self.shape.layout, &self.shape.record);
        let member_columns = &rows.columns()[layout.member_columns..][..plan.member_columns.len()];
        let members = Pointed { keys: rows.column(0), names: &plan.member_columns, columns: member_columns };
        let mut related = Vec::with_capacity(plan.related.len());
        for (read, spool) in plan.related.iter().zip(&self.related) {
            related.push(related::evaluate(&self.local, read, spool.read(number)?, &members).await?);
        }
        let columns = plan
            .sources
            .iter()
            .zip(plan.schema.fields())
            .map(|(source, field)| {
                let column: &dyn Array = match source {
                    Source::Direct(direct) => rows.column(layout.direct + direct),
                    Source::Related { read, output } => &related[*read][*output],
                };
                cast(column, field.data_type())
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(failure)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&plan.schema), columns, &options).map_err(failure)
    }
}
