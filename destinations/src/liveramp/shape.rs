//! Records as LiveRamp takes them, made before the delta is taken.

use std::{collections::BTreeMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, StringArray},
    datatypes::{DataType, Field, FieldRef, Schema},
};

use super::{columns::Content, config::LiveRampConfig, kernels};
use crate::{
    contract::{ConfigError, Error, ErrorKind, Shaped, Shaper},
    encode::csv_row,
    files::CsvOptions,
};

/// Normalises, hashes and judges records of one activation.
#[derive(Debug)]
pub(super) struct LiveRampShaper {
    settings: LiveRampConfig,
    /// Columns of identifiers: place, header, content.
    identifiers: Vec<(usize, String, Content)>,
    csv: CsvOptions,
}

/// What a number, a date or a truth takes at most as text.
const PLAIN_WIDTH: usize = 64;

impl LiveRampShaper {
    pub(super) fn new(settings: &LiveRampConfig, schema: &Schema) -> Result<Self, ConfigError> {
        let mut identifiers = Vec::new();
        for (index, field) in schema.fields().iter().enumerate() {
            let Some(content) = settings.region.content(field.name()) else { continue };
            if field.data_type() != &DataType::Utf8 {
                // A postcode that was a number has lost its zeros.
                let message = format!("an identifier is text, and this is {}: cast it", field.data_type());
                return Err(ConfigError { key: format!("attributes.{}", field.name()), message });
            }
            identifiers.push((index, field.name().clone(), content));
        }
        Ok(Self { settings: settings.clone(), identifiers, csv: settings.csv() })
    }

    /// Whether anybody could be found by the identifiers of a row: by one that stands for itself, or by name, address
    /// and postcode together.
    fn usable(&self, columns: &[ArrayRef]) -> impl Fn(usize) -> bool + use<> {
        let has = |header: &str| {
            let found = self.identifiers.iter().find(|(_, known, _)| known == header);
            found.map(|(index, ..)| Arc::clone(&columns[*index]))
        };
        let postal: Option<Vec<ArrayRef>> =
            ["LASTNAME", "ADDRESS1", self.settings.region.postcode()].into_iter().map(has).collect();
        let alone: Vec<ArrayRef> = self
            .identifiers
            .iter()
            .filter(|(.., content)| *content != Content::Postal)
            .map(|(index, ..)| Arc::clone(&columns[*index]))
            .collect();
        move |row| {
            alone.iter().any(|column| column.is_valid(row))
                || postal.as_ref().is_some_and(|columns| columns.iter().all(|column| column.is_valid(row)))
        }
    }

    /// Rows whose line is longer than LiveRamp takes.
    fn too_long(&self, members: &ArrayRef, records: &RecordBatch) -> Result<Vec<usize>, Error> {
        let limit = self.settings.region.row_limit();
        let line = line(self.settings.key(), members, records)?;
        let widths: Vec<Width<'_>> = line.columns().iter().map(Width::of).collect();
        let mut found = Vec::new();
        for row in 0..line.num_rows() {
            // Only a row that may be too long is written to know.
            let bound = widths.iter().try_fold(0, |sum, width| Some(sum + width.bound(row)? + 1));
            if bound.is_none_or(|bound| bound > limit) {
                let text = csv_row(&line, row, &self.csv)?;
                if String::from_utf8_lossy(&text).trim_end_matches('\n').chars().count() > limit {
                    found.push(row);
                }
            }
        }
        Ok(found)
    }
}

/// Most bytes that a value takes as text in quotes.
enum Width<'a> {
    Text(&'a StringArray),
    Plain,
    Unknown,
}

impl<'a> Width<'a> {
    fn of(column: &'a ArrayRef) -> Self {
        match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string()),
            kind if kind.is_primitive() || kind == &DataType::Boolean => Self::Plain,
            _ => Self::Unknown,
        }
    }

    fn bound(&self, row: usize) -> Option<usize> {
        match self {
            // Each of its characters may be a quote, which is doubled.
            Self::Text(texts) if texts.is_valid(row) => Some(texts.value(row).len() * 2 + 2),
            Self::Text(_) => Some(0),
            Self::Plain => Some(PLAIN_WIDTH),
            Self::Unknown => None,
        }
    }
}

/// Columns of a file: the member's key, then the record.
pub(super) fn columns(key: &str, member: &DataType, record: &Schema) -> Vec<FieldRef> {
    let key = Arc::new(Field::new(key, member.clone(), true));
    std::iter::once(key).chain(record.fields().iter().cloned()).collect()
}

/// Rows of a file.
pub(super) fn line(key: &str, members: &ArrayRef, records: &RecordBatch) -> Result<RecordBatch, Error> {
    let schema = Schema::new(columns(key, members.data_type(), records.schema_ref()));
    let values = std::iter::once(members).chain(records.columns()).map(Arc::clone).collect();
    RecordBatch::try_new(Arc::new(schema), values).map_err(|error| {
        // Arrow's text names types and lengths here, never values.
        Error::new(ErrorKind::Internal, "put members beside their records").caused_by(error)
    })
}

impl Shaper for LiveRampShaper {
    fn shape(&self, members: &ArrayRef, records: &RecordBatch) -> Result<Shaped, Error> {
        let mut columns = records.columns().to_vec();
        let mut withheld: BTreeMap<usize, String> = BTreeMap::new();
        for (index, header, content) in &self.identifiers {
            let found = kernels::normalise(*content, self.settings.region, columns[*index].as_string())
                .map_err(|error| Error::new(ErrorKind::Internal, "normalise a column").caused_by(error))?;
            columns[*index] = Arc::new(found.column);
            for row in found.invalid {
                withheld.entry(row).or_insert_with(|| format!("invalid:{header}"));
            }
        }
        let usable = self.usable(&columns);
        let nobody = (0..records.num_rows()).filter(|row| !usable(*row));
        for row in nobody {
            withheld.entry(row).or_insert_with(|| "no_identifier".to_owned());
        }
        let records = RecordBatch::try_new(records.schema(), columns)
            .map_err(|error| Error::new(ErrorKind::Internal, "put normalised columns together").caused_by(error))?;
        for row in self.too_long(members, &records)? {
            withheld.entry(row).or_insert_with(|| "row_too_long".to_owned());
        }
        Ok(Shaped { records, withheld: withheld.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, ListBuilder, StringBuilder};

    use super::*;
    use crate::liveramp::config::tests::settings;

    fn text(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn shaped(region: &str, columns: Vec<(&str, ArrayRef)>) -> Shaped {
        let records =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
                .expect("records");
        let members: ArrayRef =
            Arc::new((0..records.num_rows()).map(|row| Some(format!("m{row}"))).collect::<StringArray>());
        let shaper = LiveRampShaper::new(&settings(region), records.schema_ref()).expect("columns that fit");
        let once = shaper.shape(&members, &records).expect("records");
        let again = shaper.shape(&members, &once.records).expect("records");
        assert_eq!(once.records, again.records, "what is shaped stays as it is");
        once
    }

    fn reasons(shaped: &Shaped) -> Vec<(usize, &str)> {
        shaped.withheld.iter().map(|(row, reason)| (*row, reason.as_str())).collect()
    }

    #[test]
    fn a_member_is_withheld_for_the_first_value_that_is_no_use() {
        let shaped = shaped(
            "us",
            vec![
                ("EMAIL1", text(&[Some("A@b.CO"), Some("a.b.co"), None, None, Some("a@b.co")])),
                ("PHONE1", text(&[None, Some("12"), Some("12"), None, Some("201-555-0123")])),
                ("GOLD", text(&[Some("1"); 5])),
            ],
        );
        assert_eq!(reasons(&shaped), [(1, "invalid:EMAIL1"), (2, "invalid:PHONE1"), (3, "no_identifier")]);
        assert_eq!(shaped.records.column(0).as_string::<i32>().value(0), "a@b.co");
        assert_eq!(shaped.records.column(1).as_string::<i32>().value(4), "2015550123");
        assert!(!format!("{shaped:?}").contains("a@b.co"));
    }

    #[test]
    fn name_address_and_postcode_together_are_an_identifier() {
        let some = Some("x");
        let shaped = shaped(
            "eu",
            vec![
                ("LASTNAME", text(&[some, some, None])),
                ("ADDRESS1", text(&[some, some, some])),
                ("POSTCODE", text(&[some, None, some])),
                ("GOLD", text(&[Some("1"); 3])),
            ],
        );
        assert_eq!(reasons(&shaped), [(1, "no_identifier"), (2, "no_identifier")]);
    }

    #[test]
    fn a_line_may_hold_just_as_many_characters_as_the_region_allows() {
        // Key, two commas and the address take 13 characters of each line, quotes not counted.
        let fixed = "m0".len() + 2 + "a@bcd.efg".len();
        let rest = |limit: usize| "ä".repeat(limit - fixed);
        for (region, limit) in [("us", 10_000), ("eu", 1_000)] {
            let (fits, over) = (rest(limit), format!("{}x", rest(limit)));
            let shaped = shaped(
                region,
                vec![("EMAIL1", text(&[Some("a@bcd.efg"); 2])), ("NOTE", text(&[Some(&fits), Some(&over)]))],
            );
            assert_eq!(reasons(&shaped), [(1, "row_too_long")], "{region}");
        }
        // Quotes count too, and so do lists, which are JSON.
        let mut list = ListBuilder::new(StringBuilder::new());
        list.append_value([Some("x".repeat(990))]);
        list.append_value([Some("x".repeat(900))]);
        let shaped = shaped(
            "eu",
            vec![
                ("EMAIL1", text(&[Some("a@bcd.efg"); 2])),
                ("LIST", Arc::new(list.finish())),
                ("N", Arc::new(Int64Array::from(vec![1, 2]))),
            ],
        );
        assert_eq!(reasons(&shaped), [(0, "row_too_long")]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_stands_in_a_column_is_withheld_or_stays_as_it_is_once_shaped(
            values in proptest::collection::vec(proptest::option::of(".{0,40}|[0-9a-fA-F]{32,64}|[ +0-9()-]{7,16}"), 1..6),
        ) {
            let values: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
            for (region, header) in [
                ("us", "ZIP"), ("us", "EMAIL1"), ("us", "EMAIL1_SHA-1"), ("us", "PHONE1"), ("us", "PHONE1_SHA-1"),
                ("us", "IDFA"), ("us", "AAID_SHA-1"), ("eu", "MOBILE1"), ("eu", "MD5EMAIL1"),
            ] {
                let shaped = shaped(region, vec![(header, text(&values))]);
                let kept = (0..values.len()).filter(|row| shaped.withheld.iter().all(|(withheld, _)| withheld != row));
                kept.for_each(|row| assert!(shaped.records.column(0).is_valid(row), "{header}"));
            }
        }
    }

    #[test]
    fn an_identifier_is_text() {
        let schema = Schema::new(vec![Field::new("ZIP", DataType::Int64, true)]);
        let error = LiveRampShaper::new(&settings("us"), &schema).expect_err("a number");
        assert_eq!(error.key, "attributes.ZIP");
    }
}
