//! How activations stand: what `status`, the API, the dashboard and the metrics show.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    config::Config,
    publish::Receipt,
    schedule::Cadence,
    state::{ActivationState, StandingRow, State, StateError},
};

/// How an activation stands.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// `active`, `paused`, `deleting`, `deleted`.
    #[schemars(extend("enum" = ["active", "paused", "deleting", "deleted"]))]
    pub state: &'static str,
    /// The newest publish.
    pub last: Option<Receipt>,
    /// When it publishes by itself next, if the service runs; in the past: it is overdue. Null: never, as it stands.
    pub next: Option<DateTime<Utc>>,
    /// Since the start of the last good publish.
    pub lag_seconds: Option<u64>,
    /// In the snapshot.
    pub members: u64,
    /// Records that were refused for good.
    pub dead_letters: u64,
    /// Whether the lag is past the activation's `freshness`.
    #[serde(skip)]
    pub late: bool,
    /// The activation's `freshness`; `None` also where it came by `${file:}`.
    #[serde(skip)]
    pub freshness: Option<Duration>,
}

/// Every activation of the config, and every other one on record, by name. One query, however many there are.
///
/// # Errors
/// When the state can't be read.
pub async fn all(config: &Config, state: &State) -> Result<Vec<Standing>, StateError> {
    let mut rows: BTreeMap<String, Option<StandingRow>> =
        config.activations.keys().map(|name| (name.clone(), None)).collect();
    rows.extend(state.standings(None).await?.into_iter().map(|row| (row.name.clone(), Some(row))));
    let now = Utc::now();
    Ok(rows.into_iter().map(|(name, row)| standing(config, name, row, now)).collect())
}

/// One activation; one that nobody ever heard of is active and empty.
///
/// # Errors
/// When the state can't be read.
pub async fn one(config: &Config, state: &State, name: &str) -> Result<Standing, StateError> {
    let row = state.standings(Some(name)).await?.pop();
    Ok(standing(config, name.to_owned(), row, Utc::now()))
}

fn standing(config: &Config, name: String, row: Option<StandingRow>, now: DateTime<Utc>) -> Standing {
    let activation = config.activations.get(&name);
    let life = row.as_ref().map(|row| row.state).unwrap_or_default();
    let paused = row.as_ref().is_some_and(|row| row.paused) || activation.is_some_and(|activation| activation.paused);
    let history = row.as_ref().map(|row| row.history).unwrap_or_default();
    let next = match activation {
        Some(activation) if life == ActivationState::Active && !paused => {
            Cadence::of(activation).due(&history, now).first()
        }
        _ => None,
    };
    let good = row.as_ref().and_then(|row| row.good);
    let lag = good.map(|started| (now - started).to_std().unwrap_or_default());
    let freshness = activation.and_then(|activation| activation.freshness);
    let late = lag.zip(freshness).is_some_and(|(lag, freshness)| lag > freshness);
    let hidden = config.places.hidden(&format!("activations.{name}.freshness"));
    Standing {
        name,
        state: if life == ActivationState::Active && paused { "paused" } else { life.as_str() },
        members: row.as_ref().map_or(0, |row| row.members),
        dead_letters: row.as_ref().map_or(0, |row| row.dead_letters),
        last: row.and_then(|row| row.last),
        next,
        lag_seconds: lag.as_ref().map(Duration::as_secs),
        late,
        freshness: freshness.filter(|_| !hidden),
    }
}
