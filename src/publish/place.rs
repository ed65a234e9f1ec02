//! Places that an activation published to, and how they are reached once the config names another one.

use std::{path::PathBuf, sync::Arc};

use herald_destinations::contract::{Config, Destination, Retries};
use serde::{Deserialize, Serialize};

use super::{Failure, Publisher, code};
use crate::{
    config::{Activation, OnDelete, Target},
    state::PlaceRow,
    withheld,
};

/// What reaches a place, and what a teardown does there. It holds the target's secrets, and is stored encrypted.
#[derive(Serialize, Deserialize)]
struct Definition {
    kind: String,
    options: serde_json::Value,
    folder: PathBuf,
    #[serde(default)]
    withheld: Vec<String>,
    purge: bool,
}

/// A former place, as it was last defined.
#[derive(Debug)]
pub(super) struct Former {
    config: Box<dyn Config>,
    /// What a teardown does there.
    pub(super) on_delete: OnDelete,
}

/// The target's own part of the identity of a place, without the table that identifies members: two activations, or two
/// tables, may share it.
pub(super) fn location(identity: &str) -> &str {
    identity.rsplit_once(' ').map_or(identity, |(location, _)| location)
}

impl Publisher {
    /// What reaches the place that an activation publishes to, encrypted.
    pub(super) fn definition(&self, activation: &Activation, target: &Target) -> Result<Vec<u8>, Failure> {
        let definition = Definition {
            kind: target.config.kind().to_owned(),
            options: target.origin.options.clone(),
            folder: target.origin.folder.clone(),
            withheld: target.origin.withheld.clone(),
            purge: activation.on_delete == OnDelete::Purge,
        };
        let text = serde_json::to_vec(&definition).map_err(code::internal)?;
        self.snapshots()?.keys().seal(&about(&self.identity(activation, target)), &text)
    }

    /// A former place as it was last defined.
    ///
    /// # Errors
    /// `target_missing` when that is not known, or this build has no such kind; `snapshot_unreadable` with another key.
    pub(super) fn former(&self, row: &PlaceRow) -> Result<Former, Failure> {
        let sealed = row.definition.as_ref().ok_or_else(|| unknown(row))?;
        let text = self.snapshots()?.keys().unseal(&about(&row.identity), sealed)?;
        // What a wrong option quotes may be a secret.
        let definition: Definition = serde_json::from_slice(&text).map_err(|_| unknown(row))?;
        withheld::withhold(definition.withheld.iter().map(String::as_str));
        let kind = herald_destinations::kind(&definition.kind).ok_or_else(|| unknown(row))?;
        let config = kind.parse(definition.options, &definition.folder).map_err(|_| unknown(row))?;
        let on_delete = if definition.purge { OnDelete::Purge } else { OnDelete::Keep };
        Ok(Former { config, on_delete })
    }

    /// Connects to a place that an activation published to: the one that it goes to, or, by its last definition, a
    /// former one. `None`: nobody noted the place, which is taken for the one that it goes to.
    ///
    /// # Errors
    /// Those of [`former`](Self::former), or what the target said.
    pub(super) async fn reach(
        &self,
        activation: &Activation,
        target: &Target,
        identity: Option<&str>,
        retries: Retries,
    ) -> Result<Arc<dyn Destination>, Failure> {
        let Some(identity) = identity.filter(|identity| *identity != self.identity(activation, target)) else {
            return Ok(target.config.connect(retries).await?);
        };
        // Only the table that identifies members is another one: the place is the same, with its credentials of today.
        if location(identity) == location(&self.identity(activation, target)) {
            return Ok(target.config.connect(retries).await?);
        }
        let rows = self.state.places(&activation.name).await?;
        let row = rows.iter().find(|row| row.identity == identity);
        let row = row.ok_or_else(|| nowhere("the place that it was published to is not known any more"))?;
        Ok(self.former(row)?.config.connect(retries).await?)
    }
}

/// What an encrypted definition is bound to.
fn about(identity: &str) -> String {
    format!("place {identity}")
}

fn unknown(row: &PlaceRow) -> Failure {
    nowhere(&format!("what reaches the former place of target `{}` is not known", row.target))
}

fn nowhere(message: &str) -> Failure {
    Failure {
        code: "target_missing".into(),
        message: message.into(),
        remedy: "put the former target back into the config and delete there; or let it be with `herald delete --keep`, which \
                 forgets what stands at the present target, too, then `herald recreate` and one publish with `--full`"
            .into(),
        retryable: false,
    }
}
