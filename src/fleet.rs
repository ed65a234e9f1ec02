//! How activations stand: what `status`, the API, the dashboard and the metrics show.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    config::Config,
    publish::Receipt,
    schedule::Cadence,
    state::{ActivationState, State, StateError},
};

/// How an activation stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// `active`, `paused`, `deleting`, `deleted`.
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
}

/// Every activation of the config, and every other one on record, by name.
///
/// # Errors
/// When the state can't be read.
pub async fn all(config: &Config, state: &State) -> Result<Vec<Standing>, StateError> {
    let mut names: BTreeSet<String> = config.activations.keys().cloned().collect();
    names.extend(state.activations().await?.into_iter().map(|row| row.name));
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        all.push(one(config, state, &name).await?);
    }
    Ok(all)
}

/// One activation; one that nobody ever heard of is active and empty.
///
/// # Errors
/// When the state can't be read.
pub async fn one(config: &Config, state: &State, name: &str) -> Result<Standing, StateError> {
    let row = state.activation(name).await?;
    let life = row.as_ref().map(|row| row.state).unwrap_or_default();
    let paused =
        row.is_some_and(|row| row.paused) || config.activations.get(name).is_some_and(|activation| activation.paused);
    let now = Utc::now();
    let next = match config.activations.get(name) {
        Some(activation) if life == ActivationState::Active && !paused => {
            Cadence::of(activation).due(&state.history(name).await?, now).first()
        }
        _ => None,
    };
    let good = state.last_good(name).await?;
    let lag = good.and_then(|receipt| receipt.started_at).map(|started| (now - started).to_std().unwrap_or_default());
    let freshness = config.activations.get(name).and_then(|activation| activation.freshness);
    Ok(Standing {
        name: name.to_owned(),
        state: if life == ActivationState::Active && paused { "paused" } else { life.as_str() },
        last: state.last(name).await?,
        next,
        lag_seconds: lag.as_ref().map(Duration::as_secs),
        members: state.snapshot(name).await?.map_or(0, |snapshot| snapshot.rows),
        dead_letters: state.count_dead_letters(name).await?,
        late: lag.zip(freshness).is_some_and(|(lag, freshness)| lag > freshness),
    })
}
