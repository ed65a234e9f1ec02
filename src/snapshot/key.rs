//! Member keys: whatever columns make a key, one column of one of three sortable forms stands for it.

use std::{hash::Hasher, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryArray, FixedSizeBinaryArray, StringArray},
    buffer::{Buffer, NullBuffer},
    compute::{cast, kernels::concat_elements::concat_elements_utf8_many},
    datatypes::{DataType, Int64Type},
    error::ArrowError,
    row::{RowConverter, SortField},
};
use siphasher::sip::SipHasher13;

use super::secret::Keys;

/// Stands between the parts of a composite key as users see it.
pub(super) const SEPARATOR: &str = "|";

/// Turns key columns into one column and back.
///
/// | key | form |
/// |---|---|
/// | one text column | `Utf8` |
/// | one integer column | `Int64` |
/// | anything else, or several columns | `Binary`, in arrow's row format, whose bytes sort as the columns do |
#[derive(Debug, Clone)]
pub struct KeyCodec {
    types: Vec<DataType>,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Text,
    Integer,
    Rows(Arc<RowConverter>),
}

impl KeyCodec {
    /// A codec for key columns of these types, in order.
    ///
    /// # Errors
    /// When a type can't be sorted.
    pub fn new(types: &[DataType]) -> Result<Self, ArrowError> {
        let types: Vec<DataType> = types.iter().map(plain).collect();
        let form = match types.as_slice() {
            [DataType::Utf8] => Form::Text,
            [
                DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::UInt8
                | DataType::UInt16
                | DataType::UInt32,
            ] => Form::Integer,
            several => {
                let fields = several.iter().cloned().map(SortField::new).collect();
                Form::Rows(Arc::new(RowConverter::new(fields)?))
            }
        };
        Ok(Self { types, form })
    }

    /// Type of the one column that stands for the key.
    pub fn stored_type(&self) -> DataType {
        match self.form {
            Form::Text => DataType::Utf8,
            Form::Integer => DataType::Int64,
            Form::Rows(_) => DataType::Binary,
        }
    }

    /// Type of the `_member` column: the key's own, or text where it has several columns.
    pub fn member_type(&self) -> DataType {
        match self.types.as_slice() {
            [one] => one.clone(),
            _ => DataType::Utf8,
        }
    }

    /// Key columns → one column; null where any part is null.
    ///
    /// # Errors
    /// When a column can't be cast to the type the codec was made for.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
        match (&self.form, columns) {
            (Form::Text | Form::Integer, [column]) => cast(column, &self.stored_type()),
            (Form::Rows(converter), columns) => {
                let columns = columns
                    .iter()
                    .zip(&self.types)
                    .map(|(column, data_type)| cast(column, data_type))
                    .collect::<Result<Vec<_>, _>>()?;
                let rows = converter.convert_columns(&columns)?.try_into_binary()?;
                let nulls = columns
                    .iter()
                    .fold(None, |nulls, column| NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref()));
                let (offsets, values, _) = rows.into_parts();
                Ok(Arc::new(BinaryArray::try_new(offsets, values, nulls)?))
            }
            _ => Err(ArrowError::InvalidArgumentError("a key of one column was given several".into())),
        }
    }

    /// Stored keys → the key's columns, in their own types.
    ///
    /// # Errors
    /// When the keys are not this codec's.
    pub fn decode(&self, keys: &ArrayRef) -> Result<Vec<ArrayRef>, ArrowError> {
        match &self.form {
            Form::Text | Form::Integer => self.types.iter().map(|data_type| cast(keys, data_type)).collect(),
            Form::Rows(converter) => converter.convert_rows(&converter.from_binary(keys.as_binary::<i32>().clone())),
        }
    }

    /// Stored keys → what users see: the key in its own type, or its parts joined by `|`.
    ///
    /// # Errors
    /// When the keys are not this codec's.
    pub fn members(&self, keys: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let columns = self.decode(keys)?;
        if let [one] = columns.as_slice() {
            return Ok(Arc::clone(one));
        }
        let separator = StringArray::from_iter_values(std::iter::repeat_n(SEPARATOR, keys.len()));
        let texts = columns
            .iter()
            .map(|column| Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone()))
            .collect::<Result<Vec<_>, ArrowError>>()?;
        let mut pieces = Vec::with_capacity(texts.len() * 2);
        for (index, text) in texts.iter().enumerate() {
            if index > 0 {
                pieces.push(&separator);
            }
            pieces.push(text);
        }
        Ok(Arc::new(concat_elements_utf8_many(&pieces)?))
    }

    /// Types of the key's columns, in order.
    pub fn types(&self) -> &[DataType] {
        &self.types
    }
}

/// A keyed hash a key, stable over processes and versions; 0 for null. Its top bits name the partition.
pub fn hashes(keys: &ArrayRef, secret: &Keys) -> Vec<u64> {
    let (first, second) = secret.partition;
    let hash = |bytes: &[u8]| {
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(bytes);
        hasher.finish()
    };
    let or_zero = |row: usize, bytes: &[u8]| if keys.is_null(row) { 0 } else { hash(bytes) };
    match keys.data_type() {
        DataType::Utf8 => {
            let keys = keys.as_string::<i32>();
            (0..keys.len()).map(|row| or_zero(row, keys.value(row).as_bytes())).collect()
        }
        DataType::Int64 => {
            let keys = keys.as_primitive::<Int64Type>();
            (0..keys.len()).map(|row| or_zero(row, &keys.value(row).to_le_bytes())).collect()
        }
        _ => {
            let keys = keys.as_binary::<i32>();
            (0..keys.len()).map(|row| or_zero(row, keys.value(row))).collect()
        }
    }
}

/// Bytes of an [identity](identities).
pub(super) const IDENTITY: i32 = 16;

/// A keyed hash a key that serves in its place once the key itself may not be kept; it begins with the bytes of
/// [`hashes`], so that it names the partition too.
///
/// # Errors
/// None that can be met: the hashes are of one width.
pub fn identities(keys: &ArrayRef, secret: &Keys) -> Result<FixedSizeBinaryArray, ArrowError> {
    let other = Keys { partition: secret.identity, ..secret.clone() };
    let mut bytes = Vec::with_capacity(keys.len() * IDENTITY as usize);
    for (first, second) in hashes(keys, secret).into_iter().zip(hashes(keys, &other)) {
        bytes.extend_from_slice(&first.to_be_bytes());
        bytes.extend_from_slice(&second.to_be_bytes());
    }
    FixedSizeBinaryArray::try_new(IDENTITY, Buffer::from_vec(bytes), None)
}

/// The partition of a hash, of `partitions`, a power of two.
pub fn partition(hash: u64, partitions: u32) -> usize {
    debug_assert!(partitions.is_power_of_two(), "partitions are a power of two");
    // `>> 64` overflows, so one partition is a case of its own.
    if partitions == 1 { 0 } else { (hash >> (64 - partitions.trailing_zeros())) as usize }
}

/// The type that stands for a key column: views, large and dictionary texts are texts.
pub fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => plain(values),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringViewArray};

    use super::*;

    fn columns() -> Vec<ArrayRef> {
        vec![
            Arc::new(StringViewArray::from(vec![Some("b"), None, Some("a")])),
            Arc::new(Int32Array::from(vec![2, 1, 10])),
        ]
    }

    #[test]
    fn a_composite_key_survives_and_reads_as_joined_text() {
        let columns = columns();
        let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
        let codec = KeyCodec::new(&types).unwrap();
        let keys = codec.encode(&columns).unwrap();
        assert_eq!(keys.null_count(), 1);
        let members = codec.members(&keys.slice(2, 1)).unwrap();
        assert_eq!(members.as_string::<i32>().value(0), "a|10");
        assert!(keys.as_binary::<i32>().value(2) < keys.as_binary::<i32>().value(0));
    }

    #[test]
    fn a_single_key_keeps_its_type() {
        let codec = KeyCodec::new(&[DataType::Int32]).unwrap();
        let keys = codec.encode(&columns()[1..]).unwrap();
        assert_eq!(keys.data_type(), &DataType::Int64);
        assert_eq!(codec.members(&keys).unwrap().data_type(), &DataType::Int32);
    }

    #[test]
    fn a_partition_splits_in_two_when_their_number_doubles() {
        for hash in [0, 1 << 62, u64::MAX, 0x1234_5678_9abc_def0] {
            assert_eq!(partition(hash, 1), 0);
            assert_eq!(partition(hash, 64) / 2, partition(hash, 32));
        }
    }
}
