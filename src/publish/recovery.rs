//! Settling what a crash left, before anything new is published.

use herald_destinations::contract::Mode;

use super::{
    Failure, Ledger, PublishError, PublishKind, Publisher, Status, code,
    pending::{Pending, commit},
};
use crate::{
    config::{Activation, Target},
    state::{ActivationLock, InFlight, NewPublish},
};

impl Publisher {
    /// Activations of the config with publishes in flight that nobody works on: their process died, or their commit failed.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn left_behind(&self) -> Result<Vec<String>, Failure> {
        let mut names: Vec<String> = Vec::new();
        for left in self.state.in_flight(None).await? {
            let name = left.receipt.activation;
            if !names.contains(&name)
                && self.config.activations.contains_key(&name)
                && ActivationLock::acquire(self.state.data_dir(), &name, false).await?.is_some()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Settles what was left of one activation; nothing to do while another publish of it runs, which settles it itself.
    ///
    /// # Errors
    /// Unknown activation, a target that can't be reached, or a state that can't be written.
    pub async fn settle_left_behind(&self, activation: &str) -> Result<(), Failure> {
        let (activation, target) = self.activation(activation).map_err(|error| match error {
            PublishError::Failed(failure) => failure,
            other => code::internal(other),
        })?;
        match ActivationLock::acquire(self.state.data_dir(), &activation.name, false).await? {
            Some(_lock) => self.settle(activation, target).await,
            None => Ok(()),
        }
    }

    /// Ends the publishes of an activation whose process died: what was sealed is committed, anything else discarded.
    /// Called under the activation's lock, so none of them runs.
    pub(super) async fn settle(&self, activation: &Activation, target: &Target) -> Result<(), Failure> {
        for left in self.state.in_flight(Some(&activation.name)).await? {
            let id = left.receipt.id;
            let committed = self.settle_one(activation, target, left).await?;
            tracing::warn!(publish = %id, committed, "settled a publish that was cut short");
            self.record_recovery(activation).await?;
        }
        Ok(())
    }

    /// Whether it was committed.
    async fn settle_one(&self, activation: &Activation, target: &Target, left: InFlight) -> Result<bool, Failure> {
        let InFlight { mut receipt, ticket, pending } = left;
        let pending: Option<Pending> = pending.and_then(|pending| serde_json::from_value(pending).ok());
        if let Some(ticket) = &ticket {
            let destination = self.connect(activation, target).await?;
            let ours = |pending: &Pending| ticket.sealed && pending.identity == self.identity(activation, target);
            if let Some(pending) = pending.filter(ours) {
                match commit(destination.as_ref(), ticket, &mut receipt, &pending).await {
                    Ok(()) => {
                        receipt.finished_at = Some(chrono::Utc::now());
                        self.acknowledge(&receipt, pending).await?;
                        return Ok(true);
                    }
                    Err(failure) if failure.retryable => return Err(failure),
                    Err(failure) => tracing::error!(code = failure.code, error = failure.message, "can't be committed"),
                }
            }
            match destination.discard(ticket).await {
                Err(error) if error.kind().passes() => return Err(error.into()),
                // The target is another one by now: what was staged at the former can't be reached from here.
                Err(error) => tracing::warn!(%error, "what a publish staged could not be removed"),
                Ok(()) => {}
            }
        }
        receipt.finished_at = Some(chrono::Utc::now());
        let failure = Failure {
            code: code::INTERRUPTED.into(),
            message: "the process ended before the publish did".into(),
            remedy: "nothing: what it staged was removed, and the next publish sends it".into(),
            retryable: true,
        };
        self.fail(&mut receipt, &Ledger::default(), Status::Failed, failure).await?;
        Ok(false)
    }

    /// A receipt of its own for the settling; it moves no record.
    async fn record_recovery(&self, activation: &Activation) -> Result<(), Failure> {
        let now = chrono::Utc::now();
        let mut receipt = self
            .state
            .queue(NewPublish {
                activation: activation.name.clone(),
                segment: activation.segment.clone(),
                target: activation.target.clone(),
                kind: PublishKind::Recovery,
                mode: Mode::Incremental,
                queued_at: now,
                override_reason: None,
            })
            .await?;
        receipt.started_at = Some(now);
        receipt.finished_at = Some(chrono::Utc::now());
        receipt.status = Status::Succeeded;
        receipt.attempts = 1;
        Ok(self.state.finish(&receipt).await?)
    }
}
