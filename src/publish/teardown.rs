//! What happens once when an activation is deleted.
//!
//! ```text
//! deleting ─▶ lock ─▶ settle ─▶ place by place: members, objects ─▶ receipt, and all that was remembered erased
//!    └ whoever publishes sees it, and stops                         (in one transaction)
//! ```
//!
//! Killed anywhere, asked again it goes on: publishes whose objects are gone are on record as such, page by page.

use std::collections::HashSet;

use herald_destinations::contract::{Mode, Retries, Visibility};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Ledger, Phase, Progress, PublishError, PublishKind, Publisher, Receipt, Silent, Status, TakenBack, code,
    crash,
    decision::Decision,
    publisher::deleted,
    recovery,
    removal::{NAMED, PAGE, Removal, mark, paths_of},
    run::status_of,
    site::Site,
};
use crate::{
    config::{Activation, OnDelete, Target},
    state::{DepositsOf, NewPublish, PlaceRow},
};

/// Who watches a teardown, and may stop it.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancellationToken,
}

impl Publisher {
    /// [`tear_down`](Self::tear_down), with nobody who watches it.
    ///
    /// # Errors
    /// The same.
    pub async fn delete(&self, name: &str, on_delete: Option<OnDelete>) -> Result<Receipt, PublishError> {
        self.tear_down(name, on_delete, &Silent, &CancellationToken::new()).await
    }

    /// Tears an activation down, at every place that it published to. Asked again after it stopped half-way, it goes on
    /// where it stopped.
    ///
    /// # Errors
    /// An unknown activation, or a state that can't be written; what the target says stands in the receipt.
    pub async fn tear_down(
        &self,
        name: &str,
        on_delete: Option<OnDelete>,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Receipt, PublishError> {
        let (activation, target) = self.activation(name)?;
        self.begin_deleting(activation, on_delete).await?;
        let _lock = self.lock(name, true, cancel, progress).await?;
        self.take_over(activation, target, true, cancel, progress).await?;
        let settled = self.settle_all(activation, target, true).await;
        // That may have taken its time: what counts is what was decided last.
        let decision = self.decision(activation, None).await?;
        match settled {
            Err(failure) if decision.purges_here() => return Err(failure.into()),
            // Nobody asks for what is there: a target that is no more must not keep anybody.
            Err(_) => self.abandon(activation, |_| true).await?,
            Ok(()) => {}
        }
        let current = self.identity(activation, target);
        self.state.leave_others(name, &current, chrono::Utc::now()).await.map_err(Failure::from)?;
        let queued = self.state.queued_teardown(name).await.map_err(Failure::from)?;
        let receipt = match queued {
            Some(receipt) => receipt,
            None => self.queue_teardown(activation, &activation.target).await?,
        };
        let mut receipt = self.begin_teardown(receipt).await?;
        let retries = Retries::from(activation.retry);
        let watch = Watch { progress, cancel };
        let mut ended = Ok(());
        for site in self.sites(activation, &current, decision).await? {
            let taken = self.take_back_from(activation, target, &site, &mut receipt, retries.clone(), watch).await;
            // What is at one place goes, whatever is the matter with another.
            ended = ended.and(taken);
        }
        ended = ended.and(self.end_put_off(activation, &current, decision).await?);
        if ended.is_ok() {
            self.name_left(name, &mut receipt).await?;
        }
        end(&mut receipt, ended, &retries);
        let decided = (receipt.status == Status::Succeeded).then(|| decision.purging());
        if !self.state.end_teardown(&receipt, None, decided).await.map_err(Failure::from)? {
            receipt.status = Status::Cancelled;
            receipt.fail(decided_anew());
            self.state.end_teardown(&receipt, None, None).await.map_err(Failure::from)?;
        }
        if receipt.status == Status::Succeeded {
            self.snapshots()?.sweep(name, &[])?;
        }
        Ok(receipt)
    }

    /// The places of an activation at which a teardown takes something back.
    async fn sites(&self, activation: &Activation, current: &str, decision: Decision) -> Result<Vec<Site>, Failure> {
        let mut sites = Vec::new();
        if decision.purges_here() {
            let pointer = self.state.snapshot(&activation.name).await?.map(|row| row.pointer);
            sites.push(Site { identity: current.to_owned(), unplaced: true, pointer });
        }
        for place in self.state.places(&activation.name).await? {
            // The place that it goes to may be one that it left before.
            let again = place.identity == current && place.pointer.is_some() && decision.purges_here();
            let on_delete = self.former(&place).map_or(activation.on_delete, |former| former.on_delete);
            if again || (place.identity != current && decision.purges(on_delete, place.leaving)) {
                sites.push(Site { identity: place.identity, unplaced: false, pointer: place.pointer });
            }
        }
        Ok(sites)
    }

    /// Asks for a teardown: the schedule stops now, and the receipt waits for [`tear_down`](Self::tear_down) to run. Of one
    /// that was asked for before and waits, that one's.
    ///
    /// # Errors
    /// An unknown activation, or a state that can't be written.
    pub async fn ask_teardown(&self, name: &str, on_delete: Option<OnDelete>) -> Result<Receipt, PublishError> {
        let (activation, _) = self.activation(name)?;
        self.begin_deleting(activation, on_delete).await?;
        match self.state.queued_teardown(name).await.map_err(Failure::from)? {
            Some(receipt) => Ok(receipt),
            None => Ok(self.queue_teardown(activation, &activation.target).await?),
        }
    }

    /// Whoever publishes the activation stops; what its teardown purges is on record from here on. Without a word about that, what
    /// was decided before stays, by whomever.
    async fn begin_deleting(
        &self,
        activation: &Activation,
        on_delete: Option<OnDelete>,
    ) -> Result<Decision, PublishError> {
        let name = activation.name.as_str();
        let purging = self.decision(activation, on_delete).await?.purging();
        let why = deleted(name);
        self.state.set_deleting(name, purging, on_delete.is_some(), &why).await.map_err(Failure::from)?;
        Ok(self.decision(activation, on_delete).await?)
    }

    /// Begins a teardown that is on record.
    async fn begin_teardown(&self, mut receipt: Receipt) -> Result<Receipt, Failure> {
        receipt.started_at = Some(chrono::Utc::now());
        receipt.attempts = 1;
        receipt.status = Status::Running;
        self.state.save(&receipt).await?;
        Ok(receipt)
    }

    /// Puts a teardown on record.
    async fn queue_teardown(&self, activation: &Activation, target: &str) -> Result<Receipt, Failure> {
        let now = chrono::Utc::now();
        let queued = NewPublish {
            activation: activation.name.clone(),
            segment: activation.segment.clone(),
            target: target.to_owned(),
            kind: PublishKind::Teardown,
            mode: Mode::Full,
            queued_at: now,
            override_reason: None,
        };
        Ok(self.state.queue(queued).await?)
    }

    /// Takes back what an activation put at one place, members and objects, and counts it.
    pub(super) async fn take_back_from(
        &self,
        activation: &Activation,
        target: &Target,
        site: &Site,
        receipt: &mut Receipt,
        retries: Retries,
        watch: Watch<'_>,
    ) -> Result<(), Failure> {
        let name = activation.name.as_str();
        let objects = self.state.count_objects(name, &site.identity, site.unplaced).await?;
        if objects == 0 && site.pointer.is_none() {
            return Ok(());
        }
        let destination = match self.reach(activation, target, Some(&site.identity), retries).await {
            Ok(destination) => destination,
            Err(failure) => {
                count(receipt, TakenBack { left: objects, ..TakenBack::default() });
                return Err(failure);
            }
        };
        // From here on something of it may go.
        self.state.place_leaving(name, &site.identity).await?;
        if destination.capabilities().visibility == Visibility::AtWrite {
            return match site.pointer.clone() {
                Some(pointer) => {
                    self.take_back(activation, pointer, destination.as_ref(), (receipt, watch.cancel)).await
                }
                None => Ok(()),
            };
        }
        if objects == 0 {
            return Ok(());
        }
        self.state.all_leaving(name, &site.identity, site.unplaced).await?;
        crash::point(crash::LEAVING).await;
        watch.progress.phase(Phase::Removing, Some(objects));
        let mut removal = Removal {
            publisher: self,
            destination: destination.as_ref(),
            identity: &site.identity,
            spared: HashSet::new(),
            asked: HashSet::new(),
            held: HashSet::new(),
            progress: watch.progress,
            cancel: watch.cancel,
            taken: TakenBack::default(),
            why: None,
        };
        let current = self.identity(activation, target);
        let mut ended = removal.all(name, site, &current).await;
        if ended.is_err() {
            // What was not asked for any more is left, too.
            ended = removal.count_unasked(name, site).await.and(ended);
        }
        let (taken, why) = (removal.taken, removal.why);
        let missed = missed(&taken, objects, why);
        if taken.shared > 0 {
            tracing::warn!(objects = taken.shared, "left objects that another activation's receipts name, too");
        }
        count(receipt, taken);
        ended?;
        missed.map_or(Ok(()), Err)
    }

    /// Ends publishes in flight without a word to the target: those at places that `given_up` holds for.
    async fn abandon(&self, activation: &Activation, given_up: impl Fn(&str) -> bool) -> Result<(), Failure> {
        for mut left in self.state.in_flight(Some(&activation.name)).await? {
            // The teardown itself is none of those that left anything.
            let ours = left.receipt.kind != PublishKind::Teardown;
            if ours && self.state.place_of(left.receipt.id).await?.is_none_or(|place| given_up(&place)) {
                left.receipt.finished_at = Some(chrono::Utc::now());
                self.fail(&mut left.receipt, &Ledger::default(), Status::Failed, recovery::died()).await?;
            }
        }
        Ok(())
    }

    /// Ends publishes that could not be settled at former places that are to be kept; fails while there are others.
    async fn end_put_off(
        &self,
        activation: &Activation,
        current: &str,
        decision: Decision,
    ) -> Result<Result<(), Failure>, Failure> {
        let kept: Vec<String> = self
            .state
            .places(&activation.name)
            .await?
            .into_iter()
            .filter(|place| {
                let on_delete = self.former(place).map_or(activation.on_delete, |former| former.on_delete);
                if place.identity == current {
                    !decision.purges_here()
                } else {
                    !decision.purges(on_delete, place.leaving)
                }
            })
            .map(|place| place.identity)
            .collect();
        self.abandon(activation, |place| kept.iter().any(|kept| kept == place)).await?;
        let left = self.state.in_flight(Some(&activation.name)).await?;
        let left = left.iter().filter(|left| left.receipt.kind != PublishKind::Teardown).count();
        Ok(if left == 0 { Ok(()) } else { Err(unsettled(left)) })
    }

    /// Names in the receipt of a teardown the objects that were begun to be taken back and stay.
    async fn name_left(&self, name: &str, receipt: &mut Receipt) -> Result<(), Failure> {
        let (mut seen, mut taken) = (HashSet::new(), TakenBack::default());
        let mut before = None;
        loop {
            let page = self.state.deposits(DepositsOf::Activation(name), before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.number);
            for deposit in page.iter().filter(|deposit| deposit.leaving) {
                for path in paths_of(deposit) {
                    if seen.insert(mark(deposit.place.as_deref().unwrap_or_default(), path)) {
                        taken.name_left(path);
                    }
                }
            }
        }
        if taken.left > 0 {
            count(receipt, taken);
        }
        Ok(())
    }

    /// Tears a former place down by its last definition, on record.
    ///
    /// # Errors
    /// What the place said, which stands in the receipt, too; or a state that can't be written.
    pub(super) async fn tear_down_former(
        &self,
        activation: &Activation,
        target: &Target,
        place: PlaceRow,
        purge: bool,
        (retries, watch): (Retries, Watch<'_>),
    ) -> Result<Receipt, Failure> {
        let name = if place.target.is_empty() { &activation.target } else { &place.target };
        let receipt = self.queue_teardown(activation, name).await?;
        let mut receipt = self.begin_teardown(receipt).await?;
        self.state.set_place(receipt.id, &place.identity).await?;
        let site = Site { identity: place.identity, unplaced: false, pointer: place.pointer };
        let ended = if purge {
            self.take_back_from(activation, target, &site, &mut receipt, retries.clone(), watch).await
        } else {
            Ok(())
        };
        end(&mut receipt, ended, &retries);
        self.state.end_teardown(&receipt, Some(&site.identity), None).await?;
        Ok(receipt)
    }
}

/// Adds what became of the objects of a place.
fn count(receipt: &mut Receipt, taken: TakenBack) {
    let sum = receipt.taken_back.get_or_insert_default();
    sum.removed += taken.removed;
    sum.shared += taken.shared;
    sum.left += taken.left;
    sum.left_paths.extend(taken.left_paths);
    sum.left_paths.truncate(NAMED);
}

/// Ends the receipt of a teardown.
fn end(receipt: &mut Receipt, ended: Result<(), Failure>, retries: &Retries) {
    receipt.finished_at = Some(chrono::Utc::now());
    receipt.attempts = retries.tally().most_tries().max(1);
    match ended {
        Ok(()) => receipt.status = Status::Succeeded,
        Err(failure) => {
            receipt.status = status_of(&failure);
            receipt.fail(failure);
        }
    }
}

/// While a teardown ran, somebody decided otherwise about the data.
fn decided_anew() -> Failure {
    Failure {
        message: "what is to become of the data was decided anew: another teardown does that".into(),
        remedy: "follow the newest teardown of the activation".into(),
        ..code::interrupted()
    }
}

fn unsettled(publishes: usize) -> Failure {
    Failure {
        code: "target_unreachable".into(),
        message: format!(
            "{publishes} publishes that were cut short could not be settled at a former place: something of them may be there"
        ),
        remedy: "delete again once that place answers, or let be what is there with `herald delete --keep`".into(),
        retryable: true,
    }
}

/// Why not everything is gone, if so.
fn missed(taken: &TakenBack, of: u64, why: Option<Failure>) -> Option<Failure> {
    (taken.left > 0).then(|| {
        let named: Vec<String> = taken.left_paths.iter().take(3).map(|path| format!("`{path}`")).collect();
        let said = why.as_ref().map(|why| format!(": {}", why.message)).unwrap_or_default();
        Failure {
            code: why.map_or_else(|| "target_refused".into(), |why| why.code),
            message: format!("{} of {of} objects could not be removed, such as {}{said}", taken.left, named.join(", ")),
            remedy: "let the target's credentials delete objects, then delete again: it goes on where it stopped"
                .into(),
            retryable: true,
        }
    })
}
