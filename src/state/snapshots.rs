//! Which snapshot each activation stands on. The snapshot itself is files under `data_dir`.

use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::{State, StateError};

/// Where an activation's snapshot is, and what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Name of the activation.
    pub activation: String,
    /// The target's identity, and the member table's: another one begins anew.
    pub identity: String,
    /// What the snapshot store needs to find it; opaque here.
    pub pointer: serde_json::Value,
    /// Members in it.
    pub rows: u64,
    /// The publish that it stands after.
    pub publish: Uuid,
}

impl State {
    /// The snapshot of an activation; `None`: nothing was ever acknowledged, or it was forgotten.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn snapshot(&self, activation: &str) -> Result<Option<SnapshotRow>, StateError> {
        let found: Option<(String, String, i64, String)> =
            sqlx::query_as("SELECT identity, pointer, rows, publish FROM snapshots WHERE activation = ?1")
                .bind(activation)
                .fetch_optional(self.read())
                .await?;
        found
            .map(|(identity, pointer, rows, publish)| {
                Ok(SnapshotRow {
                    activation: activation.to_owned(),
                    identity,
                    pointer: serde_json::from_str(&pointer)?,
                    rows: u64::try_from(rows).map_err(StateError::internal)?,
                    publish: publish.parse().map_err(StateError::internal)?,
                })
            })
            .transpose()
    }

    /// Erases the pointer; the next publish begins anew. Its files are the snapshot store's to delete.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn forget_snapshot(&self, activation: &str) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM snapshots WHERE activation = ?1").bind(activation).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

pub(super) async fn store(transaction: &mut Transaction<'static, Sqlite>, row: &SnapshotRow) -> Result<(), StateError> {
    sqlx::query(
        "INSERT INTO snapshots (activation, identity, pointer, rows, publish) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (activation) DO UPDATE SET identity = excluded.identity, pointer = excluded.pointer,
             rows = excluded.rows, publish = excluded.publish",
    )
    .bind(&row.activation)
    .bind(&row.identity)
    .bind(serde_json::to_string(&row.pointer)?)
    .bind(i64::try_from(row.rows).map_err(StateError::internal)?)
    .bind(row.publish.to_string())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
