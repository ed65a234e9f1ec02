//! How all activations stand, in one query however many there are.

use chrono::{DateTime, Utc};
use sqlx::{Row, sqlite::SqliteRow};

use super::{ActivationState, History, State, StateError, history, publishes};
use crate::publish::Receipt;

/// How an activation stands, as far as it is on record.
#[derive(Debug, Clone)]
pub struct StandingRow {
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: ActivationState,
    /// Whether somebody paused it by command.
    pub paused: bool,
    /// The newest publish.
    pub last: Option<Receipt>,
    /// When the newest publish began that succeeded, at least in part; teardowns,
    /// recoveries and those of named members don't count.
    pub good: Option<DateTime<Utc>>,
    /// When publishes last began.
    pub history: History,
    /// Members in its snapshot.
    pub members: u64,
    /// Records that were refused for good.
    pub dead_letters: u64,
}

impl State {
    /// How every activation on record stands, or the one of this name, by name. Each column is found by an index, from the
    /// newest publish backwards, so that a long history costs nothing.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn standings(&self, name: Option<&str>) -> Result<Vec<StandingRow>, StateError> {
        let query = format!(
            "SELECT a.name, a.state, a.paused,
                 (SELECT receipt FROM publishes WHERE activation = a.name ORDER BY number DESC LIMIT 1),
                 (SELECT json_extract(receipt, '$.started_at') FROM publishes
                  WHERE activation = a.name AND status IN ('succeeded', 'partial')
                    AND kind NOT IN ('teardown', 'recovery') AND NOT of_some ORDER BY number DESC LIMIT 1),
                 coalesce((SELECT rows FROM snapshots WHERE activation = a.name), 0),
                 (SELECT count(*) FROM dead_letters WHERE activation = a.name),
                 {}
             FROM activations AS a WHERE ?1 IS NULL OR a.name = ?1 ORDER BY a.name",
            history::columns("a.name")
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(name).fetch_all(self.read()).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &SqliteRow) -> Result<StandingRow, StateError> {
    let state: String = row.try_get(1)?;
    let last: Option<String> = row.try_get(3)?;
    let number = |index| -> Result<u64, StateError> {
        u64::try_from(row.try_get::<i64, _>(index)?).map_err(StateError::internal)
    };
    let time = |index| -> Result<Option<DateTime<Utc>>, StateError> {
        row.try_get::<Option<String>, _>(index)?.map(|text| text.parse().map_err(StateError::internal)).transpose()
    };
    let full = match (time(9)?, time(10)?) {
        (Some(full), _) | (None, Some(full)) => Some(full),
        (None, None) => time(11)?,
    };
    Ok(StandingRow {
        name: row.try_get(0)?,
        state: ActivationState::parse(&state)?,
        paused: row.try_get(2)?,
        last: last.as_deref().map(publishes::parse).transpose()?,
        good: time(4)?,
        members: number(5)?,
        dead_letters: number(6)?,
        history: History { standard: time(7)?, rapid: time(8)?, full, resync_tried: time(12)?, good: time(13)? },
    })
}
