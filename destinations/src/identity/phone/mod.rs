//! Phone numbers: any way of writing → E.164, by libphonenumber's rules.
//!
//! The rules and their steps are libphonenumber's; the metadata is the copy that the `phonenumber` crate
//! carries. Numbers written the usual way are read byte by byte on the stack, all others by patterns, and
//! both then take the same steps: country code, national prefix, lengths, types.

mod digits;
mod parse;
mod pattern;
mod plan;
mod region;
mod scan;
mod unusual;

#[cfg(test)]
mod tests;

use parse::E164;
use plan::PLAN;
use scan::Scan;

/// A region that numbers without a country code are read in.
#[derive(Clone, Copy)]
pub(super) struct Home(Option<&'static region::Region>);

impl Home {
    /// No region: only numbers with a plus are accepted.
    pub(super) const NONE: Self = Self(None);

    /// By ISO alpha-2 code, in either case. One that no plan is known for is no region.
    pub(super) fn of(region: &str) -> Self {
        Self(PLAN.region(region))
    }
}

/// The valid number in a text, or None.
pub(super) fn e164(text: &str, home: Home) -> Option<E164> {
    let dialled = match scan::scan(text) {
        Scan::Number(dialled) => dialled,
        Scan::Nothing => return None,
        Scan::Unusual => unusual::read(text)?,
    };
    parse::parse(&PLAN, &dialled, home.0)
}
