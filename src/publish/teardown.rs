//! What happens once when an activation is deleted.

use herald_destinations::contract::{Mode, Visibility};
use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Failure, PublishError, PublishKind, Publisher, Receipt, Silent, Status};
use crate::{
    config::OnDelete,
    state::{ActivationState, NewPublish},
};

/// What a teardown would take back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Withdrawal {
    /// Name of the activation.
    pub activation: String,
    /// `keep` or `purge`.
    pub data: &'static str,
    /// Objects that would be removed, relative to the target's root; none with `keep`.
    pub paths: Vec<String>,
    /// Members that would be removed from a target that shows them one by one; 0 with `keep`.
    pub members: u64,
}

impl Publisher {
    /// What deleting an activation would take back.
    ///
    /// # Errors
    /// An unknown activation, or a state that can't be read.
    pub async fn plan_delete(&self, name: &str, on_delete: Option<OnDelete>) -> Result<Withdrawal, PublishError> {
        let (activation, target) = self.activation(name)?;
        let mut withdrawal = Withdrawal { activation: name.into(), data: "keep", paths: Vec::new(), members: 0 };
        if on_delete.unwrap_or(activation.on_delete) == OnDelete::Purge {
            withdrawal.data = "purge";
            for name in self.names_of(activation, target).await? {
                withdrawal.paths.extend(self.delivered_paths(name).await?);
            }
            if target.config.capabilities().visibility == Visibility::AtWrite {
                let held = self.state.snapshot(name).await.map_err(Failure::from)?;
                withdrawal.members = held.map_or(0, |snapshot| snapshot.rows);
            }
        }
        Ok(withdrawal)
    }

    /// Every object that receipts name; manifests first, so that no manifest ever promises what is gone.
    async fn delivered_paths(&self, name: &str) -> Result<Vec<String>, Failure> {
        let receipts = self.standing_receipts(name).await?;
        let extras = receipts.iter().flat_map(|receipt| receipt.extras.iter().map(|extra| extra.path.clone()));
        let files = receipts.iter().flat_map(|receipt| receipt.files.iter().map(|file| file.path.clone()));
        Ok(extras.chain(files).collect())
    }

    /// Tears an activation down. Asked again after it stopped half-way, it goes on where it stopped.
    ///
    /// # Errors
    /// An unknown activation, or a state that can't be written; what the target says stands in the receipt.
    pub async fn delete(&self, name: &str, on_delete: Option<OnDelete>) -> Result<Receipt, PublishError> {
        let (activation, target) = self.activation(name)?;
        let never = CancellationToken::new();
        let _lock = self.lock(name, true, &never, &Silent).await?;
        self.take_over(activation, target, true, &never, &Silent).await?;
        self.settle(activation, target).await?;
        let now = chrono::Utc::now();
        let queued = NewPublish {
            activation: name.into(),
            segment: activation.segment.clone(),
            target: activation.target.clone(),
            kind: PublishKind::Teardown,
            mode: Mode::Full,
            queued_at: now,
            override_reason: None,
        };
        self.state.set_activation_state(name, ActivationState::Deleting).await.map_err(Failure::from)?;
        let withdrawal = self.plan_delete(name, on_delete).await?;
        let mut receipt = self.state.queue(queued).await.map_err(Failure::from)?;
        receipt.started_at = Some(now);
        receipt.attempts = 1;
        receipt.status = Status::Succeeded;
        if let Err(failure) = self.withdraw(activation, target, &withdrawal, &mut receipt).await {
            receipt.status = Status::Failed;
            receipt.error = Some(failure);
        }
        receipt.finished_at = Some(chrono::Utc::now());
        if receipt.status == Status::Succeeded {
            self.state.forget_snapshot(name).await.map_err(Failure::from)?;
            self.state.forget_dead_letters(name).await.map_err(Failure::from)?;
            self.snapshots()?.sweep(name, &[])?;
        }
        self.state.finish(&receipt).await.map_err(Failure::from)?;
        if receipt.status == Status::Succeeded {
            self.state.set_activation_state(name, ActivationState::Deleted).await.map_err(Failure::from)?;
        }
        Ok(receipt)
    }

    async fn withdraw(
        &self,
        activation: &crate::config::Activation,
        target: &crate::config::Target,
        withdrawal: &Withdrawal,
        receipt: &mut Receipt,
    ) -> Result<(), Failure> {
        if withdrawal.members > 0 {
            self.take_back(activation, target, receipt).await?;
        }
        if withdrawal.paths.is_empty() {
            return Ok(());
        }
        let destination = self.connect(activation, target).await?;
        let gone = destination.remove(&withdrawal.paths).await?;
        let left = withdrawal.paths.len() - gone.len();
        if left == 0 {
            return Ok(());
        }
        let first = withdrawal.paths.iter().find(|path| !gone.contains(path));
        Err(Failure {
            code: "target_refused".into(),
            message: format!("{left} objects could not be removed, such as `{}`", first.map_or("", String::as_str)),
            remedy: "let the target's credentials delete objects, then delete again: it goes on where it stopped"
                .into(),
            retryable: true,
        })
    }

    /// Lets a deleted activation live again; its next publish is a first one. One whose teardown stopped half-way does
    /// not: its snapshot names members that were taken back, who would never be added again.
    ///
    /// # Errors
    /// An unknown activation, one whose teardown is not done, or a state that can't be written.
    pub async fn recreate(&self, name: &str) -> Result<(), PublishError> {
        self.activation(name)?;
        if self.state.activation_state(name).await.map_err(Failure::from)? == ActivationState::Deleting {
            let failure = Failure {
                code: "deleting".into(),
                message: format!("`{name}` is being deleted, and not all of it is taken back"),
                remedy: format!("`herald delete {name}` goes on where it stopped; then it can live again"),
                retryable: false,
            };
            return Err(failure.into());
        }
        self.state.set_activation_state(name, ActivationState::Active).await.map_err(Failure::from)?;
        Ok(())
    }
}
