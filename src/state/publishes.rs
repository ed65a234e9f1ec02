//! Publishes and their receipts.

use chrono::{DateTime, SecondsFormat, Utc};
use herald_destinations::contract::{Account, Mode};
use sqlx::{Sqlite, SqliteExecutor, Transaction};
use std::collections::BTreeMap;
use uuid::Uuid;

use super::{State, StateError};
use crate::publish::{PublishKind, Receipt, Status};

/// A publish that is asked for.
#[derive(Debug, Clone)]
pub struct NewPublish {
    /// Name of the activation.
    pub activation: String,
    /// Name of the segment.
    pub segment: String,
    /// Name of the target.
    pub target: String,
    /// Why it runs.
    pub kind: PublishKind,
    /// Full or incremental.
    pub mode: Mode,
    /// When it was asked for.
    pub queued_at: DateTime<Utc>,
    /// Reason given for passing a guard.
    pub override_reason: Option<String>,
}

/// Which receipts; all that is given must hold.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Of this activation.
    pub activation: Option<String>,
    /// Of this status.
    pub status: Option<Status>,
    /// At most so many.
    pub limit: u32,
    /// Older than this publish: the last one of the page before.
    pub before: Option<Uuid>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { activation: None, status: None, limit: 50, before: None }
    }
}

impl State {
    /// Puts a publish on record: its id, and the next sequence of its activation, which no other publish gets.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn queue(&self, new: NewPublish) -> Result<Receipt, StateError> {
        let mut transaction = self.write().await?;
        let mut receipt = insert(&mut transaction, new).await?;
        // What waits for a worker comes after it.
        let sequence = first_of_waiting(&mut transaction, &receipt).await?;
        if sequence != receipt.sequence {
            receipt.sequence = sequence;
            store(&mut transaction, &receipt).await?;
        }
        transaction.commit().await?;
        self.tell(&receipt);
        Ok(receipt)
    }

    /// Moves a publish, and all that follow, past a sequence that was given out before the state was lost: consumers
    /// apply manifests in the order of their sequences.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn renumber(&self, receipt: &mut Receipt, past: u64) -> Result<(), StateError> {
        let sequence = i64::try_from(past + 1).map_err(StateError::internal)?;
        let mut transaction = self.write().await?;
        let waiting = set_aside(&mut transaction, &receipt.activation, Some(receipt.id)).await?;
        sqlx::query("UPDATE activations SET sequence = max(sequence, ?2) WHERE name = ?1")
            .bind(&receipt.activation)
            .bind(sequence)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("UPDATE publishes SET sequence = ?2 WHERE id = ?1")
            .bind(receipt.id.to_string())
            .bind(sequence)
            .execute(&mut *transaction)
            .await?;
        receipt.sequence = past + 1;
        store(&mut transaction, receipt).await?;
        line_up(&mut transaction, &receipt.activation, waiting).await?;
        Ok(transaction.commit().await?)
    }

    /// Stores how a publish stands. Once it has ended, its ticket goes in the same transaction.
    ///
    /// # Errors
    /// When the publish is unknown, has already ended and would be opened again, or the state can't be written.
    pub async fn save(&self, receipt: &Receipt) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        store(&mut transaction, receipt).await?;
        transaction.commit().await?;
        self.tell(receipt);
        Ok(())
    }

    /// Receipts, newest first.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn receipts(&self, filter: Filter) -> Result<Vec<Receipt>, StateError> {
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT receipt FROM publishes
             WHERE (?1 IS NULL OR activation = ?1) AND (?2 IS NULL OR status = ?2)
               AND (?3 IS NULL OR number < (SELECT number FROM publishes WHERE id = ?3))
             ORDER BY number DESC LIMIT ?4",
        )
        .bind(filter.activation)
        .bind(filter.status.map(status_word))
        .bind(filter.before.map(|id| id.to_string()))
        .bind(filter.limit)
        .fetch_all(self.read())
        .await?;
        found.iter().map(|text| parse(text)).collect()
    }

    /// One receipt, if there is such a publish.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn receipt(&self, id: Uuid) -> Result<Option<Receipt>, StateError> {
        receipt_of(self.read(), id).await
    }

    /// The publish of an activation that has this sequence, if there is one.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn receipt_numbered(&self, activation: &str, sequence: u64) -> Result<Option<Receipt>, StateError> {
        let found: Option<String> =
            sqlx::query_scalar("SELECT receipt FROM publishes WHERE activation = ?1 AND sequence = ?2")
                .bind(activation)
                .bind(i64::try_from(sequence).map_err(StateError::internal)?)
                .fetch_optional(self.read())
                .await?;
        found.as_deref().map(parse).transpose()
    }

    /// The newest publish of an activation.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn last(&self, activation: &str) -> Result<Option<Receipt>, StateError> {
        let filter = Filter { activation: Some(activation.to_owned()), limit: 1, ..Filter::default() };
        Ok(self.receipts(filter).await?.pop())
    }

    /// The teardown of an activation that was asked for and has not begun, if there is one.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn queued_teardown(&self, activation: &str) -> Result<Option<Receipt>, StateError> {
        let found: Option<String> = sqlx::query_scalar(
            "SELECT receipt FROM publishes WHERE activation = ?1 AND kind = 'teardown' AND status = 'queued'
             ORDER BY number DESC LIMIT 1",
        )
        .bind(activation)
        .fetch_optional(self.read())
        .await?;
        found.as_deref().map(parse).transpose()
    }

    /// The newest teardown of an activation, not of a former place.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn last_teardown(&self, activation: &str) -> Result<Option<Receipt>, StateError> {
        let found: Option<String> = sqlx::query_scalar(
            "SELECT receipt FROM publishes WHERE activation = ?1 AND kind = 'teardown' AND place IS NULL
             ORDER BY number DESC LIMIT 1",
        )
        .bind(activation)
        .fetch_optional(self.read())
        .await?;
        found.as_deref().map(parse).transpose()
    }

    /// Whether any publish of an activation was begun in its present life, which began when it was last deleted or handed over
    /// to another name. One that was asked for and never started was not.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn ever_began(&self, activation: &str) -> Result<bool, StateError> {
        let found: i64 = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM publishes JOIN activations ON name = publishes.activation
                            WHERE publishes.activation = ?1 AND publishes.sequence > lived_from
                            AND json_extract(receipt, '$.started_at') IS NOT NULL)",
        )
        .bind(activation)
        .fetch_one(self.read())
        .await?;
        Ok(found != 0)
    }

    /// The newest publish of an activation that succeeded, at least in part. Teardowns and recoveries
    /// don't count: they deliver nothing themselves; nor do those of named members, which say nothing of all others.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn last_good(&self, activation: &str) -> Result<Option<Receipt>, StateError> {
        let found: Option<String> = sqlx::query_scalar(
            "SELECT receipt FROM publishes
             WHERE activation = ?1 AND status IN ('succeeded', 'partial') AND kind NOT IN ('teardown', 'recovery')
               AND NOT of_some
             ORDER BY number DESC LIMIT 1",
        )
        .bind(activation)
        .fetch_optional(self.read())
        .await?;
        found.as_deref().map(parse).transpose()
    }
}

/// Puts a publish on record, `queued`, with the next sequence of its activation.
pub(super) async fn insert(
    transaction: &mut Transaction<'static, Sqlite>,
    new: NewPublish,
) -> Result<Receipt, StateError> {
    let sequence: i64 = sqlx::query_scalar(
        "INSERT INTO activations (name, sequence) VALUES (?1, 1)
         ON CONFLICT (name) DO UPDATE SET sequence = sequence + 1 RETURNING sequence",
    )
    .bind(&new.activation)
    .fetch_one(&mut **transaction)
    .await?;
    let receipt = Receipt {
        id: Uuid::now_v7(),
        sequence: u64::try_from(sequence).map_err(StateError::internal)?,
        activation: new.activation,
        segment: new.segment,
        target: new.target,
        kind: new.kind,
        mode: new.mode,
        status: Status::Queued,
        counts: Account::default(),
        withheld: BTreeMap::new(),
        suppressed_by: BTreeMap::new(),
        rejected_by: BTreeMap::new(),
        files: Vec::new(),
        extras: Vec::new(),
        bytes: 0,
        attempts: 0,
        queued_at: new.queued_at,
        started_at: None,
        finished_at: None,
        override_reason: new.override_reason,
        error: None,
        taken_back: None,
    };
    sqlx::query(
        "INSERT INTO publishes (id, activation, owner, sequence, kind, status, queued_at, receipt)
         VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(receipt.id.to_string())
    .bind(&receipt.activation)
    .bind(sequence)
    .bind(word(receipt.kind)?)
    .bind(status_word(receipt.status))
    .bind(timestamp(receipt.queued_at))
    .bind(serde_json::to_string(&receipt)?)
    .execute(&mut **transaction)
    .await?;
    Ok(receipt)
}

/// Lets a publish come before all of its activation that wait for a worker: consumers apply what they get in the order of
/// the sequences, which must be that in which publishes run. Its sequence then.
pub(super) async fn first_of_waiting(
    transaction: &mut Transaction<'static, Sqlite>,
    receipt: &Receipt,
) -> Result<u64, StateError> {
    let waiting = set_aside(transaction, &receipt.activation, Some(receipt.id)).await?;
    let own = i64::try_from(receipt.sequence).map_err(StateError::internal)?;
    let mut sequences: Vec<i64> = waiting.iter().map(|(_, sequence)| *sequence).chain([own]).collect();
    sequences.sort_unstable();
    sqlx::query("UPDATE publishes SET sequence = -sequence WHERE id = ?1")
        .bind(receipt.id.to_string())
        .execute(&mut **transaction)
        .await?;
    let id = receipt.id.to_string();
    let order = [&id].into_iter().chain(waiting.iter().map(|(id, _)| id));
    for (id, sequence) in order.zip(&sequences) {
        number(transaction, id, *sequence).await?;
    }
    u64::try_from(sequences[0]).map_err(StateError::internal)
}

/// Moves all publishes of an activation that wait for a worker past every sequence that it has given out.
pub(super) async fn past_all(
    transaction: &mut Transaction<'static, Sqlite>,
    activation: &str,
) -> Result<(), StateError> {
    let waiting = set_aside(transaction, activation, None).await?;
    line_up(transaction, activation, waiting).await
}

/// Gives those that were set aside the next sequences, in order.
async fn line_up(
    transaction: &mut Transaction<'static, Sqlite>,
    activation: &str,
    waiting: Vec<(String, i64)>,
) -> Result<(), StateError> {
    for (id, _) in waiting {
        let next: i64 =
            sqlx::query_scalar("UPDATE activations SET sequence = sequence + 1 WHERE name = ?1 RETURNING sequence")
                .bind(activation)
                .fetch_one(&mut **transaction)
                .await?;
        number(transaction, &id, next).await?;
    }
    Ok(())
}

/// The publishes of an activation that wait for a worker, but for one, in order, with their sequences, which are free from
/// now on.
async fn set_aside(
    transaction: &mut Transaction<'static, Sqlite>,
    activation: &str,
    but: Option<Uuid>,
) -> Result<Vec<(String, i64)>, StateError> {
    let waiting: Vec<(String, i64)> = sqlx::query_as(
        "SELECT id, sequence FROM publishes JOIN triggers ON publish = id
         WHERE activation = ?1 AND status = 'queued' AND (?2 IS NULL OR id <> ?2) ORDER BY sequence",
    )
    .bind(activation)
    .bind(but.map(|id| id.to_string()))
    .fetch_all(&mut **transaction)
    .await?;
    for (id, _) in &waiting {
        sqlx::query("UPDATE publishes SET sequence = -sequence WHERE id = ?1")
            .bind(id)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(waiting)
}

/// Gives a publish a sequence.
async fn number(transaction: &mut Transaction<'static, Sqlite>, id: &str, sequence: i64) -> Result<(), StateError> {
    sqlx::query("UPDATE publishes SET sequence = ?2, receipt = json_set(receipt, '$.sequence', ?2) WHERE id = ?1")
        .bind(id)
        .bind(sequence)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Writes a receipt over the one before, and drops the ticket of a publish that has ended.
pub(super) async fn store(transaction: &mut Transaction<'static, Sqlite>, receipt: &Receipt) -> Result<(), StateError> {
    let ended = has_ended(receipt.status);
    let stored = sqlx::query(
        "UPDATE publishes SET status = ?2, receipt = ?3, objects = CASE WHEN ?5 THEN 'standing' ELSE objects END
         WHERE id = ?1 AND (?4 OR status IN ('queued', 'running'))",
    )
    .bind(receipt.id.to_string())
    .bind(status_word(receipt.status))
    .bind(serde_json::to_string(receipt)?)
    .bind(ended)
    .bind(!receipt.files.is_empty() || !receipt.extras.is_empty())
    .execute(&mut **transaction)
    .await?;
    if stored.rows_affected() == 0 {
        return Err(StateError::internal(format_args!("publish {} is unknown or has already ended", receipt.id)));
    }
    if ended {
        for left in ["tickets", "sending", "triggers"] {
            let delete = sqlx::AssertSqlSafe(format!("DELETE FROM {left} WHERE publish = ?1"));
            sqlx::query(delete).bind(receipt.id.to_string()).execute(&mut **transaction).await?;
        }
    }
    Ok(())
}

pub(super) async fn receipt_of(executor: impl SqliteExecutor<'_>, id: Uuid) -> Result<Option<Receipt>, StateError> {
    let found: Option<String> = sqlx::query_scalar("SELECT receipt FROM publishes WHERE id = ?1")
        .bind(id.to_string())
        .fetch_optional(executor)
        .await?;
    found.as_deref().map(parse).transpose()
}

pub(super) fn parse(text: &str) -> Result<Receipt, StateError> {
    Ok(serde_json::from_str(text)?)
}

pub(super) const fn has_ended(status: Status) -> bool {
    !matches!(status, Status::Queued | Status::Running)
}

const fn status_word(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Running => "running",
        Status::Succeeded => "succeeded",
        Status::Partial => "partial",
        Status::Failed => "failed",
        Status::Blocked => "blocked",
        Status::Cancelled => "cancelled",
    }
}

/// The word that a unit variant has in JSON, so that column and receipt can't disagree.
pub(super) fn word(value: impl serde::Serialize) -> Result<String, StateError> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(word) => Ok(word),
        other => Err(StateError::internal(format_args!("{other} is not one word"))),
    }
}

/// One width for all, so that text order is time order.
pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::{Status, status_word, word};

    #[test]
    fn status_columns_hold_the_words_of_receipts() {
        for status in [
            Status::Queued,
            Status::Running,
            Status::Succeeded,
            Status::Partial,
            Status::Failed,
            Status::Blocked,
            Status::Cancelled,
        ] {
            assert_eq!(word(status).unwrap(), status_word(status));
        }
    }
}
