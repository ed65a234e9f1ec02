//! CSV by RFC 4180, with a line feed at the end of a line. An empty string stands in quotes, a null does not: so
//! the two differ even where the null text is empty.

mod cell;
mod number;
mod time;

use arrow::{
    array::{Array, RecordBatch},
    buffer::NullBuffer,
    datatypes::Schema,
    error::ArrowError,
};

use super::EncodeError;
use crate::files::{CsvOptions, Quote};
use cell::{Cell, cell};

/// One line of column names.
pub(super) fn write_header(schema: &Schema, options: &CsvOptions, out: &mut Vec<u8>) {
    let dialect = Dialect::new(options);
    for (index, field) in schema.fields().iter().enumerate() {
        if index > 0 {
            out.push(dialect.delimiter);
        }
        let start = out.len();
        out.extend_from_slice(field.name().as_bytes());
        dialect.quote_where_due(out, start);
    }
    out.push(b'\n');
}

/// A line a row. Each value is formatted straight into `out`, then looked at for what needs quotes.
pub(super) fn write_batch(batch: &RecordBatch, options: &CsvOptions, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let dialect = Dialect::new(options);
    let mut columns = Vec::with_capacity(batch.num_columns());
    for array in batch.columns() {
        let cell = cell(array.as_ref())?;
        let plain = cell.is_plain() && dialect.spares_plain;
        columns.push(Column { nulls: array.logical_nulls(), cell, plain });
    }
    for row in 0..batch.num_rows() {
        for (index, column) in columns.iter_mut().enumerate() {
            if index > 0 {
                out.push(dialect.delimiter);
            }
            if column.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                out.extend_from_slice(dialect.null);
                continue;
            }
            let start = out.len();
            column.cell.write(row, out)?;
            if !column.plain {
                dialect.quote_where_due(out, start);
            }
        }
        out.push(b'\n');
    }
    Ok(())
}

/// One row as its line in a file, line break included.
///
/// # Errors
/// When a column's type has no text form.
pub fn csv_row(batch: &RecordBatch, row: usize, options: &CsvOptions) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    write_batch(&batch.slice(row, 1), options, &mut out)?;
    Ok(out)
}

struct Column<'a> {
    nulls: Option<NullBuffer>,
    cell: Box<dyn Cell + 'a>,
    /// Whether its values never need quotes.
    plain: bool,
}

struct Dialect<'a> {
    delimiter: u8,
    null: &'a [u8],
    all: bool,
    /// Whether numbers, dates and the like can't hold the delimiter or equal the null text.
    spares_plain: bool,
}

impl<'a> Dialect<'a> {
    fn new(options: &'a CsvOptions) -> Self {
        // `FileOptions::check` lets ASCII alone through.
        let delimiter = u8::try_from(options.delimiter).unwrap_or(b',');
        let all = options.quote == Quote::All;
        let delimits_text_only = !delimiter.is_ascii_alphanumeric() && !b"+-.: ".contains(&delimiter);
        let spares_plain = !all && options.null.is_empty() && delimits_text_only;
        Self { delimiter, null: options.null.as_bytes(), all, spares_plain }
    }

    /// Puts the field that starts at `start` in quotes where it must stand in some.
    fn quote_where_due(&self, out: &mut Vec<u8>, start: usize) {
        let field = &out[start..];
        // Without an early exit, so that the loop becomes vector instructions.
        let special = field.iter().fold(false, |found, byte| {
            found | (*byte == self.delimiter) | (*byte == b'"') | (*byte == b'\n') | (*byte == b'\r')
        });
        if special || self.all || field.is_empty() || field == self.null {
            quote(out, start);
        }
    }
}

/// Quotes the bytes from `start` on, in place; quotes within are doubled.
fn quote(out: &mut Vec<u8>, start: usize) {
    let length = out.len();
    let inner = out[start..].iter().filter(|byte| **byte == b'"').count();
    out.resize(length + inner + 2, b'"');
    let mut to = out.len() - 1;
    for from in (start..length).rev() {
        let byte = out[from];
        to -= 1;
        out[to] = byte;
        if byte == b'"' {
            to -= 1;
            out[to] = b'"';
        }
    }
    out[start] = b'"';
}
