//! Cron expressions as a crontab has them, on the wall clock of a time zone.
//!
//! The `cron` crate finds the times, over a wall clock without a zone: its own expressions count Sunday as 1 and want both
//! day fields to hold, and in a zone it skips times that a clock change skips and repeats those that it repeats.
//! So fields are read here and handed on as plain lists, and the times found are mapped into the zone here.

mod field;
#[cfg(test)]
mod tests;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use field::Field;

/// When a publish is wanted, on a wall clock.
#[derive(Debug, Clone)]
pub struct Cron {
    text: String,
    /// One, or two where both day fields are restricted: either day will do.
    schedules: Vec<cron::Schedule>,
}

/// The longest stretch that a clock change ever skipped (Samoa, 2011: a day), and an hour, in minutes.
const LONGEST_GAP: i64 = 25 * 60;

impl Cron {
    /// Reads five fields (minute, hour, day of month, month, day of week), or six with seconds first.
    ///
    /// # Errors
    /// What is wrong with it, as a message for `check`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (seconds, rest) = match fields.as_slice() {
            [minute, hour, day, month, weekday] => ("0", [*minute, *hour, *day, *month, *weekday]),
            [second, minute, hour, day, month, weekday] => (*second, [*minute, *hour, *day, *month, *weekday]),
            _ => {
                return Err(format!(
                    "a cron expression has five fields, or six with seconds first; this one has {}",
                    fields.len()
                ));
            }
        };
        let [minute, hour, day, month, weekday] = rest;
        let second = field::SECOND.read(seconds)?;
        let [minute, hour, day, month, weekday] = [
            (field::MINUTE, minute),
            (field::HOUR, hour),
            (field::DAY, day),
            (field::MONTH, month),
            (field::WEEKDAY, weekday),
        ]
        .map(|(kind, text)| kind.read(text));
        let (minute, hour, day, month, weekday) = (minute?, hour?, day?, month?, weekday?);
        let schedule = |day: &Field, weekday: &Field| {
            let fields = [&second, &minute, &hour, day, &month, weekday].map(Field::list);
            fields
                .join(" ")
                .parse::<cron::Schedule>()
                .map_err(|error| format!("the cron expression can't be read: {error}"))
        };
        let schedules = if day.is_restricted() && weekday.is_restricted() {
            vec![schedule(&day, &Field::any())?, schedule(&Field::any(), &weekday)?]
        } else {
            vec![schedule(&day, &weekday)?]
        };
        let cron = Self { text: text.to_owned(), schedules };
        match cron.next_on_the_wall(DateTime::UNIX_EPOCH.naive_utc()) {
            Some(_) => Ok(cron),
            None => Err("a cron expression names a day that some year has".to_owned()),
        }
    }

    /// The first time after an instant. A time that a clock change skips comes once, right after the change; one that it
    /// repeats comes once, the first time round. `None`: there is none before the year 2101.
    pub fn next(&self, after: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let mut wall = after.with_timezone(&zone).naive_local();
        loop {
            wall = self.next_on_the_wall(wall)?;
            // Not so where a repeated time has had its turn, or where a skipped one came with this very instant.
            if let Some(at) = instant(wall, zone).filter(|at| *at > after) {
                return Some(at);
            }
        }
    }

    fn next_on_the_wall(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let after = after.and_utc();
        self.schedules.iter().filter_map(|schedule| schedule.after(&after).next()).min().map(|next| next.naive_utc())
    }
}

/// By the text: what means the same may be written in several ways.
impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cron {}

impl std::fmt::Display for Cron {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// When a wall clock first shows a time, or the first instant after the change that skips it.
fn instant(wall: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let shown = match zone.from_local_datetime(&wall) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at),
        // Clocks change on the minute.
        LocalResult::None => {
            let minute = wall.with_second(0)?;
            (1..=LONGEST_GAP)
                .filter_map(|minutes| minute.checked_add_signed(TimeDelta::minutes(minutes)))
                .find_map(|wall| zone.from_local_datetime(&wall).earliest())
        }
    };
    shown.map(|at| at.to_utc())
}
