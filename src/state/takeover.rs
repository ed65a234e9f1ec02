//! One activation's place, taken by another.

use chrono::Utc;

use super::{AuditEntry, SnapshotRow, State, StateError, audit, publishes, publishes::timestamp, snapshots, triggers};
use crate::publish::Failure;

/// Who is named in the audit for what follows from the config alone.
const WHO: &str = "herald";

impl State {
    /// Hands over what is remembered of `former` to the activation that `snapshot` names, in one transaction: the snapshot,
    /// the sequence, whether it is paused, and when everything was last sent; the objects that it published, and the
    /// places that it did. `pointers` are the snapshots of former places, by identity, under the new name. `former` is deleted then, without a snapshot or dead letters; its
    /// receipts stay under its name.
    ///
    /// Dead letters are not handed over, since what they hold is sealed for their activation; whatever is still refused
    /// is refused again by the next publish.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn take_over(
        &self,
        former: &str,
        snapshot: &SnapshotRow,
        pointers: &[(String, serde_json::Value)],
    ) -> Result<(), StateError> {
        // The caller holds the lock of `former`, so that no publish of it comes between.
        let full = self.history(former).await?.full;
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO activations (name, sequence, paused, full_before)
             SELECT ?2, sequence, paused, ?3 FROM activations WHERE name = ?1
             ON CONFLICT (name) DO UPDATE SET sequence = max(sequence, excluded.sequence),
                 paused = max(paused, excluded.paused), full_before = excluded.full_before",
        )
        .bind(former)
        .bind(&snapshot.activation)
        .bind(full.map(timestamp))
        .execute(&mut *transaction)
        .await?;
        // What was asked for under the new name was numbered as if nothing had come before it.
        publishes::past_all(&mut transaction, &snapshot.activation).await?;
        snapshots::store(&mut transaction, snapshot).await?;
        for moved in [
            "UPDATE publishes SET owner = ?2 WHERE owner = ?1 AND objects IS NOT NULL",
            "UPDATE places SET activation = ?2 WHERE activation = ?1",
        ] {
            sqlx::query(moved).bind(former).bind(&snapshot.activation).execute(&mut *transaction).await?;
        }
        for (identity, pointer) in pointers {
            sqlx::query("UPDATE places SET pointer = ?3 WHERE activation = ?1 AND identity = ?2")
                .bind(&snapshot.activation)
                .bind(identity)
                .bind(serde_json::to_string(pointer)?)
                .execute(&mut *transaction)
                .await?;
        }
        let why = Failure {
            code: "deleted".into(),
            message: format!("`{former}` is `{}` now", snapshot.activation),
            remedy: "ask for a publish under the new name".into(),
            retryable: false,
        };
        triggers::cancel(&mut transaction, former, None, &why).await?;
        for forgotten in [
            "DELETE FROM snapshots WHERE activation = ?1",
            "DELETE FROM dead_letters WHERE activation = ?1",
            "UPDATE activations SET state = 'deleted', paused = 0, definition = NULL, lived_from = sequence WHERE name = ?1",
        ] {
            sqlx::query(forgotten).bind(former).execute(&mut *transaction).await?;
        }
        let entry = AuditEntry {
            at: Utc::now(),
            who: WHO.to_owned(),
            what: "rename".to_owned(),
            activation: Some(snapshot.activation.clone()),
            detail: Some(format!("took over `{former}`")),
        };
        audit::add(&mut transaction, &entry).await?;
        Ok(transaction.commit().await?)
    }
}
