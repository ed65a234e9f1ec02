use std::sync::Arc;

use arrow::array::{Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field};
use herald_destinations::{
    conformance::every_type,
    files::{Compression, Format},
};
use serde_json::{Value, json};

use super::{columns, encode, options};

async fn lines(batch: arrow::array::RecordBatch) -> Vec<Value> {
    let text = encode(&options(Format::Ndjson, Compression::None), &[batch]).await;
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

#[tokio::test]
async fn every_type_with_nulls_has_a_json_value() {
    let rows = lines(every_type()).await;
    assert_eq!(
        rows[0],
        json!({
            "id": "m000000", "utf8": "ä, \"b\"\n", "large_utf8": "x", "utf8_view": "short", "boolean": true,
            "int8": -128, "int16": -32_768, "int32": i32::MIN, "int64": i64::MIN, "uint8": 0, "uint16": 0, "uint32": 0,
            "uint64": 0, "float32": 1.5, "float64": 0.1, "decimal": -123.45, "date32": "2026-11-22",
            "seconds": "2026-11-20T06:30:15", "millis": "2026-11-20T06:30:15.007",
            "micros": "2026-11-20T06:30:15.000007", "nanos": "2026-11-20T06:30:15.000000007",
            "zoned": "2026-11-20T06:30:15Z", "offset": "2026-11-20T08:30:15+02:00",
            "list": ["a", null, "b,\"c\""], "binary": "00abff", "dictionary": "gold",
        })
    );
    let second = rows[1].as_object().expect("an object");
    assert_eq!(second.len(), every_type().num_columns(), "nulls are written");
    assert!(second.iter().all(|(name, value)| name == "id" || value.is_null()), "{second:?}");
    assert_eq!(rows[2]["uint64"], json!(u64::MAX));
    assert_eq!(rows[2]["list"], json!([]));
    assert_eq!(rows[2]["binary"], json!(""));
    let names: Vec<&String> = second.keys().collect();
    let schema = every_type().schema();
    assert_eq!(names, schema.fields().iter().map(|field| field.name()).collect::<Vec<_>>(), "order of the columns");
}

#[tokio::test]
async fn control_characters_and_nested_nulls_are_kept() {
    let inner = StructArray::from(vec![(
        Arc::new(Field::new("a", DataType::Int64, true)),
        Arc::new(Int64Array::from(vec![None, Some(1)])) as _,
    )]);
    let batch = columns(vec![
        ("te\"xt", Arc::new(StringArray::from(vec!["\u{0}\u{1f}\u{7f}\t\\", "\u{1F600}\u{2028}"]))),
        ("nested", Arc::new(inner)),
    ]);
    assert_eq!(
        lines(batch).await,
        [
            json!({ "te\"xt": "\u{0}\u{1f}\u{7f}\t\\", "nested": { "a": null } }),
            json!({ "te\"xt": "\u{1F600}\u{2028}", "nested": { "a": 1 } }),
        ]
    );
}
