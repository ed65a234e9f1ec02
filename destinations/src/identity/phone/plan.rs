//! All numbering plans, found by country code and by region.

use std::sync::LazyLock;

use phonenumber::metadata::DATABASE;

use super::digits::Digits;
use super::region::Region;

/// Country codes have at most three digits.
const CODES: usize = 1000;
const LETTERS: usize = 26;

/// The plans of the metadata that the `phonenumber` crate carries: libphonenumber's own.
pub(super) static PLAN: LazyLock<Plan> = LazyLock::new(Plan::new);

#[derive(Debug)]
pub(super) struct Plan {
    regions: Vec<Region>,
    /// Positions in `regions` per country code, the main region first.
    by_code: Vec<Vec<usize>>,
    /// Position in `regions` per two letters.
    by_name: Vec<Option<usize>>,
}

impl Plan {
    fn new() -> Self {
        let mut plan =
            Self { regions: Vec::new(), by_code: vec![Vec::new(); CODES], by_name: vec![None; LETTERS * LETTERS] };
        for code in 1..CODES {
            // By code and not over all: codes that belong to no region share one id there.
            let Some(metadata) = u16::try_from(code).ok().and_then(|code| DATABASE.by_code(&code)) else { continue };
            for metadata in metadata {
                let position = plan.regions.len();
                plan.regions.push(Region::new(metadata));
                plan.by_code[code].push(position);
                if let Some(name) = slot(metadata.id()) {
                    plan.by_name[name] = Some(position);
                }
            }
        }
        plan
    }

    /// The plan of an ISO alpha-2 code, in either case; None when there is no such region.
    pub(super) fn region(&self, name: &str) -> Option<&Region> {
        self.by_name[slot(name)?].map(|position| &self.regions[position])
    }

    /// The plan that speaks for a country code.
    pub(super) fn main(&self, code: u16) -> Option<&Region> {
        let position = self.by_code.get(usize::from(code))?.first()?;
        Some(&self.regions[*position])
    }

    /// Splits the country code off; None when the digits start with none.
    pub(super) fn split(&self, digits: &[u8]) -> Option<(u16, Digits)> {
        if digits.first() == Some(&b'0') {
            return None;
        }
        let mut code = 0_u16;
        for (position, digit) in digits.iter().take(3).enumerate() {
            code = code * 10 + u16::from(digit - b'0');
            if !self.by_code[usize::from(code)].is_empty() {
                return Some((code, Digits::copy(&digits[position + 1..])?));
            }
        }
        None
    }

    /// Whether a national number is valid under a country code. Where regions share the code, the first one
    /// that claims the number decides: by its leading digits, or else by a type that matches.
    pub(super) fn is_valid(&self, code: u16, national: &[u8]) -> bool {
        let Some(positions) = self.by_code.get(usize::from(code)) else { return false };
        if let [only] = positions.as_slice() {
            return self.regions[*only].is_valid(national);
        }
        for position in positions {
            let region = &self.regions[*position];
            match &region.leading_digits {
                Some(leading) if leading.is_match(national) => return region.is_valid(national),
                Some(_) => {}
                None if region.is_valid(national) => return true,
                None => {}
            }
        }
        false
    }

    #[cfg(test)]
    pub(super) fn regions(&self) -> &[Region] {
        &self.regions
    }
}

/// Where two letters stand in the table of names.
fn slot(name: &str) -> Option<usize> {
    let [first, second] = name.as_bytes() else { return None };
    let letter = |byte: u8| byte.to_ascii_uppercase().checked_sub(b'A').map(usize::from).filter(|at| *at < LETTERS);
    Some(letter(*first)? * LETTERS + letter(*second)?)
}
