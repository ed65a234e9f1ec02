//! `verify`: what stands at the target, held against the receipts.

use std::collections::HashSet;

use herald_destinations::contract::{DeliveredFile, Depth, Extra, Part, PartState};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Failure, PublishError, PublishKind, Publisher, Receipt, Status};
use crate::state::Filter;

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

/// Receipts read at once.
const PAGE: u32 = 200;

impl Publisher {
    /// Reads back what an activation delivered, or one publish, newest first; `None`: all activations of the config.
    ///
    /// # Errors
    /// An unknown name or id, or a target that can't be reached.
    pub async fn verify(&self, of: Option<&str>, depth: Depth) -> Result<Vec<Verification>, PublishError> {
        let mut found = Vec::new();
        match of {
            Some(id) if Uuid::parse_str(id).is_ok() => {
                let id = Uuid::parse_str(id).unwrap_or_default();
                let receipt = self.state.receipt(id).await.map_err(Failure::from)?;
                let receipt = receipt.ok_or_else(|| PublishError::Unknown(format!("no publish `{id}`")))?;
                let standing = self.standing_receipts(&receipt.activation).await?;
                // One whose objects were taken back or written over has nothing left to read.
                let nothing = Receipt { files: Vec::new(), extras: Vec::new(), ..receipt };
                let standing = standing.into_iter().find(|standing| standing.id == id);
                found.extend(self.read_back(standing.unwrap_or(nothing), depth).await?);
            }
            Some(name) => {
                self.activation(name)?;
                for receipt in self.standing_receipts(name).await? {
                    found.extend(self.read_back(receipt, depth).await?);
                }
            }
            None => {
                for name in self.config.activations.keys() {
                    for receipt in self.standing_receipts(name).await? {
                        found.extend(self.read_back(receipt, depth).await?);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Receipts whose objects should stand at the target, newest first. What a later publish wrote over is left out
    /// of the older receipt.
    pub(super) async fn standing_receipts(&self, activation: &str) -> Result<Vec<Receipt>, Failure> {
        let mut standing = Vec::new();
        let mut taken = HashSet::new();
        let mut before = None;
        loop {
            let filter = Filter { activation: Some(activation.to_owned()), status: None, limit: PAGE, before };
            let page = self.state.receipts(filter).await?;
            let Some(last) = page.last() else { return Ok(standing) };
            before = Some(last.id);
            for mut receipt in page {
                let had = receipt.files.len();
                if receipt.kind == PublishKind::Teardown && receipt.status == Status::Succeeded {
                    return Ok(standing);
                }
                receipt.files.retain(|file| taken.insert(file.path.clone()));
                if receipt.files.is_empty() && had > 0 {
                    // Who replaces every file of a publish withdraws its manifest.
                    receipt.extras.clear();
                }
                receipt.extras.retain(|extra| taken.insert(extra.path.clone()));
                if !receipt.files.is_empty() || !receipt.extras.is_empty() {
                    standing.push(receipt);
                }
            }
        }
    }

    async fn read_back(&self, receipt: Receipt, depth: Depth) -> Result<Option<Verification>, PublishError> {
        let (activation, target) = self.activation(&receipt.activation)?;
        let destination = self.connect(activation, target).await?;
        let (files, extras): (&[DeliveredFile], &[Extra]) = (&receipt.files, &receipt.extras);
        let parts = destination.verify(files, extras, depth).await.map_err(Failure::from)?;
        Ok(Some(Verification { id: receipt.id, activation: receipt.activation, target: receipt.target, parts }))
    }
}
