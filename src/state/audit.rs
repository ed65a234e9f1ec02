//! Who did what, and when.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{Sqlite, Transaction};

use super::{State, StateError, publishes::timestamp};

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// A user of the machine, the name of a token, or `herald` for what follows from the config.
    pub who: String,
    /// A verb: `publish`, `override`, `pause`, `delete`, `rename`, `reload`.
    pub what: String,
    /// The activation it was done to, if to one.
    pub activation: Option<String>,
    /// A reason or a publish's id; never a secret or a member's value.
    pub detail: Option<String>,
}

/// `at`, `who`, `what`, `activation`, `detail`.
type Row = (String, String, String, Option<String>, Option<String>);

impl State {
    /// Writes a line.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn audit(&self, entry: &AuditEntry) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        add(&mut transaction, entry).await?;
        Ok(transaction.commit().await?)
    }

    /// The newest lines first, at most `limit`.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn audits(&self, limit: u32) -> Result<Vec<AuditEntry>, StateError> {
        let found: Vec<Row> =
            sqlx::query_as("SELECT at, who, what, activation, detail FROM audit ORDER BY number DESC LIMIT ?1")
                .bind(limit)
                .fetch_all(self.read())
                .await?;
        found
            .into_iter()
            .map(|(at, who, what, activation, detail)| {
                Ok(AuditEntry { at: at.parse().map_err(StateError::internal)?, who, what, activation, detail })
            })
            .collect()
    }
}

/// Writes a line, together with what it tells of.
pub(super) async fn add(transaction: &mut Transaction<'static, Sqlite>, entry: &AuditEntry) -> Result<(), StateError> {
    sqlx::query("INSERT INTO audit (at, who, what, activation, detail) VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(timestamp(entry.at))
        .bind(&entry.who)
        .bind(&entry.what)
        .bind(&entry.activation)
        .bind(&entry.detail)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
