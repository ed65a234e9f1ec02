//! A bucket's rows → its members: those who pass the test, one row each, by key.

use std::{cmp::Ordering, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, make_comparator},
    compute::{
        SortOptions, and, filter_record_batch, is_not_null, not, or, prep_null_mask_filter, sort_to_indices,
        take_record_batch,
    },
    error::ArrowError,
};

use super::{
    index::{KeyIndex, NOBODY},
    test::Test,
};

/// Where columns stand in the rows that a scan of members spools; column 0 is the key.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    /// When the row last changed.
    pub(super) updated: Option<usize>,
    /// The first of the test's flags.
    pub(super) flags: usize,
    /// The activation's filter.
    pub(super) filter: Option<usize>,
    /// The first of the direct expressions.
    pub(super) direct: usize,
    /// The first of the columns that related expressions name.
    pub(super) member_columns: usize,
}

/// The rows that pass the test. `sets` are the keys of this bucket in each set.
pub(super) fn belonging(
    rows: RecordBatch,
    test: &Test,
    layout: &Layout,
    sets: &[ArrayRef],
) -> Result<RecordBatch, ArrowError> {
    match belonging_rows(test, &rows, layout, sets)? {
        None => Ok(rows),
        Some(passed) => filter_record_batch(&rows, &passed),
    }
}

/// Which rows pass; `None`: all.
pub(super) fn belonging_rows(
    test: &Test,
    rows: &RecordBatch,
    layout: &Layout,
    sets: &[ArrayRef],
) -> Result<Option<BooleanArray>, ArrowError> {
    let length = rows.num_rows();
    let constant = |value: bool| BooleanArray::from(vec![value; length]);
    Ok(match test {
        // The scan has tested the row already.
        Test::Always | Test::Row(_) => None,
        Test::Flag(flag) => Some(known_true(rows.column(layout.flags + flag).as_boolean())),
        Test::Set(set) => {
            let found = KeyIndex::new(&sets[*set]).find(rows.column(0));
            Some(found.into_iter().map(|row| Some(row != NOBODY)).collect())
        }
        Test::Not(inner) => Some(match belonging_rows(inner, rows, layout, sets)? {
            None => constant(false),
            Some(passed) => not(&passed)?,
        }),
        Test::All(parts) => {
            let mut all = None;
            for part in parts {
                all = match (all, belonging_rows(part, rows, layout, sets)?) {
                    (Some(all), Some(passed)) => Some(and(&all, &passed)?),
                    (all, passed) => all.or(passed),
                };
            }
            all
        }
        Test::Any(parts) => {
            let mut any = constant(false);
            for part in parts {
                match belonging_rows(part, rows, layout, sets)? {
                    None => return Ok(None),
                    Some(passed) => any = or(&any, &passed)?,
                }
            }
            Some(any)
        }
    })
}

/// Null is not true.
fn known_true(flags: &BooleanArray) -> BooleanArray {
    if flags.null_count() == 0 { flags.clone() } else { prep_null_mask_filter(flags) }
}

/// One row a key, ascending by key: of several the one that changed last, then the smallest. Also returns how many
/// rows were given up.
pub(super) fn collapse(rows: RecordBatch, layout: &Layout) -> Result<(RecordBatch, u64), ArrowError> {
    let keys = rows.column(0);
    if ascending(keys)? {
        return Ok((rows, 0));
    }
    let order = sort_to_indices(keys, None, None)?;
    let same = make_comparator(keys, keys, SortOptions::default())?;
    let mut better: Option<Better> = None;
    let mut chosen: Vec<u32> = Vec::with_capacity(order.len());
    for row in order.values() {
        match chosen.last_mut() {
            Some(last) if same(*last as usize, *row as usize) == Ordering::Equal => {
                let better = match &better {
                    Some(better) => better,
                    None => better.insert(Better::new(&rows, layout)?),
                };
                if better.is(*row as usize, *last as usize) {
                    *last = *row;
                }
            }
            _ => chosen.push(*row),
        }
    }
    let given_up = (rows.num_rows() - chosen.len()) as u64;
    Ok((take_record_batch(&rows, &UInt32Array::from(chosen))?, given_up))
}

/// Whether every key is greater than the one before it.
fn ascending(keys: &ArrayRef) -> Result<bool, ArrowError> {
    let compare = make_comparator(keys, keys, SortOptions::default())?;
    Ok((1..keys.len()).all(|row| compare(row - 1, row) == Ordering::Less))
}

/// Which of two rows of the same key counts.
struct Better {
    columns: Vec<arrow::array::DynComparator>,
}

impl Better {
    fn new(rows: &RecordBatch, layout: &Layout) -> Result<Self, ArrowError> {
        let latest_first = SortOptions { descending: true, nulls_first: false };
        let smallest_first = SortOptions { descending: false, nulls_first: false };
        let mut columns = Vec::new();
        if let Some(updated) = layout.updated {
            let updated = rows.column(updated);
            columns.push(make_comparator(updated, updated, latest_first)?);
        }
        for column in rows.columns().iter().skip(1) {
            // Structs and the like can't be compared; they do not decide.
            columns.extend(make_comparator(column, column, smallest_first).ok());
        }
        Ok(Self { columns })
    }

    fn is(&self, row: usize, other: usize) -> bool {
        let decisive = self.columns.iter().map(|compare| compare(row, other)).find(|order| order.is_ne());
        decisive.unwrap_or(Ordering::Equal).then(row.cmp(&other)).is_lt()
    }
}

/// Rows that the filter lets through, and how many it suppresses.
pub(super) fn filtered(rows: RecordBatch, layout: &Layout) -> Result<(RecordBatch, u64), ArrowError> {
    let Some(column) = layout.filter else { return Ok((rows, 0)) };
    let kept = known_true(rows.column(column).as_boolean());
    let before = rows.num_rows();
    let rows = filter_record_batch(&rows, &kept)?;
    let suppressed = before - rows.num_rows();
    Ok((rows, suppressed as u64))
}

/// Members by the required field that they lack.
pub(super) type Lacking = Vec<(usize, u64)>;

/// Records that have every required field; counts the others by the first field that they lack.
pub(super) fn required(
    keys: ArrayRef,
    records: RecordBatch,
    require: &[usize],
) -> Result<(ArrayRef, RecordBatch, Lacking), ArrowError> {
    let mut kept: Option<BooleanArray> = None;
    let mut lacking = Vec::new();
    for field in require {
        let present = is_not_null(records.column(*field))?;
        let before = kept.as_ref().map_or(records.num_rows(), BooleanArray::true_count);
        let now = match kept {
            None => present,
            Some(kept) => and(&kept, &present)?,
        };
        let lost = before - now.true_count();
        if lost > 0 {
            lacking.push((*field, lost as u64));
        }
        kept = Some(now);
    }
    match kept {
        Some(kept) if kept.true_count() < records.num_rows() => {
            let keys = arrow::compute::filter(&keys, &kept)?;
            Ok((keys, filter_record_batch(&records, &kept)?, lacking))
        }
        _ => Ok((Arc::clone(&keys), records, lacking)),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn of_duplicates_the_latest_counts_then_the_smallest() {
        let rows = RecordBatch::try_from_iter([
            ("_key", Arc::new(StringArray::from(vec!["b", "a", "b", "a", "a"])) as ArrayRef),
            ("updated", Arc::new(Int64Array::from(vec![Some(2), Some(5), Some(1), Some(5), None]))),
            ("d0", Arc::new(StringArray::from(vec!["new", "y", "old", "x", "z"]))),
        ])
        .unwrap();
        let layout = Layout { updated: Some(1), ..Layout::default() };
        let (rows, given_up) = collapse(rows, &layout).unwrap();
        assert_eq!(given_up, 3);
        let of = |column: usize| rows.column(column).as_string::<i32>().iter().flatten().collect::<Vec<_>>();
        assert_eq!(of(0), ["a", "b"]);
        assert_eq!(of(2), ["x", "new"]);
    }
}
