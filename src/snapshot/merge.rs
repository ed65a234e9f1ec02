//! Merging sorted rows.

use std::cmp::Ordering;

use arrow::{
    array::{Array, ArrayRef, RecordBatch, make_comparator},
    compute::{SortOptions, interleave_record_batch},
    error::ArrowError,
};

/// Walks two sorted, unique key columns in step, and tells for every key which side holds it.
///
/// # Errors
/// When the columns' types differ or can't be compared.
pub(super) fn walk(left: &ArrayRef, right: &ArrayRef, mut each: impl FnMut(Side)) -> Result<(), ArrowError> {
    let compare = make_comparator(left, right, SortOptions::default())?;
    let (mut l, mut r) = (0, 0);
    while l < left.len() && r < right.len() {
        match compare(l, r) {
            Ordering::Less => {
                each(Side::Left(l));
                l += 1;
            }
            Ordering::Greater => {
                each(Side::Right(r));
                r += 1;
            }
            Ordering::Equal => {
                each(Side::Both(l, r));
                (l, r) = (l + 1, r + 1);
            }
        }
    }
    (l..left.len()).for_each(|l| each(Side::Left(l)));
    (r..right.len()).for_each(|r| each(Side::Right(r)));
    Ok(())
}

/// Calls back with the rows of every key that both sorted, unique columns hold.
///
/// # Errors
/// When the columns' types differ or can't be compared.
pub fn rows_in_both(left: &ArrayRef, right: &ArrayRef, mut each: impl FnMut(usize, usize)) -> Result<(), ArrowError> {
    walk(left, right, |side| {
        if let Side::Both(left, right) = side {
            each(left, right);
        }
    })
}

/// Who holds a key, and in which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left(usize),
    Right(usize),
    Both(usize, usize),
}

/// Both batches as one, sorted by their first column; where both know a key, the newer row counts.
pub(super) fn newest(older: &RecordBatch, newer: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if newer.num_rows() == 0 {
        return Ok(older.clone());
    }
    let mut picks = Vec::with_capacity(older.num_rows() + newer.num_rows());
    walk(older.column(0), newer.column(0), |side| {
        picks.push(match side {
            Side::Left(row) => (0, row),
            Side::Right(row) | Side::Both(_, row) => (1, row),
        });
    })?;
    interleave_record_batch(&[older, newer], &picks)
}
