//! Publishes to deliver.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
        Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, ListBuilder, RecordBatch, StringArray,
        StringBuilder, StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
        TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array, new_null_array,
    },
    datatypes::{DataType, Field, Int32Type, Schema, SchemaRef},
};
use chrono::{TimeZone, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    contract::{Batch, Mode, Op, PublishContext},
    files::FileOptions,
};

/// The sample's columns: `id` (the member's key), `email`, `score`.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("email", DataType::Utf8, true),
        Field::new("score", DataType::Int64, true),
    ]))
}

/// A publish of the sample, the first of its activation, with default files.
pub fn context(mode: Mode) -> PublishContext {
    PublishContext {
        publish: Uuid::now_v7(),
        sequence: 1,
        previous: None,
        activation: "gold_to_partner".to_owned(),
        segment: "gold_buyers".to_owned(),
        mode,
        started_at: Utc.with_ymd_and_hms(2026, 11, 22, 6, 30, 15).single().expect("a time"),
        schema: schema(),
        member_type: DataType::Utf8,
        files: FileOptions::default(),
        cancel: CancellationToken::new(),
    }
}

/// The key of sample member `index`.
pub fn key(index: usize) -> String {
    format!("m{index:06}")
}

/// `rows` sample members from number `first` on. Every seventh score and every eleventh address is null; some
/// addresses hold what file formats must escape.
pub fn batch(op: Op, first: usize, rows: usize) -> Batch {
    let keys: Vec<String> = (first..first + rows).map(key).collect();
    let members: ArrayRef = Arc::new(StringArray::from(keys.clone()));
    let schema = schema();
    let columns: Vec<ArrayRef> = if op == Op::Remove {
        schema.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect()
    } else {
        let emails = (first..first + rows).map(|index| match index % 11 {
            0 => None,
            1 => Some(format!("quo\"ted,{index}\n@example.com")),
            2 => Some(String::new()),
            _ => Some(format!("person{index}@example.com")),
        });
        let scores = (first..first + rows).map(|index| (index % 7 != 0).then_some(index as i64 * 31 - 500));
        vec![
            Arc::new(StringArray::from(keys)),
            Arc::new(emails.collect::<StringArray>()),
            Arc::new(scores.collect::<Int64Array>()),
        ]
    };
    Batch { op, members, rows: RecordBatch::try_new(schema, columns).expect("columns of the sample"), changes: None }
}

/// One column of each type that a record may have, every one with a null; `id` first, keys as [`key`] gives them.
pub fn every_type() -> RecordBatch {
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("a"), None, Some("b,\"c\"")]);
    list.append_null();
    list.append_value(Vec::<Option<&str>>::new());
    let stamp = 1_795_156_215;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(StringArray::from(vec![key(0), key(1), key(2)]))),
        ("utf8", Arc::new(StringArray::from(vec![Some("ä, \"b\"\n"), None, Some("")]))),
        ("large_utf8", Arc::new(LargeStringArray::from(vec![Some("x"), None, Some("long text")]))),
        ("utf8_view", Arc::new(StringViewArray::from(vec![Some("short"), None, Some("longer than twelve bytes")]))),
        ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("int8", Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)]))),
        ("int16", Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)]))),
        ("int32", Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)]))),
        ("int64", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)]))),
        ("uint8", Arc::new(UInt8Array::from(vec![Some(0), None, Some(u8::MAX)]))),
        ("uint16", Arc::new(UInt16Array::from(vec![Some(0), None, Some(u16::MAX)]))),
        ("uint32", Arc::new(UInt32Array::from(vec![Some(0), None, Some(u32::MAX)]))),
        ("uint64", Arc::new(UInt64Array::from(vec![Some(0), None, Some(u64::MAX)]))),
        ("float32", Arc::new(Float32Array::from(vec![Some(1.5), None, Some(-0.1)]))),
        ("float64", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(-1.0e-300)]))),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from(vec![Some(-12_345), None, Some(7)])
                    .with_precision_and_scale(20, 2)
                    .expect("a precision"),
            ),
        ),
        ("date32", Arc::new(Date32Array::from(vec![Some(20_779), None, Some(-1)]))),
        ("seconds", Arc::new(TimestampSecondArray::from(vec![Some(stamp), None, Some(0)]))),
        ("millis", Arc::new(TimestampMillisecondArray::from(vec![Some(stamp * 1_000 + 7), None, Some(-1)]))),
        ("micros", Arc::new(TimestampMicrosecondArray::from(vec![Some(stamp * 1_000_000 + 7), None, Some(-1)]))),
        ("nanos", Arc::new(TimestampNanosecondArray::from(vec![Some(stamp * 1_000_000_000 + 7), None, Some(0)]))),
        (
            "zoned",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(stamp * 1_000_000), None, Some(1)]).with_timezone("UTC"),
            ),
        ),
        (
            "offset",
            Arc::new(TimestampMillisecondArray::from(vec![Some(stamp * 1_000), None, Some(1)]).with_timezone("+02:00")),
        ),
        ("list", Arc::new(list.finish())),
        ("binary", Arc::new(BinaryArray::from(vec![Some(&[0x00_u8, 0xab, 0xff][..]), None, Some(&[][..])]))),
        (
            "dictionary",
            Arc::new([Some("gold"), None, Some("gold")].into_iter().collect::<DictionaryArray<Int32Type>>()),
        ),
    ];
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect()).expect("columns of one length")
}
