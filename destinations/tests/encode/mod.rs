//! What the encoders write, read by others.

mod compression;
mod csv;
mod generated;
mod ndjson;
mod others;
mod parquet;
mod pgp;

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    datatypes::{Field, Schema},
};
use herald_destinations::{
    encode::PartEncoder,
    files::{Compression, FileOptions, Format},
};

/// One part of these batches, as the publication writes it.
async fn encode(options: &FileOptions, batches: &[RecordBatch]) -> Vec<u8> {
    let schema = batches.first().expect("a batch").schema();
    let mut encoder = PartEncoder::new(options, schema, None).expect("columns that fit the format");
    let mut out = Vec::new();
    for batch in batches {
        let mut done = 0;
        while done < batch.num_rows() {
            let room = encoder.room(100.0).await.expect("room") as usize;
            assert!(room > 0, "a part without a limit is never full");
            let take = room.min(batch.num_rows() - done);
            encoder.write(batch.slice(done, take)).await.expect("write");
            done += take;
            encoder.take().iter().for_each(|bytes| out.extend_from_slice(bytes));
        }
    }
    encoder.finish().await.expect("finish").iter().for_each(|bytes| out.extend_from_slice(bytes));
    out
}

fn options(format: Format, compression: Compression) -> FileOptions {
    FileOptions { format, compression, max_size: u64::MAX, max_rows: u64::MAX, ..FileOptions::default() }
}

fn columns(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect()).expect("columns of one length")
}
