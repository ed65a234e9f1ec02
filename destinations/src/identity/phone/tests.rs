use phonenumber::metadata::DATABASE;
use phonenumber::{Mode, country};
use proptest::{prop_assert_eq, proptest};

use super::scan::{Scan, scan};
use super::{E164, Home, PLAN, e164, parse, unusual};

fn read(text: &str, region: &str) -> Option<String> {
    e164(text, Home::of(region)).as_ref().map(E164::as_str).map(str::to_owned)
}

/// What libphonenumber itself says; see `destinations/tests/data/make_phones.py`.
const EXPECTED: &str = include_str!("../../../tests/data/phones.tsv");

/// A backslash stands doubled, a tab as `\t`.
fn unescaped(text: &str) -> String {
    text.split("\\\\").map(|part| part.replace("\\t", "\t")).collect::<Vec<_>>().join("\\")
}

#[test]
fn every_answer_equals_libphonenumbers() {
    let mut checked = 0;
    let mut valid = 0;
    for line in EXPECTED.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [region, expected, text] = fields.as_slice() else { panic!("three fields: {line:?}") };
        let text = unescaped(text);
        assert_eq!(read(&text, region).as_deref().unwrap_or_default(), *expected, "{text:?} in {region:?}");
        checked += 1;
        valid += usize::from(!expected.is_empty());
    }
    assert!(checked > 5_000 && valid > 2_000, "{checked} lines, {valid} valid");
}

#[test]
fn every_pattern_of_the_metadata_compiles() {
    let mut patterns = 0;
    for region in PLAN.regions() {
        for pattern in region.patterns() {
            assert!(pattern.regex().is_some(), "{pattern:?}");
            patterns += 1;
        }
    }
    assert!(unusual::syntax_compiles());
    assert!(PLAN.regions().len() > 250 && patterns > 1_200, "{} regions, {patterns}", PLAN.regions().len());
}

#[test]
fn no_region_has_numbers_of_two_digits() {
    // The quick reading gives up on fewer than three.
    for region in PLAN.regions() {
        assert!(!region.is_valid(b"12") && !(0..=99).any(|n| region.is_valid(format!("{n:02}").as_bytes())));
    }
}

#[test]
fn every_region_of_the_metadata_is_found_by_its_code() {
    let mut regions = 0;
    for metadata in DATABASE.iter().filter(|metadata| metadata.id() != "001") {
        let region = PLAN.region(metadata.id()).map(|region| region.code);
        assert_eq!(region, Some(metadata.country_code()), "{}", metadata.id());
        regions += 1;
    }
    assert!(regions > 240, "{regions}");
}

/// The crate that brings the metadata parses too, a hundred times slower and, under a few country codes, not
/// as libphonenumber does. Elsewhere the two agree on every example number there is.
#[test]
fn example_numbers_read_as_the_crate_reads_them() {
    let mut compared = 0;
    let mut differing = Vec::new();
    for metadata in DATABASE.iter().filter(|metadata| metadata.id() != "001") {
        let home: country::Id = metadata.id().parse().unwrap();
        let descriptors = metadata.descriptors();
        let types = [descriptors.fixed_line(), descriptors.mobile()];
        for example in types.into_iter().flatten().filter_map(|descriptor| descriptor.example()) {
            for text in [format!("+{}{example}", metadata.country_code()), example.to_owned()] {
                let theirs = phonenumber::parse(Some(home), &text)
                    .ok()
                    .filter(phonenumber::is_valid)
                    .map(|number| number.format().mode(Mode::E164).to_string());
                if read(&text, metadata.id()) != theirs {
                    differing.push(metadata.country_code());
                }
                compared += 1;
            }
        }
    }
    differing.sort_unstable();
    differing.dedup();
    assert!(compared > 900, "{compared}");
    assert_eq!(differing, [7, 250, 262, 590, 594, 596]);
}

proptest! {
    #[test]
    fn the_quick_and_the_thorough_reading_agree(text in "[+ ().0-9/-]{0,24}", region in "DE|US|AU|IT|BR|MX|KZ|XX") {
        let home = Home::of(&region);
        let thorough = unusual::read(&text).and_then(|dialled| parse::parse(&PLAN, &dialled, home.0));
        let quick = match scan(&text) {
            Scan::Number(dialled) => parse::parse(&PLAN, &dialled, home.0),
            Scan::Nothing => None,
            Scan::Unusual => panic!("usual characters only"),
        };
        prop_assert_eq!(quick.as_ref().map(E164::as_str), thorough.as_ref().map(E164::as_str));
    }
}
