//! Finding a key's row among many.

use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array, StringArray},
    datatypes::{DataType, Int64Type},
};
use datafusion::common::HashMap;

/// A key, wherever it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum KeyRef<'a> {
    Integer(i64),
    Bytes(&'a [u8]),
}

/// A key column in one of the forms of [`KeyCodec`](crate::snapshot::KeyCodec).
#[derive(Debug, Clone, Copy)]
enum KeyView<'a> {
    Text(&'a StringArray),
    Integer(&'a Int64Array),
    Rows(&'a BinaryArray),
}

impl<'a> KeyView<'a> {
    fn new(keys: &'a ArrayRef) -> Self {
        match keys.data_type() {
            DataType::Utf8 => Self::Text(keys.as_string()),
            DataType::Int64 => Self::Integer(keys.as_primitive::<Int64Type>()),
            _ => Self::Rows(keys.as_binary()),
        }
    }

    fn at(self, row: usize) -> KeyRef<'a> {
        match self {
            Self::Text(keys) => KeyRef::Bytes(keys.value(row).as_bytes()),
            Self::Integer(keys) => KeyRef::Integer(keys.value(row)),
            Self::Rows(keys) => KeyRef::Bytes(keys.value(row)),
        }
    }
}

/// Rows by key; of equal keys the first.
#[derive(Debug)]
pub(super) struct KeyIndex<'a> {
    rows: HashMap<KeyRef<'a>, u32>,
}

/// No such key.
pub(super) const NOBODY: u32 = u32::MAX;

impl<'a> KeyIndex<'a> {
    /// Indexes a column without nulls.
    pub(super) fn new(keys: &'a ArrayRef) -> Self {
        let view = KeyView::new(keys);
        let mut rows = HashMap::with_capacity(keys.len());
        for row in 0..keys.len() {
            rows.entry(view.at(row)).or_insert(row as u32);
        }
        Self { rows }
    }

    /// The row of every key, or [`NOBODY`].
    pub(super) fn find(&self, keys: &ArrayRef) -> Vec<u32> {
        let view = KeyView::new(keys);
        // Rows that point to the same member often stand together.
        let mut last: Option<(KeyRef<'_>, u32)> = None;
        (0..keys.len())
            .map(|row| {
                let key = view.at(row);
                match last {
                    Some((known, found)) if known == key => found,
                    _ => {
                        let found = self.rows.get(&key).copied().unwrap_or(NOBODY);
                        last = Some((key, found));
                        found
                    }
                }
            })
            .collect()
    }
}
