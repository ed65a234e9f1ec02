//! A bucket's rows of a related table → one value a member.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, AsArray, DynComparator, ListArray, RecordBatch, UInt32Array, make_comparator, new_null_array,
    },
    buffer::{NullBuffer, OffsetBuffer},
    compute::{SortOptions, concat, concat_batches, filter_record_batch, take},
    datatypes::{DataType, Field, Schema, UInt32Type},
    error::ArrowError,
};
use datafusion::{
    common::tree_node::{Transformed, TreeNode},
    error::DataFusionError,
    logical_expr::{Expr, col},
    prelude::SessionContext,
};

use super::{
    engine,
    expression::MEMBER_PREFIX,
    index::{KeyIndex, NOBODY},
    record::{OrderBy, Output, RelatedPlan},
    spool::failure,
};
use crate::publish::Failure;

/// The members of a bucket that related rows may point to.
#[derive(Debug)]
pub(super) struct Pointed<'a> {
    /// Their keys, ascending.
    pub(super) keys: &'a ArrayRef,
    /// Names of the columns that related expressions use.
    pub(super) names: &'a [String],
    /// Those columns.
    pub(super) columns: &'a [ArrayRef],
}

/// Column that holds the row of the member that a related row points to.
const MEMBER_ROW: &str = "_member_row";

/// One array an output of the read, each with one value a member.
pub(super) async fn evaluate(
    session: &SessionContext,
    plan: &RelatedPlan,
    rows: RecordBatch,
    members: &Pointed<'_>,
) -> Result<Vec<ArrayRef>, Failure> {
    let rows = pointed_rows(&rows, members).map_err(failure)?;
    let rows = if plan.raw.is_empty() {
        rows
    } else {
        beside_member(session, plan, rows, members).await.map_err(|error| engine::failure(&error))?
    };
    let mut aggregates =
        aggregate(session, plan, &rows, members.keys.len()).await.map_err(|error| engine::failure(&error))?.into_iter();
    let inputs = Inputs { rows: &rows, count: members.keys.len() };
    plan.outputs
        .iter()
        .map(|output| match output {
            Output::First { value, order } => inputs.first(*value, order).map_err(failure),
            Output::All { value, order } => inputs.all(*value, order).map_err(failure),
            Output::Aggregate(_) => {
                aggregates.next().ok_or_else(|| crate::publish::code::internal("an aggregate was not evaluated"))
            }
        })
        .collect()
}

/// Rows that point to a member, with the member's row in place of its key.
fn pointed_rows(rows: &RecordBatch, members: &Pointed<'_>) -> Result<RecordBatch, ArrowError> {
    let found = KeyIndex::new(members.keys).find(rows.column(0));
    let mut columns = rows.columns().to_vec();
    let mut fields: Vec<Arc<Field>> = rows.schema_ref().fields().iter().cloned().collect();
    fields[0] = Arc::new(Field::new(MEMBER_ROW, DataType::UInt32, false));
    let known: arrow::array::BooleanArray = found.iter().map(|row| Some(*row != NOBODY)).collect();
    columns[0] = Arc::new(UInt32Array::from(found));
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    if known.true_count() == rows.num_rows() { Ok(rows) } else { filter_record_batch(&rows, &known) }
}

/// Evaluates what names columns of both tables: filter, then inputs.
async fn beside_member(
    session: &SessionContext,
    plan: &RelatedPlan,
    rows: RecordBatch,
    members: &Pointed<'_>,
) -> Result<RecordBatch, DataFusionError> {
    let pointers = rows.column(0).as_primitive::<UInt32Type>();
    let mut fields: Vec<Field> = rows.schema_ref().fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut columns = rows.columns().to_vec();
    for (name, column) in members.names.iter().zip(members.columns) {
        fields.push(Field::new(format!("{MEMBER_PREFIX}{name}"), column.data_type().clone(), true));
        columns.push(take(column, pointers, None)?);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let mut frame = session.read_batch(batch)?;
    if let Some(filter) = &plan.filter {
        frame = frame.filter(filter.clone())?;
    }
    let inputs = plan.inputs.iter().enumerate().map(|(index, expr)| expr.clone().alias(format!("c{index}")));
    let frame = frame.select(std::iter::once(col(MEMBER_ROW)).chain(inputs).collect::<Vec<_>>())?;
    collected(frame).await
}

async fn collected(frame: datafusion::prelude::DataFrame) -> Result<RecordBatch, DataFusionError> {
    let schema = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await?;
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    Ok(concat_batches(&schema, &batches)?)
}

/// All aggregates of a read, in one pass; a member without rows gets what the aggregate says of no rows.
async fn aggregate(
    session: &SessionContext,
    plan: &RelatedPlan,
    rows: &RecordBatch,
    members: usize,
) -> Result<Vec<ArrayRef>, DataFusionError> {
    let mut calls = Vec::new();
    let mut values = Vec::new();
    for output in &plan.outputs {
        if let Output::Aggregate(expr) = output {
            let value = expr.clone().transform(|expr| {
                Ok(match expr {
                    call @ Expr::AggregateFunction(_) => {
                        let name = format!("a{}", calls.len());
                        calls.push(call.alias(&name));
                        Transformed::yes(col(name))
                    }
                    other => Transformed::no(other),
                })
            })?;
            values.push(value.data.alias(format!("v{}", values.len())));
        }
    }
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let of_none = session.read_batch(rows.slice(0, 0))?.aggregate(Vec::new(), calls.clone())?.select(values.clone())?;
    let of_none = collected(of_none).await?;
    let select: Vec<Expr> = std::iter::once(col(MEMBER_ROW)).chain(values).collect();
    let frame = session.read_batch(rows.clone())?.aggregate(vec![col(MEMBER_ROW)], calls)?.select(select)?;
    let groups = collected(frame).await?;

    // The row of no rows stands behind the groups, and every member without a group takes it.
    let mut place = vec![groups.num_rows() as u32; members];
    for (group, member) in groups.column(0).as_primitive::<UInt32Type>().values().iter().enumerate() {
        place[*member as usize] = group as u32;
    }
    let place = UInt32Array::from(place);
    groups
        .columns()
        .iter()
        .skip(1)
        .zip(of_none.columns())
        .map(|(values, none)| Ok(take(&concat(&[values.as_ref(), none.as_ref()])?, &place, None)?))
        .collect()
}

/// Rows with the member's row in column 0 and input *i* in column *i* + 1.
struct Inputs<'a> {
    rows: &'a RecordBatch,
    count: usize,
}

impl Inputs<'_> {
    fn input(&self, index: usize) -> &ArrayRef {
        self.rows.column(index + 1)
    }

    fn pointers(&self) -> &[u32] {
        self.rows.column(0).as_primitive::<UInt32Type>().values()
    }

    fn comparators(&self, order: &[OrderBy]) -> Result<Vec<DynComparator>, ArrowError> {
        order
            .iter()
            .map(|by| {
                let column = self.input(by.input);
                make_comparator(column, column, SortOptions { descending: by.descending, nulls_first: by.nulls_first })
            })
            .collect()
    }

    /// The first non-null value of each member, found in one pass, without sorting.
    fn first(&self, value: usize, order: &[OrderBy]) -> Result<ArrayRef, ArrowError> {
        let values = self.input(value);
        let comparators = self.comparators(order)?;
        let before = |row: usize, other: usize| {
            comparators.iter().map(|compare| compare(row, other)).find(|order| order.is_ne()).is_some_and(|o| o.is_lt())
        };
        let nulls = values.logical_nulls();
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let mut best = vec![NOBODY; self.count];
        for (row, member) in self.pointers().iter().enumerate() {
            let best = &mut best[*member as usize];
            if !is_null(row) && (*best == NOBODY || before(row, *best as usize)) {
                *best = row as u32;
            }
        }
        if values.is_empty() {
            return Ok(new_null_array(values.data_type(), self.count));
        }
        let found: NullBuffer = best.iter().map(|row| *row != NOBODY).collect();
        best.iter_mut().filter(|row| **row == NOBODY).for_each(|row| *row = 0);
        take(values, &UInt32Array::new(best.into(), Some(found)), None)
    }

    /// All non-null values of each member, as a list; null where there is none.
    fn all(&self, value: usize, order: &[OrderBy]) -> Result<ArrayRef, ArrowError> {
        let values = self.input(value);
        let comparators = self.comparators(order)?;
        let pointers = self.pointers();
        let nulls = values.logical_nulls();
        let mut rows: Vec<u32> = (0..pointers.len() as u32)
            .filter(|row| !nulls.as_ref().is_some_and(|nulls| nulls.is_null(*row as usize)))
            .collect();
        rows.sort_by(|left, right| {
            let (left, right) = (*left as usize, *right as usize);
            let by_order = || comparators.iter().map(|compare| compare(left, right)).find(|order| order.is_ne());
            pointers[left].cmp(&pointers[right]).then_with(|| by_order().unwrap_or(std::cmp::Ordering::Equal))
        });
        let mut lengths = vec![0_usize; self.count];
        rows.iter().for_each(|row| lengths[pointers[*row as usize] as usize] += 1);
        let some: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
        let items = take(values, &UInt32Array::from(rows), None)?;
        let field = Arc::new(Field::new("item", items.data_type().clone(), true));
        Ok(Arc::new(ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, Some(some))?))
    }
}
