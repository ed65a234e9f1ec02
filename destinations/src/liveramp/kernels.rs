//! A column of identifiers → the same as LiveRamp takes it, and the rows whose value it could not use.

use arrow::array::{Array, StringArray, StringBuilder};

use super::{
    columns::{Content, Device, Region},
    hash::{Algorithm, is_hash},
};
use crate::identity::{IdentityError, PhoneRegion, Text, normalize_email, normalize_phone};

/// What became of a column.
pub(super) struct Normalised {
    /// Blank values have become null.
    pub(super) column: StringArray,
    /// Rows with a value that is not what the header says, ascending; they are null too.
    pub(super) invalid: Vec<usize>,
}

/// What became of a value.
enum Value {
    Good(String),
    Bad,
}

/// Normalises and hashes a column by its header.
pub(super) fn normalise(content: Content, region: Region, column: &StringArray) -> Result<Normalised, IdentityError> {
    match content {
        Content::Postal => each(column, |_, text| if is_hash(text.trim()) { Value::Bad } else { good(text.trim()) }),
        Content::Email => {
            let emails = emails(column)?;
            each(column, |row, _| at(&emails, row).map_or(Value::Bad, good))
        }
        Content::EmailHash(algorithm) => {
            let emails = emails(column)?;
            each(column, |row, text| hashed(algorithm, text, at(&emails, row)))
        }
        Content::Phone => {
            let phones = phones(region, column)?;
            each(column, |row, _| at(&phones, row).and_then(|phone| shown(region, phone)).map_or(Value::Bad, good))
        }
        Content::PhoneHash => {
            let phones = phones(region, column)?;
            each(column, |row, text| {
                hashed(Algorithm::Sha1, text, at(&phones, row).and_then(|phone| shown(region, phone)))
            })
        }
        Content::Device(device) => each(column, |_, text| id(device, text).map_or(Value::Bad, Value::Good)),
        Content::DeviceHash(device) => {
            each(column, |_, text| hashed(Algorithm::Sha1, text, id(device, text).as_deref()))
        }
    }
}

/// Values row by row: null stays null, and so does what is blank.
fn each(column: &StringArray, mut value: impl FnMut(usize, &str) -> Value) -> Result<Normalised, IdentityError> {
    let mut builder = StringBuilder::with_capacity(column.len(), column.value_data().len());
    let mut invalid = Vec::new();
    for (row, text) in column.iter().enumerate() {
        let value = text.filter(|text| !is_absent(text)).map(|text| value(row, text));
        match value {
            Some(Value::Good(text)) => {
                // Offsets are 32 bits wide; the builder would panic.
                if builder.values_slice().len() + text.len() > i32::MAX as usize {
                    return Err(IdentityError::TooLarge { rows: column.len() });
                }
                builder.append_value(text);
            }
            Some(Value::Bad) => {
                invalid.push(row);
                builder.append_null();
            }
            None => builder.append_null(),
        }
    }
    Ok(Normalised { column: builder.finish(), invalid })
}

/// Blanks, and the id of a device whose owner lets nobody follow it: all zeros.
fn is_absent(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text == "00000000-0000-0000-0000-000000000000"
}

fn good(text: &str) -> Value {
    Value::Good(text.to_owned())
}

fn at(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn emails(column: &StringArray) -> Result<StringArray, IdentityError> {
    normalize_email(Text::Utf8(column))
}

/// In E.164. A number without a country code is one of the United States in a file for them; in Europe it could be
/// anybody's.
fn phones(region: Region, column: &StringArray) -> Result<StringArray, IdentityError> {
    let home = match region {
        Region::Us => Some("US"),
        Region::Eu => None,
    };
    normalize_phone(Text::Utf8(column), PhoneRegion::Same(home))
}

/// A number as the region's files have it: in the United States its ten digits, in Europe E.164.
fn shown(region: Region, phone: &str) -> Option<&str> {
    match region {
        Region::Us => phone.strip_prefix("+1"),
        Region::Eu => Some(phone),
    }
}

/// The hash of a normalised value, or the one that stands there already.
fn hashed(algorithm: Algorithm, given: &str, normalised: Option<&str>) -> Value {
    let hash = algorithm.ready(given.trim()).or_else(|| algorithm.of(normalised?));
    hash.map_or(Value::Bad, Value::Good)
}

/// An advertising id in its maker's letter case, hyphens included.
fn id(device: Device, text: &str) -> Option<String> {
    let text = text.trim();
    // The parser knows forms without hyphens and in braces, which are not what is matched by.
    uuid::Uuid::try_parse(text).ok().filter(|_| text.len() == 36)?;
    Some(match device {
        Device::Android => text.to_ascii_lowercase(),
        Device::Apple => text.to_ascii_uppercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(content: Content, region: Region, values: &[Option<&str>]) -> (Vec<Option<String>>, Vec<usize>) {
        let found = normalise(content, region, &StringArray::from(values.to_vec())).expect("a column");
        (found.column.iter().map(|value| value.map(str::to_owned)).collect(), found.invalid)
    }

    fn one(content: Content, region: Region, value: &str) -> Option<String> {
        let (values, invalid) = column(content, region, &[Some(value)]);
        assert_eq!(invalid.is_empty(), values[0].is_some(), "{value}");
        values[0].clone()
    }

    #[test]
    fn nothing_stays_nothing_and_is_no_fault() {
        for content in [Content::Postal, Content::Email, Content::EmailHash(Algorithm::Sha256), Content::Phone] {
            let (values, invalid) = column(content, Region::Us, &[None, Some(""), Some(" \t")]);
            assert_eq!((values, invalid), (vec![None, None, None], vec![]), "{content:?}");
        }
        let zero = "00000000-0000-0000-0000-000000000000";
        assert_eq!(column(Content::Device(Device::Apple), Region::Us, &[Some(zero)]), (vec![None], vec![]));
    }

    #[test]
    fn addresses_are_normalised_then_hashed() {
        assert_eq!(one(Content::Email, Region::Us, " Abc@Example.COM").as_deref(), Some("abc@example.com"));
        let sha256 = "9eceb13483d7f187ec014fd6d4854d1420cfc634328af85f51d0323ba8622e21";
        let content = Content::EmailHash(Algorithm::Sha256);
        assert_eq!(one(content, Region::Us, " Abc@Example.COM").as_deref(), Some(sha256));
        assert_eq!(one(content, Region::Us, &sha256.to_uppercase()).as_deref(), Some(sha256), "hashed once");
        for wrong in ["abc", "abc@", &sha256[1..], &format!("0x{sha256}")] {
            assert_eq!(one(content, Region::Us, wrong), None, "{wrong}");
        }
        let md5 = Content::EmailHash(Algorithm::Md5);
        assert_eq!(one(md5, Region::Eu, "abc@example.com"), None, "only a ready hash");
        assert!(one(md5, Region::Eu, &"A".repeat(32)).is_some_and(|hash| hash == "a".repeat(32)));
    }

    #[test]
    fn phones_of_the_united_states_have_no_country_code() {
        for written in ["(201) 555-0123", "+12015550123", "201.555.0123"] {
            assert_eq!(one(Content::Phone, Region::Us, written).as_deref(), Some("2015550123"), "{written}");
        }
        assert_eq!(one(Content::PhoneHash, Region::Us, "+1 201-555-0123"), Algorithm::Sha1.of("2015550123"));
        assert_eq!(one(Content::Phone, Region::Us, "+49 30 901820"), None);
        assert_eq!(one(Content::Phone, Region::Eu, "+49 30 901820").as_deref(), Some("+4930901820"));
        assert_eq!(one(Content::Phone, Region::Eu, "030 901820"), None, "whose country it is, nobody knows");
    }

    #[test]
    fn ids_of_devices_have_their_makers_case() {
        let written = "aAaAaAaA-1111-2222-3333-bBbBbBbBbBbB";
        let (lower, upper) = (written.to_lowercase(), written.to_uppercase());
        assert_eq!(one(Content::Device(Device::Android), Region::Us, written), Some(lower.clone()));
        assert_eq!(one(Content::Device(Device::Apple), Region::Us, written), Some(upper.clone()));
        assert_eq!(one(Content::DeviceHash(Device::Apple), Region::Us, written), Algorithm::Sha1.of(&upper));
        assert_eq!(one(Content::DeviceHash(Device::Android), Region::Us, written), Algorithm::Sha1.of(&lower));
        assert_eq!(one(Content::Device(Device::Android), Region::Us, &written.replace('-', "")), None);
        assert_eq!(one(Content::Device(Device::Android), Region::Us, "x"), None);
    }

    #[test]
    fn names_are_never_hashed() {
        assert_eq!(one(Content::Postal, Region::Us, " Anna Maria ").as_deref(), Some("Anna Maria"));
        assert_eq!(one(Content::Postal, Region::Us, &"a".repeat(64)), None);
    }
}
