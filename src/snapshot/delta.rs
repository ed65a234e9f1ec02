//! The difference between the records wanted now and what the target holds, one partition at a time.

use arrow::{
    array::{Array, ArrayRef, FixedSizeBinaryArray, UInt32Array},
    error::ArrowError,
};

use super::{
    Held, Holding,
    merge::{Side, walk},
};

/// Rows by what has to happen to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// Rows of the wanted records that the target does not hold, or only perhaps.
    pub added: UInt32Array,
    /// Rows of the wanted records that the target holds otherwise.
    pub updated: UInt32Array,
    /// Rows of the held members that are not wanted.
    pub removed: UInt32Array,
    /// Rows of the wanted records that the target holds just so.
    pub unchanged: UInt32Array,
    /// The held row of each that is unchanged.
    pub unchanged_from: UInt32Array,
    /// Which of those added are perhaps there: indices into `added`.
    pub again: Vec<u32>,
    /// The held row of each that is updated.
    pub updated_from: UInt32Array,
}

impl Delta {
    /// The same difference, with what did not change among the updates.
    #[must_use]
    pub fn again_all(self) -> Self {
        let pairs = |rows: &UInt32Array, from: &UInt32Array| {
            rows.values().iter().copied().zip(from.values().iter().copied()).collect::<Vec<_>>()
        };
        let mut all = pairs(&self.updated, &self.updated_from);
        all.extend(pairs(&self.unchanged, &self.unchanged_from));
        all.sort_unstable();
        let (updated, updated_from): (Vec<u32>, Vec<u32>) = all.into_iter().unzip();
        let none = || UInt32Array::from(Vec::<u32>::new());
        Self {
            updated: updated.into(),
            updated_from: updated_from.into(),
            unchanged: none(),
            unchanged_from: none(),
            ..self
        }
    }
}

/// Compares wanted records with held ones; keys of both are ascending and unique.
///
/// # Errors
/// When the key columns' types differ.
pub fn delta(keys: &ArrayRef, fingerprints: &FixedSizeBinaryArray, held: Option<&Held>) -> Result<Delta, ArrowError> {
    let Some(held) = held else {
        let none = || UInt32Array::from(Vec::<u32>::new());
        let added = UInt32Array::from_iter_values(0..row(keys.len()));
        return Ok(Delta {
            added,
            updated: none(),
            removed: none(),
            unchanged: none(),
            unchanged_from: none(),
            again: Vec::new(),
            updated_from: none(),
        });
    };
    let (mut added, mut updated, mut removed, mut unchanged) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut again, mut updated_from, mut unchanged_from) = (Vec::new(), Vec::new(), Vec::new());
    let prints = held.fingerprints();
    walk(keys, held.keys(), |side| match side {
        Side::Left(wanted) => added.push(row(wanted)),
        Side::Right(gone) => removed.push(row(gone)),
        Side::Both(wanted, there) => match held.holding(there) {
            Holding::Held if fingerprints.value(wanted) == prints.value(there) => {
                unchanged.push(row(wanted));
                unchanged_from.push(row(there));
            }
            Holding::Held | Holding::Stale => {
                updated.push(row(wanted));
                updated_from.push(row(there));
            }
            Holding::Perhaps | Holding::Gone => {
                again.push(row(added.len()));
                added.push(row(wanted));
            }
        },
    })?;
    Ok(Delta {
        added: added.into(),
        updated: updated.into(),
        removed: removed.into(),
        unchanged: unchanged.into(),
        unchanged_from: unchanged_from.into(),
        again,
        updated_from: updated_from.into(),
    })
}

/// A partition never comes near 2³² rows: it holds some hundred thousand.
fn row(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
