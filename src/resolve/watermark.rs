//! How far tables have been read: the times at which rows last changed, as numbers of their column's own unit.

use std::{collections::BTreeMap, time::Duration};

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, TimeDelta, Utc};
use datafusion::common::ScalarValue;
use serde::{Deserialize, Serialize};

use super::plan::PublishPlan;

/// How far the tables of a definition have been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermarks {
    /// Tells definitions apart without keeping them: what was read for another one says nothing.
    pub(super) definition: String,
    /// By table.
    pub(super) tables: BTreeMap<String, Watermark>,
}

impl Watermarks {
    /// These, where they were read by the same definition: of another one's records they say nothing.
    #[must_use]
    pub fn of_plan(self, plan: &PublishPlan) -> Self {
        if self.definition == plan.definition() { self } else { Self::default() }
    }
}

/// How far one table has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watermark {
    /// Type of its `updated_at`.
    data_type: String,
    /// The greatest one in the type's own unit, since 1970. `None`: no row had any.
    value: Option<i64>,
}

/// A day, in seconds.
const DAY: i64 = 86_400;
/// A clock on a wall is at most so far ahead of UTC: times without a zone may be of any.
const AHEAD: TimeDelta = TimeDelta::hours(14);

/// Whether rows can be told by this type to be later than others: it is a point in time.
pub(super) fn is_time(data_type: &DataType) -> bool {
    units(data_type).is_some()
}

/// Units of the type in a second, or, of a date in days, seconds in a unit, negative.
fn units(data_type: &DataType) -> Option<i64> {
    match data_type {
        DataType::Date32 => Some(-DAY),
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => Some(1_000),
        DataType::Timestamp(TimeUnit::Second, _) => Some(1),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Some(1_000_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Some(1_000_000_000),
        _ => None,
    }
}

impl Watermark {
    /// The greatest `updated_at` of a table that is read `now`. One that is yet to come would hide all that changes until
    /// then: no row is taken to be later than now.
    pub(super) fn new(data_type: &DataType, greatest: &ScalarValue, now: DateTime<Utc>) -> Self {
        let latest = if matches!(data_type, DataType::Timestamp(_, Some(_))) { now } else { now + AHEAD };
        let most = match units(data_type) {
            Some(days) if days < 0 => latest.timestamp().div_euclid(-days),
            Some(units) => latest
                .timestamp()
                .saturating_mul(units)
                .saturating_add(i64::from(latest.timestamp_subsec_nanos()) * units / 1_000_000_000),
            None => i64::MAX,
        };
        Self { data_type: data_type.to_string(), value: number(greatest).map(|value| value.min(most)) }
    }

    /// Whether it is of a column of this type.
    pub(super) fn fits(&self, data_type: &DataType) -> bool {
        self.data_type == data_type.to_string()
    }

    /// Rows beyond this are to be looked at: so much before the watermark. `None`: every row that has a time.
    pub(super) fn beyond(&self, data_type: &DataType, overlap: Duration) -> Option<ScalarValue> {
        let value = self.value?;
        let overlap = i64::try_from(overlap.as_nanos()).unwrap_or(i64::MAX);
        let floor = match units(data_type)? {
            // A row of a day may have changed at any moment of it, after the day was read, too.
            days if days < 0 => {
                let seconds = overlap.div_euclid(1_000_000_000) + i64::from(overlap % 1_000_000_000 > 0);
                value.saturating_mul(-days).saturating_sub(seconds).div_euclid(-days) - 1
            }
            units => {
                let unit = 1_000_000_000 / units;
                let floor = value.saturating_sub(overlap.div_euclid(unit) + i64::from(overlap % unit > 0));
                let day = DAY * 1_000;
                // Its unit is finer than its values.
                if matches!(data_type, DataType::Date64) {
                    floor.div_euclid(day).saturating_mul(day) - 1
                } else {
                    floor
                }
            }
        };
        scalar(data_type, floor)
    }
}

impl Watermarks {
    /// What is noted of a table's column, if it was of this type.
    pub(super) fn of(&self, table: &str, data_type: &DataType) -> Option<&Watermark> {
        self.tables.get(table).filter(|noted| noted.fits(data_type))
    }
}

fn number(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Date32(value) => value.map(i64::from),
        ScalarValue::Date64(value)
        | ScalarValue::TimestampSecond(value, _)
        | ScalarValue::TimestampMillisecond(value, _)
        | ScalarValue::TimestampMicrosecond(value, _)
        | ScalarValue::TimestampNanosecond(value, _) => *value,
        _ => None,
    }
}

fn scalar(data_type: &DataType, value: i64) -> Option<ScalarValue> {
    Some(match data_type {
        DataType::Date32 => ScalarValue::Date32(Some(i32::try_from(value).unwrap_or(i32::MIN))),
        DataType::Date64 => ScalarValue::Date64(Some(value)),
        DataType::Timestamp(unit, zone) => {
            let (value, zone) = (Some(value), zone.clone());
            match unit {
                TimeUnit::Second => ScalarValue::TimestampSecond(value, zone),
                TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(value, zone),
                TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(value, zone),
                TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(value, zone),
            }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(100 * DAY, 500_000_000).unwrap()
    }

    fn beyond(data_type: &DataType, value: i64, overlap: Duration) -> i64 {
        let mark = Watermark::new(data_type, &scalar(data_type, value).unwrap(), now());
        number(&mark.beyond(data_type, overlap).unwrap()).unwrap()
    }

    #[test]
    fn the_overlap_is_taken_off_in_every_unit() {
        let of = |unit| DataType::Timestamp(unit, None);
        let ten = Duration::from_secs(10);
        assert_eq!(beyond(&of(TimeUnit::Second), 5_000, ten), 4_990);
        assert_eq!(beyond(&of(TimeUnit::Millisecond), 5_000_000, ten), 4_990_000);
        assert_eq!(beyond(&of(TimeUnit::Microsecond), 5_000_000_000, ten), 4_990_000_000);
        assert_eq!(beyond(&of(TimeUnit::Nanosecond), 5_000_000_000_000, ten), 4_990_000_000_000);
        // Less than a unit is one unit.
        assert_eq!(beyond(&of(TimeUnit::Second), 5_000, Duration::from_millis(1)), 4_999);
        assert_eq!(beyond(&of(TimeUnit::Second), 5_000, Duration::ZERO), 5_000);
    }

    #[test]
    fn of_dates_the_day_that_was_read_is_read_again() {
        for overlap in [0, 600, 86_400 - 1] {
            let days = if overlap == 0 { 41 } else { 40 };
            assert_eq!(beyond(&DataType::Date32, 42, Duration::from_secs(overlap)), days, "{overlap}");
            let read = beyond(&DataType::Date64, 42 * DAY * 1_000, Duration::from_secs(overlap));
            assert_eq!(read, (days + 1) * DAY * 1_000 - 1, "{overlap}");
        }
    }

    #[test]
    fn a_time_that_is_yet_to_come_hides_nothing() {
        let zoned = DataType::Timestamp(TimeUnit::Millisecond, Some("Europe/Berlin".into()));
        assert_eq!(beyond(&zoned, i64::MAX, Duration::ZERO), 100 * DAY * 1_000 + 500);
        let naive = DataType::Timestamp(TimeUnit::Second, None);
        assert_eq!(beyond(&naive, i64::MAX, Duration::ZERO), 100 * DAY + 14 * 3_600);
        assert_eq!(beyond(&DataType::Date32, 9_999, Duration::ZERO), 99);
    }

    #[test]
    fn a_table_without_any_time_has_all_of_them_yet_to_come() {
        let data_type = DataType::Date32;
        let mark = Watermark::new(&data_type, &ScalarValue::Date32(None), now());
        assert_eq!(mark.beyond(&data_type, Duration::ZERO), None);
        assert!(mark.fits(&data_type) && !mark.fits(&DataType::Date64));
        assert!(!is_time(&DataType::Int64) && !is_time(&DataType::Utf8) && is_time(&DataType::Date64));
    }
}
