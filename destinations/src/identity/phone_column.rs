//! Columns of phone numbers.

use arrow::array::StringArray;

use super::error::IdentityError;
use super::hash::Hasher;
use super::phone::{Home, e164};
use super::text::Text;

/// A plus, the country code and most national numbers.
const USUAL_LENGTH: usize = 14;

/// The region in which numbers without a country code are read, as an ISO alpha-2 code in either case. A code
/// that no numbering plan is known for counts as none.
#[derive(Clone, Copy, Debug)]
pub enum PhoneRegion<'a> {
    /// The same for every row; none accepts only numbers that start with a plus.
    Same(Option<&'a str>),
    /// One per row.
    Each(Text<'a>),
}

impl PhoneRegion<'_> {
    fn check(&self, texts: usize) -> Result<(), IdentityError> {
        match self {
            Self::Each(regions) if regions.len() != texts => {
                Err(IdentityError::Lengths { texts, regions: regions.len() })
            }
            Self::Each(_) | Self::Same(_) => Ok(()),
        }
    }
}

/// Phone numbers in E.164 (`+4930123456`), by libphonenumber's rules; null unless valid. Extensions are
/// dropped, letters are read as keys, digits of any script as digits.
///
/// # Errors
/// `Lengths` when regions and numbers differ in rows; `TooLarge` when the result exceeds 2 GiB.
pub fn normalize_phone(text: Text<'_>, region: PhoneRegion<'_>) -> Result<StringArray, IdentityError> {
    region.check(text.len())?;
    let home = homes(region);
    text.map(USUAL_LENGTH, |number, text, row| match e164(text, home(number)) {
        Some(phone) => row.set(phone.as_str()),
        None => Ok(()),
    })
}

/// SHA-256 of each phone number in E.164, plus included, as 64 lower-case hex digits; null unless valid.
///
/// # Errors
/// As [`normalize_phone`].
pub fn sha256_phone(text: Text<'_>, region: PhoneRegion<'_>) -> Result<StringArray, IdentityError> {
    region.check(text.len())?;
    let home = homes(region);
    let mut hasher = Hasher::new();
    text.map(Hasher::HEX, |number, text, row| match e164(text, home(number)) {
        Some(phone) => row.set(hasher.hex(phone.as_str())),
        None => Ok(()),
    })
}

/// Row → region, the one of all rows looked up once.
fn homes<'a>(region: PhoneRegion<'a>) -> impl Fn(usize) -> Home + 'a {
    let (same, each) = match region {
        PhoneRegion::Same(region) => (region.map_or(Home::NONE, Home::of), None),
        PhoneRegion::Each(regions) => (Home::NONE, Some(regions)),
    };
    move |row| match each {
        Some(regions) => regions.row(row).map_or(Home::NONE, Home::of),
        None => same,
    }
}
