//! What is remembered of an activation beside its publishes.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{State, StateError};

/// Where an activation is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivationState {
    /// It publishes.
    #[default]
    Active,
    /// Its teardown runs.
    Deleting,
    /// Its teardown is done.
    Deleted,
}

impl ActivationState {
    /// The word in `status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    pub(super) fn parse(word: &str) -> Result<Self, StateError> {
        [Self::Active, Self::Deleting, Self::Deleted]
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| StateError::internal(format_args!("an activation's state can't be {word:?}")))
    }
}

/// What a teardown that has begun purges, which asking again without a word must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purging {
    /// All places.
    Everywhere,
    /// The place that the activation goes to; former ones as they were last published to.
    Here,
    /// Former places alone, as they were last published to.
    Former,
    /// Nothing.
    Nowhere,
}

impl Purging {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Here => "here",
            Self::Former => "former",
            Self::Nowhere => "nowhere",
        }
    }
}

/// What is remembered of an activation.
#[derive(Clone, PartialEq, Eq)]
pub struct ActivationRow {
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: ActivationState,
    /// Whether somebody paused it by command; the config may pause it too.
    pub paused: bool,
    /// Its last definition that loaded, encrypted; opaque here.
    pub definition: Option<Vec<u8>>,
}

impl std::fmt::Debug for ActivationRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActivationRow")
            .field("name", &self.name)
            .field("state", &self.state)
            .field("paused", &self.paused)
            .finish_non_exhaustive()
    }
}

type Columns = (String, String, bool, Option<Vec<u8>>);

impl ActivationRow {
    fn read((name, state, paused, definition): Columns) -> Result<Self, StateError> {
        Ok(Self { name, state: ActivationState::parse(&state)?, paused, definition })
    }
}

impl State {
    /// Every activation that was ever published, paused or deleted, by name.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn activations(&self) -> Result<Vec<ActivationRow>, StateError> {
        let found: Vec<Columns> =
            sqlx::query_as("SELECT name, state, paused, definition FROM activations ORDER BY name")
                .fetch_all(self.read())
                .await?;
        found.into_iter().map(ActivationRow::read).collect()
    }

    /// Activations that do not publish by themselves: name, whether paused by command, and where in their life. Asked
    /// often, so that it reads no more than that.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn halted(&self) -> Result<Vec<(String, bool, ActivationState)>, StateError> {
        let found: Vec<(String, bool, String)> =
            sqlx::query_as("SELECT name, paused, state FROM activations WHERE paused OR state <> 'active'")
                .fetch_all(self.read())
                .await?;
        found.into_iter().map(|(name, paused, state)| Ok((name, paused, ActivationState::parse(&state)?))).collect()
    }

    /// What is remembered of an activation; `None`: nothing yet, so it is active.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn activation(&self, name: &str) -> Result<Option<ActivationRow>, StateError> {
        let found: Option<Columns> =
            sqlx::query_as("SELECT name, state, paused, definition FROM activations WHERE name = ?1")
                .bind(name)
                .fetch_optional(self.read())
                .await?;
        found.map(ActivationRow::read).transpose()
    }

    /// Where an activation is in its life; one never heard of is active.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn activation_state(&self, name: &str) -> Result<ActivationState, StateError> {
        Ok(self.activation(name).await?.map(|row| row.state).unwrap_or_default())
    }

    /// Lets an activation live again whose teardown is done. Whether it does: one that is being torn down does not.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn revive(&self, name: &str) -> Result<bool, StateError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE activations SET state = 'active' WHERE name = ?1 AND state = 'deleted'")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        let state: Option<String> = sqlx::query_scalar("SELECT state FROM activations WHERE name = ?1")
            .bind(name)
            .fetch_optional(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(state.is_none_or(|state| state == ActivationState::Active.as_str()))
    }

    /// What the teardown of an activation that is being deleted purges; `None`: none has begun.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn purging(&self, name: &str) -> Result<Option<Purging>, StateError> {
        let found: Option<Option<String>> =
            sqlx::query_scalar("SELECT purging FROM activations WHERE name = ?1 AND state = 'deleting'")
                .bind(name)
                .fetch_optional(self.read())
                .await?;
        let Some(word) = found else { return Ok(None) };
        let known = [Purging::Everywhere, Purging::Here, Purging::Nowhere];
        // Without a word nothing may go that nobody asked for.
        let purging = known.into_iter().find(|purging| word.as_deref() == Some(purging.as_str()));
        Ok(Some(purging.unwrap_or(Purging::Former)))
    }

    /// Begins the teardown of an activation: whoever publishes it sees that and stops at the next batch, what waits is
    /// cancelled for the reason given, and what the teardown purges is remembered until it is done: `purging`, or what was before if
    /// nobody asked for that.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn set_deleting(
        &self,
        name: &str,
        purging: Purging,
        asked: bool,
        why: &crate::publish::Failure,
    ) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO activations (name, state, purging) VALUES (?1, 'deleting', ?2)
             ON CONFLICT (name) DO UPDATE SET state = excluded.state,
                 purging = iif(state = 'deleting' AND NOT ?3, purging, excluded.purging)",
        )
        .bind(name)
        .bind(purging.as_str())
        .bind(asked)
        .execute(&mut *transaction)
        .await?;
        let cancelled = super::triggers::cancel(&mut transaction, name, None, why).await?;
        transaction.commit().await?;
        cancelled.iter().for_each(|receipt| self.tell(receipt));
        Ok(())
    }

    /// An activation that is torn down does not live again by itself once that is done.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn stays_deleted(&self, name: &str) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE activations SET back = 0 WHERE name = ?1 AND state = 'deleting'")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Stops or starts an activation's schedule.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn set_paused(&self, name: &str, paused: bool) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO activations (name, paused) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET paused = excluded.paused",
        )
        .bind(name)
        .bind(paused)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Takes note of a config that is in force: the definitions that later teardowns go by, already encrypted; those of
    /// deleted activations are left out. A deleted activation that the config names no more is a new one once it comes back;
    /// one that comes back while it is torn down, once that is done. Those that did come back, by name.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn in_force(&self, definitions: &[(String, Vec<u8>)]) -> Result<Vec<String>, StateError> {
        let mut transaction = self.write().await?;
        let known: Vec<(String, String, bool, bool)> =
            sqlx::query_as("SELECT name, state, absent, back FROM activations").fetch_all(&mut *transaction).await?;
        let named: HashSet<&str> = definitions.iter().map(|(name, _)| name.as_str()).collect();
        let mut back = Vec::new();
        for (name, state, was_absent, was_back) in known {
            let state = ActivationState::parse(&state)?;
            let change = match (named.contains(name.as_str()), was_absent, state) {
                (false, true, _) if !was_back => continue,
                (false, ..) => "UPDATE activations SET absent = 1, back = 0 WHERE name = ?1",
                (true, false, _) => continue,
                (true, true, ActivationState::Active) => "UPDATE activations SET absent = 0 WHERE name = ?1",
                (true, true, ActivationState::Deleting) => "UPDATE activations SET back = 1 WHERE name = ?1",
                (true, true, ActivationState::Deleted) => {
                    back.push(name.clone());
                    "UPDATE activations SET absent = 0, state = 'active' WHERE name = ?1"
                }
            };
            sqlx::query(change).bind(&name).execute(&mut *transaction).await?;
        }
        for (name, sealed) in definitions {
            sqlx::query(
                "INSERT INTO activations (name, definition) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET definition = excluded.definition WHERE state <> 'deleted'",
            )
            .bind(name)
            .bind(sealed.as_slice())
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(back)
    }

    /// Whether anything of an activation may be somewhere: at a target, in a snapshot, among dead letters, or on its way.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn left_anything(&self, name: &str) -> Result<bool, StateError> {
        let found: i64 = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM snapshots WHERE activation = ?1)
                 OR EXISTS (SELECT 1 FROM places WHERE activation = ?1)
                 OR EXISTS (SELECT 1 FROM dead_letters WHERE activation = ?1)
                 OR EXISTS (SELECT 1 FROM publishes WHERE owner = ?1 AND objects IS NOT NULL)
                 OR EXISTS (SELECT 1 FROM publishes WHERE activation = ?1 AND status IN ('queued', 'running'))",
        )
        .bind(name)
        .fetch_one(self.read())
        .await?;
        Ok(found != 0)
    }

    /// Remembers the definition that a later teardown goes by, already encrypted; `None` erases it.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn set_definition(&self, name: &str, encrypted: Option<&[u8]>) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO activations (name, definition) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET definition = excluded.definition",
        )
        .bind(name)
        .bind(encrypted)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }
}
