use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, BinaryArray, Date32Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
        StringArray, TimestampMicrosecondArray, TimestampSecondArray,
    },
    csv::ReaderBuilder,
    datatypes::Int32Type,
    util::display::{ArrayFormatter, FormatOptions},
};
use herald_destinations::{
    conformance::{csv_fields, every_type},
    files::{Compression, CsvOptions, FileOptions, Format, Quote},
};

use super::{columns, encode, options};

async fn csv(csv: CsvOptions, batch: RecordBatch) -> String {
    let options = FileOptions { csv, ..options(Format::Csv, Compression::None) };
    String::from_utf8(encode(&options, &[batch]).await).expect("UTF-8")
}

async fn column(dialect: CsvOptions, array: impl Array + 'static) -> String {
    csv(dialect, columns(vec![("x", Arc::new(array) as ArrayRef)])).await
}

fn bare() -> CsvOptions {
    CsvOptions { header: false, ..CsvOptions::default() }
}

#[tokio::test]
async fn every_type_with_nulls_has_a_text() {
    let batch = every_type();
    let text = csv(CsvOptions::default(), batch.clone()).await;
    let mut records = csv_fields(&text, ',').into_iter();
    let names: Vec<_> = records.next().expect("a header").into_iter().flatten().collect();
    let records: Vec<_> = records.collect();
    assert_eq!(names, batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>());
    assert_eq!(records.len(), batch.num_rows());
    let shown = FormatOptions::default();
    for (index, name) in names.iter().enumerate() {
        let array = batch.column(index);
        let formatter = ArrayFormatter::try_new(array, &shown).expect("a type that can be shown");
        for (row, record) in records.iter().enumerate() {
            let expected = match name.as_str() {
                _ if array.logical_nulls().is_some_and(|nulls| nulls.is_null(row)) => None,
                // The one type whose text is JSON.
                "list" => Some(["[\"a\",null,\"b,\\\"c\\\"\"]", "", "[]"][row].to_owned()),
                _ => Some(formatter.value(row).to_string()),
            };
            assert_eq!(record[index], expected, "{name}, row {row}");
        }
    }
}

#[tokio::test]
async fn an_empty_string_is_quoted_and_a_null_is_not() {
    let batch = columns(vec![
        ("a", Arc::new(StringArray::from(vec![Some(""), None, Some("x")]))),
        ("b", Arc::new(Int32Array::from(vec![None, Some(1), Some(2)]))),
    ]);
    assert_eq!(csv(CsvOptions::default(), batch).await, "a,b\n\"\",\n,1\nx,2\n");
}

#[tokio::test]
async fn quotes_stand_where_they_must() {
    let texts = vec!["plain", "a,b", "a\"b", "\"", "a\nb", "a\rb", " a ", "a;b", "ä", "a\"\"b,"];
    assert_eq!(
        column(bare(), StringArray::from(texts)).await,
        "plain\n\"a,b\"\n\"a\"\"b\"\n\"\"\"\"\n\"a\nb\"\n\"a\rb\"\n a \na;b\nä\n\"a\"\"\"\"b,\"\n"
    );
}

#[tokio::test]
async fn quote_all_spares_nulls_alone() {
    let batch = columns(vec![
        ("a\"b", Arc::new(StringArray::from(vec![Some("x"), None, Some("")]))),
        ("n", Arc::new(Int32Array::from(vec![Some(-5), None, Some(0)]))),
    ]);
    let dialect = CsvOptions { quote: Quote::All, null: "NULL".to_owned(), ..CsvOptions::default() };
    assert_eq!(csv(dialect, batch).await, "\"a\"\"b\",\"n\"\n\"x\",\"-5\"\nNULL,NULL\n\"\",\"0\"\n");
}

#[tokio::test]
async fn a_value_that_looks_like_null_is_quoted() {
    let dialect = |null: &str| CsvOptions { null: null.to_owned(), ..bare() };
    let texts = StringArray::from(vec![Some("NULL"), None, Some("null"), Some("")]);
    assert_eq!(column(dialect("NULL"), texts).await, "\"NULL\"\nNULL\nnull\n\"\"\n");
    assert_eq!(column(dialect("0"), Int64Array::from(vec![Some(0), None, Some(10)])).await, "\"0\"\n0\n10\n");
}

#[tokio::test]
async fn other_delimiters_are_quoted_in_their_turn() {
    let dialect = |delimiter| CsvOptions { delimiter, ..bare() };
    let texts = || StringArray::from(vec!["a,b", "a;b", "a\tb"]);
    assert_eq!(column(dialect(';'), texts()).await, "a,b\n\"a;b\"\na\tb\n");
    assert_eq!(column(dialect('\t'), texts()).await, "a,b\na;b\n\"a\tb\"\n");
    // Even one that numbers and dates hold.
    assert_eq!(column(dialect('-'), Int64Array::from(vec![-1, 1])).await, "\"-1\"\n1\n");
    assert_eq!(column(dialect('.'), Float64Array::from(vec![1.5])).await, "\"1.5\"\n");
    assert_eq!(column(dialect(':'), TimestampSecondArray::from(vec![0])).await, "\"1970-01-01T00:00:00\"\n");
    assert_eq!(column(dialect('1'), Int64Array::from(vec![21, 2])).await, "\"21\"\n2\n");
}

#[tokio::test]
async fn every_delimiter_of_data_cloud_serves_also_the_one_of_two_bytes() {
    for delimiter in [',', '\t', '|', ';', ':', '^', '#', '/', '~', '_', '¦'] {
        let batch = columns(vec![
            ("a", Arc::new(StringArray::from(vec![format!("x{delimiter}y"), "Â plain".to_owned()])) as ArrayRef),
            ("n", Arc::new(Int64Array::from(vec![-5, 7]))),
            ("b", Arc::new(StringArray::from(vec![Some("z"), None]))),
        ]);
        let d = delimiter;
        let text = csv(CsvOptions { delimiter, ..CsvOptions::default() }, batch).await;
        assert_eq!(text, format!("a{d}n{d}b\n\"x{d}y\"{d}-5{d}z\nÂ plain{d}7{d}\n"));
    }
}

#[tokio::test]
async fn quote_text_leaves_numbers_bare() {
    let batch = columns(vec![
        ("t", Arc::new(StringArray::from(vec![Some("x"), None])) as ArrayRef),
        ("n", Arc::new(Int64Array::from(vec![5, 7]))),
        ("d", Arc::new(Date32Array::from(vec![0, 1]))),
        ("c", Arc::new([Some("k"), Some("l")].into_iter().collect::<DictionaryArray<Int32Type>>())),
    ]);
    let dialect = CsvOptions { quote: Quote::Text, ..CsvOptions::default() };
    assert_eq!(csv(dialect, batch).await, "\"t\",\"n\",\"d\",\"c\"\n\"x\",5,1970-01-01,\"k\"\n,7,1970-01-02,\"l\"\n");
}

#[tokio::test]
async fn a_text_that_a_spreadsheet_would_run_gets_an_apostrophe_only_when_asked_for() {
    let texts = || StringArray::from(vec!["=1+1", "+49 30", "-x", "@a", "\ta", "\ra", "a=b", "", "'=1", "'a", "5"]);
    let plain = "=1+1\n+49 30\n-x\n@a\n\ta\n\"\ra\"\na=b\n\"\"\n'=1\n'a\n5\n";
    assert_eq!(column(bare(), texts()).await, plain);
    let guarded = "'=1+1\n'+49 30\n'-x\n'@a\n'\ta\n\"'\ra\"\na=b\n\"\"\n''=1\n'a\n5\n";
    let dialect = || CsvOptions { formula_guard: true, ..bare() };
    assert_eq!(column(dialect(), texts()).await, guarded);
    assert_eq!(column(dialect(), Int64Array::from(vec![-1, 1])).await, "-1\n1\n", "numbers stay numbers");
    let words: DictionaryArray<Int32Type> = [Some("=a"), Some("b")].into_iter().collect();
    assert_eq!(column(dialect(), words).await, "'=a\nb\n");
}

#[tokio::test]
async fn a_byte_order_mark_stands_once_at_the_start() {
    let dialect = CsvOptions { bom: true, ..CsvOptions::default() };
    assert_eq!(column(dialect.clone(), Int64Array::from(vec![1, 2])).await, "\u{feff}x\n1\n2\n");
    assert_eq!(column(CsvOptions { header: false, ..dialect.clone() }, Int64Array::from(vec![1])).await, "\u{feff}1\n");
    let many = Int64Array::from_iter_values(0..40_000);
    assert_eq!(column(dialect, many).await.matches('\u{feff}').count(), 1);
}

#[tokio::test]
async fn numbers_and_times_are_exact() {
    let floats = vec![0.1, -0.0, 1e300, 1.0, f64::NAN, f64::INFINITY, 123_456.789];
    assert_eq!(column(bare(), Float64Array::from(floats)).await, "0.1\n-0.0\n1e300\n1.0\nNaN\ninf\n123456.789\n");
    let days = Date32Array::from(vec![0, -1, 20_779, 11_016, -719_162, 2_932_896]);
    assert_eq!(column(bare(), days).await, "1970-01-01\n1969-12-31\n2026-11-22\n2000-02-29\n0001-01-01\n9999-12-31\n");
    let micros = TimestampMicrosecondArray::from(vec![0, -1, 1_500_000, 1_000_001]);
    assert_eq!(
        column(bare(), micros.clone()).await,
        "1970-01-01T00:00:00\n1969-12-31T23:59:59.999999\n1970-01-01T00:00:01.500\n1970-01-01T00:00:01.000001\n"
    );
    assert_eq!(column(bare(), micros.slice(0, 1).with_timezone_utc()).await, "1970-01-01T00:00:00Z\n");
    assert_eq!(column(bare(), micros.slice(0, 1).with_timezone("+02:00")).await, "1970-01-01T02:00:00+02:00\n");
    assert_eq!(column(bare(), BinaryArray::from(vec![&[0xde_u8, 0xad][..], &[]])).await, "dead\n\"\"\n");
}

#[tokio::test]
async fn a_dictionary_shows_its_values() {
    let words: DictionaryArray<Int32Type> = [Some("a,b"), None, Some("x"), Some("a,b")].into_iter().collect();
    assert_eq!(column(bare(), words).await, "\"a,b\"\n\nx\n\"a,b\"\n");
}

#[tokio::test]
async fn arrows_own_reader_reads_it_back() {
    let batch = columns(vec![
        ("text", Arc::new(StringArray::from(vec![Some("a,\"b\"\nc"), Some("d"), None]))),
        ("number", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(7)]))),
        ("day", Arc::new(Date32Array::from(vec![Some(20_779), None, Some(-1)]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_795_156_215_000_001), None, Some(-1)]))),
        ("share", Arc::new(Float64Array::from(vec![Some(0.1), Some(-1e-7), None]))),
    ]);
    let text = csv(CsvOptions::default(), batch.clone()).await;
    let mut reader = ReaderBuilder::new(batch.schema()).with_header(true).build(text.as_bytes()).expect("a reader");
    assert_eq!(reader.next().expect("a batch").expect("rows"), batch);
}
