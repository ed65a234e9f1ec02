//! Records that were refused for good.
//!
//! What was refused comes again with the next publish that looks at the whole membership. It is then refused
//! once more, delivered, or no longer wanted; so after such a publish only its own dead letters stay.

use chrono::{DateTime, Utc};
use herald_destinations::contract::Op;
use serde::{Deserialize, Serialize};
use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::{State, StateError, publishes::timestamp};
use crate::publish::{PublishKind, Receipt, Status};

/// A record that was refused just now.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    /// The member's key as text; composite keys joined by `|`.
    pub member: String,
    /// What was to be done.
    pub op: Op,
    /// A short stable code, or the platform's own.
    pub code: String,
    /// What it means; never an attribute's value.
    pub message: String,
}

impl std::fmt::Debug for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refused").field("op", &self.op).field("code", &self.code).finish_non_exhaustive()
    }
}

/// A dead letter as users see it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The last publish that it was refused in.
    pub publish: Uuid,
    /// The member's key.
    pub member: String,
    /// `add`, `update`, `remove`.
    pub op: String,
    /// Why, as a code.
    pub code: String,
    /// Why.
    pub message: String,
    /// How often it was refused.
    pub count: u64,
    /// When it was refused first.
    pub since: DateTime<Utc>,
}

impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter")
            .field("publish", &self.publish)
            .field("op", &self.op)
            .field("code", &self.code)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// Whose dead letters.
#[derive(Debug, Clone, Copy)]
pub enum DeadLettersOf<'a> {
    /// All of an activation.
    Activation(&'a str),
    /// Those last refused in this publish.
    Publish(Uuid),
}

type Columns = (String, String, String, String, String, i64, String);

impl State {
    /// Puts refused records of a publish on record, all in one transaction; one refused before is counted up.
    ///
    /// # Errors
    /// When the publish is unknown, or the state can't be written.
    pub async fn add_dead_letters(&self, publish: Uuid, refused: &[Refused]) -> Result<(), StateError> {
        if refused.is_empty() {
            return Ok(());
        }
        let rows: Vec<[&str; 4]> =
            refused.iter().map(|one| [&one.member, one.op.as_str(), &one.code, &one.message]).collect();
        let mut transaction = self.write().await?;
        // One statement, whatever the number of rows. Without the WHERE, SQLite reads ON as a join's.
        let stored = sqlx::query(
            "INSERT INTO dead_letters (activation, publish, member, op, code, message, since)
             SELECT activation, publishes.id, value ->> 0, value ->> 1, value ->> 2, value ->> 3, ?2
             FROM publishes, json_each(?3) WHERE publishes.id = ?1
             ON CONFLICT (activation, member, op) DO UPDATE SET publish = excluded.publish, code = excluded.code,
                 message = excluded.message, count = count + (publish <> excluded.publish)",
        )
        .bind(publish.to_string())
        .bind(timestamp(Utc::now()))
        .bind(serde_json::to_string(&rows)?)
        .execute(&mut *transaction)
        .await?;
        if stored.rows_affected() == 0 {
            return Err(StateError::internal(format_args!("publish {publish} is unknown")));
        }
        Ok(transaction.commit().await?)
    }

    /// A page of dead letters, by member; `after` is the last one of the page before.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn dead_letters(
        &self,
        of: DeadLettersOf<'_>,
        limit: u32,
        after: Option<&DeadLetter>,
    ) -> Result<Vec<DeadLetter>, StateError> {
        let (query, of) = match of {
            DeadLettersOf::Activation(name) => (
                "SELECT publish, member, op, code, message, count, since FROM dead_letters
                 WHERE activation = ?1 AND (member, op) > (?2, ?3) ORDER BY member, op LIMIT ?4",
                name.to_owned(),
            ),
            DeadLettersOf::Publish(id) => (
                "SELECT publish, member, op, code, message, count, since FROM dead_letters
                 WHERE publish = ?1 AND (member, op) > (?2, ?3) ORDER BY member, op LIMIT ?4",
                id.to_string(),
            ),
        };
        let found: Vec<Columns> = sqlx::query_as(query)
            .bind(of)
            .bind(after.map_or("", |last| &last.member))
            .bind(after.map_or("", |last| &last.op))
            .bind(limit)
            .fetch_all(self.read())
            .await?;
        found.into_iter().map(letter).collect()
    }

    /// The dead letters of one member, by operation; `member` as it stands in them.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn dead_letters_of(&self, activation: &str, member: &str) -> Result<Vec<DeadLetter>, StateError> {
        let found: Vec<Columns> = sqlx::query_as(
            "SELECT publish, member, op, code, message, count, since FROM dead_letters
             WHERE activation = ?1 AND member = ?2 ORDER BY op",
        )
        .bind(activation)
        .bind(member)
        .fetch_all(self.read())
        .await?;
        found.into_iter().map(letter).collect()
    }

    /// How many dead letters an activation has.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn count_dead_letters(&self, activation: &str) -> Result<u64, StateError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM dead_letters WHERE activation = ?1")
            .bind(activation)
            .fetch_one(self.read())
            .await?;
        u64::try_from(count).map_err(StateError::internal)
    }
}

fn letter((publish, member, op, code, message, count, since): Columns) -> Result<DeadLetter, StateError> {
    Ok(DeadLetter {
        publish: publish.parse().map_err(StateError::internal)?,
        member,
        op,
        code,
        message,
        count: u64::try_from(count).map_err(StateError::internal)?,
        since: since.parse().map_err(StateError::internal)?,
    })
}

/// Drops what a publish that has ended leaves no reason to keep.
pub(super) async fn drop_settled(
    transaction: &mut Transaction<'static, Sqlite>,
    receipt: &Receipt,
) -> Result<(), StateError> {
    if !matches!(receipt.status, Status::Succeeded | Status::Partial) {
        return Ok(());
    }
    match receipt.kind {
        // These look at some members only. A recovery ends an older publish: what is known is newer.
        PublishKind::Rapid | PublishKind::Retry | PublishKind::Recovery => return Ok(()),
        PublishKind::Scheduled | PublishKind::Manual | PublishKind::Resync | PublishKind::Teardown => {}
    }
    sqlx::query("DELETE FROM dead_letters WHERE activation = ?1 AND publish <> ?2")
        .bind(&receipt.activation)
        .bind(receipt.id.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
