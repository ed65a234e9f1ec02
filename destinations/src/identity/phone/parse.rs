//! Digits and a home region → E.164, by the steps that libphonenumber takes.

use super::digits::Digits;
use super::plan::Plan;
use super::region::{LONGEST, Length, Region, SHORTEST};

/// What was read from a text: its digits, and whether they followed a plus.
#[derive(Clone, Copy)]
pub(super) struct Dialled {
    pub(super) plus: bool,
    pub(super) digits: Digits,
}

/// A valid number: `+`, country code, national number, all ASCII.
#[derive(Clone, Copy)]
pub(in crate::identity) struct E164 {
    bytes: [u8; 1 + 3 + LONGEST],
    len: usize,
}

impl E164 {
    fn new(code: u16, national: &[u8]) -> Option<Self> {
        let mut number = Self { bytes: [b'+'; 1 + 3 + LONGEST], len: 1 };
        let mut leading = true;
        for divisor in [100, 10, 1] {
            let digit = (code / divisor % 10) as u8;
            leading &= digit == 0;
            if !leading {
                number.bytes[number.len] = b'0' + digit;
                number.len += 1;
            }
        }
        let end = number.len + national.len();
        number.bytes.get_mut(number.len..end)?.copy_from_slice(national);
        number.len = end;
        Some(number)
    }

    pub(in crate::identity) fn as_str(&self) -> &str {
        // Never empty by accident: digits and a plus are always UTF-8.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// What the start of a number says of its country.
enum Country {
    Code(u16, Digits),
    /// Nothing: it is a number of the home region.
    Unstated,
    /// It was written for abroad, but with a code that no country has.
    Unknown,
    /// It was written for abroad, but too little followed.
    TooShort,
}

/// The valid number that was dialled, or None.
pub(super) fn parse(plan: &Plan, dialled: &Dialled, home: Option<&Region>) -> Option<E164> {
    if home.is_none() && !dialled.plus {
        return None;
    }
    let country = match country(plan, dialled.plus, &dialled.digits, home) {
        // A plus before the prefix for abroad, "+00 49 …": once more without it. It must lead abroad then.
        Country::Unknown if dialled.plus => match country(plan, false, &dialled.digits, home) {
            Country::Unstated => return None,
            second => second,
        },
        first => first,
    };
    let (region, number) = match country {
        Country::Code(code, number) => (plan.main(code)?, number),
        Country::Unstated => (home?, dialled.digits),
        Country::Unknown | Country::TooShort => return None,
    };
    if number.len() < SHORTEST {
        return None;
    }
    let stripped = region.without_national_prefix(&number);
    let national = match region.length(stripped.len()) {
        Length::Possible | Length::TooLong => stripped,
        Length::TooShort | Length::LocalOnly | Length::Unused => number,
    };
    if !(SHORTEST..=LONGEST).contains(&national.len()) || !plan.is_valid(region.code, national.as_slice()) {
        return None;
    }
    E164::new(region.code, national.as_slice())
}

fn country(plan: &Plan, plus: bool, number: &Digits, home: Option<&Region>) -> Country {
    let digits = number.as_slice();
    let abroad = if plus { Some(digits) } else { home.and_then(|home| after_international_prefix(home, digits)) };
    if let Some(abroad) = abroad {
        if abroad.len() <= SHORTEST {
            return Country::TooShort;
        }
        return plan.split(abroad).map_or(Country::Unknown, |(code, rest)| Country::Code(code, rest));
    }
    home.and_then(|home| without_own_code(home, digits))
        .map_or(Country::Unstated, |(code, rest)| Country::Code(code, rest))
}

/// The digits after the region's prefix for abroad. No country code starts with 0, so that is none.
fn after_international_prefix<'a>(home: &Region, digits: &'a [u8]) -> Option<&'a [u8]> {
    let end = home.international_prefix.as_ref()?.end(digits)?;
    let rest = &digits[end..];
    (rest.first() != Some(&b'0')).then_some(rest)
}

/// The number without its own country code, written without a plus. Only where it is no good with it.
fn without_own_code(home: &Region, digits: &[u8]) -> Option<(u16, Digits)> {
    let rest = Digits::copy(digits.strip_prefix(home.code_digits.as_bytes())?)?;
    let rest = home.without_national_prefix(&rest);
    let better = !home.is_viable(digits) && home.is_viable(rest.as_slice());
    (better || home.length(digits.len()) == Length::TooLong).then_some((home.code, rest))
}
