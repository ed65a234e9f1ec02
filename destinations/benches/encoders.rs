//! Rows a second of each encoder, on all cores: one part of a typical record, into memory.
#![allow(clippy::expect_used, reason = "a benchmark that can't run has nothing to say")]

use std::{hint::black_box, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{Field, Schema},
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use herald_destinations::{
    encode::PartEncoder,
    files::{Compression, FileOptions, Format},
};

/// Four row groups; without optimisation, where nothing is measured, just enough to see that it runs.
const ROWS: usize = if cfg!(debug_assertions) { 10_000 } else { 4 * 122_880 };
const BATCH: usize = 8_192;

/// A key, a name, an address that half of the members share no part of, its hash, numbers, a time.
fn record() -> RecordBatch {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let first = ["anna", "bernd", "chloé", "dario", "emine", "felix", "greta", "hugo"];
    let last = ["müller", "garcía", "smith", "rossi", "yılmaz", "dubois", "novák", "larsen"];
    let words: Vec<u64> = (0..ROWS).map(|_| random()).collect();
    let pick = |words: &[&'static str; 8], word: u64, shift: u32| words[(word >> shift) as usize % 8];
    let text = |make: &dyn Fn(usize, u64) -> Option<String>| -> ArrayRef {
        Arc::new(words.iter().enumerate().map(|(row, word)| make(row, *word)).collect::<StringArray>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("individual_id", text(&|row, _| Some(format!("ind_{row:09}")))),
        ("full_name", text(&|_, word| Some(format!("{} {}", pick(&first, word, 3), pick(&last, word, 9))))),
        (
            "email",
            text(&|row, word| {
                (word % 10 != 0).then(|| format!("{}.{}{row}@example.com", pick(&first, word, 3), word % 9_973))
            }),
        ),
        (
            "email_sha",
            text(&|_, word| {
                let hex = |salt: u64| format!("{:016x}", word.wrapping_mul(salt).rotate_left(17));
                (word % 10 != 0).then(|| [3, 5, 7, 11].map(hex).concat())
            }),
        ),
        ("country", text(&|_, word| Some(["DE", "FR", "IT", "ES"][(word >> 5) as usize % 4].to_owned()))),
        (
            "orders",
            Arc::new(
                words.iter().map(|word| (word % 7 != 0).then_some((word >> 40) as i64 % 90)).collect::<Int64Array>(),
            ),
        ),
        ("spend", Arc::new(words.iter().map(|word| Some((word >> 44) as f64 / 100.0)).collect::<Float64Array>())),
        (
            "updated_at",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                words.iter().map(|word| 1_780_000_000_000_000 + (word >> 20) as i64 % 15_000_000_000_000),
            )),
        ),
    ];
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect()).expect("columns of one length")
}

async fn encode(options: &FileOptions, record: &RecordBatch) -> usize {
    let mut encoder = PartEncoder::new(options, record.schema(), None).expect("an encoder");
    let (mut done, mut bytes) = (0, 0);
    while done < record.num_rows() {
        let room = encoder.room(150.0).await.expect("room") as usize;
        let take = room.min(BATCH).min(record.num_rows() - done);
        encoder.write(record.slice(done, take)).await.expect("write");
        done += take;
        bytes += encoder.take().iter().map(|bytes| bytes.len()).sum::<usize>();
    }
    bytes + encoder.finish().await.expect("finish").iter().map(|bytes| bytes.len()).sum::<usize>()
}

fn encoders(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let record = record();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    let text = [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Bzip2];
    for (format, compressions) in [
        (Format::Parquet, &[Compression::None, Compression::Snappy, Compression::Zstd][..]),
        (Format::Csv, &text),
        (Format::Ndjson, &text),
    ] {
        for compression in compressions {
            let options = FileOptions { format, compression: *compression, ..FileOptions::default() };
            let id = BenchmarkId::new(format!("{format:?}"), format!("{compression:?}"));
            group.bench_with_input(id, &options, |bencher, options| {
                bencher.iter(|| black_box(runtime.block_on(encode(options, &record))));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, encoders);
criterion_main!(benches);
