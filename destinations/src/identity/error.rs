//! What can keep a kernel from running. No text of a row stands in any of these.

use arrow::datatypes::DataType;
use thiserror::Error;

/// Why a column could not be normalised or hashed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// The column is no text.
    #[error("expected a column of text, got {found}: cast it first")]
    NotText {
        /// What it is.
        found: DataType,
    },
    /// Two columns that belong together differ in their number of rows.
    #[error("got {texts} phone numbers but {regions} regions: pass one region, or one per number")]
    Lengths {
        /// Rows of the column of numbers.
        texts: usize,
        /// Rows of the column of regions.
        regions: usize,
    },
    /// The result needs more than the 2 GiB that one text array can hold.
    #[error("the result of {rows} rows exceeds 2 GiB: pass smaller batches")]
    TooLarge {
        /// Rows of the input.
        rows: usize,
    },
}
