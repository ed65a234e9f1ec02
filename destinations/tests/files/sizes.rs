//! `max_size`, in every form that a part may have.

use std::sync::Arc;

use arrow::{
    array::{Array, Int32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use herald_destinations::{
    conformance::{batch, context, encryption},
    contract::{Batch, Mode, Op, PublishContext},
    files::{Compression, Format},
};

use super::{deliver, dense};

#[tokio::test]
async fn parts_are_of_max_size_within_five_percent() {
    for (format, compression) in [
        (Format::Parquet, Compression::Zstd),
        (Format::Parquet, Compression::None),
        (Format::Csv, Compression::None),
        (Format::Csv, Compression::Gzip),
        (Format::Ndjson, Compression::Zstd),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut context = context(Mode::Full);
        context.files.format = format;
        context.files.compression = compression;
        context.files.max_size = 300_000;
        let batches: Vec<_> = (0..6).map(|index| dense(index * 5_000, 5_000)).collect();
        context.schema = batches[0].rows.schema();
        let delivered = deliver(folder.path(), &context, &batches).await;
        let sizes: Vec<u64> = delivered.files.iter().map(|file| file.bytes).collect();
        let (last, full) = sizes.split_last().expect("parts");
        assert!(full.len() >= 2, "{format:?} {compression:?}: {sizes:?}");
        assert!(full.iter().all(|size| (285_000..=315_000).contains(size)), "{format:?} {compression:?}: {sizes:?}");
        assert!(*last <= 315_000);
        assert_eq!(delivered.files.iter().map(|file| file.rows).sum::<u64>(), 30_000);
    }
}

/// Rows of a few bytes: a part of some megabytes holds very many of them.
fn narrow(first: usize, rows: usize) -> Batch {
    let numbers = first..first + rows;
    let keys: StringArray = numbers.clone().map(|row| Some(format!("{row}"))).collect();
    let marks: Int32Array = numbers.map(|row| (row % 11 != 0).then_some((row * 7_919 % 100_003) as i32)).collect();
    let fields = vec![Field::new("id", DataType::Utf8, true), Field::new("mark", DataType::Int32, true)];
    let columns: Vec<Arc<dyn Array>> = vec![Arc::new(keys.clone()), Arc::new(marks)];
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns");
    Batch { op: Op::Add, members: Arc::new(keys), rows, changes: None }
}

const ROWS: usize = 600_000;

async fn sizes_of(format: Format, compression: Compression, encrypted: bool, max_size: u64) -> Vec<u64> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut context = PublishContext { schema: narrow(0, 1).rows.schema(), ..context(Mode::Full) };
    (context.files.format, context.files.compression, context.files.max_size) = (format, compression, max_size);
    context.files.encrypt = encrypted.then(encryption);
    let batches: Vec<_> = (0..ROWS / 30_000).map(|index| narrow(index * 30_000, 30_000)).collect();
    let delivered = deliver(folder.path(), &context, &batches).await;
    assert_eq!(delivered.files.iter().map(|file| file.rows).sum::<u64>(), ROWS as u64);
    delivered.files.iter().map(|file| file.bytes).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_very_many_narrow_rows_are_of_max_size_within_five_percent_encrypted_or_not() {
    for (format, compression, max_size) in [
        (Format::Csv, Compression::Gzip, 1 << 20),
        (Format::Csv, Compression::Zstd, 1 << 20),
        (Format::Parquet, Compression::Zstd, 1 << 19),
        (Format::Ndjson, Compression::Bzip2, 1 << 19),
    ] {
        for encrypted in [false, true] {
            let sizes = sizes_of(format, compression, encrypted, max_size).await;
            let what = format!("{format:?} {compression:?}, encrypted: {encrypted}: {sizes:?}");
            let (last, full) = sizes.split_last().expect("parts");
            assert!(full.len() >= 2, "{what}");
            let limit = max_size as f64;
            assert!(full.iter().all(|size| (0.95..=1.05).contains(&(*size as f64 / limit))), "{what}");
            assert!(*last as f64 <= limit * 1.05, "{what}");
        }
    }
}

#[tokio::test]
async fn wide_rows_make_short_chunks_and_parts_of_max_size_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut context = context(Mode::Full);
    (context.files.format, context.files.compression, context.files.max_size) =
        (Format::Csv, Compression::None, 10_000_000);
    // Of eight to eleven kilobytes.
    let text: StringArray = (0..3_000).map(|row| Some(format!("{row:04}").repeat(2_000 + row % 700))).collect();
    let rows = batch(Op::Add, 0, 3_000);
    let columns = vec![rows.rows.column(0).clone(), Arc::new(text), rows.rows.column(2).clone()];
    let wide = Batch { rows: RecordBatch::try_new(rows.rows.schema(), columns).expect("columns"), ..rows };
    let delivered = deliver(folder.path(), &context, &[wide]).await;
    let (_, full) = delivered.files.split_last().expect("parts");
    assert!(full.len() >= 2);
    let sizes: Vec<u64> = full.iter().map(|file| file.bytes).collect();
    assert!(sizes.iter().all(|size| (9_500_000..=10_500_000).contains(size)), "{sizes:?}");
}

#[tokio::test]
async fn wide_rows_make_short_row_groups() {
    let folder = tempfile::tempdir().expect("a folder");
    let text: StringArray = (0..1_000).map(|row| Some(format!("{row:04}").repeat(20_000))).collect();
    let rows = batch(Op::Add, 0, 1_000);
    let columns = vec![rows.rows.column(0).clone(), Arc::new(text), rows.rows.column(2).clone()];
    let wide = Batch { rows: RecordBatch::try_new(rows.rows.schema(), columns).expect("columns"), ..rows };
    let delivered = deliver(folder.path(), &context(Mode::Full), &[wide]).await;
    let file = std::fs::File::open(folder.path().join(&delivered.files[0].path)).expect("a part");
    let groups = parquet::file::serialized_reader::SerializedFileReader::new(file).expect("parquet");
    let groups = parquet::file::reader::FileReader::metadata(&groups).row_groups().iter().map(|group| group.num_rows());
    assert_eq!(groups.collect::<Vec<_>>(), [799, 201], "of 64 MB in memory");
}
