//! Random rows survive the formats, whatever they hold and however they are cut into batches.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray, RecordBatch,
        StringArray, StringViewArray, TimestampMicrosecondArray,
    },
    buffer::{NullBuffer, OffsetBuffer},
    compute::concat_batches,
    datatypes::{DataType, Field},
};
use herald_destinations::{
    conformance::csv_fields,
    files::{Compression, CsvOptions, FileOptions, Format, Quote},
};
use proptest::{collection::vec, option, prelude::*};

use super::{columns, encode, options};

type Values = (Option<String>, Option<String>, Option<i64>, Option<f64>);

#[derive(Debug, Clone)]
struct Rows {
    texts: Vec<Values>,
    cut: usize,
}

/// Texts that are likely to hold what a format must escape.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a,;\"\t\r\n\\\\' |=@+¦-]{0,6}",
        any::<String>().prop_map(|text| text.chars().take(12).collect()),
        Just("NULL".to_owned()),
    ]
}

fn rows() -> impl Strategy<Value = Rows> {
    let row = (
        option::of(text()),
        option::of(text()),
        option::of(any::<i64>()),
        option::of(prop_oneof![any::<f64>().prop_filter("finite", |value| value.is_finite()), Just(0.1)]),
    );
    (vec(row, 0..40), 0..40_usize).prop_map(|(texts, cut)| Rows { cut: cut.min(texts.len()), texts })
}

fn batches(rows: &Rows) -> [RecordBatch; 2] {
    let batch = columns(vec![
        ("a", Arc::new(rows.texts.iter().map(|row| row.0.as_deref()).collect::<StringArray>()) as ArrayRef),
        ("b", Arc::new(rows.texts.iter().map(|row| row.1.as_deref()).collect::<StringViewArray>())),
        ("c", Arc::new(rows.texts.iter().map(|row| row.2).collect::<Int64Array>())),
        ("d", Arc::new(rows.texts.iter().map(|row| row.3).collect::<Float64Array>())),
    ]);
    assert!(batch.columns().iter().all(|column| column.len() == rows.texts.len()));
    [batch.slice(0, rows.cut), batch.slice(rows.cut, rows.texts.len() - rows.cut)]
}

fn encoded(options: &FileOptions, rows: &Rows) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    String::from_utf8(runtime.block_on(encode(options, &batches(rows)))).expect("UTF-8")
}

/// A row of the types that the text formats have no values of their own for.
type Typed = (Option<bool>, Option<i32>, Option<i64>, Option<i64>, Option<Vec<Option<String>>>);

fn typed() -> impl Strategy<Value = Typed> {
    (
        option::of(any::<bool>()),
        option::of(-800_000..3_000_000_i32),
        option::of(any::<i64>()),
        option::of(-99_999_999_999..=99_999_999_999_i64),
        option::of(vec(option::of(text()), 0..4)),
    )
}

fn typed_columns(rows: &[Typed]) -> Vec<(&'static str, ArrayRef)> {
    let decimals = rows.iter().map(|row| row.3.map(i128::from)).collect::<Decimal128Array>();
    let lists = || rows.iter().map(|row| row.4.as_deref());
    let item = Arc::new(Field::new("item", DataType::Utf8, true));
    let items: StringArray = lists().flatten().flatten().map(Option::as_deref).collect();
    let lengths = OffsetBuffer::from_lengths(lists().map(|list| list.map_or(0, <[_]>::len)));
    let nulls: NullBuffer = lists().map(|list| list.is_some()).collect();
    vec![
        ("flag", Arc::new(rows.iter().map(|row| row.0).collect::<BooleanArray>())),
        ("day", Arc::new(rows.iter().map(|row| row.1).collect::<Date32Array>())),
        ("time", Arc::new(rows.iter().map(|row| row.2).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))),
        ("price", Arc::new(decimals.with_precision_and_scale(12, 3).expect("it fits"))),
        ("list", Arc::new(ListArray::new(item, lengths, Arc::new(items), Some(nulls)))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn parquet_reads_back(
        rows in rows(),
        typed in vec(typed(), 40),
        compression in prop_oneof![Just(Compression::None), Just(Compression::Snappy), Just(Compression::Zstd)],
    ) {
        let count = rows.texts.len();
        let [first, second] = batches(&rows);
        let texts = concat_batches(&first.schema(), [&first, &second]).expect("one schema");
        let mut all = typed_columns(&typed[..count]);
        all.extend(["a", "b", "c", "d"].into_iter().zip(texts.columns().iter().cloned()));
        let whole = columns(all);
        let parts = [whole.slice(0, rows.cut), whole.slice(rows.cut, count - rows.cut)];
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let content = runtime.block_on(encode(&options(Format::Parquet, compression), &parts));
        prop_assert_eq!(super::parquet::read(content), super::parquet::plain(&whole));
    }

    #[test]
    fn csv_reads_back(
        rows in rows(),
        delimiter in proptest::sample::select(",;\t|-:^#/~_¦€".chars().collect::<Vec<_>>()),
        quote in prop_oneof![Just(Quote::Minimal), Just(Quote::Text), Just(Quote::All)],
        header in any::<bool>(),
        guard in any::<bool>(),
        bom in any::<bool>(),
    ) {
        let csv = CsvOptions { delimiter, header, quote, formula_guard: guard, bom, ..CsvOptions::default() };
        let options = FileOptions { csv, ..options(Format::Csv, Compression::None) };
        let text = encoded(&options, &rows);
        prop_assert_eq!(text.starts_with('\u{feff}') && bom, bom);
        let mut records = csv_fields(text.strip_prefix(if bom { "\u{feff}" } else { "" }).unwrap_or_default(), delimiter);
        if header {
            prop_assert_eq!(records.remove(0), ["a", "b", "c", "d"].map(|name| Some(name.to_owned())));
        }
        prop_assert_eq!(records.len(), rows.texts.len());
        for (record, (a, b, c, d)) in records.iter().zip(&rows.texts) {
            for (found, wanted) in [(&record[0], a), (&record[1], b)] {
                let starts = |text: &str| text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']);
                let expected = wanted.as_ref().map(|text| if guard && starts(text) { format!("'{text}") } else { text.clone() });
                prop_assert_eq!(found, &expected);
            }
            prop_assert_eq!(record[2].as_ref().map(|text| text.parse::<i64>().expect("a number")), *c);
            let found = record[3].as_ref().map(|text| text.parse::<f64>().expect("a float"));
            prop_assert_eq!(found.map(f64::to_bits), d.map(f64::to_bits));
        }
    }

    #[test]
    fn ndjson_reads_back(rows in rows()) {
        let text = encoded(&options(Format::Ndjson, Compression::None), &rows);
        let objects: Vec<serde_json::Map<String, serde_json::Value>> =
            text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
        prop_assert_eq!(objects.len(), rows.texts.len());
        for (object, (a, b, c, d)) in objects.iter().zip(&rows.texts) {
            prop_assert_eq!(object.len(), 4);
            prop_assert_eq!(object["a"].as_str(), a.as_deref());
            prop_assert_eq!(object["b"].as_str(), b.as_deref());
            prop_assert_eq!(object["c"].as_i64(), *c);
            // serde_json rounds the last digit unless asked not to, so its text is parsed instead.
            let (found, wanted) = (object["d"].as_f64(), *d);
            prop_assert_eq!(found.is_some(), wanted.is_some());
            if let (Some(found), Some(wanted)) = (found, wanted) {
                let near = (found - wanted).abs() <= (wanted.abs() * 1e-15).max(f64::MIN_POSITIVE);
                prop_assert!(near, "{} {}", found, wanted);
            }
        }
    }
}
