//! Fingerprints of records: keyed, 128 bits, equal exactly when the records are the same to a reader.
//!
//! Integers of any width with the same value are the same; so are texts of any Arrow layout. Floats are compared
//! at 12 significant digits, since sums over rows in another order differ in the last ones.

use std::{hash::Hasher, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch},
    buffer::Buffer,
    compute::cast,
    datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type},
    error::ArrowError,
    row::{RowConverter, SortField},
};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::secret::Keys;

/// Bytes of a fingerprint.
pub(super) const WIDTH: i32 = 16;

/// One fingerprint a row. Field names count, and so do the forms of their values: a renamed field is a changed record,
/// and so is one that was the float 0 and is the integer 0 now.
///
/// # Errors
/// When a column is of a type that has no canonical form.
pub fn fingerprints(records: &RecordBatch, secret: &Keys) -> Result<FixedSizeBinaryArray, ArrowError> {
    let (first, second) = seed(records, secret);
    let columns = records.columns().iter().map(Column::new).collect::<Result<Vec<_>, _>>()?;
    let mut out = Vec::with_capacity(records.num_rows() * WIDTH as usize);
    let mut record = Vec::with_capacity(256);
    for row in 0..records.num_rows() {
        record.clear();
        for column in &columns {
            column.append(row, &mut record);
        }
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(&record);
        let hash = hasher.finish128();
        out.extend_from_slice(&hash.h1.to_le_bytes());
        out.extend_from_slice(&hash.h2.to_le_bytes());
    }
    FixedSizeBinaryArray::try_new(WIDTH, Buffer::from_vec(out), None)
}

/// Folds the fields' names and forms into the key, once for all rows.
fn seed(records: &RecordBatch, secret: &Keys) -> (u64, u64) {
    let (first, second) = secret.fingerprint;
    let mut hasher = SipHasher13::new_with_keys(first, second);
    for field in records.schema_ref().fields() {
        hasher.write(field.name().as_bytes());
        hasher.write(&[0, form(field.data_type())]);
    }
    let hash = hasher.finish128();
    (hash.h1, hash.h2)
}

/// Tells apart values that may have the same canonical bytes: those of another kind, and their nulls.
fn form(data_type: &DataType) -> u8 {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => 1,
        DataType::Dictionary(_, values) => form(values),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => 2,
        DataType::Boolean => 3,
        DataType::Decimal128(..) => 4,
        DataType::Date32 => 5,
        DataType::Timestamp(..) => 6,
        whole if whole.is_integer() => 7,
        _ => 8,
    }
}

/// A column, ready to hand out the canonical bytes of a row.
pub(super) enum Column {
    Text(arrow::array::StringArray),
    Bytes(arrow::array::BinaryArray),
    Integer(arrow::array::Int64Array),
    Float(arrow::array::Float64Array),
    Boolean(arrow::array::BooleanArray),
    Decimal(arrow::array::Decimal128Array, i8),
    Date(arrow::array::Date32Array),
}

impl Column {
    pub(super) fn new(array: &ArrayRef) -> Result<Self, ArrowError> {
        let to = |data_type| cast(array, &data_type);
        Ok(match array.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
                Self::Text(to(DataType::Utf8)?.as_string::<i32>().clone())
            }
            DataType::Dictionary(_, values) => return Self::new(&cast(array, values)?),
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => Self::Integer(to(DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                Self::Float(to(DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Decimal128(_, scale) => Self::Decimal(array.as_primitive::<Decimal128Type>().clone(), *scale),
            DataType::Date32 => Self::Date(array.as_primitive::<Date32Type>().clone()),
            DataType::Timestamp(_, _) => Self::Integer(to(DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            DataType::List(_) | DataType::LargeList(_) if floats(array.data_type()) => {
                return Self::new(&cast(array, &DataType::Utf8)?);
            }
            other => {
                // Lists, structs, times: arrow's row format is canonical for a type.
                let converter = RowConverter::new(vec![SortField::new(other.clone())])?;
                let rows = converter.convert_columns(&[Arc::clone(array)])?.try_into_binary()?;
                Self::Bytes(rows)
            }
        })
    }

    /// Every value begins with something that says null or not, and texts with their length, so that no two rows of
    /// different values have the same bytes.
    pub(super) fn append(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Text(array) => sized((!array.is_null(row)).then(|| array.value(row).as_bytes()), out),
            Self::Bytes(array) => sized((!array.is_null(row)).then(|| array.value(row)), out),
            Self::Integer(array) => fixed(array.is_null(row), array.value(row).to_le_bytes(), out),
            Self::Float(array) => {
                let (digits, exponent) = significant(array.value(row));
                // Twelve digits take 41 bits with their sign; the exponent has the rest.
                let packed = (digits << 20) ^ i64::from(exponent & 0xf_ffff);
                fixed(array.is_null(row), packed.to_le_bytes(), out);
            }
            Self::Boolean(array) => fixed(array.is_null(row), [u8::from(array.value(row))], out),
            Self::Decimal(array, scale) => {
                fixed(array.is_null(row), array.value(row).to_le_bytes(), out);
                out.push(scale.to_le_bytes()[0]);
            }
            Self::Date(array) => fixed(array.is_null(row), array.value(row).to_le_bytes(), out),
        }
    }
}

fn fixed<const N: usize>(null: bool, bytes: [u8; N], out: &mut Vec<u8>) {
    out.push(u8::from(!null));
    if !null {
        out.extend_from_slice(&bytes);
    }
}

/// The length counts from 1: 0 is null.
fn sized(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match bytes {
        None => out.extend_from_slice(&[0; 4]),
        Some(bytes) => {
            // An array of texts holds less than 2 GiB.
            out.extend_from_slice(&(bytes.len() as u32 + 1).to_le_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

fn floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(field) | DataType::LargeList(field) => {
            matches!(field.data_type(), DataType::Float32 | DataType::Float64)
        }
        _ => false,
    }
}

/// A float as 12 significant decimal digits and their exponent. Both zeros are the same, and so are all NaNs.
fn significant(value: f64) -> (i64, i32) {
    if value == 0.0 {
        return (0, 0);
    }
    if !value.is_finite() {
        return (if value.is_nan() { 0 } else { value.signum() as i64 }, i32::from(i16::MAX));
    }
    let exponent = decimal_exponent(value);
    let digits = scaled(value, 11 - exponent).round() as i64;
    // The exponent may be off by one, and rounding may carry: one form for both.
    if digits.abs() >= 1_000_000_000_000 {
        ((digits + 5 * digits.signum()) / 10, exponent + 1)
    } else if digits.abs() < 100_000_000_000 {
        (scaled(value, 12 - exponent).round() as i64, exponent - 1)
    } else {
        (digits, exponent)
    }
}

/// About the power of ten below a value, from the power of two that it holds: log10(2) ≈ 1233 / 4096.
fn decimal_exponent(value: f64) -> i32 {
    let binary = ((value.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    if binary == -1023 { value.abs().log10().floor() as i32 } else { (binary * 1233) >> 12 }
}

/// Powers of ten that a float holds exactly.
const EXACT: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// `value` × 10^`shift`; in two steps where one power would be infinite.
fn scaled(value: f64, shift: i32) -> f64 {
    match EXACT.get(shift.unsigned_abs() as usize) {
        Some(power) if shift >= 0 => value * power,
        Some(power) => value / power,
        None if shift > 300 => value * 1e300 * 10f64.powi(shift - 300),
        None => value * 10f64.powi(shift),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int32Array, Int64Array, StringArray, StringViewArray};

    use super::*;
    use crate::config::Key;

    fn of(columns: Vec<(&str, ArrayRef)>) -> Vec<Vec<u8>> {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let prints = fingerprints(&batch, &Keys::derive(&Key([7; 32]))).unwrap();
        (0..prints.len()).map(|row| prints.value(row).to_vec()).collect()
    }

    #[test]
    fn a_sum_in_another_order_does_not_look_changed() {
        let a: f64 = [0.1, 0.2, 0.3, 1e9].iter().sum();
        let b: f64 = [1e9, 0.3, 0.2, 0.1].iter().sum();
        let prints = of(vec![("x", Arc::new(Float64Array::from(vec![a, b, 0.1 + 0.2, 0.3, 0.0, -0.0])))]);
        assert_eq!(prints[0], prints[1]);
        assert_eq!(prints[2], prints[3]);
        assert_eq!(prints[4], prints[5]);
        assert_ne!(prints[0], prints[2]);
    }

    #[test]
    fn the_twelfth_digit_counts_and_the_thirteenth_does_not() {
        let prints =
            of(vec![("x", Arc::new(Float64Array::from(vec![1.234_567_890_12, 1.234_567_890_13, 1.234_567_890_121])))]);
        assert_ne!(prints[0], prints[1]);
        assert_eq!(prints[0], prints[2]);
    }

    #[test]
    fn powers_of_ten_and_extremes_have_one_form() {
        for exponent in -300..300 {
            let power = 10f64.powi(exponent);
            assert_eq!(significant(power), significant(power * (1.0 + 1e-15)), "1e{exponent}");
            assert_ne!(significant(power), significant(power * (1.0 + 1e-10)), "1e{exponent}");
        }
        assert_ne!(significant(f64::INFINITY), significant(f64::NEG_INFINITY));
        assert_ne!(significant(f64::NAN), significant(0.0));
        let _ = (significant(f64::MIN_POSITIVE), significant(5e-324), significant(f64::MAX));
    }

    #[test]
    fn layout_does_not_count_but_names_kinds_and_borders_do() {
        let one = of(vec![("a", Arc::new(StringArray::from(vec!["x"]))), ("b", Arc::new(Int32Array::from(vec![1])))]);
        let two =
            of(vec![("a", Arc::new(StringViewArray::from(vec!["x"]))), ("b", Arc::new(Int64Array::from(vec![1])))]);
        assert_eq!(one, two);
        let named = of(vec![("c", Arc::new(StringArray::from(vec!["x"]))), ("b", Arc::new(Int32Array::from(vec![1])))]);
        assert_ne!(one, named);
        let of_one = |column: ArrayRef| of(vec![("a", column)]);
        let zeros = [
            of_one(Arc::new(Int64Array::from(vec![0]))),
            of_one(Arc::new(Float64Array::from(vec![0.0]))),
            of_one(Arc::new(StringArray::from(vec!["0"]))),
        ];
        assert!(zeros[0] != zeros[1] && zeros[1] != zeros[2] && zeros[0] != zeros[2]);
        let pair = |left: Option<&str>, right: Option<&str>| {
            of(vec![("a", Arc::new(StringArray::from(vec![left]))), ("b", Arc::new(StringArray::from(vec![right])))])
        };
        assert_ne!(pair(Some("xy"), Some("z")), pair(Some("x"), Some("yz")));
        assert_ne!(pair(None, Some("")), pair(Some(""), None));
    }
}
