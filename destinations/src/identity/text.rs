//! A column of text in, a column of text out.

use std::fmt;

use arrow::array::{
    Array, ArrayIter, AsArray, LargeStringArray, StringArray, StringArrayType, StringBuilder, StringViewArray,
};
use arrow::datatypes::DataType;

use super::error::IdentityError;

/// A borrowed column of text in any of Arrow's three layouts. Parquet text arrives as `Utf8View`.
#[derive(Clone, Copy)]
pub enum Text<'a> {
    /// 32-bit offsets.
    Utf8(&'a StringArray),
    /// 64-bit offsets.
    LargeUtf8(&'a LargeStringArray),
    /// Views.
    Utf8View(&'a StringViewArray),
}

impl<'a> Text<'a> {
    /// Looks at an array as text.
    ///
    /// # Errors
    /// `NotText` for any other type; dictionaries are to be cast first.
    pub fn try_new(array: &'a dyn Array) -> Result<Self, IdentityError> {
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Utf8(array.as_string())),
            DataType::LargeUtf8 => Ok(Self::LargeUtf8(array.as_string())),
            DataType::Utf8View => Ok(Self::Utf8View(array.as_string_view())),
            found => Err(IdentityError::NotText { found: found.clone() }),
        }
    }

    /// Number of rows.
    pub fn len(self) -> usize {
        match self {
            Self::Utf8(array) => array.len(),
            Self::LargeUtf8(array) => array.len(),
            Self::Utf8View(array) => array.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The text of a row; None where it is null. The row must exist.
    pub(super) fn row(self, row: usize) -> Option<&'a str> {
        match self {
            Self::Utf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::LargeUtf8(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Utf8View(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }

    /// Makes one row of each: `each` gets the row's number and text, and writes at most one value.
    pub(super) fn map(
        self,
        bytes_per_row: usize,
        each: impl FnMut(usize, &str, &mut Row<'_>) -> Result<(), IdentityError>,
    ) -> Result<StringArray, IdentityError> {
        match self {
            Self::Utf8(array) => map(array, bytes_per_row, each),
            Self::LargeUtf8(array) => map(array, bytes_per_row, each),
            Self::Utf8View(array) => map(array, bytes_per_row, each),
        }
    }
}

/// Type and rows, never a value.
impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = match self {
            Self::Utf8(_) => "Utf8",
            Self::LargeUtf8(_) => "LargeUtf8",
            Self::Utf8View(_) => "Utf8View",
        };
        write!(f, "{layout} of {} rows", self.len())
    }
}

/// The place of one result. Left alone, the row is null.
pub(super) struct Row<'a> {
    builder: &'a mut StringBuilder,
    rows: usize,
    written: bool,
}

impl Row<'_> {
    /// Writes the row's value.
    pub(super) fn set(&mut self, text: &str) -> Result<(), IdentityError> {
        // Offsets are 32 bits wide; the builder would panic.
        if self.builder.values_slice().len() + text.len() > i32::MAX as usize {
            return Err(IdentityError::TooLarge { rows: self.rows });
        }
        self.builder.append_value(text);
        self.written = true;
        Ok(())
    }
}

fn map<'a, A: StringArrayType<'a>>(
    array: A,
    bytes_per_row: usize,
    mut each: impl FnMut(usize, &str, &mut Row<'_>) -> Result<(), IdentityError>,
) -> Result<StringArray, IdentityError> {
    let rows = array.len();
    let capacity = rows.saturating_mul(bytes_per_row).min(i32::MAX as usize);
    let mut builder = StringBuilder::with_capacity(rows, capacity);
    for (number, text) in ArrayIter::new(array).enumerate() {
        let mut row = Row { builder: &mut builder, rows, written: false };
        if let Some(text) = text {
            each(number, text, &mut row)?;
        }
        if !row.written {
            builder.append_null();
        }
    }
    Ok(builder.finish())
}
