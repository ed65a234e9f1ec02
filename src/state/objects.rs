//! Which publishes have objects at their targets.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{AuditEntry, State, StateError, audit, publishes::parse};
use crate::publish::Receipt;

/// Who is named in the audit for what follows from the config alone.
const WHO: &str = "herald";

/// A publish that has objects at its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    /// Its number in the order of arrival.
    pub number: i64,
    /// Its receipt.
    pub receipt: Receipt,
    /// Where it went; `None`: nobody noted it.
    pub place: Option<String>,
    /// Whether its objects are being taken back.
    pub leaving: bool,
}

/// Which deposits.
#[derive(Debug, Clone, Copy)]
pub enum DepositsOf<'a> {
    /// Of an activation, those of the names that it had before among them.
    Activation(&'a str),
    /// Of all others.
    Others(&'a str),
}

type Columns = (i64, String, Option<String>, String);

impl State {
    /// Publishes that have objects at their targets, newest first, at most `limit`, older than number `before`.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn deposits(
        &self,
        of: DepositsOf<'_>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Deposit>, StateError> {
        let (query, name) = match of {
            DepositsOf::Activation(name) => (
                "SELECT number, receipt, place, objects FROM publishes
                 WHERE objects IS NOT NULL AND owner = ?1 AND (?2 IS NULL OR number < ?2) ORDER BY number DESC LIMIT ?3",
                name,
            ),
            DepositsOf::Others(name) => (
                "SELECT number, receipt, place, objects FROM publishes
                 WHERE objects IS NOT NULL AND owner <> ?1 AND (?2 IS NULL OR number < ?2) ORDER BY number DESC LIMIT ?3",
                name,
            ),
        };
        let found: Vec<Columns> =
            sqlx::query_as(query).bind(name).bind(before).bind(limit).fetch_all(self.read()).await?;
        found
            .into_iter()
            .map(|(number, receipt, place, objects)| {
                Ok(Deposit { number, receipt: parse(&receipt)?, place, leaving: objects == "leaving" })
            })
            .collect()
    }

    /// Whose the objects of a publish are: its activation's, or that of the one that took over.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn owner_of(&self, publish: Uuid) -> Result<Option<String>, StateError> {
        let found: Option<Option<String>> = sqlx::query_scalar("SELECT owner FROM publishes WHERE id = ?1")
            .bind(publish.to_string())
            .fetch_optional(self.read())
            .await?;
        Ok(found.flatten())
    }

    /// Objects that receipts of an activation name at a place; `unplaced`: those of publishes whose place nobody noted, too.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn count_objects(&self, activation: &str, place: &str, unplaced: bool) -> Result<u64, StateError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT sum(json_array_length(receipt, '$.files') + json_array_length(receipt, '$.extras')) FROM publishes
             WHERE objects IS NOT NULL AND owner = ?1 AND (place = ?2 OR (?3 AND place IS NULL))",
        )
        .bind(activation)
        .bind(place)
        .bind(unplaced)
        .fetch_one(self.read())
        .await?;
        u64::try_from(found.unwrap_or(0)).map_err(StateError::internal)
    }

    /// Whether objects of an activation at a place, or of publishes whose place nobody noted, were begun to be taken back.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn any_leaving(&self, activation: &str, place: &str) -> Result<bool, StateError> {
        let found: i64 = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM publishes
                 WHERE objects = 'leaving' AND owner = ?1 AND (place = ?2 OR place IS NULL))",
        )
        .bind(activation)
        .bind(place)
        .fetch_one(self.read())
        .await?;
        Ok(found != 0)
    }

    /// Notes that objects of publishes are about to be taken back: from now on nobody expects them at the target.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn leaving(&self, publishes: &[Uuid]) -> Result<(), StateError> {
        self.set_objects(publishes, Some("leaving"), None).await
    }

    /// Notes that objects of publishes are gone; with a line in the audit where they went by retention.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn gone(&self, publishes: &[Uuid], expired: Option<(&str, String)>) -> Result<(), StateError> {
        self.set_objects(publishes, None, expired).await
    }

    async fn set_objects(
        &self,
        publishes: &[Uuid],
        objects: Option<&str>,
        expired: Option<(&str, String)>,
    ) -> Result<(), StateError> {
        if publishes.is_empty() {
            return Ok(());
        }
        let ids = serde_json::to_string(publishes)?;
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE publishes SET objects = ?2 WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(ids)
            .bind(objects)
            .execute(&mut *transaction)
            .await?;
        if let Some((activation, detail)) = expired {
            let at: DateTime<Utc> = Utc::now();
            let entry = AuditEntry {
                at,
                who: WHO.to_owned(),
                what: "expire".to_owned(),
                activation: Some(activation.to_owned()),
                detail: Some(detail),
            };
            audit::add(&mut transaction, &entry).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Notes that all objects of an activation at a place are about to be taken back, those of publishes whose place
    /// nobody noted among them if `unplaced`.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn all_leaving(&self, activation: &str, place: &str, unplaced: bool) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "UPDATE publishes SET objects = 'leaving'
             WHERE owner = ?1 AND objects IS NOT NULL AND (place = ?2 OR (?3 AND place IS NULL))",
        )
        .bind(activation)
        .bind(place)
        .bind(unplaced)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }
}
