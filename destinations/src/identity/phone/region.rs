//! The numbering plan of one region: its prefixes, its lengths and what a valid number looks like.

use std::sync::OnceLock;

use phonenumber::metadata::{Descriptor, Metadata};

use super::digits::Digits;
use super::pattern::Pattern;

/// The national significant number has 2 to 17 digits.
pub(super) const SHORTEST: usize = 2;
pub(super) const LONGEST: usize = 17;

/// How a number's length compares with those that the region uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Possible,
    /// Only within an area.
    LocalOnly,
    TooShort,
    TooLong,
    /// Between the shortest and the longest, yet not in use.
    Unused,
}

/// A set of lengths, one bit each.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths(u32);

impl Lengths {
    fn of(lengths: &[u16]) -> Self {
        Self(lengths.iter().filter(|length| **length < 32).fold(0, |set, length| set | (1 << length)))
    }

    fn contains(self, length: usize) -> bool {
        length < 32 && self.0 & (1 << length) != 0
    }
}

#[derive(Debug)]
pub(super) struct Region {
    /// The country calling code, 1 to 3 digits, as number and as text.
    pub(super) code: u16,
    pub(super) code_digits: String,
    /// What is dialled before a country code.
    pub(super) international_prefix: Option<Pattern>,
    /// Tells this region's numbers from its neighbours' under the same country code.
    pub(super) leading_digits: Option<Pattern>,
    national_prefix: Option<NationalPrefix>,
    general: Pattern,
    lengths: Lengths,
    local_lengths: Lengths,
    /// Per type of number (fixed, mobile, toll free …) its pattern and lengths.
    types: Vec<(String, Lengths)>,
    /// Every type that has numbers of that length, in one pattern.
    by_length: [OnceLock<Option<Pattern>>; LONGEST + 1],
}

#[derive(Debug)]
struct NationalPrefix {
    pattern: Pattern,
    /// Replaces what the pattern matched, where the pattern's last group took part: `9$1`.
    transform: Option<String>,
}

impl Region {
    pub(super) fn new(metadata: &Metadata) -> Self {
        let descriptors = metadata.descriptors();
        let types: Vec<&Descriptor> = [
            descriptors.fixed_line(),
            descriptors.mobile(),
            descriptors.toll_free(),
            descriptors.premium_rate(),
            descriptors.shared_cost(),
            descriptors.personal_number(),
            descriptors.voip(),
            descriptors.pager(),
            descriptors.uan(),
            descriptors.voicemail(),
        ]
        .into_iter()
        .flatten()
        .collect();

        // The metadata gives lengths per type alone; the region's are their union, where a length that
        // some type has in full is not a local one.
        let union = |lengths: fn(&Descriptor) -> &[u16]| {
            types.iter().fold(0, |set, descriptor| set | Lengths::of(lengths(descriptor)).0)
        };
        let lengths = Lengths(union(Descriptor::possible_length));
        let local_lengths = Lengths(union(Descriptor::possible_local_length) & !lengths.0);

        // A region that names only the prefix strips just that.
        let national_prefix =
            metadata.national_prefix_for_parsing().map(|pattern| pattern.as_str()).or(metadata.national_prefix()).map(
                |pattern| NationalPrefix {
                    pattern: Pattern::prefix(pattern),
                    transform: metadata.national_prefix_transform_rule().map(str::to_owned),
                },
            );

        Self {
            code: metadata.country_code(),
            code_digits: metadata.country_code().to_string(),
            international_prefix: metadata.international_prefix().map(|pattern| Pattern::prefix(pattern.as_str())),
            leading_digits: metadata.leading_digits().map(|pattern| Pattern::prefix(pattern.as_str())),
            national_prefix,
            general: Pattern::whole(descriptors.general().national_number().as_str()),
            lengths,
            local_lengths,
            types: types
                .into_iter()
                .map(|kind| (kind.national_number().as_str().to_owned(), Lengths::of(kind.possible_length())))
                .collect(),
            by_length: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    /// Whether digits look like a national number of this region, of whatever type.
    pub(super) fn is_viable(&self, digits: &[u8]) -> bool {
        self.general.is_match(digits)
    }

    /// Whether digits are a national number of one of this region's types.
    pub(super) fn is_valid(&self, digits: &[u8]) -> bool {
        self.typed(digits.len()).is_some_and(|types| types.is_match(digits)) && self.general.is_match(digits)
    }

    /// Compares a length with those in use.
    pub(super) fn length(&self, length: usize) -> Length {
        if self.local_lengths.contains(length) {
            return Length::LocalOnly;
        }
        if self.lengths.contains(length) {
            return Length::Possible;
        }
        let shortest = self.lengths.0.trailing_zeros() as usize;
        let longest = 31_usize.saturating_sub(self.lengths.0.leading_zeros() as usize);
        if length < shortest {
            Length::TooShort
        } else if length > longest {
            Length::TooLong
        } else {
            Length::Unused
        }
    }

    /// Takes away what is dialled only within the country (and a carrier's code with it), or puts in the
    /// area code that is left out there. Unchanged where that would make a good number a bad one.
    pub(super) fn without_national_prefix(&self, number: &Digits) -> Digits {
        self.stripped(number.as_slice()).unwrap_or(*number)
    }

    fn stripped(&self, digits: &[u8]) -> Option<Digits> {
        let prefix = self.national_prefix.as_ref()?;
        let end = prefix.pattern.end(digits)?;
        let stripped = match &prefix.transform {
            Some(transform) => match prefix.transformed(transform, digits) {
                Some(transformed) => transformed,
                None => Digits::copy(&digits[end..])?,
            },
            None => Digits::copy(&digits[end..])?,
        };
        let spoils = self.is_viable(digits) && !self.is_viable(stripped.as_slice());
        (!spoils).then_some(stripped)
    }

    fn typed(&self, length: usize) -> Option<&Pattern> {
        self.by_length
            .get(length)?
            .get_or_init(|| {
                let with_length: Vec<String> = self
                    .types
                    .iter()
                    .filter(|(_, lengths)| lengths.contains(length))
                    .map(|(pattern, _)| format!("(?:{pattern})"))
                    .collect();
                (!with_length.is_empty()).then(|| Pattern::whole(&with_length.join("|")))
            })
            .as_ref()
    }

    /// Every pattern there is, for the test that compiles them.
    #[cfg(test)]
    pub(super) fn patterns(&self) -> Vec<&Pattern> {
        let mut all = vec![&self.general];
        all.extend(self.international_prefix.as_ref());
        all.extend(self.leading_digits.as_ref());
        all.extend(self.national_prefix.as_ref().map(|prefix| &prefix.pattern));
        all.extend((0..=LONGEST).filter_map(|length| self.typed(length)));
        all
    }
}

impl NationalPrefix {
    /// The digits by the rule; None where the pattern's last group took no part in the match.
    fn transformed(&self, transform: &str, digits: &[u8]) -> Option<Digits> {
        let regex = self.pattern.regex()?;
        let groups = regex.captures(digits)?;
        groups.get(groups.len() - 1)?;
        let mut result = Digits::new();
        let mut rule = transform.bytes();
        while let Some(byte) = rule.next() {
            let room = if byte == b'$' {
                let group = usize::from(rule.next()?.checked_sub(b'0')?);
                groups.get(group).is_none_or(|group| result.extend(group.as_bytes()))
            } else {
                result.push(byte)
            };
            if !room {
                return None;
            }
        }
        let end = groups.get(0)?.end();
        result.extend(&digits[end..]).then_some(result)
    }
}
