//! What a teardown needs of an activation that the config names no more: its last good definition, kept encrypted.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use herald_destinations::{
    contract::{Mode, RetryPolicy},
    files::FileOptions,
};
use serde::{Deserialize, Serialize};

use super::{Failure, Publisher, code};
use crate::{
    config::{Activation, Guards, OnDelete, Origin, Refresh, SendOps, Target},
    state::{ActivationRow, ActivationState},
    withheld,
};

/// What a teardown goes by. It holds the target's secrets.
#[derive(Serialize, Deserialize)]
struct Definition {
    segment: String,
    table: String,
    target: String,
    kind: String,
    options: serde_json::Value,
    folder: PathBuf,
    #[serde(default)]
    withheld: Vec<String>,
    purge: bool,
    attempts: u32,
    max_elapsed: Duration,
}

/// An activation that the config names no more, with its target as it was last defined.
pub type Vanished = BTreeMap<String, (Activation, Target)>;

impl Publisher {
    /// Takes note of the config that is in force: what teardowns go by once it names an activation no more. Names of
    /// activations that had been deleted and are back, as new ones.
    ///
    /// # Errors
    /// `snapshot_unreadable` when the key is lost, or a state that can't be written.
    pub async fn in_force(&self) -> Result<Vec<String>, Failure> {
        let mut definitions = Vec::with_capacity(self.config.activations.len());
        for activation in self.config.activations.values() {
            let Some(target) = self.config.targets.get(&activation.target) else { continue };
            let definition = Definition {
                segment: activation.segment.clone(),
                table: activation.table.clone(),
                target: activation.target.clone(),
                kind: target.config.kind().to_owned(),
                options: target.origin.options.clone(),
                folder: target.origin.folder.clone(),
                withheld: target.origin.withheld.clone(),
                purge: activation.on_delete == OnDelete::Purge,
                attempts: activation.retry.attempts,
                max_elapsed: activation.retry.max_elapsed,
            };
            let text = serde_json::to_vec(&definition).map_err(code::internal)?;
            definitions
                .push((activation.name.clone(), self.snapshots()?.keys().seal(&about(&activation.name), &text)?));
        }
        Ok(self.state.in_force(&definitions).await?)
    }

    /// Activations on record that the config names no more and that left something somewhere, as they were last defined.
    /// One that another activation takes over is none of them. Where nobody knows how to reach what one left, that is
    /// told, and it is left out.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn vanished(&self) -> Result<Vanished, Failure> {
        let mut vanished = Vanished::new();
        for row in self.state.activations().await? {
            let known = self.config.activations.contains_key(&row.name);
            if known || row.state == ActivationState::Deleted || !self.state.left_anything(&row.name).await? {
                continue;
            }
            if self.has_heir(&row.name).await? {
                continue;
            }
            match self.last_definition(&row) {
                Ok(definition) => {
                    vanished.insert(row.name, definition);
                }
                Err(failure) => tracing::error!(
                    activation = row.name,
                    code = failure.code,
                    error = failure.message,
                    remedy = failure.remedy,
                    "an activation that the config names no more can't be torn down"
                ),
            }
        }
        Ok(vanished)
    }

    /// Whether an activation of the config takes over what `former` left: where both go to the same place, or nothing is known to
    /// be at any.
    async fn has_heir(&self, former: &str) -> Result<bool, Failure> {
        let snapshot = self.state.snapshot(former).await?;
        for heir in self.config.activations.values().filter(|heir| heir.was.as_deref() == Some(former)) {
            let Some(target) = self.config.targets.get(&heir.target) else { continue };
            let here = snapshot.as_ref().is_none_or(|row| row.identity == self.identity(heir, target));
            if here && self.heir_of(heir).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn last_definition(&self, row: &ActivationRow) -> Result<(Activation, Target), Failure> {
        let unknown = || Failure {
            code: "target_missing".into(),
            message: format!("how `{}` was defined last is not on record", row.name),
            remedy: format!("put it back into the config, and `herald delete {}`", row.name),
            retryable: false,
        };
        let sealed = row.definition.as_ref().ok_or_else(unknown)?;
        let text = self.snapshots()?.keys().unseal(&about(&row.name), sealed)?;
        // What a wrong option quotes may be a secret.
        let definition: Definition = serde_json::from_slice(&text).map_err(|_| unknown())?;
        withheld::withhold(definition.withheld.iter().map(String::as_str));
        let kind = herald_destinations::kind(&definition.kind).ok_or_else(unknown)?;
        let config = kind.parse(definition.options.clone(), &definition.folder).map_err(|_| unknown())?;
        let (options, folder, withheld) = (definition.options, definition.folder, definition.withheld);
        let origin = Origin { options, folder, withheld };
        let target = Target { name: definition.target.clone(), config, origin };
        let activation = Activation {
            name: row.name.clone(),
            was: None,
            paused: true,
            segment: definition.segment,
            table: definition.table,
            target: definition.target,
            attributes: Vec::new(),
            filter: None,
            require: Vec::new(),
            mode: Mode::Incremental,
            send: SendOps { add: true, update: true, remove: true },
            refresh: Refresh::Manual,
            rapid: None,
            resync: None,
            freshness: None,
            guards: Guards { min_members: 0, max_members: None, max_removed: 1.0, max_changed: None },
            on_delete: if definition.purge { OnDelete::Purge } else { OnDelete::Keep },
            files: FileOptions::default(),
            keep: None,
            retry: RetryPolicy { attempts: definition.attempts, max_elapsed: definition.max_elapsed },
        };
        Ok((activation, target))
    }
}

/// What an encrypted definition is bound to.
fn about(activation: &str) -> String {
    format!("definition of {activation}")
}
