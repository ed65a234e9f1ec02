//! What an activation did last, as far as its schedule goes by it.

use chrono::{DateTime, Utc};

use super::{State, StateError};

/// When publishes of an activation last began. Those before a teardown don't count, nor those that were stopped or died
/// before they were through: what they were for is still to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// One that looked at everything: scheduled, by hand, or a resync; however it ended.
    pub standard: Option<DateTime<Utc>>,
    /// One of those, or a rapid one.
    pub rapid: Option<DateTime<Utc>>,
    /// One that sent everything and was acknowledged: a full one, or else the former name's, or else the first of all.
    pub full: Option<DateTime<Utc>>,
    /// A resync, however it ended.
    pub resync_tried: Option<DateTime<Utc>>,
    /// One that was acknowledged.
    pub good: Option<DateTime<Utc>>,
}

/// Publishes since the last teardown that were through: when they began. Tearing down a former place ends nothing here.
/// `{of}` is the activation.
const THROUGH: &str = "
    SELECT json_extract(receipt, '$.started_at') FROM publishes
    WHERE activation = {of} AND NOT of_some AND status IN ('succeeded', 'partial', 'blocked', 'failed')
      AND number > (SELECT coalesce(max(number), 0) FROM publishes
                    WHERE activation = {of} AND kind = 'teardown' AND status = 'succeeded' AND place IS NULL)
      AND coalesce(json_extract(receipt, '$.error.code'), '') <> 'interrupted'";

/// Publishes that were acknowledged.
const GOOD: &str = "status IN ('succeeded', 'partial') AND kind NOT IN ('recovery', 'retry', 'teardown')";
const STANDARD: &str = "kind IN ('scheduled', 'manual', 'resync')";
const RAPID: &str = "kind IN ('scheduled', 'manual', 'resync', 'rapid')";
const RESYNC: &str = "kind = 'resync'";
/// When everything was last sent under a former name, unless the activation was torn down since.
const FULL_BEFORE: &str = "
    SELECT full_before FROM activations WHERE name = {of} AND NOT EXISTS (
        SELECT 1 FROM publishes WHERE activation = {of} AND kind = 'teardown' AND status = 'succeeded'
          AND place IS NULL)";

/// When the newest (`DESC`) or oldest (`ASC`) began of those publishes of `of`, a column or a parameter, that a condition
/// holds for.
fn began(of: &str, condition: &str, order: &str) -> String {
    format!("{} AND {condition} ORDER BY number {order} LIMIT 1", THROUGH.replace("{of}", of))
}

fn in_full() -> String {
    format!("{GOOD} AND json_extract(receipt, '$.mode') = 'full'")
}

/// The columns of a [`History`] of the activation that a column names: `standard`, `rapid`, three of which the first that is
/// there is `full`, `resync_tried`, `good`.
pub(super) fn columns(of: &str) -> String {
    let columns = [
        began(of, STANDARD, "DESC"),
        began(of, RAPID, "DESC"),
        began(of, &in_full(), "DESC"),
        FULL_BEFORE.replace("{of}", of),
        began(of, GOOD, "ASC"),
        began(of, RESYNC, "DESC"),
        began(of, GOOD, "DESC"),
    ];
    columns.map(|column| format!("({column})")).join(", ")
}

impl State {
    /// When publishes of an activation last began.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn history(&self, activation: &str) -> Result<History, StateError> {
        let mut full = self.began(activation, &in_full(), "DESC").await?;
        if full.is_none() {
            full = self.full_before(activation).await?;
        }
        if full.is_none() {
            full = self.began(activation, GOOD, "ASC").await?;
        }
        Ok(History {
            standard: self.began(activation, STANDARD, "DESC").await?,
            rapid: self.began(activation, RAPID, "DESC").await?,
            full,
            resync_tried: self.began(activation, RESYNC, "DESC").await?,
            good: self.began(activation, GOOD, "DESC").await?,
        })
    }

    /// When the newest (`DESC`) or oldest (`ASC`) began of those publishes that a condition holds for.
    async fn began(&self, activation: &str, condition: &str, order: &str) -> Result<Option<DateTime<Utc>>, StateError> {
        // Both are written here, neither comes from outside.
        let query = sqlx::AssertSqlSafe(began("?1", condition, order));
        let found: Option<Option<String>> =
            sqlx::query_scalar(query).bind(activation).fetch_optional(self.read()).await?;
        found.flatten().map(|began| began.parse().map_err(StateError::internal)).transpose()
    }

    /// When everything was last sent under the former name of a renamed activation, unless it was torn down since.
    async fn full_before(&self, activation: &str) -> Result<Option<DateTime<Utc>>, StateError> {
        let query = sqlx::AssertSqlSafe(FULL_BEFORE.replace("{of}", "?1"));
        let found: Option<Option<String>> =
            sqlx::query_scalar(query).bind(activation).fetch_optional(self.read()).await?;
        found.flatten().map(|full| full.parse().map_err(StateError::internal)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use herald_destinations::contract::Mode;
    use uuid::Uuid;

    use super::History;
    use crate::{
        publish::{PublishKind, Status, code},
        state::{NewPublish, SnapshotRow, State},
    };

    fn second(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(number)
    }

    async fn publish(state: &State, at: i64, kind: PublishKind, mode: Mode, status: Status) {
        publish_as("gold", state, at, kind, mode, status).await;
    }

    async fn publish_as(name: &str, state: &State, at: i64, kind: PublishKind, mode: Mode, status: Status) -> Uuid {
        let new = NewPublish {
            activation: name.to_owned(),
            segment: "s".to_owned(),
            target: "t".to_owned(),
            kind,
            mode,
            queued_at: second(at),
            override_reason: None,
        };
        let mut receipt = state.queue(new).await.unwrap();
        (receipt.started_at, receipt.status) = (Some(second(at)), status);
        receipt.error = (kind == PublishKind::Resync).then(code::interrupted);
        state.finish(&receipt).await.unwrap();
        receipt.id
    }

    #[tokio::test]
    async fn what_was_cut_short_or_torn_down_does_not_count() {
        use PublishKind::{Manual, Rapid, Recovery, Resync, Scheduled, Teardown};
        let data_dir = tempfile::tempdir().unwrap();
        let state = State::open(data_dir.path()).await.unwrap();
        assert_eq!(state.history("gold").await.unwrap(), History::default());
        publish(&state, 1, Scheduled, Mode::Incremental, Status::Succeeded).await;
        publish(&state, 2, Scheduled, Mode::Incremental, Status::Failed).await;
        publish(&state, 3, Rapid, Mode::Incremental, Status::Partial).await;
        publish(&state, 4, Manual, Mode::Incremental, Status::Cancelled).await;
        publish(&state, 5, Recovery, Mode::Incremental, Status::Succeeded).await;
        publish(&state, 6, Resync, Mode::Full, Status::Failed).await;
        let expected = History {
            standard: Some(second(2)),
            rapid: Some(second(3)),
            full: Some(second(1)),
            resync_tried: None,
            good: Some(second(3)),
        };
        assert_eq!(state.history("gold").await.unwrap(), expected);
        publish(&state, 7, Manual, Mode::Full, Status::Succeeded).await;
        assert_eq!(state.history("gold").await.unwrap().full, Some(second(7)));
        let before = state.history("gold").await.unwrap();
        let former = publish_as("gold", &state, 8, Teardown, Mode::Full, Status::Succeeded).await;
        state.set_place(former, "there").await.unwrap();
        assert_eq!(state.history("gold").await.unwrap(), before, "a former place was torn down");
        publish(&state, 9, Teardown, Mode::Full, Status::Succeeded).await;
        assert_eq!(state.history("gold").await.unwrap(), History::default());
    }

    #[tokio::test]
    async fn a_publish_of_named_members_stands_in_for_none_of_all() {
        use PublishKind::{Rapid, Retry, Scheduled};
        let data_dir = tempfile::tempdir().unwrap();
        let state = State::open(data_dir.path()).await.unwrap();
        let of_some = async |at, kind| {
            let id = publish_as("gold", &state, at, kind, Mode::Incremental, Status::Succeeded).await;
            state.looks_at_some(id).await.unwrap();
        };
        of_some(1, Rapid).await;
        assert_eq!(state.history("gold").await.unwrap(), History::default());
        publish(&state, 2, Scheduled, Mode::Incremental, Status::Succeeded).await;
        publish(&state, 3, Rapid, Mode::Incremental, Status::Succeeded).await;
        let before = state.history("gold").await.unwrap();
        assert_eq!((before.standard, before.rapid), (Some(second(2)), Some(second(3))));
        of_some(4, Rapid).await;
        of_some(5, Retry).await;
        assert_eq!(state.history("gold").await.unwrap(), before);
    }

    #[tokio::test]
    async fn a_resync_is_counted_from_when_everything_was_sent_under_the_former_names() {
        use PublishKind::{Manual, Scheduled, Teardown};
        let data_dir = tempfile::tempdir().unwrap();
        let state = State::open(data_dir.path()).await.unwrap();
        let full = async |name: &str| state.history(name).await.unwrap().full;
        publish(&state, 1, Scheduled, Mode::Incremental, Status::Succeeded).await;
        publish(&state, 2, Manual, Mode::Full, Status::Succeeded).await;
        let last = publish_as("gold", &state, 3, Scheduled, Mode::Incremental, Status::Succeeded).await;
        let mut row = SnapshotRow {
            activation: "silver".to_owned(),
            identity: "place".to_owned(),
            pointer: serde_json::json!({}),
            rows: 1,
            publish: last,
        };
        state.take_over("gold", &row, &[]).await.unwrap();
        assert_eq!(full("silver").await, Some(second(2)));
        assert_eq!(state.history("silver").await.unwrap().good, None);
        publish_as("silver", &state, 4, Scheduled, Mode::Incremental, Status::Succeeded).await;
        assert_eq!(full("silver").await, Some(second(2)), "the first publish sent changes alone");
        row.activation = "bronze".to_owned();
        state.take_over("silver", &row, &[]).await.unwrap();
        publish_as("bronze", &state, 5, Scheduled, Mode::Incremental, Status::Succeeded).await;
        assert_eq!(full("bronze").await, Some(second(2)), "over two names");
        publish_as("bronze", &state, 6, Manual, Mode::Full, Status::Succeeded).await;
        assert_eq!(full("bronze").await, Some(second(6)));
        publish_as("bronze", &state, 7, Teardown, Mode::Full, Status::Succeeded).await;
        publish_as("bronze", &state, 8, Scheduled, Mode::Incremental, Status::Succeeded).await;
        assert_eq!(full("bronze").await, Some(second(8)), "after a teardown nothing before it counts");
    }
}
