//! Settling what a crash left, before anything new is published.

use std::sync::Arc;

use chrono::Utc;
use herald_destinations::contract::{Destination, Mode, Ticket};
use uuid::Uuid;

use super::{
    Failure, Ledger, PublishError, PublishKind, Publisher, Receipt, Status, code, crash,
    former::{patience, waits},
    pending::{Pending, commit},
};
use crate::{
    config::{Activation, Target},
    snapshot::Answers,
    state::{ActivationLock, ActivationState, InFlight, NewPublish, PlaceRow},
};

/// Where what was left is settled.
struct At<'a> {
    activation: &'a Activation,
    target: &'a Target,
    /// The identity of the place, where that is another than the activation goes to now.
    former: Option<String>,
}

/// What became of a publish that was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// Something of it reached the target.
    Arrived,
    /// Nothing of it is at the target.
    Nothing,
    /// It is at a former place that does not answer: it stays in flight, with its ticket.
    PutOff,
}

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
                && !self.is_put_off(&name, left.receipt.id).await?
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

    /// Ends the publishes of an activation whose process died: what was sealed is committed, what was sent is
    /// settled, anything else discarded. Called under the activation's lock, so none of them runs.
    ///
    /// One to a former place that does not answer stays in flight, so that nothing of it is forgotten, and holds up
    /// nothing; such a place is tried at most once an hour.
    pub(super) async fn settle(&self, activation: &Activation, target: &Target) -> Result<(), Failure> {
        self.settle_all(activation, target, false).await
    }

    /// [`settle`](Self::settle); `at_once`: without sparing places that did not answer just before.
    pub(super) async fn settle_all(
        &self,
        activation: &Activation,
        target: &Target,
        at_once: bool,
    ) -> Result<(), Failure> {
        for left in self.state.in_flight(Some(&activation.name)).await? {
            let id = left.receipt.id;
            if !at_once
                && self.state.place_of(id).await?.is_some_and(|place| place != self.identity(activation, target))
                && self.is_put_off(&activation.name, id).await?
            {
                continue;
            }
            match self.settle_one(activation, target, left).await? {
                Settled::PutOff => tracing::error!(
                    publish = %id,
                    "a publish that was cut short can't be settled at its former place; it is tried again"
                ),
                settled => {
                    let arrived = settled == Settled::Arrived;
                    tracing::warn!(publish = %id, arrived, "settled a publish that was cut short");
                    self.record_recovery(activation).await?;
                }
            }
        }
        Ok(())
    }

    /// Whether a publish in flight is at a former place that did not answer just before.
    async fn is_put_off(&self, activation: &str, publish: Uuid) -> Result<bool, Failure> {
        let Some(at) = self.state.place_of(publish).await? else { return Ok(false) };
        let places = self.state.places(activation).await?;
        Ok(places.iter().any(|place| place.identity == at && waits(place, Utc::now())))
    }

    async fn settle_one(&self, activation: &Activation, target: &Target, left: InFlight) -> Result<Settled, Failure> {
        let InFlight { mut receipt, ticket, pending } = left;
        crash::point(crash::SETTLING).await;
        let pending: Option<Pending> = pending.and_then(|pending| serde_json::from_value(pending).ok());
        // What was staged is where it was staged, wherever the activation goes by now.
        let place =
            self.state.place_of(receipt.id).await?.or_else(|| pending.as_ref().map(|pending| pending.identity.clone()));
        let at = At { activation, target, former: place.filter(|place| *place != self.identity(activation, target)) };
        match (ticket, pending) {
            // The books alone say what became of it, whatever the target is by now.
            (Some(ticket), Some(pending)) if pending.sending.is_some() => {
                if self.settle_sending(&at, &mut receipt, pending).await? {
                    return Ok(Settled::Arrived);
                }
                // Nothing was sent, so that nothing can be left there.
                self.discard(&at, &ticket).await?;
            }
            (Some(ticket), pending) => {
                if let Some(pending) = pending.filter(|_| ticket.sealed) {
                    match self.settle_sealed(&at, &mut receipt, &ticket, pending).await? {
                        Settled::Nothing => {}
                        settled => return self.put_off(&at, settled).await,
                    }
                }
                if !self.discard(&at, &ticket).await? && at.former.is_some() {
                    return self.put_off(&at, Settled::PutOff).await;
                }
            }
            (None, _) => {}
        }
        receipt.finished_at = Some(Utc::now());
        self.ask_again(&receipt).await?;
        self.fail(&mut receipt, &Ledger::default(), Status::Failed, died()).await?;
        Ok(Settled::Nothing)
    }

    /// What somebody asked for and a process that died did not do waits again. Not while the activation is torn down.
    async fn ask_again(&self, died: &Receipt) -> Result<(), Failure> {
        if self.state.activation_state(&died.activation).await? == ActivationState::Active
            && let Some(again) = self.state.ask_again(died).await?
        {
            tracing::info!(publish = %again.id, "what was asked for waits again");
        }
        Ok(())
    }

    /// Notes of a place where something is put off that it was tried.
    async fn put_off(&self, at: &At<'_>, settled: Settled) -> Result<Settled, Failure> {
        if let (Settled::PutOff, Some(former)) = (settled, &at.former) {
            self.state.place_tried(&at.activation.name, former, Utc::now()).await?;
        }
        Ok(settled)
    }

    /// Commits what was sealed; `Nothing`: it can't be.
    async fn settle_sealed(
        &self,
        at: &At<'_>,
        receipt: &mut Receipt,
        ticket: &Ticket,
        pending: Pending,
    ) -> Result<Settled, Failure> {
        let committed = match self.reach_staged(at).await {
            Ok(destination) => commit(destination.as_ref(), ticket, receipt, &pending).await,
            Err(failure) => Err(failure),
        };
        match committed {
            Ok(()) => {
                receipt.finished_at = Some(Utc::now());
                crash::point(crash::RECOVERED).await;
                self.acknowledge_at(at, receipt, pending).await?;
                Ok(Settled::Arrived)
            }
            Err(failure) if failure.retryable && at.former.is_none() => Err(failure),
            Err(failure) => {
                tracing::error!(code = failure.code, error = failure.message, "can't be committed");
                // Only the place itself can say that what was staged there can't be committed. Where it was not asked, all
                // of it may be there.
                let said_no = matches!(failure.code.as_str(), "target_refused" | code::INTERNAL);
                Ok(if said_no || at.former.is_none() { Settled::Nothing } else { Settled::PutOff })
            }
        }
    }

    /// Puts on record what arrived. Where the activation stands on a snapshot of another place by now, that one stays.
    async fn acknowledge_at(&self, at: &At<'_>, receipt: &Receipt, pending: Pending) -> Result<(), Failure> {
        let name = receipt.activation.as_str();
        let left = |place: &PlaceRow| place.identity == pending.identity && place.left_at.is_some();
        if at.former.is_none() {
            // It came back here, and stands on the snapshot of where it was meanwhile.
            if self.state.snapshot(name).await?.is_some_and(|row| row.identity != pending.identity) {
                self.state.leave_others(name, &pending.identity, Utc::now()).await?;
            }
            return self.acknowledge(receipt, pending).await;
        }
        if !self.state.places(name).await?.iter().any(left) {
            return self.acknowledge(receipt, pending).await;
        }
        self.state.acknowledge_left(receipt, &pending.snapshot(receipt)?).await?;
        self.sweep(name, self.pointer(name).await?.as_ref()).await
    }

    /// Keeps what is certain of a publish that died while it sent, and marks what is not. `false`: nothing was sent.
    async fn settle_sending(&self, at: &At<'_>, receipt: &mut Receipt, mut pending: Pending) -> Result<bool, Failure> {
        let answers = self.state.answers(receipt.id).await?;
        if answers == Answers::default() {
            return Ok(false);
        }
        let owed = pending.receipt.counts.owed;
        let answered: u64 = answers.ranges.iter().map(|range| range.done).sum();
        *receipt = pending.receipt.clone();
        receipt.rejected_by = self.state.refused_by(receipt.id).await?.into_iter().collect();
        receipt.finished_at = Some(Utc::now());
        let stopped = (answered < owed).then(died);
        let died = stopped.is_some();
        if died {
            self.ask_again(receipt).await?;
        }
        self.settle_sent(receipt, &mut pending, &answers, stopped)?;
        if died {
            // Its process ended, which nobody asked the publish to do.
            receipt.status = Status::Failed;
        }
        crash::point(crash::RECOVERED).await;
        self.acknowledge_at(at, receipt, pending).await?;
        Ok(true)
    }

    /// Connects to where something was staged.
    async fn reach_staged(&self, at: &At<'_>) -> Result<Arc<dyn Destination>, Failure> {
        let retry = if at.former.is_some() { patience(at.activation.retry) } else { at.activation.retry };
        self.reach(at.activation, at.target, at.former.as_deref(), retry.into()).await
    }

    /// Whether nothing is left of what was staged.
    async fn discard(&self, at: &At<'_>, ticket: &Ticket) -> Result<bool, Failure> {
        let discarded = match self.reach_staged(at).await {
            Ok(destination) => destination.discard(ticket).await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        match discarded {
            Err(failure) if failure.retryable && at.former.is_none() => Err(failure),
            Err(failure) => {
                tracing::warn!(
                    code = failure.code,
                    error = failure.message,
                    "what a publish staged could not be removed"
                );
                Ok(false)
            }
            Ok(()) => Ok(true),
        }
    }

    /// A receipt of its own for the settling; it moves no record.
    async fn record_recovery(&self, activation: &Activation) -> Result<(), Failure> {
        let mut receipt = self.queue_recovery(activation).await?;
        receipt.finished_at = Some(Utc::now());
        receipt.status = Status::Succeeded;
        Ok(self.state.finish(&receipt).await?)
    }

    /// A receipt, not ended yet, of what moves no record.
    pub(super) async fn queue_recovery(&self, activation: &Activation) -> Result<Receipt, Failure> {
        let now = Utc::now();
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
        receipt.attempts = 1;
        Ok(receipt)
    }
}

pub(super) fn died() -> Failure {
    Failure {
        code: code::INTERRUPTED.into(),
        message: "the process ended before the publish did".into(),
        remedy: "nothing: what was not delivered comes again with the next publish".into(),
        retryable: true,
    }
}
