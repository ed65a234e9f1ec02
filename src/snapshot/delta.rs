//! The difference between the records wanted now and what the target holds, one partition at a time.

use arrow::{
    array::{Array, ArrayRef, FixedSizeBinaryArray, UInt32Array},
    error::ArrowError,
};

use super::{
    Held,
    merge::{Side, walk},
};

/// Rows by what has to happen to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// Rows of the wanted records that the target does not hold.
    pub added: UInt32Array,
    /// Rows of the wanted records that the target holds otherwise.
    pub updated: UInt32Array,
    /// Rows of the held members that are not wanted.
    pub removed: UInt32Array,
    /// How many need nothing.
    pub unchanged: u64,
}

/// Compares wanted records with held ones; keys of both are ascending and unique.
///
/// # Errors
/// When the key columns' types differ.
pub fn delta(keys: &ArrayRef, fingerprints: &FixedSizeBinaryArray, held: Option<&Held>) -> Result<Delta, ArrowError> {
    let Some(held) = held else {
        let none = || UInt32Array::from(Vec::<u32>::new());
        let added = UInt32Array::from_iter_values(0..row(keys.len()));
        return Ok(Delta { added, updated: none(), removed: none(), unchanged: 0 });
    };
    let (mut added, mut updated, mut removed, mut unchanged) = (Vec::new(), Vec::new(), Vec::new(), 0);
    walk(keys, &held.keys, |side| match side {
        Side::Left(wanted) => added.push(row(wanted)),
        Side::Right(gone) => removed.push(row(gone)),
        Side::Both(wanted, there) if fingerprints.value(wanted) == held.fingerprints.value(there) => unchanged += 1,
        Side::Both(wanted, _) => updated.push(row(wanted)),
    })?;
    Ok(Delta { added: added.into(), updated: updated.into(), removed: removed.into(), unchanged })
}

/// A partition never comes near 2³² rows: it holds some hundred thousand.
fn row(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
