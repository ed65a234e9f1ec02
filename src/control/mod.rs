//! What may be asked of the running service, by whoever asks: the API, the dashboard, signals.

mod caller;
mod desk;
mod life;
mod refusal;
pub(crate) mod reload;
mod teardown;
mod watch;

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use chrono::Utc;
use herald_destinations::contract::Mode;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Mutex, mpsc, watch as latest},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::{
    caller::Caller,
    refusal::{Refusal, Refused},
    watch::Watched,
};
use self::{desk::Desk, teardown::Order};
use crate::{
    config::Activation,
    publish::{Failure, PublishError, PublishKind, Publisher, Receipt, Status, code},
    schedule::{Asked, Scheduler},
    state::{ActivationState, Ask, AuditEntry, NewPublish, WhomWord},
};

/// A publish that is asked for.
#[derive(Debug, Clone, Default)]
pub struct Trigger {
    /// In the rapid lane, as a rapid publish; else as one by hand.
    pub rapid: bool,
    /// Everything anew, whatever the activation's mode.
    pub full: bool,
    /// The only members to look at, keys as users write them. None: those touched lately of a rapid publish, else all.
    pub members: Vec<String>,
    /// Why guards may be passed.
    pub override_reason: Option<String>,
}

/// What tells the same request from another one: whoever sends the key again gets the same answer, for 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key, as the caller chose it.
    pub key: String,
    /// A digest of all else that the request says.
    pub request: [u8; 32],
}

/// What a reload changed: names of activations, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Changes {
    /// Activations that are new.
    pub added: Vec<String>,
    /// Activations whose definition, or whose segment's or target's, is another one.
    pub changed: Vec<String>,
    /// Activations that are gone. They are torn down, unless another one takes over what they left.
    pub removed: Vec<String>,
    /// Keys of `service` that take effect at the next start only.
    pub restart: Vec<String>,
}

/// How reloads went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reloads {
    /// Those that took a config in force.
    pub done: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Whether the last one was.
    pub last_refused: bool,
}

/// A handle to the running service; clones speak to the same.
#[derive(Debug, Clone)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    publisher: Arc<ArcSwap<Publisher>>,
    /// Where the service listens, whatever a later config says.
    listen: String,
    scheduler: Scheduler,
    desk: Desk,
    teardowns: mpsc::Sender<Order>,
    /// One reload at a time.
    turn: Mutex<()>,
    deletions: Mutex<()>,
    reloads: latest::Sender<Reloads>,
}

/// Teardowns that may wait to be begun; more than anybody has activations.
const TEARDOWNS: usize = 65_536;

impl Control {
    /// Takes the service over: resumes teardowns that were cut short, begins those of activations that are gone from the
    /// config, and reads it again whenever its files change. The task ends some time after `stop`.
    ///
    /// # Errors
    /// When the state can't be read or written.
    pub async fn start(
        watched: Watched,
        publisher: Arc<ArcSwap<Publisher>>,
        scheduler: Scheduler,
        stop: CancellationToken,
    ) -> Result<(Self, JoinHandle<()>), Failure> {
        let (teardowns, orders) = mpsc::channel(TEARDOWNS);
        let task = tokio::spawn(teardown::run(Arc::clone(&publisher), orders, stop.clone()));
        let desk = Desk::open(Arc::clone(&publisher), scheduler.clone());
        let reloads = latest::Sender::new(Reloads::default());
        let listen = publisher.load().config().service.http.listen.clone();
        let control = Self(Arc::new(Inner {
            path: watched.path.clone(),
            publisher,
            listen,
            scheduler,
            desk,
            teardowns,
            turn: Mutex::new(()),
            deletions: Mutex::new(()),
            reloads,
        }));
        control.resume_teardowns(&Caller::machine("herald")).await?;
        tokio::spawn(watch::watch(control.clone(), watched, stop));
        Ok((control, task))
    }

    /// The publisher of the config that is in force.
    pub fn publisher(&self) -> Arc<Publisher> {
        self.0.publisher.load_full()
    }

    /// How reloads go.
    pub fn reloads(&self) -> latest::Receiver<Reloads> {
        self.0.reloads.subscribe()
    }

    /// Asks for a publish. One that waits already stands for both: the receipt is the one that it will have.
    ///
    /// # Errors
    /// Unknown activation, one that is torn down, one that can't be published so, or a state that can't be written.
    pub async fn trigger(
        &self,
        caller: &Caller,
        activation: &str,
        trigger: Trigger,
        idempotency: Option<Idempotency>,
    ) -> Result<Receipt, Refusal> {
        let publisher = self.publisher();
        let found = self.active(&publisher, activation).await?;
        let some = trigger.rapid || !trigger.members.is_empty();
        if some && (trigger.full || found.mode == Mode::Full) {
            let message = format!("`{activation}` is published full: it can't be published for some members only");
            return Err(Refusal::new(Refused::Unfit, message)
                .code("unfit")
                .remedy("set `mode: incremental`, or ask for a publish of kind `manual`"));
        }
        let whom = match (trigger.rapid, trigger.members.is_empty()) {
            (_, false) => WhomWord::Named,
            (true, true) => WhomWord::Touched,
            (false, true) => WhomWord::Everybody,
        };
        let kind = if trigger.rapid { PublishKind::Rapid } else { PublishKind::Manual };
        if let Some(reason) = &trigger.override_reason {
            self.audit(caller, "override", Some(activation), Some(reason.clone())).await?;
        }
        let new = new_publish(found, kind, trigger.full, trigger.override_reason);
        self.ask(&publisher, caller, new, (whom, trigger.full), trigger.members, idempotency).await
    }

    async fn ask(
        &self,
        publisher: &Publisher,
        caller: &Caller,
        new: NewPublish,
        (whom, in_full): (WhomWord, bool),
        members: Vec<String>,
        idempotency: Option<Idempotency>,
    ) -> Result<Receipt, Refusal> {
        let members = match members.len() as u64 {
            0 => None,
            count => Some((publisher.seal_members(&new.activation, &members)?, count)),
        };
        let idempotency = idempotency.map(|given| (Sha256::digest(given.key.as_bytes()).into(), given.request));
        let caller = caller.name.clone();
        self.0.desk.ask(Ask { new, in_full, whom, members, caller, idempotency }).await
    }

    /// Stops a publish that waits or runs. Of one that is cancelled already, the receipt.
    ///
    /// # Errors
    /// Unknown id, a publish that has ended or can't be stopped, or a state that can't be written.
    pub async fn cancel(&self, caller: &Caller, publish: Uuid) -> Result<Receipt, Refusal> {
        let state = self.publisher().state().clone();
        let receipt = state.receipt(publish).await?.ok_or_else(|| unknown_publish(publish))?;
        if receipt.kind == PublishKind::Teardown {
            let message = "a teardown can't be cancelled";
            return Err(Refusal::new(Refused::Conflict, message).remedy("what it has taken back is gone already"));
        }
        let ended = |receipt: &Receipt| {
            Refusal::new(Refused::Conflict, format!("the publish has ended: {}", word(receipt.status))).code("ended")
        };
        match receipt.status {
            Status::Cancelled => return Ok(receipt),
            Status::Queued | Status::Running => {}
            _ => return Err(ended(&receipt)),
        }
        let activation = receipt.activation.clone();
        self.audit(caller, "cancel", Some(&activation), Some(publish.to_string())).await?;
        if let Some(cancelled) = state.cancel_waiting(&receipt, &cancelled(caller)).await? {
            self.0.scheduler.tell_cancelled(&activation, publish);
            return Ok(cancelled);
        }
        let asked = self.0.scheduler.cancel(&activation).await;
        let receipt = state.receipt(publish).await?.ok_or_else(|| unknown_publish(publish))?;
        match (asked, receipt.status) {
            (Asked::Accepted, _) | (_, Status::Cancelled) => Ok(receipt),
            (Asked::Stopping, _) => Err(Refusal::new(Refused::Stopping, "the service stops")),
            (_, Status::Queued | Status::Running) => {
                Err(Refusal::new(Refused::Conflict, "another process runs the publish, or it is being settled")
                    .code(code::BUSY)
                    .remedy("stop the process that runs it"))
            }
            _ => Err(ended(&receipt)),
        }
    }

    /// Asks for the members of a publish's dead letters to be published anew.
    ///
    /// # Errors
    /// Unknown id, one without dead letters, an activation that is torn down, or a state that can't be written.
    pub async fn retry(&self, caller: &Caller, publish: Uuid) -> Result<Receipt, Refusal> {
        let publisher = self.publisher();
        let receipt = publisher.state().receipt(publish).await?.ok_or_else(|| unknown_publish(publish))?;
        let found = self.active(&publisher, &receipt.activation).await?;
        let request = publisher.retry(publish).await.map_err(|error| match error {
            PublishError::Unknown(message) => Refusal::new(Refused::Conflict, message).code("no_dead_letters"),
            error => refusal(error),
        })?;
        let crate::publish::Whom::Named(members) = request.whom else {
            return Err(code::internal("a retry of everybody").into());
        };
        let new = NewPublish { mode: Mode::Incremental, ..new_publish(found, PublishKind::Retry, false, None) };
        self.ask(&publisher, caller, new, (WhomWord::Named, false), members, None).await
    }

    /// An activation of the config that is neither torn down nor being so.
    async fn active<'p>(&self, publisher: &'p Publisher, name: &str) -> Result<&'p Activation, Refusal> {
        let found = publisher.activation(name).map(|(activation, _)| activation);
        let state = publisher.state().activation_state(name).await?;
        match (found, state) {
            (Ok(activation), ActivationState::Active) => Ok(activation),
            (Err(error), ActivationState::Active) => Err(refusal(error)),
            (_, state) => Err(gone(state == ActivationState::Deleting)),
        }
    }

    async fn audit(
        &self,
        caller: &Caller,
        what: &str,
        activation: Option<&str>,
        detail: Option<String>,
    ) -> Result<(), Refusal> {
        let (who, what) = (caller.name.clone(), what.to_owned());
        let entry = AuditEntry { at: Utc::now(), who, what, activation: activation.map(str::to_owned), detail };
        Ok(self.publisher().state().audit(&entry).await?)
    }
}

fn new_publish(activation: &Activation, kind: PublishKind, full: bool, override_reason: Option<String>) -> NewPublish {
    NewPublish {
        activation: activation.name.clone(),
        segment: activation.segment.clone(),
        target: activation.target.clone(),
        kind,
        mode: if full { Mode::Full } else { activation.mode },
        queued_at: Utc::now(),
        override_reason,
    }
}

fn cancelled(caller: &Caller) -> Failure {
    Failure {
        message: format!("cancelled by {} before it began", caller.name),
        remedy: "ask for a publish again".into(),
        ..code::interrupted()
    }
}

fn word(status: Status) -> String {
    format!("{status:?}").to_lowercase()
}

fn unknown_publish(id: Uuid) -> Refusal {
    Refusal::new(Refused::Unknown, format!("no publish has the id {id}"))
}

/// Of an activation that is torn down, or being so.
fn gone(deleting: bool) -> Refusal {
    let (message, code) = if deleting {
        ("the activation is being torn down", "deleting")
    } else {
        ("the activation was deleted", "deleted")
    };
    Refusal::new(Refused::Conflict, message)
        .code(code)
        .remedy("once it is torn down, `herald recreate` lets one that is still in the config live again")
}

fn refusal(error: PublishError) -> Refusal {
    match error {
        PublishError::Unknown(message) => Refusal::new(Refused::Unknown, message),
        PublishError::Unfit(message) => Refusal::new(Refused::Unfit, message),
        PublishError::Config(_) => Refusal::new(Refused::Unfit, error.to_string()),
        PublishError::Failed(failure) if matches!(failure.code.as_str(), "deleted" | "deleting") => {
            let refusal = Refusal::new(Refused::Conflict, failure.message).code(&failure.code);
            refusal.remedy(failure.remedy)
        }
        PublishError::Failed(failure) => failure.into(),
    }
}
