use chrono::{DateTime, LocalResult, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::Cron;

/// Zones with clock changes at other hours, of other sizes, on the other side of the year, that ended, or none. Not among
/// them: Samoa, which skipped a day, where croner gives up; it has a line of its own below.
const ZONES: [Tz; 8] = [
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::America__Sao_Paulo,
    Tz::Asia__Kolkata,
    Tz::Africa__Cairo,
    Tz::America__St_Johns,
    Tz::UTC,
];

/// Ten years in which Sao Paulo still changed its clocks, at midnight.
const FROM: &str = "2011-01-01T00:00:00Z";
const YEARS: i64 = 10;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn times(text: &str, zone: Tz, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
    let cron = Cron::parse(text).unwrap();
    std::iter::successors(cron.next(after, zone), |last| cron.next(*last, zone)).take(count).collect()
}

/// What croner says, as far as it means the same, and until when that is known: `until`, or its `most`th time. Where hour or minute
/// is more than one value, croner takes the expression for an interval: it then runs in both halves of a repeated
/// hour, and not at all for a time that is skipped. Here every time on the wall clock comes just once, whatever the
/// expression looks like: `every` is there for intervals.
fn oracle(
    text: &str,
    zone: Tz,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
    most: usize,
) -> (Vec<DateTime<Utc>>, DateTime<Utc>) {
    let cron: croner::Cron = text.parse().unwrap();
    let found: Vec<DateTime<Tz>> =
        std::iter::successors(cron.find_next_occurrence(&after.with_timezone(&zone), false).ok(), |last| {
            cron.find_next_occurrence(last, false).ok()
        })
        .take_while(|at| *at < until)
        .take(most)
        .collect();
    let end = found.last().filter(|_| found.len() == most).map_or(until, DateTime::to_utc);
    let first_time = |at: &DateTime<Tz>| zone.from_local_datetime(&at.naive_local()).earliest().as_ref() == Some(at);
    (found.into_iter().filter(|at| first_time(at) && *at < end).map(|at| at.to_utc()).collect(), end)
}

/// Whether the wall clock was put forward at just this instant.
fn after_a_gap(at: DateTime<Utc>, zone: Tz) -> bool {
    let local = at.with_timezone(&zone).naive_local();
    zone.from_local_datetime(&(local - TimeDelta::seconds(1))) == LocalResult::None
}

/// Compares all times in a stretch, at most `most` of croner's.
fn agree(text: &str, zone: Tz, after: DateTime<Utc>, until: DateTime<Utc>, most: usize) {
    let (expected, end) = oracle(text, zone, after, until, most);
    let cron = Cron::parse(text).unwrap();
    let mut ours = std::iter::successors(cron.next(after, zone), |last| cron.next(*last, zone))
        .take_while(|at| *at < end)
        .filter(|at| expected.binary_search(at).is_ok() || !after_a_gap(*at, zone));
    for at in &expected {
        assert_eq!(ours.next().as_ref(), Some(at), "`{text}` in {zone}");
    }
    assert_eq!(ours.next(), None, "`{text}` in {zone}");
}

/// A deterministic stream of numbers: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn field(&mut self, least: u64, most: u64, words: &[&str], any: u64) -> String {
        if self.below(100) < any {
            return "*".to_owned();
        }
        let value = |numbers: &mut Self| least + numbers.below(most - least + 1);
        let items: Vec<String> = (0..=self.below(3))
            .map(|_| match self.below(5) {
                0 => format!("*/{}", 1 + self.below(most - least)),
                1 | 2 => {
                    let (one, other) = (value(self), value(self));
                    let (first, last) = (one.min(other), one.max(other));
                    if self.below(2) == 0 {
                        format!("{first}-{last}")
                    } else {
                        format!("{first}-{last}/{}", 1 + self.below(5))
                    }
                }
                _ if !words.is_empty() && self.below(2) == 0 => {
                    words[self.below(words.len() as u64) as usize].to_owned()
                }
                _ => value(self).to_string(),
            })
            .collect();
        items.join(",")
    }

    fn expression(&mut self) -> String {
        let months = ["jan", "Feb", "MAR", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let days = ["sun", "Mon", "TUE", "wed", "thu", "fri", "sat"];
        let fixed = self.below(2) == 0;
        let (minute, hour) = if fixed {
            (self.below(60).to_string(), self.below(24).to_string())
        } else {
            (self.field(0, 59, &[], 10), self.field(0, 23, &[], 30))
        };
        let second = if self.below(4) == 0 { format!("{} ", self.below(60)) } else { String::new() };
        let day = self.field(1, 28, &[], 50);
        format!("{second}{minute} {hour} {day} {} {}", self.field(1, 12, &months, 70), self.field(0, 7, &days, 50))
    }
}

#[test]
fn ten_years_of_daily_weekly_and_monthly_times_are_those_of_croner_in_every_zone() {
    let after = at(FROM);
    let until = after + TimeDelta::days(YEARS * 365);
    for zone in ZONES {
        for text in [
            "30 2 * * *",
            "0 0 * * *",
            "59 23 * * 1-5",
            "15 3 1 * *",
            "0 1 13 * fri",
            "30 0 29 2 *",
            "0 6 * jan-mar sun",
        ] {
            agree(text, zone, after, until, usize::MAX);
        }
    }
}

#[test]
fn a_thousand_generated_expressions_give_the_times_of_croner_around_clock_changes() {
    let mut numbers = Numbers(2026);
    for round in 0..1_000 {
        let text = numbers.expression();
        let zone = ZONES[numbers.below(ZONES.len() as u64) as usize];
        // Anywhere in ten years, and at the days around the last Sundays of March and October, when most clocks change.
        let somewhere = at(FROM) + TimeDelta::seconds(numbers.below(YEARS as u64 * 365 * 86_400) as i64);
        let year = 2011 + round % YEARS;
        for after in [somewhere, at(&format!("{year}-03-07T00:00:00Z")), at(&format!("{year}-10-15T00:00:00Z"))] {
            agree(&text, zone, after, after + TimeDelta::days(25), 60);
        }
    }
}

#[test]
fn a_skipped_time_comes_once_right_after_the_change() {
    let berlin = Tz::Europe__Berlin;
    assert_eq!(
        times("30 2 * * *", berlin, at("2026-03-28T12:00:00Z"), 2),
        [at("2026-03-29T01:00:00Z"), at("2026-03-30T00:30:00Z")]
    );
    // Skipped ones and the one that is due there anyway are one.
    assert_eq!(
        times("*/30 2,3 * * *", berlin, at("2026-03-29T00:00:00Z"), 3),
        [at("2026-03-29T01:00:00Z"), at("2026-03-29T01:30:00Z"), at("2026-03-30T00:00:00Z")]
    );
    // Half an hour, and a whole day.
    assert_eq!(
        times("15 2 * * *", Tz::Australia__Lord_Howe, at("2026-10-03T10:00:00Z"), 1),
        [at("2026-10-03T15:30:00Z")]
    );
    assert_eq!(times("0 12 30 12 *", Tz::Pacific__Apia, at("2011-12-30T09:00:00Z"), 1), [at("2011-12-30T10:00:00Z")]);
}

#[test]
fn a_repeated_time_comes_once_the_first_time_round() {
    let berlin = Tz::Europe__Berlin;
    assert_eq!(
        times("30 2 * * *", berlin, at("2026-10-24T12:00:00Z"), 2),
        [at("2026-10-25T00:30:00Z"), at("2026-10-26T01:30:00Z")]
    );
    assert_eq!(
        times("*/30 * * * *", berlin, at("2026-10-25T00:00:00Z"), 3),
        [at("2026-10-25T00:30:00Z"), at("2026-10-25T02:00:00Z"), at("2026-10-25T02:30:00Z")]
    );
    // Asked in the second half, it does not come again.
    assert_eq!(times("30 2 * * *", berlin, at("2026-10-25T01:10:00Z"), 1), [at("2026-10-26T01:30:00Z")]);
}

#[test]
fn weekdays_are_those_of_crontab() {
    let monday = at("2026-11-23T00:00:00Z");
    for (text, days) in
        [("0 0 * * 0", [29, 6]), ("0 0 * * 7", [29, 6]), ("0 0 * * SUN", [29, 6]), ("0 0 * * fri-sun", [27, 28])]
    {
        let found: Vec<u32> = times(text, Tz::UTC, monday, 2).iter().map(chrono::Datelike::day).collect();
        assert_eq!(found, days, "{text}");
    }
    // Either day will do, where both are restricted.
    let found: Vec<u32> = times("0 0 13 * 5", Tz::UTC, monday, 4).iter().map(chrono::Datelike::day).collect();
    assert_eq!(found, [27, 4, 11, 13]);
}

#[test]
fn what_is_no_cron_expression_is_refused_with_the_field_named() {
    for (text, expected) in [
        ("0 6 * *", "this one has 4"),
        ("0 0 6 * * * *", "this one has 7"),
        ("@daily", "this one has 1"),
        ("", "this one has 0"),
        ("0 99 * * *", "`hour` of a cron expression takes 0 to 23"),
        ("60 * * * *", "`minute` of a cron expression takes 0 to 59"),
        ("60 0 0 * * *", "`second` of a cron expression takes 0 to 59"),
        ("0 0 0 * *", "`day of month` of a cron expression takes 1 to 31"),
        ("0 0 * 13 *", "`month` of a cron expression takes 1 to 12 or jan to dec"),
        ("0 0 * monday *", "`month`"),
        ("0 0 * * 8", "`day of week` of a cron expression takes 0 to 7 or sun to sat"),
        ("0 0 L * *", "`day of month`"),
        ("0 0 * * 5#2", "`day of week`"),
        ("0 0 * * +1", "`day of week`"),
        ("0 ? * * *", "`hour`"),
        ("1,,2 * * * *", "`minute`"),
        ("5-1 * * * *", "a range in the field `minute` ends after it begins"),
        ("*/0 * * * *", "a step in the field `minute` is a number from 1 to 60"),
        ("*/61 * * * *", "a step in the field `minute`"),
        ("5/15 * * * *", "goes with a range, such as `5-59/15`"),
        ("0 0 31 2 *", "a day that some year has"),
        ("0 0 31 apr,jun,sep,nov ?", "a day that some year has"),
        ("99999999999 * * * *", "`minute`"),
    ] {
        let message = Cron::parse(text).unwrap_err();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn times_end_with_the_century_and_do_not_panic() {
    let cron = Cron::parse("0 0 1 1 *").unwrap();
    assert_eq!(cron.next(at("2100-06-01T00:00:00Z"), Tz::Europe__Berlin), None);
    assert_eq!(cron.next(at("2099-06-01T00:00:00Z"), Tz::UTC), Some(at("2100-01-01T00:00:00Z")));
}
