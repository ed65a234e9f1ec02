//! Records that were refused for good.
//!
//! What was refused comes again with the next publish that looks at the whole membership. It is then refused
//! once more, delivered, or no longer wanted; so after such a publish only its own dead letters stay.

use chrono::{DateTime, TimeDelta, Utc};
use herald_destinations::contract::Op;
use serde::{Deserialize, Serialize};
use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::{State, StateError, publishes::timestamp};
use crate::publish::{PublishKind, Receipt, Status};

/// A record that was refused just now. Who it is stands in no readable form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Number of the record among those of its operation.
    pub record: u64,
    /// A keyed hash of the member's key.
    pub member: Vec<u8>,
    /// What was to be done.
    pub op: Op,
    /// A short stable code, or the platform's own.
    pub code: String,
    /// Key and message, encrypted; opaque here.
    pub sealed: Vec<u8>,
    /// Of the record; `None` for a removal.
    pub fingerprint: Option<Vec<u8>>,
}

/// A dead letter as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// The activation.
    pub activation: String,
    /// The last publish that it was refused in.
    pub publish: Uuid,
    /// A keyed hash of the member's key.
    pub member: Vec<u8>,
    /// `add`, `update`, `remove`.
    pub op: String,
    /// Why, as a code.
    pub code: String,
    /// Key and message, encrypted.
    pub sealed: Vec<u8>,
    /// Of the record that was refused.
    pub fingerprint: Option<Vec<u8>>,
    /// Publishes running in which it was refused.
    pub count: u64,
    /// When it was refused first.
    pub since: DateTime<Utc>,
    /// Publishes running in which this very record was refused.
    pub same: u64,
}

/// Whose dead letters.
#[derive(Debug, Clone, Copy)]
pub enum DeadLettersOf<'a> {
    /// All of an activation.
    Activation(&'a str),
    /// Those last refused in this publish.
    Publish(Uuid),
}

/// How long a dead letter stays that no publish meets again.
const RETENTION: TimeDelta = TimeDelta::days(90);

type Columns = (String, String, Vec<u8>, String, String, Vec<u8>, Option<Vec<u8>>, i64, String, i64);
const COLUMNS: &str = "activation, publish, member, op, code, sealed, fingerprint, count, since, same";

impl State {
    /// A page of dead letters; `after` is the last one of the page before.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn dead_letters(
        &self,
        of: DeadLettersOf<'_>,
        limit: u32,
        after: Option<&DeadLetterRow>,
    ) -> Result<Vec<DeadLetterRow>, StateError> {
        let (column, of) = match of {
            DeadLettersOf::Activation(name) => ("activation", name.to_owned()),
            DeadLettersOf::Publish(id) => ("publish", id.to_string()),
        };
        let query = format!(
            "SELECT {COLUMNS} FROM dead_letters WHERE {column} = ?1 AND (member, op) > (?2, ?3)
             ORDER BY member, op LIMIT ?4"
        );
        let found: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(of)
            .bind(after.map_or(&[][..], |last| &last.member))
            .bind(after.map_or("", |last| &last.op))
            .bind(limit)
            .fetch_all(self.read())
            .await?;
        found.into_iter().map(read).collect()
    }

    /// Dead letters whose record was refused in so many publishes running, or more, and by the target itself since `tried`.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn refused_running(
        &self,
        activation: &str,
        publishes: u32,
        tried: DateTime<Utc>,
    ) -> Result<Vec<DeadLetterRow>, StateError> {
        let query = format!("SELECT {COLUMNS} FROM dead_letters WHERE activation = ?1 AND same >= ?2 AND tried > ?3");
        let found: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(activation)
            .bind(publishes)
            .bind(timestamp(tried))
            .fetch_all(self.read())
            .await?;
        found.into_iter().map(read).collect()
    }

    /// The dead letters of one member, by operation; `member`: the keyed hash of its key.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn dead_letters_of(&self, activation: &str, member: &[u8]) -> Result<Vec<DeadLetterRow>, StateError> {
        let query = format!("SELECT {COLUMNS} FROM dead_letters WHERE activation = ?1 AND member = ?2 ORDER BY op");
        let found: Vec<Columns> =
            sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(activation).bind(member).fetch_all(self.read()).await?;
        found.into_iter().map(read).collect()
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

fn read(columns: Columns) -> Result<DeadLetterRow, StateError> {
    let (activation, publish, member, op, code, sealed, fingerprint, count, since, same) = columns;
    Ok(DeadLetterRow {
        activation,
        publish: publish.parse().map_err(StateError::internal)?,
        member,
        op,
        code,
        sealed,
        fingerprint,
        count: u64::try_from(count).map_err(StateError::internal)?,
        since: since.parse().map_err(StateError::internal)?,
        same: u64::try_from(same).map_err(StateError::internal)?,
    })
}

/// Puts refused records of a publish on record; one that was refused before is counted up. One that was not even sent
/// keeps the reason it was refused for.
pub(super) async fn add(
    transaction: &mut Transaction<'static, Sqlite>,
    publish: Uuid,
    refused: &[Refused],
) -> Result<(), StateError> {
    if refused.is_empty() {
        return Ok(());
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let rows: Vec<_> = refused
        .iter()
        .map(|one| {
            let fingerprint = one.fingerprint.as_deref().map(hex);
            (one.record, hex(&one.member), one.op.as_str(), one.code.as_str(), hex(&one.sealed), fingerprint)
        })
        .collect();
    // One statement, whatever the number of rows. Without the WHERE, SQLite reads ON as a join's.
    let stored = sqlx::query(
        "INSERT INTO dead_letters (activation, publish, record, member, op, code, sealed, fingerprint, since, last,
             tried)
         SELECT activation, publishes.id, value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3,
             unhex(value ->> 4), unhex(value ->> 5), ?2, ?2, ?2
         FROM publishes, json_each(?3) WHERE publishes.id = ?1
         ON CONFLICT (activation, member, op) DO UPDATE SET publish = excluded.publish, record = excluded.record,
             code = CASE excluded.code WHEN 'quarantined' THEN code ELSE excluded.code END,
             tried = CASE excluded.code WHEN 'quarantined' THEN tried ELSE excluded.tried END,
             sealed = CASE excluded.code WHEN 'quarantined' THEN sealed ELSE excluded.sealed END,
             same = CASE WHEN fingerprint IS excluded.fingerprint THEN same + (publish <> excluded.publish) ELSE 1 END,
             fingerprint = excluded.fingerprint, last = excluded.last,
             count = count + (publish <> excluded.publish)",
    )
    .bind(publish.to_string())
    .bind(timestamp(Utc::now()))
    .bind(serde_json::to_string(&rows)?)
    .execute(&mut **transaction)
    .await?;
    if stored.rows_affected() == 0 {
        return Err(StateError::internal(format_args!("publish {publish} is unknown")));
    }
    Ok(())
}

/// Which members' dead letters a publish that has ended settles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Looked {
    /// At everybody.
    #[default]
    AtAll,
    /// At these members only, by hash.
    At(Vec<Vec<u8>>),
}

/// Drops what a publish that has ended leaves no reason to keep.
pub(super) async fn drop_settled(
    transaction: &mut Transaction<'static, Sqlite>,
    receipt: &Receipt,
    looked: &Looked,
) -> Result<(), StateError> {
    let publish = receipt.id.to_string();
    let oldest = timestamp(Utc::now() - RETENTION);
    sqlx::query("DELETE FROM dead_letters WHERE activation = ?1 AND last < ?2")
        .bind(&receipt.activation)
        .bind(oldest)
        .execute(&mut **transaction)
        .await?;
    if !matches!(receipt.status, Status::Succeeded | Status::Partial) || receipt.kind == PublishKind::Recovery {
        return Ok(());
    }
    match looked {
        Looked::AtAll => {
            sqlx::query("DELETE FROM dead_letters WHERE activation = ?1 AND publish <> ?2")
                .bind(&receipt.activation)
                .bind(publish)
                .execute(&mut **transaction)
                .await?;
        }
        Looked::At(members) => {
            for member in members {
                sqlx::query("DELETE FROM dead_letters WHERE activation = ?1 AND publish <> ?2 AND member = ?3")
                    .bind(&receipt.activation)
                    .bind(&publish)
                    .bind(member)
                    .execute(&mut **transaction)
                    .await?;
            }
        }
    }
    Ok(())
}
