//! `verify`: what stands at the target, held against the receipts.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use futures::{StreamExt, stream};
use herald_destinations::contract::{Depth, Destination, Part, PartState};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Failure, Phase, Progress, PublishError, Publisher,
    former::patience,
    removal::{Mark, PAGE, mark},
};
use crate::state::{Deposit, DepositsOf};

/// What reading back found of one publish.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Verification {
    /// The publish.
    pub id: Uuid,
    /// Its activation.
    pub activation: String,
    /// Its target.
    pub target: String,
    /// Every object that its receipt names and that should still stand.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub parts: Vec<Part>,
}

impl Verification {
    /// Whether nothing is missing and nothing differs.
    pub fn is_clean(&self) -> bool {
        self.parts.iter().all(|part| matches!(part.state, PartState::Ok | PartState::Unverifiable))
    }
}

/// Publishes that are read back at once; of each, several objects are.
const AT_ONCE: usize = 4;

/// Places by identity, each reached once. `None`: one that can't be reached any more.
type Places = BTreeMap<String, Option<Arc<dyn Destination>>>;

impl Publisher {
    /// Reads back what an activation delivered, or one publish, newest first; `None`: all activations of the config. Each
    /// is read where it was published to; what was published to a former place that can't be reached is unverifiable.
    ///
    /// # Errors
    /// An unknown name or id, or a target that can't be reached.
    pub async fn verify(
        &self,
        of: Option<&str>,
        depth: Depth,
        progress: &dyn Progress,
    ) -> Result<Vec<Verification>, PublishError> {
        progress.phase(Phase::Verifying, None);
        match of {
            Some(id) if Uuid::parse_str(id).is_ok() => {
                let id = Uuid::parse_str(id).unwrap_or_default();
                let receipt = self.state.receipt(id).await.map_err(Failure::from)?;
                let receipt = receipt.ok_or_else(|| PublishError::Unknown(format!("no publish `{id}`")))?;
                let owner = self.state.owner_of(id).await.map_err(Failure::from)?;
                let owner = owner.unwrap_or_else(|| receipt.activation.clone());
                let mut found = self.verify_all(&owner, Some(id), depth, progress).await?;
                if found.is_empty() {
                    // Its objects were taken back or written over, or it never had any.
                    let (activation, target) = (receipt.activation, receipt.target);
                    found.push(Verification { id, activation, target, parts: Vec::new() });
                }
                Ok(found)
            }
            Some(name) => self.verify_all(name, None, depth, progress).await,
            None => {
                let mut found = Vec::new();
                for name in self.config.activations.keys() {
                    found.extend(self.verify_all(name, None, depth, progress).await?);
                }
                Ok(found)
            }
        }
    }

    /// Reads back the publishes of an activation, or only one of them.
    async fn verify_all(
        &self,
        name: &str,
        only: Option<Uuid>,
        depth: Depth,
        progress: &dyn Progress,
    ) -> Result<Vec<Verification>, PublishError> {
        let (activation, target) = self.activation(name)?;
        let current = self.identity(activation, target);
        let mut places = Places::new();
        let mut found = Vec::new();
        // What a later publish wrote over is not expected of the older one.
        let mut taken: HashSet<Mark> = HashSet::new();
        for name in self.names_of(activation, target).await? {
            let mut before = None;
            loop {
                let page = self.state.deposits(DepositsOf::Activation(name), before, PAGE).await;
                let mut page = page.map_err(Failure::from)?;
                let Some(last) = page.last() else { break };
                before = Some(last.number);
                page.retain(|deposit| !deposit.leaving);
                for deposit in &mut page {
                    let place = deposit.place.get_or_insert_with(|| current.clone()).clone();
                    deposit.receipt.files.retain(|file| taken.insert(mark(&place, &file.path)));
                    deposit.receipt.extras.retain(|extra| taken.insert(mark(&place, &extra.path)));
                    if only.is_none_or(|only| only == deposit.receipt.id) && !places.contains_key(&place) {
                        let retries = if place == current { activation.retry } else { patience(activation.retry) };
                        let reached = self.reach(activation, target, Some(&place), retries.into()).await;
                        let reached = if place == current { Some(reached?) } else { reached.ok() };
                        places.insert(place, reached);
                    }
                }
                page.retain(|deposit| only.is_none_or(|only| only == deposit.receipt.id) && has_objects(deposit));
                let work: Vec<_> =
                    page.into_iter().map(|deposit| read_back(deposit, &places, &current, depth, progress)).collect();
                let mut work = stream::iter(work).buffered(AT_ONCE);
                while let Some(verification) = work.next().await {
                    found.push(verification?);
                }
            }
        }
        Ok(found)
    }
}

fn has_objects(deposit: &Deposit) -> bool {
    !deposit.receipt.files.is_empty() || !deposit.receipt.extras.is_empty()
}

async fn read_back(
    deposit: Deposit,
    places: &Places,
    current: &str,
    depth: Depth,
    progress: &dyn Progress,
) -> Result<Verification, Failure> {
    let Deposit { receipt, place, .. } = deposit;
    let place = place.unwrap_or_default();
    let read = match places.get(&place).and_then(Option::as_ref) {
        Some(destination) => Some(destination.verify(&receipt.files, &receipt.extras, depth).await),
        None => None,
    };
    let parts = match read {
        Some(Ok(parts)) => parts,
        Some(Err(error)) if place == current => return Err(error.into()),
        Some(Err(_)) | None => {
            let files = receipt.files.iter().map(|file| &file.path);
            let paths = files.chain(receipt.extras.iter().map(|extra| &extra.path));
            paths.map(|path| Part { path: path.clone(), state: PartState::Unverifiable }).collect()
        }
    };
    progress.advance(parts.len() as u64);
    Ok(Verification { id: receipt.id, activation: receipt.activation, target: receipt.target, parts })
}
