//! Keys that come as texts: from a user's file, or read back from a target.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, StringArray, UInt32Array},
    compute::take,
    error::ArrowError,
};

use super::{
    KeyCodec,
    named::{read, readings},
};

/// What a column of texts reads as.
#[derive(Debug, Clone)]
pub struct TextKeys {
    /// A stored key for each text; null where the text can be none.
    pub keys: ArrayRef,
    /// Row of the first text that reads as more than one key.
    pub ambiguous: Option<usize>,
}

impl KeyCodec {
    /// Texts, a key each as `_member` shows it → stored keys. The parts of a composite key are joined by `|` and may
    /// hold one themselves, so that a text may read as several keys.
    ///
    /// # Errors
    /// When the keys can't be brought into the stored form.
    pub fn read_members(&self, texts: &StringArray) -> Result<TextKeys, ArrowError> {
        if let [_] = self.types() {
            return Ok(TextKeys { keys: self.read_columns(std::slice::from_ref(texts))?, ambiguous: None });
        }
        let parts = self.types().len();
        let (mut rows, mut columns) = (Vec::with_capacity(texts.len()), vec![Vec::with_capacity(texts.len()); parts]);
        for (row, text) in texts.iter().enumerate() {
            for reading in text.into_iter().flat_map(|text| readings(text, parts)) {
                rows.push(row);
                columns.iter_mut().zip(reading).for_each(|(column, part)| column.push(part));
            }
        }
        let columns: Vec<StringArray> = columns.into_iter().map(StringArray::from).collect();
        let found = self.read_columns(&columns)?;
        let mut first: Vec<Option<u32>> = vec![None; texts.len()];
        let mut ambiguous = None;
        for (index, row) in rows.into_iter().enumerate().filter(|(index, _)| found.is_valid(*index)) {
            match first[row] {
                None => first[row] = u32::try_from(index).ok(),
                Some(_) => ambiguous = ambiguous.or(Some(row)),
            }
        }
        Ok(TextKeys { keys: take(&found, &UInt32Array::from(first), None)?, ambiguous })
    }

    /// Texts of the key's columns, in order → stored keys; null where a text is no value of its column.
    ///
    /// # Errors
    /// When the keys can't be brought into the stored form.
    pub fn read_columns(&self, texts: &[StringArray]) -> Result<ArrayRef, ArrowError> {
        let columns = texts
            .iter()
            .zip(self.types())
            .map(|(texts, data_type)| read(&(Arc::new(texts.clone()) as ArrayRef), data_type))
            .collect::<Result<Vec<_>, _>>()?;
        self.encode(&columns)
    }
}

#[cfg(test)]
mod tests {
    use arrow::{array::AsArray, compute::cast, datatypes::DataType};

    use super::*;

    fn members(types: &[DataType], texts: &[&str]) -> (Vec<Option<String>>, Option<usize>) {
        let codec = KeyCodec::new(types).unwrap();
        let read = codec.read_members(&StringArray::from(texts.to_vec())).unwrap();
        let shown: Vec<_> = (0..texts.len())
            .map(|row| {
                let key = read.keys.slice(row, 1);
                let shown = || cast(&codec.members(&key).unwrap(), &DataType::Utf8).unwrap();
                (key.null_count() == 0).then(|| shown().as_string::<i32>().value(0).to_owned())
            })
            .collect();
        (shown, read.ambiguous)
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts.iter().map(|text| Some((*text).to_owned())).collect()
    }

    #[test]
    fn each_text_is_the_key_that_is_shown_so() {
        assert_eq!(members(&[DataType::Utf8], &["b", "a", "b", ""]), (some(&["b", "a", "b", ""]), None));
        assert_eq!(members(&[DataType::Int64], &["7", "x", "-1"]).0, [Some("7".into()), None, Some("-1".into())]);
        let two = [DataType::Utf8, DataType::Int32];
        assert_eq!(members(&two, &["a|1", "a|b|2"]), (some(&["a|1", "a|b|2"]), None));
        assert_eq!(members(&two, &["a", "a|x"]), (vec![None, None], None));
    }

    #[test]
    fn a_text_that_reads_as_two_keys_is_told() {
        let two = [DataType::Utf8, DataType::Utf8];
        assert_eq!(members(&two, &["a|b", "a|b|c", "c|d"]).1, Some(1));
    }
}
