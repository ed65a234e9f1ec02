//! What is remembered of an activation beside its publishes.

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
}

impl Purging {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Here => "here",
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

    /// Moves an activation on in its life.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn set_activation_state(&self, name: &str, state: ActivationState) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO activations (name, state) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET state = excluded.state",
        )
        .bind(name)
        .bind(state.as_str())
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// What the teardown of an activation that is being deleted purges; `None`: what the config says, or none has begun.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn purging(&self, name: &str) -> Result<Option<Purging>, StateError> {
        let found: Option<Option<String>> =
            sqlx::query_scalar("SELECT purging FROM activations WHERE name = ?1 AND state = 'deleting'")
                .bind(name)
                .fetch_optional(self.read())
                .await?;
        let word = found.flatten();
        let known = [Purging::Everywhere, Purging::Here];
        Ok(known.into_iter().find(|purging| word.as_deref() == Some(purging.as_str())))
    }

    /// Remembers what a teardown purges, from before it takes anything back until it is done.
    ///
    /// # Errors
    /// When the state can't be written.
    pub async fn set_purging(&self, name: &str, purging: Option<Purging>) -> Result<(), StateError> {
        let mut transaction = self.write().await?;
        sqlx::query("UPDATE activations SET purging = ?2 WHERE name = ?1")
            .bind(name)
            .bind(purging.map(Purging::as_str))
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
