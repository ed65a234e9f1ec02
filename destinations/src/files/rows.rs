//! The columns of a part, and batches put into them.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use crate::contract::{Batch, Error, ErrorKind, Mode, Op, PublishContext};

/// Column of the operation in incremental files.
const OP: &str = "_op";
/// Column of the member in incremental files.
const MEMBER: &str = "_member";

/// The columns of the record, behind operation and member if the publish is incremental.
pub(super) fn file_schema(context: &PublishContext) -> SchemaRef {
    match context.mode {
        Mode::Full => context.schema.clone(),
        Mode::Incremental => {
            let added = [
                Arc::new(Field::new(OP, DataType::Utf8, false)),
                Arc::new(Field::new(MEMBER, context.member_type.clone(), false)),
            ];
            Arc::new(Schema::new(added.into_iter().chain(context.schema.fields().iter().cloned()).collect::<Vec<_>>()))
        }
    }
}

/// A batch in the columns of the file.
pub(super) fn file_rows(schema: &SchemaRef, mode: Mode, batch: Batch) -> Result<RecordBatch, Error> {
    let wrong = |error: arrow::error::ArrowError| {
        // Arrow's text names types and lengths here, never values.
        Error::new(ErrorKind::Internal, "put a batch into the columns of the file").caused_by(error)
    };
    if mode == Mode::Full {
        if batch.op != Op::Add {
            return Err(
                Error::new(ErrorKind::Internal, "write a change into a full publish").with("op", batch.op.as_str())
            );
        }
        return RecordBatch::try_new(schema.clone(), batch.rows.columns().to_vec()).map_err(wrong);
    }
    let rows = batch.rows.num_rows();
    let op: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(batch.op.as_str(), rows)));
    let mut columns = Vec::with_capacity(schema.fields().len());
    columns.push(op);
    columns.push(batch.members);
    for column in batch.rows.columns() {
        // Whoever is removed leaves no attribute behind, whatever the batch holds.
        columns.push(match batch.op == Op::Remove && column.logical_null_count() < rows {
            true => new_null_array(column.data_type(), rows),
            false => column.clone(),
        });
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(wrong)
}
