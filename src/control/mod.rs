//! What may be asked of the running service, by whoever asks: the API, the dashboard, signals.

mod caller;
mod refusal;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::{
    caller::Caller,
    refusal::{Refusal, Refused},
};
use crate::{
    config::OnDelete,
    publish::{Publisher, Receipt},
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
    /// Activations that are gone, and are torn down.
    pub removed: Vec<String>,
    /// Keys of `service` that take effect at the next start only.
    pub restart: Vec<String>,
}

/// A handle to the running service; clones speak to the same.
#[derive(Debug, Clone)]
pub struct Control {
    publisher: Arc<arc_swap::ArcSwap<Publisher>>,
}

impl Control {
    /// A handle to a publisher that no schedule runs.
    pub fn over(publisher: Arc<Publisher>) -> Self {
        Self { publisher: Arc::new(arc_swap::ArcSwap::new(publisher)) }
    }

    /// The publisher of the config that is in force.
    pub fn publisher(&self) -> Arc<Publisher> {
        self.publisher.load_full()
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
        let _ = (caller, activation, trigger, idempotency);
        Err(Refusal::new(Refused::Stopping, "not yet"))
    }

    /// Stops a publish that waits or runs; one that has ended is left as it is.
    ///
    /// # Errors
    /// Unknown id, a publish that can't be stopped, or a state that can't be written.
    pub async fn cancel(&self, caller: &Caller, publish: Uuid) -> Result<Receipt, Refusal> {
        let _ = (caller, publish);
        Err(Refusal::new(Refused::Stopping, "not yet"))
    }

    /// Asks for the members of a publish's dead letters to be published anew.
    ///
    /// # Errors
    /// Unknown id, one without dead letters, an activation that is torn down, or a state that can't be written.
    pub async fn retry(&self, caller: &Caller, publish: Uuid) -> Result<Receipt, Refusal> {
        let _ = (caller, publish);
        Err(Refusal::new(Refused::Stopping, "not yet"))
    }

    /// Stops or starts an activation's schedule.
    ///
    /// # Errors
    /// Unknown activation, one that is torn down or that the config pauses, or a state that can't be written.
    pub async fn pause(&self, caller: &Caller, activation: &str, paused: bool) -> Result<(), Refusal> {
        let _ = (caller, activation, paused);
        Err(Refusal::new(Refused::Stopping, "not yet"))
    }

    /// Begins the teardown of an activation; `None`: as its config says. Asked again, the one that runs is shown.
    ///
    /// # Errors
    /// Unknown activation, one that is deleted, or a state that can't be written.
    pub async fn delete(
        &self,
        caller: &Caller,
        activation: &str,
        on_delete: Option<OnDelete>,
    ) -> Result<Receipt, Refusal> {
        let _ = (caller, activation, on_delete);
        Err(Refusal::new(Refused::Stopping, "not yet"))
    }

    /// Lets a deleted activation that is still in the config live again.
    ///
    /// # Errors
    /// Unknown activation, one whose teardown is not done, or a state that can't be written.
    pub async fn recreate(&self, caller: &Caller, activation: &str) -> Result<(), Refusal> {
        let _ = (caller, activation);
        Err(Refusal::new(Refused::Stopping, "not yet"))
    }

    /// Reads the config again and takes it in force: all of it, or, where anything is wrong, nothing.
    ///
    /// # Errors
    /// [`Refused::Config`] with all that is wrong, or with what would be torn down beyond `max_teardowns_per_reload`.
    pub async fn reload(&self, caller: &Caller) -> Result<Changes, Refusal> {
        let _ = caller;
        Err(Refusal::new(Refused::Stopping, "not yet"))
    }
}
