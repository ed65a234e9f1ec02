//! Where activations published to: each place that has not been torn down, and what reaches it.

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, Transaction};
use uuid::Uuid;

use super::{
    Purging, SnapshotRow, State, StateError,
    publishes::{self, timestamp},
};
use crate::publish::{Receipt, Status};

/// A place that an activation published to.
#[derive(Clone, PartialEq, Eq)]
pub struct PlaceRow {
    /// Name of the activation.
    pub activation: String,
    /// The target's identity, and the member table's.
    pub identity: String,
    /// Name of the target, as it was.
    pub target: String,
    /// What reaches it, encrypted; opaque here.
    pub definition: Option<Vec<u8>>,
    /// When the activation was found to go elsewhere; `None`: it goes there.
    pub left_at: Option<DateTime<Utc>>,
    /// The snapshot of what it held then; opaque here.
    pub pointer: Option<serde_json::Value>,
    /// Members in that.
    pub rows: u64,
    /// The publish that it stands after.
    pub publish: Option<Uuid>,
    /// Whether what is there is being taken back, so that the snapshot only says who may be there.
    pub leaving: bool,
    /// When taking back what is there last failed.
    pub tried: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for PlaceRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaceRow")
            .field("activation", &self.activation)
            .field("target", &self.target)
            .field("left_at", &self.left_at)
            .finish_non_exhaustive()
    }
}

type Columns =
    (String, String, Option<Vec<u8>>, Option<String>, Option<String>, i64, Option<String>, bool, Option<String>);

fn time(text: Option<String>) -> Result<Option<DateTime<Utc>>, StateError> {
    text.map(|text| text.parse().map_err(StateError::internal)).transpose()
}

impl State {
    /// Begins a publish on record: how it stands, where it goes, and what reaches that place.
    ///
    /// # Errors
    /// When the publish is unknown, or the state can't be written.
    pub async fn begin(&self, receipt: &Receipt, identity: &str, definition: &[u8]) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        publishes::store(&mut transaction, receipt).await?;
        place_of(&mut transaction, receipt.id, identity).await?;
        sqlx::query(
            "INSERT INTO places (activation, identity, target, definition) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (activation, identity) DO UPDATE SET target = excluded.target, definition = excluded.definition,
                 left_at = NULL, pointer = NULL, rows = 0, publish = NULL, leaving = 0, tried = NULL",
        )
        .bind(&receipt.activation)
        .bind(identity)
        .bind(&receipt.target)
        .bind(definition)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        self.tell(receipt);
        Ok(())
    }

    /// Puts on record which place a publish is about.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn set_place(&self, publish: Uuid, identity: &str) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        place_of(&mut transaction, publish, identity).await?;
        Ok(transaction.commit().await?)
    }

    /// Where a publish went; `None`: it never got as far.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn place_of(&self, publish: Uuid) -> Result<Option<String>, StateError> {
        let found: Option<Option<String>> = sqlx::query_scalar("SELECT place FROM publishes WHERE id = ?1")
            .bind(publish.to_string())
            .fetch_optional(self.read())
            .await?;
        Ok(found.flatten())
    }

    /// Places of an activation, the one that it goes to among them.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn places(&self, activation: &str) -> Result<Vec<PlaceRow>, StateError> {
        let found: Vec<Columns> = sqlx::query_as(
            "SELECT identity, target, definition, left_at, pointer, rows, publish, leaving, tried FROM places
             WHERE activation = ?1 ORDER BY left_at, identity",
        )
        .bind(activation)
        .fetch_all(self.read())
        .await?;
        found
            .into_iter()
            .map(|(identity, target, definition, left_at, pointer, rows, publish, leaving, tried)| {
                Ok(PlaceRow {
                    activation: activation.to_owned(),
                    identity,
                    target,
                    definition,
                    left_at: time(left_at)?,
                    pointer: pointer.as_deref().map(serde_json::from_str).transpose()?,
                    rows: u64::try_from(rows).map_err(StateError::internal)?,
                    publish: publish.map(|id| id.parse().map_err(StateError::internal)).transpose()?,
                    leaving,
                    tried: time(tried)?,
                })
            })
            .collect()
    }

    /// Notes that an activation goes to `identity` now and to no other place: the snapshot of another one moves there, and
    /// dead letters, which are of that one too, are dropped. A place that it comes back to has its snapshot in force again,
    /// unless what is there is being taken back.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn leave_others(&self, activation: &str, identity: &str, at: DateTime<Utc>) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        // One that was published to by a version that did not keep what reaches it.
        sqlx::query(
            "INSERT INTO places (activation, identity, target)
             SELECT activation, identity, '' FROM snapshots WHERE activation = ?1 AND identity <> ?2
             ON CONFLICT (activation, identity) DO NOTHING",
        )
        .bind(activation)
        .bind(identity)
        .execute(&mut *transaction)
        .await?;
        let moved = sqlx::query(
            "UPDATE places SET (pointer, rows, publish) = (SELECT pointer, rows, publish FROM snapshots
                 WHERE snapshots.activation = places.activation AND snapshots.identity = places.identity)
             WHERE activation = ?1 AND identity <> ?2
               AND EXISTS (SELECT 1 FROM snapshots
                   WHERE snapshots.activation = places.activation AND snapshots.identity = places.identity)",
        )
        .bind(activation)
        .bind(identity)
        .execute(&mut *transaction)
        .await?;
        if moved.rows_affected() > 0 {
            sqlx::query("DELETE FROM snapshots WHERE activation = ?1 AND identity <> ?2")
                .bind(activation)
                .bind(identity)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM dead_letters WHERE activation = ?1")
                .bind(activation)
                .execute(&mut *transaction)
                .await?;
        }
        sqlx::query("UPDATE places SET left_at = ?3 WHERE activation = ?1 AND identity <> ?2 AND left_at IS NULL")
            .bind(activation)
            .bind(identity)
            .bind(timestamp(at))
            .execute(&mut *transaction)
            .await?;
        for back in [
            "INSERT INTO snapshots (activation, identity, pointer, rows, publish)
             SELECT activation, identity, pointer, rows, publish FROM places
             WHERE activation = ?1 AND identity = ?2 AND NOT leaving AND pointer IS NOT NULL AND publish IS NOT NULL
             ON CONFLICT (activation) DO NOTHING",
            "UPDATE places SET left_at = NULL, pointer = NULL, rows = 0, publish = NULL, tried = NULL
             WHERE activation = ?1 AND identity = ?2 AND NOT leaving",
        ] {
            sqlx::query(back).bind(activation).bind(identity).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Ends a publish that was committed at a place that its activation has left meanwhile: the snapshot is of that place.
    ///
    /// # Errors
    /// When the receipt is not final, or the state can't be written.
    pub async fn acknowledge_left(&self, receipt: &Receipt, snapshot: &SnapshotRow) -> Result<(), StateError> {
        if !publishes::has_ended(receipt.status) {
            return Err(StateError::internal(format_args!("publish {} has not ended", receipt.id)));
        }
        let mut transaction = self.write().await?;
        publishes::store(&mut transaction, receipt).await?;
        sqlx::query("UPDATE places SET pointer = ?3, rows = ?4, publish = ?5 WHERE activation = ?1 AND identity = ?2")
            .bind(&snapshot.activation)
            .bind(&snapshot.identity)
            .bind(serde_json::to_string(&snapshot.pointer)?)
            .bind(i64::try_from(snapshot.rows).map_err(StateError::internal)?)
            .bind(snapshot.publish.to_string())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.tell(receipt);
        Ok(())
    }

    /// Notes that what a former place holds is being taken back: its snapshot is never in force again.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn place_leaving(&self, activation: &str, identity: &str) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE places SET leaving = 1 WHERE activation = ?1 AND identity = ?2")
            .bind(activation)
            .bind(identity)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Notes that a place did not do what was asked of it.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn place_tried(&self, activation: &str, identity: &str, at: DateTime<Utc>) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE places SET tried = ?3 WHERE activation = ?1 AND identity = ?2")
            .bind(activation)
            .bind(identity)
            .bind(timestamp(at))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Whether publishes of an activation to a place are in flight.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn unsettled_at(&self, activation: &str, identity: &str) -> Result<bool, StateError> {
        let found: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM publishes
             WHERE activation = ?1 AND place = ?2 AND status IN ('queued', 'running') AND kind <> 'teardown'",
        )
        .bind(activation)
        .bind(identity)
        .fetch_one(self.read())
        .await?;
        Ok(found > 0)
    }

    /// Forgets a place at which an activation has left nothing.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn forget_place(&self, activation: &str, identity: &str) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM places WHERE activation = ?1 AND identity = ?2")
            .bind(activation)
            .bind(identity)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Ends a teardown on record. One that succeeded leaves nothing remembered: of a former `place`, what was published
    /// there, or, without that, of the whole activation. Of one that failed at a former place, when. `false`: somebody decided
    /// otherwise than it was `decided`, and nothing was put on record.
    ///
    /// # Errors
    /// When the receipt is not final, or the state can't be written.
    pub async fn end_teardown(
        &self,
        receipt: &Receipt,
        place: Option<&str>,
        decided: Option<Purging>,
    ) -> Result<bool, StateError> {
        if !publishes::has_ended(receipt.status) {
            return Err(StateError::internal(format_args!("publish {} has not ended", receipt.id)));
        }
        let mut transaction = self.write().await?;
        if let Some(decided) = decided {
            let purging: Option<Option<String>> = sqlx::query_scalar("SELECT purging FROM activations WHERE name = ?1")
                .bind(&receipt.activation)
                .fetch_optional(&mut *transaction)
                .await?;
            if purging.flatten().is_some_and(|purging| purging != decided.as_str()) {
                return Ok(false);
            }
        }
        publishes::store(&mut transaction, receipt).await?;
        let statements: &[&'static str] = match (receipt.status, place) {
            (Status::Succeeded, Some(_)) => &[
                "UPDATE publishes SET objects = NULL WHERE owner = ?1 AND objects IS NOT NULL AND place = ?2",
                "DELETE FROM snapshots WHERE activation = ?1 AND identity = ?2",
                "DELETE FROM places WHERE activation = ?1 AND identity = ?2",
            ],
            // One that somebody stopped says nothing of the place.
            (Status::Cancelled, Some(_)) => &[],
            (_, Some(_)) => &["UPDATE places SET tried = ?3 WHERE activation = ?1 AND identity = ?2"],
            (Status::Succeeded, None) => &[
                "UPDATE publishes SET objects = NULL WHERE owner = ?1 AND objects IS NOT NULL",
                "DELETE FROM snapshots WHERE activation = ?1",
                "DELETE FROM dead_letters WHERE activation = ?1",
                "DELETE FROM places WHERE activation = ?1",
                // The config may name it again by now: then it begins anew.
                "UPDATE activations SET state = iif(back, 'active', 'deleted'), definition = iif(back, definition, NULL),
                     absent = iif(back, 0, absent), back = 0, purging = NULL, lived_from = sequence WHERE name = ?1",
            ],
            (_, None) => &[],
        };
        for statement in statements {
            sqlx::query(*statement)
                .bind(&receipt.activation)
                .bind(place)
                .bind(receipt.finished_at.map(timestamp))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        self.tell(receipt);
        Ok(true)
    }
}

async fn place_of(
    transaction: &mut Transaction<'static, Sqlite>,
    publish: Uuid,
    identity: &str,
) -> Result<(), StateError> {
    sqlx::query("UPDATE publishes SET place = ?2 WHERE id = ?1")
        .bind(publish.to_string())
        .bind(identity)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
