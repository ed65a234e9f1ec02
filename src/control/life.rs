//! The life of an activation: paused, deleted, and back.

use super::{Caller, Control, Refusal, Refused, gone, refusal, teardown::Order};
use crate::{
    config::OnDelete,
    publish::{Failure, Receipt, Status},
    state::ActivationState,
};

impl Control {
    /// Stops or starts an activation's schedule.
    ///
    /// # Errors
    /// Unknown activation, one that is torn down or that the config pauses, or a state that can't be written.
    pub async fn pause(&self, caller: &Caller, activation: &str, paused: bool) -> Result<(), Refusal> {
        let publisher = self.publisher();
        let found = self.active(&publisher, activation).await?;
        if !paused && found.paused {
            return Err(Refusal::new(Refused::Conflict, format!("`{activation}` is paused by the config"))
                .code("paused_by_config")
                .remedy(format!("set `activations.{activation}.paused: false`")));
        }
        // Before the change: a crash in between leaves a line too many, never a change without one.
        self.audit(caller, if paused { "pause" } else { "resume" }, Some(activation), None).await?;
        publisher.state().set_paused(activation, paused).await?;
        self.0.scheduler.pause(activation, paused).await;
        Ok(())
    }

    /// Begins the teardown of an activation; `None`: as its config says. Asked again, the one that is under way is shown,
    /// unless it is to do something else by now.
    ///
    /// # Errors
    /// Unknown activation, one that is deleted, or a state that can't be written.
    pub async fn delete(
        &self,
        caller: &Caller,
        activation: &str,
        on_delete: Option<OnDelete>,
    ) -> Result<Receipt, Refusal> {
        // Of several at once the first one begins it.
        let _turn = self.0.deletions.lock().await;
        let publisher = self.publisher();
        publisher.activation(activation).map_err(refusal)?;
        let state = publisher.state();
        // What waits to be tried again is tried now.
        let mut again = false;
        match state.activation_state(activation).await? {
            ActivationState::Deleted => return Err(gone(false)),
            ActivationState::Deleting => {
                // Who asks for it wants it gone, also where the config has named it again since.
                state.stays_deleted(activation).await?;
                let flies = |receipt: &Receipt| matches!(receipt.status, Status::Queued | Status::Running);
                if !publisher.decides_otherwise(activation, on_delete).await.map_err(refusal)?
                    && let Some(receipt) = state.last_teardown(activation).await?.filter(flies)
                {
                    self.order(activation, false).await?;
                    return Ok(receipt);
                }
                // It may have come to its end just now.
                if state.activation_state(activation).await? != ActivationState::Deleting {
                    return Err(gone(false));
                }
                again = true;
            }
            ActivationState::Active => {}
        }
        let decided = publisher.on_delete(activation, on_delete).await.map_err(refusal)?;
        self.audit(caller, "delete", Some(activation), Some(purge_or_keep(decided).to_owned())).await?;
        let receipt = publisher.ask_teardown(activation, on_delete).await.map_err(refusal)?;
        self.order(activation, again).await?;
        Ok(receipt)
    }

    async fn order(&self, activation: &str, anew: bool) -> Result<(), Refusal> {
        let order = Order { activation: activation.to_owned(), anew };
        let stopping =
            |_| Refusal::new(Refused::Stopping, "the service stops; the teardown goes on with its next start");
        self.0.teardowns.send(order).await.map_err(stopping)
    }

    /// Lets a deleted activation that is still in the config live again.
    ///
    /// # Errors
    /// Unknown activation, one whose teardown is not done, or a state that can't be written.
    pub async fn recreate(&self, caller: &Caller, activation: &str) -> Result<(), Refusal> {
        let publisher = self.publisher();
        publisher.may_recreate(activation).await.map_err(refusal)?;
        self.audit(caller, "recreate", Some(activation), None).await?;
        publisher.recreate(activation).await.map_err(refusal)
    }

    /// Begins the teardowns of activations that are gone from the config, and goes on with those that were cut short.
    pub(super) async fn resume_teardowns(&self, caller: &Caller) -> Result<(), Failure> {
        let publisher = self.publisher();
        let state = publisher.state();
        for name in publisher.vanishing() {
            if state.activation_state(name).await? != ActivationState::Active {
                continue;
            }
            let decided = publisher.on_delete(name, None).await.map_err(|error| refusal(error).into_failure())?;
            tracing::warn!(activation = name, data = purge_or_keep(decided), "gone from the config: it is torn down");
            publisher.ask_teardown(name, None).await.map_err(|error| refusal(error).into_failure())?;
            let detail = format!("gone from the config, {}", purge_or_keep(decided));
            self.audit(caller, "delete", Some(name), Some(detail)).await.map_err(Refusal::into_failure)?;
        }
        for row in state.activations().await? {
            if row.state == ActivationState::Deleting && publisher.activation(&row.name).is_ok() {
                self.order(&row.name, false).await.map_err(Refusal::into_failure)?;
            }
        }
        Ok(())
    }
}

fn purge_or_keep(on_delete: OnDelete) -> &'static str {
    match on_delete {
        OnDelete::Purge => "purge",
        OnDelete::Keep => "keep",
    }
}
