//! `herald audit`: who did what.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::{
    args::{Audit, Global},
    context,
    exit::{Exit, Stop},
    output::Output,
    text::{self, Table},
};
use crate::{config, state::AuditsOf};

pub(super) async fn run(global: &Global, args: Audit, output: Output) -> Result<Exit, Stop> {
    let (config, state) = context::open(global).await?;
    if let Some(name) = &args.activation {
        context::known(&config, &state, name).await?;
    }
    let of = AuditsOf { activation: args.activation, since: args.since };
    let entries = state.audits(&of, args.limit).await?;
    if output.json() {
        output.lines(&entries)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["WHEN", "WHO", "WHAT", "ACTIVATION", "DETAIL"]);
    for entry in entries {
        table.row(vec![
            text::time(entry.at),
            entry.who,
            entry.what,
            entry.activation.unwrap_or_default(),
            entry.detail.unwrap_or_default(),
        ]);
    }
    if !table.is_empty() {
        output.text(table.render(output.style()))?;
    } else if of == AuditsOf::default() {
        output.text("nothing on record yet")?;
    } else {
        output.text("nothing on record of that")?;
    }
    Ok(Exit::Done)
}

/// A time: so long ago (`7d`), a day in UTC (`2026-03-01`), or RFC 3339.
pub(super) fn since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    config::duration(text)
        .ok()
        .and_then(|ago| Utc::now().checked_sub_signed(TimeDelta::from_std(ago).ok()?))
        .ok_or_else(|| "give a duration such as `7d`, or a time such as `2026-03-01T10:00:00Z`".to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::since;

    #[test]
    fn a_time_is_given_as_a_duration_a_day_or_a_moment() {
        assert_eq!(since("2026-03-01").unwrap().to_rfc3339(), "2026-03-01T00:00:00+00:00");
        assert_eq!(since("2026-03-01T10:00:00+02:00").unwrap().to_rfc3339(), "2026-03-01T08:00:00+00:00");
        let ago = Utc::now() - since("36h").unwrap();
        assert!((ago - TimeDelta::hours(36)).abs() < TimeDelta::minutes(1), "{ago}");
        for wrong in ["", "yesterday", "7", "-1d", "2026-13-01", "9999999999999d"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
