use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use arrow::{
    array::{Array, ArrayAccessor, AsArray, BooleanArray, Decimal128Array, DictionaryArray, PrimitiveArray},
    datatypes::{
        ArrowDictionaryKeyType, ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Field,
        FieldRef, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
        UInt64Type,
    },
    downcast_dictionary_array,
    error::ArrowError,
    json::writer::{EncoderOptions, NullableEncoder, make_encoder},
    util::display::{ArrayFormatter, FormatOptions},
};

use super::{
    number::{write_decimal, write_int},
    time::{write_date, write_timestamp},
};

/// Writes the values of one column as text, without quotes.
pub(super) trait Cell {
    /// Appends the value of a row that is not null.
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError>;

    /// Whether values hold digits, letters and `+-.:` alone, and are never empty.
    fn is_plain(&self) -> bool;

    /// Whether values are texts, rather than the text form of something else.
    fn is_text(&self) -> bool {
        false
    }
}

/// The cell for a column, by its type.
pub(super) fn cell<'a>(array: &'a dyn Array) -> Result<Box<dyn Cell + 'a>, ArrowError> {
    Ok(match array.data_type() {
        DataType::Utf8 => Box::new(Text(array.as_string::<i32>())),
        DataType::LargeUtf8 => Box::new(Text(array.as_string::<i64>())),
        DataType::Utf8View => Box::new(Text(array.as_string_view())),
        DataType::Binary => Box::new(Hex(array.as_binary::<i32>())),
        DataType::LargeBinary => Box::new(Hex(array.as_binary::<i64>())),
        DataType::BinaryView => Box::new(Hex(array.as_binary_view())),
        DataType::FixedSizeBinary(_) => Box::new(Hex(array.as_fixed_size_binary())),
        DataType::Boolean => Box::new(Truth(array.as_boolean())),
        DataType::Int8 => Box::new(Int(array.as_primitive::<Int8Type>())),
        DataType::Int16 => Box::new(Int(array.as_primitive::<Int16Type>())),
        DataType::Int32 => Box::new(Int(array.as_primitive::<Int32Type>())),
        DataType::Int64 => Box::new(Int(array.as_primitive::<Int64Type>())),
        DataType::UInt8 => Box::new(Int(array.as_primitive::<UInt8Type>())),
        DataType::UInt16 => Box::new(Int(array.as_primitive::<UInt16Type>())),
        DataType::UInt32 => Box::new(Int(array.as_primitive::<UInt32Type>())),
        DataType::UInt64 => Box::new(Int(array.as_primitive::<UInt64Type>())),
        DataType::Decimal128(_, scale) if *scale >= 0 => {
            Box::new(Decimal { array: array.as_primitive::<Decimal128Type>(), scale: scale.unsigned_abs() })
        }
        DataType::Date32 => Box::new(Day { array: array.as_primitive::<Date32Type>(), rest: Shown::new(array)? }),
        DataType::Timestamp(unit, zone) if zone.as_deref().is_none_or(is_utc) => {
            let mark = if zone.is_some() { "Z" } else { "" };
            match unit {
                TimeUnit::Second => stamp::<TimestampSecondType>(array, 1, mark)?,
                TimeUnit::Millisecond => stamp::<TimestampMillisecondType>(array, 1_000, mark)?,
                TimeUnit::Microsecond => stamp::<TimestampMicrosecondType>(array, 1_000_000, mark)?,
                TimeUnit::Nanosecond => stamp::<TimestampNanosecondType>(array, 1_000_000_000, mark)?,
            }
        }
        DataType::Dictionary(_, _) => downcast_dictionary_array! {
            array => dictionary(array)?,
            other => return Err(ArrowError::CsvError(format!("no text form for {other}"))),
        },
        nested if nested.is_nested() => Box::new(Json(make_encoder(&ITEM, array, &JSON)?)),
        _ => Box::new(Shown::new(array)?),
    })
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Etc/UTC" | "+00:00")
}

struct Text<A>(A);

impl<'a, A: ArrayAccessor<Item = &'a str>> Cell for Text<A> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        out.extend_from_slice(self.0.value(row).as_bytes());
        Ok(())
    }

    fn is_plain(&self) -> bool {
        false
    }

    fn is_text(&self) -> bool {
        true
    }
}

/// Lower-case hex.
struct Hex<A>(A);

impl<'a, A: ArrayAccessor<Item = &'a [u8]>> Cell for Hex<A> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        let bytes = self.0.value(row);
        let start = out.len();
        out.resize(start + bytes.len() * 2, 0);
        faster_hex::hex_encode(bytes, &mut out[start..])
            .map(drop)
            .map_err(|error| ArrowError::CsvError(error.to_string()))
    }

    fn is_plain(&self) -> bool {
        false
    }
}

struct Truth<'a>(&'a BooleanArray);

impl Cell for Truth<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        out.extend_from_slice(if self.0.value(row) { b"true" } else { b"false" });
        Ok(())
    }

    fn is_plain(&self) -> bool {
        true
    }
}

struct Int<'a, T: ArrowPrimitiveType>(&'a PrimitiveArray<T>);

impl<T: ArrowPrimitiveType> Cell for Int<'_, T>
where
    T::Native: Into<i128>,
{
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        write_int(self.0.value(row).into(), out);
        Ok(())
    }

    fn is_plain(&self) -> bool {
        true
    }
}

struct Decimal<'a> {
    array: &'a Decimal128Array,
    scale: u8,
}

impl Cell for Decimal<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        write_decimal(self.array.value(row), usize::from(self.scale), out);
        Ok(())
    }

    fn is_plain(&self) -> bool {
        true
    }
}

struct Day<'a> {
    array: &'a PrimitiveArray<Date32Type>,
    rest: Shown<'a>,
}

impl Cell for Day<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        if write_date(i64::from(self.array.value(row)), out) { Ok(()) } else { self.rest.write(row, out) }
    }

    fn is_plain(&self) -> bool {
        true
    }
}

struct Stamp<'a, T: ArrowPrimitiveType> {
    array: &'a PrimitiveArray<T>,
    /// Units a second.
    unit: i64,
    /// `Z` or nothing.
    mark: &'static str,
    rest: Shown<'a>,
}

fn stamp<'a, T: ArrowPrimitiveType<Native = i64>>(
    array: &'a dyn Array,
    unit: i64,
    mark: &'static str,
) -> Result<Box<dyn Cell + 'a>, ArrowError> {
    Ok(Box::new(Stamp { array: array.as_primitive::<T>(), unit, mark, rest: Shown::new(array)? }))
}

impl<T: ArrowPrimitiveType<Native = i64>> Cell for Stamp<'_, T> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        if write_timestamp(self.array.value(row), self.unit, out) {
            out.extend_from_slice(self.mark.as_bytes());
            return Ok(());
        }
        self.rest.write(row, out)
    }

    fn is_plain(&self) -> bool {
        true
    }
}

/// Values by their place among the dictionary's.
struct Indirect<'a, K: ArrowDictionaryKeyType> {
    keys: &'a PrimitiveArray<K>,
    values: Box<dyn Cell + 'a>,
}

fn dictionary<K: ArrowDictionaryKeyType>(array: &DictionaryArray<K>) -> Result<Box<dyn Cell + '_>, ArrowError> {
    Ok(Box::new(Indirect { keys: array.keys(), values: cell(array.values().as_ref())? }))
}

impl<K: ArrowDictionaryKeyType> Cell for Indirect<'_, K> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        self.values.write(self.keys.value(row).as_usize(), out)
    }

    fn is_plain(&self) -> bool {
        self.values.is_plain()
    }

    fn is_text(&self) -> bool {
        self.values.is_text()
    }
}

/// Lists, structs and maps as JSON text.
struct Json<'a>(NullableEncoder<'a>);

/// The encoder asks for a field and reads its nested names from it; the array's own type says the rest.
static ITEM: LazyLock<FieldRef> = LazyLock::new(|| Arc::new(Field::new("item", DataType::Null, true)));
static JSON: LazyLock<EncoderOptions> = LazyLock::new(|| EncoderOptions::default().with_explicit_nulls(true));

impl Cell for Json<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        self.0.encode(row, out);
        Ok(())
    }

    fn is_plain(&self) -> bool {
        false
    }
}

/// Everything else as Arrow shows it: floats in the shortest form that reads back equal, times by ISO 8601.
struct Shown<'a>(ArrayFormatter<'a>);

impl<'a> Shown<'a> {
    fn new(array: &'a dyn Array) -> Result<Self, ArrowError> {
        Ok(Self(ArrayFormatter::try_new(array, &SHOWN)?))
    }
}

const SHOWN: FormatOptions<'static> = FormatOptions::new().with_display_error(false);

impl Cell for Shown<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        // The text of an error names the value: it is left out.
        self.0
            .value(row)
            .write(&mut Utf8(out))
            .map_err(|_| ArrowError::CsvError("a value is outside of what its type can show".to_owned()))
    }

    fn is_plain(&self) -> bool {
        false
    }
}

struct Utf8<'a>(&'a mut Vec<u8>);

impl fmt::Write for Utf8<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
