//! The rows of each table, as dirty as real ones: upper case, stray blanks, invalid and missing values, names
//! that are not ASCII, people who are there twice. Numbers and domains are ones set aside for fiction.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, RecordBatch, StringBuilder,
        TimestampMicrosecondBuilder,
    },
    error::ArrowError,
};

use super::people::{
    CATEGORIES, COUNTRIES, DOMAINS, FIRST_NAMES, Fact, LAST_NAMES, TIERS, draw, last_change, last_mail_change, people,
    pick, times_changed,
};

/// Seconds since 1970 of the first instants of August to November 2026, UTC.
const MONTHS: [i64; 4] = [1_785_542_400, 1_788_220_800, 1_790_812_800, NOVEMBER];
const NOVEMBER: i64 = 1_793_491_200;
const DAY: i64 = 86_400;
const MICROSECONDS: i64 = 1_000_000;

fn id(person: u64) -> String {
    format!("C{person:05}")
}

/// A row that a generation touched is dated that many days into November; any other lies up to `days` before.
fn updated(person: u64, detail: u64, touched: u32, days: u64) -> i64 {
    let seconds = if touched > 0 {
        NOVEMBER + DAY * i64::from(touched)
    } else {
        NOVEMBER - DAY - i64::try_from(draw(person, Fact::Updated, detail) % (days * 86_400)).unwrap_or(0)
    };
    seconds * MICROSECONDS
}

/// Amounts of money: whole cents, up to `below` units.
fn money(draw: u64, below: u64) -> f64 {
    (draw % (below * 100)) as f64 / 100.0
}

pub(super) fn individual(generation: u32) -> Result<RecordBatch, ArrowError> {
    let (mut key, mut first, mut last) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut country, mut postal, mut tier) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut birth, mut value) = (Date32Builder::new(), Float64Builder::new());
    let (mut consent, mut changed) = (BooleanBuilder::new(), TimestampMicrosecondBuilder::new());
    for person in people(generation) {
        let of = |fact| draw(person, fact, 0);
        let touched = last_change(person, generation);
        // Every 500th person is there twice: the older row has another postal code.
        for copy in 0..if person % 500 == 3 { 2 } else { 1 } {
            key.append_value(id(person));
            let name = pick(&FIRST_NAMES, of(Fact::FirstName));
            match person % 60 {
                7 => first.append_value(name.to_uppercase()),
                11 => first.append_value(format!(" {name} ")),
                _ => first.append_value(name),
            }
            last.append_option((person % 90 != 17).then(|| pick(&LAST_NAMES, of(Fact::LastName))));
            country.append_value(pick(&COUNTRIES, of(Fact::Country)));
            postal.append_value(format!("{:05}", (of(Fact::Postal) + copy) % 100_000));
            tier.append_value(pick(&TIERS, of(Fact::Tier)));
            birth.append_value(i32::try_from(of(Fact::Birth) % 21_000).unwrap_or(0) - 9_000);
            value.append_value(money(of(Fact::Value), 10_000) + 25.0 * times_changed(person, generation) as f64);
            consent.append_option((person % 120 != 31).then(|| of(Fact::Consent) % 10 != 0));
            let old = i64::try_from(copy).unwrap_or(0) * 30 * DAY * MICROSECONDS;
            changed.append_value(updated(person, 0, touched, 700) - old);
        }
    }
    RecordBatch::try_from_iter_with_nullable([
        ("individual_id", Arc::new(key.finish()) as ArrayRef, false),
        ("first_name", Arc::new(first.finish()), true),
        ("last_name", Arc::new(last.finish()), true),
        ("country", Arc::new(country.finish()), true),
        ("postal_code", Arc::new(postal.finish()), true),
        ("birth_date", Arc::new(birth.finish()), true),
        ("loyalty_tier", Arc::new(tier.finish()), true),
        ("lifetime_value", Arc::new(value.finish()), true),
        ("ads_consent", Arc::new(consent.finish()), true),
        ("updated_at", Arc::new(changed.finish()), true),
    ])
}

pub(super) fn email(generation: u32) -> Result<RecordBatch, ArrowError> {
    let (mut key, mut member, mut address) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut primary, mut consent) = (BooleanBuilder::new(), StringBuilder::new());
    let mut changed = TimestampMicrosecondBuilder::new();
    for person in people(generation) {
        for nth in 0..if draw(person, Fact::SecondAddress, 0).is_multiple_of(4) { 2 } else { 1 } {
            let touched = last_mail_change(person, nth, generation);
            let domain = pick(&DOMAINS, draw(person, Fact::Domain, nth));
            let clean = match touched {
                0 => format!("c{person}.{nth}@{domain}"),
                _ => format!("c{person}.{nth}.v{touched}@{domain}"),
            };
            key.append_value(format!("{}-E{nth}", id(person)));
            member.append_value(id(person));
            match draw(person, Fact::Address, nth) % 40 {
                0 => address.append_null(),
                1 => address.append_value("not an address"),
                2 => address.append_value(format!("  {clean}  ")),
                3 => address.append_value(clean.to_uppercase()),
                4 => address.append_value(clean.replace('@', "+news@")),
                _ => address.append_value(clean),
            }
            primary.append_value(nth == 0);
            let choice = draw(person, Fact::OptIn, (u64::from(touched) << 8) | nth);
            consent.append_value(pick(&["opt_in", "opt_in", "opt_in", "opt_in", "opt_out", "unknown"], choice));
            changed.append_value(updated(person, 1 + nth, touched, 365));
        }
    }
    RecordBatch::try_from_iter_with_nullable([
        ("email_id", Arc::new(key.finish()) as ArrayRef, false),
        ("individual_id", Arc::new(member.finish()), false),
        ("address", Arc::new(address.finish()), true),
        ("is_primary", Arc::new(primary.finish()), true),
        ("consent", Arc::new(consent.finish()), true),
        ("updated_at", Arc::new(changed.finish()), true),
    ])
}

pub(super) fn phone(generation: u32) -> Result<RecordBatch, ArrowError> {
    let (mut key, mut member, mut number) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut consent, mut changed) = (StringBuilder::new(), TimestampMicrosecondBuilder::new());
    for person in people(generation).filter(|person| !draw(*person, Fact::HasPhone, 0).is_multiple_of(5)) {
        key.append_value(format!("{}-P0", id(person)));
        member.append_value(id(person));
        number.append_option(as_typed(person));
        consent.append_value(pick(&["opt_in", "opt_in", "opt_out"], draw(person, Fact::PhoneConsent, 0)));
        changed.append_value(updated(person, 5, 0, 365));
    }
    RecordBatch::try_from_iter_with_nullable([
        ("phone_id", Arc::new(key.finish()) as ArrayRef, false),
        ("individual_id", Arc::new(member.finish()), false),
        ("number", Arc::new(number.finish()), true),
        ("consent", Arc::new(consent.finish()), true),
        ("updated_at", Arc::new(changed.finish()), true),
    ])
}

/// A number in one of the ways that people of the country type it. The ranges are kept for fiction by the
/// countries' regulators; Austria keeps none, so its people left none that is valid.
fn as_typed(person: u64) -> Option<String> {
    let (n, form) = (draw(person, Fact::PhoneNumber, 0) % 1_000, draw(person, Fact::PhoneForm, 0));
    if form.is_multiple_of(30) {
        return Some("12".to_owned());
    }
    let text = match (pick(&COUNTRIES, draw(person, Fact::Country, 0)), form % 3) {
        ("US", 0) => format!("+1 (212) 555-01{:02}", n % 100),
        ("US", 1) => format!("212-555-01{:02}", n % 100),
        ("US", _) => format!("1 212 555 01{:02}", n % 100),
        ("DE", 0) => format!("+49 30 23125 {n:03}"),
        ("DE", 1) => format!("030/23125{n:03}"),
        ("DE", _) => format!("0049 30 23125-{n:03}"),
        ("FR", 0) => format!("+33 1 99 00 {:02} {:02}", n / 100, n % 100),
        ("FR", _) => format!("01.99.00.{:02}.{:02}", n / 100, n % 100),
        ("GB", 0) => format!("+44 20 7946 0{n:03}"),
        ("GB", _) => format!("(020) 7946 0{n:03}"),
        _ => return None,
    };
    Some(text)
}

/// Events of the month `nth` of [`MONTHS`].
pub(super) fn engagement(generation: u32, nth: usize) -> Result<RecordBatch, ArrowError> {
    let (mut key, mut member) = (StringBuilder::new(), StringBuilder::new());
    let (mut kind, mut category) = (StringBuilder::new(), StringBuilder::new());
    let (mut amount, mut time) = (Float64Builder::new(), TimestampMicrosecondBuilder::new());
    let (start, end) = (MONTHS[nth], MONTHS[nth + 1]);
    let span = u64::try_from(NOVEMBER - MONTHS[0]).unwrap_or(1);
    for person in people(generation) {
        for event in 0..draw(person, Fact::Events, 0) % 9 {
            let at = MONTHS[0] + i64::try_from(draw(person, Fact::EventTime, event) % span).unwrap_or(0);
            if !(start..end).contains(&at) {
                continue;
            }
            key.append_value(format!("{}-V{event}", id(person)));
            member.append_value(id(person));
            let what = pick(&["view", "view", "click", "cart", "purchase"], draw(person, Fact::EventKind, event));
            kind.append_value(what);
            category.append_value(pick(&CATEGORIES, draw(person, Fact::EventCategory, event)));
            amount.append_option((what == "purchase").then(|| money(draw(person, Fact::EventAmount, event), 400)));
            time.append_value(at * MICROSECONDS);
        }
    }
    RecordBatch::try_from_iter_with_nullable([
        ("event_id", Arc::new(key.finish()) as ArrayRef, false),
        ("individual_id", Arc::new(member.finish()), false),
        ("event_type", Arc::new(kind.finish()), true),
        ("category", Arc::new(category.finish()), true),
        ("amount", Arc::new(amount.finish()), true),
        ("event_time", Arc::new(time.finish()), true),
    ])
}
