//! The kernels that every row passes through. `cargo bench --bench kernels`.
#![allow(clippy::expect_used, reason = "a bench over made-up rows has nobody to hand an error to")]

use std::{hint::black_box, sync::Arc};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, StringViewArray};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use herald::{
    config::Key,
    snapshot::{Held, Keys, delta, fingerprints},
};
use herald_destinations::identity::{
    PhoneRegion, Text, normalize_email, normalize_name, normalize_phone, sha256_email, sha256_hex, sha256_phone,
};

/// Rows of one batch of the engine.
const ROWS: u32 = 8192;

/// A column as it comes from Parquet, of made-up texts: the row's number, scrambled, makes each different.
fn column(text: impl Fn(u32) -> String) -> StringViewArray {
    (0..ROWS).map(|row| Some(text(row.wrapping_mul(2_654_435_761)))).collect()
}

fn group(criterion: &mut Criterion) -> BenchmarkGroup<'_, WallTime> {
    let mut group = criterion.benchmark_group("kernels");
    group.throughput(Throughput::Elements(u64::from(ROWS)));
    group
}

fn emails(criterion: &mut Criterion) {
    let clean = column(|n| format!("person.{n}@example.com"));
    let mixed = column(|n| format!(" Person.{n}@Example.COM"));
    let accented = column(|n| format!("Zoë.{n}@Example.com"));
    let mut group = group(criterion);
    for (name, column) in [("clean", &clean), ("mixed case", &mixed), ("accented", &accented)] {
        group.bench_function(format!("normalize_email, {name}"), |b| {
            b.iter(|| black_box(normalize_email(Text::Utf8View(column))))
        });
    }
    group.bench_function("sha256_email, mixed case", |b| b.iter(|| black_box(sha256_email(Text::Utf8View(&mixed)))));
    group.bench_function("sha256_hex", |b| b.iter(|| black_box(sha256_hex(Text::Utf8View(&clean)))));
    group
        .bench_function("normalize_name, mixed case", |b| b.iter(|| black_box(normalize_name(Text::Utf8View(&mixed)))));
}

fn phones(criterion: &mut Criterion) {
    let german = column(|n| format!("+49 170 {:07}", n % 10_000_000));
    let american = column(|n| format!("({}) {:03}-{:04}", 200 + n % 800, 200 + n % 701, n % 10_000));
    let codes = ["+4917", "+3368", "+1650", "+5511", "+4479", "+9198", "+3932", "+8190"];
    let world = column(|n| format!("{}{:08}", codes[n as usize % codes.len()], n % 100_000_000));
    let broken = column(|n| format!("{}", n % 10_000));
    let mut group = group(criterion);
    for (name, column) in
        [("German", &german), ("American", &american), ("of eight countries", &world), ("too short", &broken)]
    {
        group.bench_function(format!("normalize_phone, {name}"), |b| {
            b.iter(|| black_box(normalize_phone(Text::Utf8View(column), PhoneRegion::Same(Some("US")))))
        });
    }
    group.bench_function("sha256_phone, German", |b| {
        b.iter(|| black_box(sha256_phone(Text::Utf8View(&german), PhoneRegion::Same(None))))
    });
}

/// Records as they are compared: keys ascending, a text, a float.
fn records(from: u32) -> (ArrayRef, RecordBatch) {
    let keys: ArrayRef = Arc::new(StringArray::from_iter_values((from..from + ROWS).map(|n| format!("U{n:012}"))));
    let names: ArrayRef =
        Arc::new(StringArray::from_iter_values((from..from + ROWS).map(|n| format!("Name {}", n % 97))));
    let scores: ArrayRef = Arc::new(Float64Array::from_iter_values((from..from + ROWS).map(|n| f64::from(n) * 0.01)));
    let records = RecordBatch::try_from_iter([("id", Arc::clone(&keys)), ("name", names), ("score", scores)]);
    (keys, records.expect("columns of one length"))
}

fn comparing(criterion: &mut Criterion) {
    let secret = Keys::derive(&Key([7; 32]));
    let (keys, wanted) = records(0);
    let prints = fingerprints(&wanted, &secret).expect("types with a fingerprint");
    // An eighth of the members left, as many are new, the rest is the same.
    let (held_keys, held) = records(ROWS / 8);
    let held_prints = fingerprints(&held, &secret).expect("types with a fingerprint");
    let held = Held::held(held_keys, held_prints, 1, None).expect("columns of one length");
    let mut group = group(criterion);
    group.bench_function("fingerprints", |b| b.iter(|| black_box(fingerprints(&wanted, &secret))));
    group.bench_function("delta", |b| b.iter(|| black_box(delta(&keys, &prints, Some(&held)))));
}

criterion_group!(kernels, emails, phones, comparing);
criterion_main!(kernels);
