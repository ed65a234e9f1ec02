//! CSV by RFC 4180, but for the end of a line: a line feed alone, as every reader takes it and text tools want it. An empty
//! string stands in quotes, a null does not: so the two differ even where the null text is empty.

mod cell;
mod guard;
mod number;
mod quote;
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
use guard::guard;
use quote::quote;

/// The mark by which some spreadsheets know UTF-8.
const BOM: &str = "\u{feff}";

/// What a part starts with: the byte order mark and the line of column names, where they are asked for.
pub(super) fn write_start(schema: &Schema, options: &CsvOptions, out: &mut Vec<u8>) {
    if options.bom {
        out.extend_from_slice(BOM.as_bytes());
    }
    if options.header {
        write_header(schema, options, out);
    }
}

fn write_header(schema: &Schema, options: &CsvOptions, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    let dialect = Dialect::new(options, &mut buffer);
    for (index, field) in schema.fields().iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(dialect.delimiter);
        }
        let start = out.len();
        out.extend_from_slice(field.name().as_bytes());
        dialect.finish_field(out, start, true);
    }
    out.push(b'\n');
}

/// A line a row. Each value is formatted straight into `out`, then looked at for what needs quotes.
pub(super) fn write_batch(batch: &RecordBatch, options: &CsvOptions, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let mut buffer = [0; 4];
    let dialect = Dialect::new(options, &mut buffer);
    let mut columns = Vec::with_capacity(batch.num_columns());
    for array in batch.columns() {
        let cell = cell(array.as_ref())?;
        let plain = cell.is_plain() && dialect.spares_plain;
        columns.push(Column { nulls: array.logical_nulls(), text: cell.is_text(), cell, plain });
    }
    for row in 0..batch.num_rows() {
        for (index, column) in columns.iter_mut().enumerate() {
            if index > 0 {
                out.extend_from_slice(dialect.delimiter);
            }
            if column.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                out.extend_from_slice(dialect.null);
                continue;
            }
            let start = out.len();
            column.cell.write(row, out)?;
            if !column.plain {
                dialect.finish_field(out, start, column.text);
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
    /// Whether its values are texts, rather than the text form of something else.
    text: bool,
    /// Whether its values never need quotes.
    plain: bool,
}

struct Dialect<'a> {
    delimiter: &'a [u8],
    null: &'a [u8],
    quote: Quote,
    guard: bool,
    /// Whether numbers, dates and the like can't hold the delimiter or equal the null text.
    spares_plain: bool,
}

impl<'a> Dialect<'a> {
    fn new(options: &'a CsvOptions, buffer: &'a mut [u8; 4]) -> Self {
        let delimiter = options.delimiter;
        let delimits_text_only = !delimiter.is_ascii_alphanumeric() && !"+-.: ".contains(delimiter);
        Self {
            delimiter: delimiter.encode_utf8(buffer).as_bytes(),
            null: options.null.as_bytes(),
            quote: options.quote,
            guard: options.formula_guard,
            spares_plain: options.quote != Quote::All && options.null.is_empty() && delimits_text_only,
        }
    }

    /// Guards the field that starts at `start`, and puts it in quotes where it must stand in some.
    fn finish_field(&self, out: &mut Vec<u8>, start: usize, text: bool) {
        if self.guard && text {
            guard(out, start);
        }
        let field = &out[start..];
        let asked = match self.quote {
            Quote::All => true,
            Quote::Text => text,
            Quote::Minimal => false,
        };
        if asked || field.is_empty() || field == self.null || quote::is_due(field, self.delimiter) {
            quote(out, start);
        }
    }
}
