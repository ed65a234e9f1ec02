//! Members that somebody named: a publish of these alone, or an explanation of one.

use std::{collections::BTreeSet, fmt, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, StringArray, UInt32Array, make_comparator},
    compute::{SortOptions, can_cast_types, cast, is_not_null, sort, take},
    datatypes::DataType,
    error::ArrowError,
};

use super::{
    KeyCodec, Keys, hashes,
    key::{SEPARATOR, partition},
    rows_in_both,
};

/// Member keys in the form that snapshots store, ascending and unique. Its `Debug` says how many, not which.
#[derive(Clone)]
pub struct MemberKeys {
    keys: ArrayRef,
    columns: Vec<ArrayRef>,
}

/// Most ways in which one text is read as a composite key.
const MOST_READINGS: usize = 1_000;

impl MemberKeys {
    /// Those of a column of stored keys; nulls are none.
    ///
    /// # Errors
    /// When the keys are not the codec's.
    pub fn new(codec: &KeyCodec, keys: &ArrayRef) -> Result<Self, ArrowError> {
        let present = arrow::compute::filter(keys, &is_not_null(keys)?)?;
        let sorted = sort(&present, None)?;
        let same = make_comparator(&sorted, &sorted, SortOptions::default())?;
        let first: UInt32Array =
            (0..sorted.len()).filter(|row| *row == 0 || same(row - 1, *row).is_ne()).map(|row| row as u32).collect();
        let keys = take(&sorted, &first, None)?;
        let columns = codec.decode(&keys)?;
        Ok(Self { keys, columns })
    }

    /// Those that users' texts name: a key as `_member` shows it, the parts of a composite one joined by `|`. A part may
    /// hold a `|` itself, so that a text names every key that is shown as this text. One that can't be a key of these
    /// types names nobody.
    ///
    /// # Errors
    /// When the keys can't be brought into the stored form.
    pub fn parse<'t>(codec: &KeyCodec, texts: impl IntoIterator<Item = &'t str>) -> Result<Self, ArrowError> {
        let types = codec.types();
        let readings: Vec<Vec<&str>> = texts.into_iter().flat_map(|text| readings(text, types.len())).collect();
        let columns = types
            .iter()
            .enumerate()
            .map(|(part, data_type)| {
                let texts = StringArray::from_iter_values(readings.iter().map(|reading| reading[part]));
                read(&(Arc::new(texts) as ArrayRef), data_type)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Self::new(codec, &codec.encode(&columns)?)
    }

    /// The keys, ascending and unique.
    pub fn keys(&self) -> &ArrayRef {
        &self.keys
    }

    /// The same keys, as the key's columns in their own types.
    pub fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nobody is named.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The one in a row, alone.
    #[must_use]
    pub fn only(&self, row: usize) -> Self {
        Self {
            keys: self.keys.slice(row, 1),
            columns: self.columns.iter().map(|column| column.slice(row, 1)).collect(),
        }
    }

    /// The partitions, of `partitions`, that hold any of them; all others need no look.
    pub fn partitions(&self, secret: &Keys, partitions: u32) -> BTreeSet<usize> {
        hashes(&self.keys, secret).into_iter().map(|hash| partition(hash, partitions)).collect()
    }

    /// Rows of ascending, unique stored keys that are among these.
    ///
    /// # Errors
    /// When the keys are of another type.
    pub fn rows_among(&self, keys: &ArrayRef) -> Result<UInt32Array, ArrowError> {
        let mut rows = Vec::new();
        rows_in_both(&self.keys, keys, |_, row| rows.push(row as u32))?;
        Ok(rows.into())
    }
}

impl fmt::Debug for MemberKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberKeys").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Texts as values of a type; null where a text is none.
pub(super) fn read(texts: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    if can_cast_types(texts.data_type(), data_type) {
        cast(texts, data_type)
    } else {
        Ok(arrow::array::new_null_array(data_type, texts.len()))
    }
}

/// Every way to cut a text at its separators into so many parts; of very many, the first.
pub(super) fn readings(text: &str, parts: usize) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    cut(text, parts, &mut Vec::new(), &mut found);
    found
}

fn cut<'t>(text: &'t str, parts: usize, head: &mut Vec<&'t str>, found: &mut Vec<Vec<&'t str>>) {
    if parts <= 1 {
        found.push(head.iter().copied().chain([text]).collect());
        return;
    }
    for (at, separator) in text.match_indices(SEPARATOR) {
        if found.len() >= MOST_READINGS {
            return;
        }
        head.push(&text[..at]);
        cut(&text[at + separator.len()..], parts - 1, head, found);
        head.pop();
    }
}

#[cfg(test)]
mod tests {
    use arrow::{
        array::{AsArray, Int64Array},
        datatypes::Int64Type,
    };

    use super::*;

    fn shown(types: &[DataType], texts: &[&str]) -> Vec<String> {
        let codec = KeyCodec::new(types).unwrap();
        let named = MemberKeys::parse(&codec, texts.iter().copied()).unwrap();
        let members = cast(&codec.members(named.keys()).unwrap(), &DataType::Utf8).unwrap();
        members.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
    }

    #[test]
    fn texts_become_keys_in_order_each_once() {
        assert_eq!(shown(&[DataType::Utf8View], &["b", "a", "b", ""]), ["", "a", "b"]);
        assert_eq!(shown(&[DataType::Int32], &["10", "9", "-1"]), ["-1", "9", "10"]);
        assert_eq!(shown(&[DataType::Date32], &["2026-11-01"]), ["2026-11-01"]);
    }

    #[test]
    fn a_text_that_can_be_no_key_names_nobody() {
        assert!(shown(&[DataType::Int64], &["abc", "7.5", "99999999999999999999", ""]).is_empty());
        assert!(shown(&[DataType::UInt8], &["256", "-1"]).is_empty());
        assert!(shown(&[DataType::Utf8, DataType::Int64], &["alone", "a|x"]).is_empty());
        assert!(shown(&[DataType::Date32], &["today"]).is_empty());
    }

    #[test]
    fn a_composite_text_names_every_key_that_is_shown_so() {
        let two = [DataType::Utf8, DataType::Utf8];
        let codec = KeyCodec::new(&two).unwrap();
        let named = MemberKeys::parse(&codec, ["a|b|c"]).unwrap();
        let parts: Vec<_> = named.columns().iter().map(|column| column.as_string::<i32>()).collect();
        let pairs: Vec<_> = (0..named.len()).map(|row| (parts[0].value(row), parts[1].value(row))).collect();
        assert_eq!(pairs, [("a", "b|c"), ("a|b", "c")]);
        // Only one of the readings ends in a number.
        assert_eq!(shown(&[DataType::Utf8, DataType::Int64], &["a|b|7"]), ["a|b|7"]);
        assert_eq!(shown(&two, &["|"]), ["|"]);
    }

    #[test]
    fn very_many_separators_do_not_mean_very_many_readings() {
        let codec = KeyCodec::new(&[DataType::Utf8, DataType::Utf8, DataType::Utf8]).unwrap();
        assert_eq!(MemberKeys::parse(&codec, ["|".repeat(5_000).as_str()]).unwrap().len(), MOST_READINGS);
    }

    #[test]
    fn they_say_where_they_are_and_which_rows_of_a_snapshot_are_theirs() {
        let codec = KeyCodec::new(&[DataType::Int64]).unwrap();
        let named = MemberKeys::parse(&codec, ["3", "5", "8"]).unwrap();
        let held: ArrayRef = Arc::new(Int64Array::from(vec![1, 3, 4, 8, 9]));
        assert_eq!(named.rows_among(&held).unwrap().values(), &[1, 3]);
        let secret = Keys::derive(&crate::config::Key([7; 32]));
        for partitions in [1, 4, 256] {
            let expected: BTreeSet<usize> =
                hashes(named.keys(), &secret).into_iter().map(|hash| partition(hash, partitions)).collect();
            assert_eq!(named.partitions(&secret, partitions), expected);
        }
        assert_eq!(named.only(1).keys().as_primitive::<Int64Type>().values(), &[5]);
        assert_eq!(format!("{named:?}"), "MemberKeys { len: 3, .. }");
    }
}
