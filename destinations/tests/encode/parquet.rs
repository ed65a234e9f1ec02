use std::sync::Arc;

use arrow::{
    array::{Int64Array, RecordBatch, StringArray, StringViewArray},
    compute::{cast, concat_batches},
};
use bytes::Bytes;
use herald_destinations::{
    conformance::every_type,
    encode::plain_schema,
    files::{Compression, Format},
};
use parquet::{arrow::arrow_reader::ParquetRecordBatchReaderBuilder, basic::Compression as Codec};

use super::{columns, encode, options};

pub(super) fn read(content: Vec<u8>) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content)).expect("parquet");
    let schema = builder.schema().clone();
    let batches: Vec<_> = builder.build().expect("a reader").map(|batch| batch.expect("rows")).collect();
    concat_batches(&schema, &batches).expect("one schema")
}

/// What readers are told of the rows: the plain types.
pub(super) fn plain(batch: &RecordBatch) -> RecordBatch {
    let schema = Arc::new(plain_schema(&batch.schema()));
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, array)| cast(array, field.data_type()).expect("a cast")).collect();
    RecordBatch::try_new(schema, columns).expect("columns of one length")
}

#[tokio::test]
async fn every_type_with_nulls_survives_every_compression() {
    let batch = every_type();
    for compression in [Compression::None, Compression::Snappy, Compression::Zstd] {
        let content = encode(&options(Format::Parquet, compression), &[batch.slice(0, 2), batch.slice(2, 1)]).await;
        assert_eq!(read(content), plain(&batch), "{compression:?}");
    }
}

#[tokio::test]
async fn the_compression_is_the_one_asked_for() {
    let batch = columns(vec![("x", Arc::new(StringArray::from(vec!["same"; 5_000])))]);
    for (compression, fits) in [
        (Compression::None, (|codec| codec == Codec::UNCOMPRESSED) as fn(Codec) -> bool),
        (Compression::Snappy, |codec| codec == Codec::SNAPPY),
        (Compression::Zstd, |codec| matches!(codec, Codec::ZSTD(_))),
    ] {
        let content = encode(&options(Format::Parquet, compression), std::slice::from_ref(&batch)).await;
        let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content)).expect("parquet");
        assert!(fits(builder.metadata().row_group(0).column(0).compression()), "{compression:?}");
    }
}

#[tokio::test]
async fn row_groups_are_of_one_size_in_order_and_have_statistics() {
    let rows = 300_000_i64;
    let whole = columns(vec![("x", Arc::new(Int64Array::from_iter_values(0..rows)))]);
    let batches: Vec<_> = (0..30).map(|index| whole.slice(index * 10_000, 10_000)).collect();
    let content = encode(&options(Format::Parquet, Compression::Zstd), &batches).await;
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(content.clone())).expect("parquet");
    let groups: Vec<i64> = builder.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [122_880, 122_880, 54_240]);
    for group in builder.metadata().row_groups() {
        let statistics = group.column(0).statistics().expect("statistics");
        assert!(statistics.min_bytes_opt().is_some() && statistics.max_bytes_opt().is_some());
    }
    assert_eq!(read(content), whole);
}

#[tokio::test]
async fn views_are_written_as_plain_text_that_older_readers_know() {
    let batch = columns(vec![("x", Arc::new(StringViewArray::from(vec![Some("a"), None])))]);
    let content = encode(&options(Format::Parquet, Compression::Zstd), &[batch]).await;
    let found = read(content);
    assert_eq!(found.schema().field(0).data_type(), &arrow::datatypes::DataType::Utf8);
}

#[tokio::test]
async fn no_rows_make_a_file_with_columns() {
    for compression in [Compression::None, Compression::Snappy, Compression::Zstd] {
        let batch = every_type().slice(0, 0);
        let content = encode(&options(Format::Parquet, compression), std::slice::from_ref(&batch)).await;
        let found = read(content);
        assert_eq!((found.num_rows(), found.schema()), (0, plain(&batch).schema()));
    }
}

#[tokio::test]
async fn the_same_rows_give_the_same_bytes() {
    let batch = every_type();
    let options = options(Format::Parquet, Compression::Zstd);
    assert_eq!(encode(&options, std::slice::from_ref(&batch)).await, encode(&options, &[batch]).await);
}
