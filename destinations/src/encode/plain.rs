use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};

/// The types that readers of a file are told: views and dictionaries are ways of the engine to hold values, so
/// the file says `Utf8`, `Binary` or the dictionary's value type in their place. Older readers know no views. Timestamps of
/// seconds are of milliseconds: Parquet has no seconds, and readers would see mere numbers.
pub fn plain_schema(schema: &Schema) -> Schema {
    Schema::new(schema.fields().iter().map(plain_field).collect::<Vec<_>>())
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let data_type = plain_type(field.data_type());
    Arc::new(Field::new(field.name(), data_type, field.is_nullable()))
}

fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Timestamp(TimeUnit::Second, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(plain_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

/// The type in which Parquet can hold a column just as it is: its own, but for timestamps of seconds.
pub(super) fn storable_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Timestamp(TimeUnit::Second, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone.clone()),
        DataType::List(item) => DataType::List(storable_field(item)),
        DataType::LargeList(item) => DataType::LargeList(storable_field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(storable_field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(storable_field).collect()),
        other => other.clone(),
    }
}

pub(super) fn storable_field(field: &FieldRef) -> FieldRef {
    let data_type = storable_type(field.data_type());
    if data_type == *field.data_type() {
        Arc::clone(field)
    } else {
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    }
}
