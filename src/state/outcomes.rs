//! What pages show of many publishes at once: a few numbers each, in one query for all activations.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{State, StateError};
use crate::publish::Status;

/// How a publish went, as far as a bar of a chart shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it stands.
    pub status: Status,
    /// Whether it sent everything.
    pub full: bool,
    /// Members it wanted at the target: resolved, less suppressed.
    pub wanted: u64,
    /// New at the target.
    pub added: u64,
    /// Gone from the target.
    pub removed: u64,
}

impl State {
    /// The newest `limit` publishes of every activation, or of the one that is `named`, newest first.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn outcomes(
        &self,
        named: Option<&str>,
        limit: u32,
    ) -> Result<BTreeMap<String, Vec<Outcome>>, StateError> {
        // One row an activation and one text in it: a row a publish would take most of its time in the driver.
        let found: Vec<(String, Option<String>)> = sqlx::query_as(
            "SELECT name, (SELECT group_concat(outcome, ' ') FROM (
                 SELECT status || ',' || (receipt ->> '$.mode') || ',' || (receipt ->> '$.counts.resolved') || ','
                     || (receipt ->> '$.counts.suppressed') || ',' || (receipt ->> '$.counts.added') || ','
                     || (receipt ->> '$.counts.removed') AS outcome
                 FROM publishes WHERE activation = name ORDER BY number DESC LIMIT ?1))
             FROM activations WHERE ?2 IS NULL OR name = ?2",
        )
        .bind(limit)
        .bind(named)
        .fetch_all(self.read())
        .await?;
        found
            .into_iter()
            .map(|(name, outcomes)| {
                let outcomes = outcomes.unwrap_or_default();
                Ok((name, outcomes.split_whitespace().map(outcome).collect::<Result<_, _>>()?))
            })
            .collect()
    }

    /// How many dead letters an activation has, by code, the most first.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn dead_letters_by_code(&self, activation: &str) -> Result<Vec<(String, u64)>, StateError> {
        let found: Vec<(String, i64)> = sqlx::query_as(
            "SELECT code, count(*) FROM dead_letters WHERE activation = ?1 GROUP BY code ORDER BY 2 DESC, 1",
        )
        .bind(activation)
        .fetch_all(self.read())
        .await?;
        found.into_iter().map(|(code, count)| Ok((code, u64::try_from(count).map_err(StateError::internal)?))).collect()
    }

    /// The publishes of the same activation right before and right after one.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn neighbours(&self, publish: Uuid) -> Result<(Option<Uuid>, Option<Uuid>), StateError> {
        let found: Option<(Option<String>, Option<String>)> = sqlx::query_as(
            "SELECT (SELECT id FROM publishes AS other WHERE other.activation = this.activation
                         AND other.number < this.number ORDER BY number DESC LIMIT 1),
                    (SELECT id FROM publishes AS other WHERE other.activation = this.activation
                         AND other.number > this.number ORDER BY number LIMIT 1)
             FROM publishes AS this WHERE id = ?1",
        )
        .bind(publish.to_string())
        .fetch_optional(self.read())
        .await?;
        let id = |text: Option<String>| text.map(|text| text.parse().map_err(StateError::internal)).transpose();
        let (before, after) = found.unwrap_or_default();
        Ok((id(before)?, id(after)?))
    }
}

fn outcome(text: &str) -> Result<Outcome, StateError> {
    let damaged = || StateError::internal("a receipt lacks its counts");
    let mut words = text.split(',');
    let mut word = || words.next().ok_or_else(damaged);
    let status = match word()? {
        "queued" => Status::Queued,
        "running" => Status::Running,
        "succeeded" => Status::Succeeded,
        "partial" => Status::Partial,
        "blocked" => Status::Blocked,
        "cancelled" => Status::Cancelled,
        _ => Status::Failed,
    };
    let full = word()? == "full";
    let mut number = || word()?.parse::<u64>().map_err(StateError::internal);
    let (resolved, suppressed) = (number()?, number()?);
    Ok(Outcome { status, full, wanted: resolved.saturating_sub(suppressed), added: number()?, removed: number()? })
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use herald_destinations::contract::Mode;

    use super::Outcome;
    use crate::{
        publish::{PublishKind, Status},
        state::{NewPublish, State},
    };

    #[tokio::test]
    async fn the_newest_publishes_of_each_activation_come_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).await.unwrap();
        let mut ids = Vec::new();
        for (name, added) in [("gold", 1), ("gold", 2), ("silver", 3), ("gold", 4)] {
            let new = NewPublish {
                activation: name.to_owned(),
                segment: "s".to_owned(),
                target: "t".to_owned(),
                kind: PublishKind::Manual,
                mode: Mode::Full,
                queued_at: Utc::now(),
                override_reason: None,
            };
            let mut receipt = state.queue(new).await.unwrap();
            receipt.status = Status::Partial;
            (receipt.counts.resolved, receipt.counts.suppressed, receipt.counts.added) = (added + 5, 5, added);
            state.finish(&receipt).await.unwrap();
            ids.push(receipt.id);
        }
        let outcomes = state.outcomes(None, 2).await.unwrap();
        let of = |added| Outcome { status: Status::Partial, full: true, wanted: added, added, removed: 0 };
        assert_eq!(outcomes["gold"], [of(4), of(2)]);
        assert_eq!(outcomes["silver"], [of(3)]);
        assert_eq!(state.neighbours(ids[1]).await.unwrap(), (Some(ids[0]), Some(ids[3])));
        assert_eq!(state.neighbours(ids[2]).await.unwrap(), (None, None));
    }
}
