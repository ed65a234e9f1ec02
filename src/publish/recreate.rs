//! A deleted activation that is to live again.

use super::{Failure, PublishError, Publisher};
use crate::state::ActivationState;

impl Publisher {
    /// Lets a deleted activation live again; its next publish is a first one. One whose teardown stopped half-way does
    /// not: its snapshot names members that were taken back, who would never be added again.
    ///
    /// # Errors
    /// An unknown activation, one whose teardown is not done, or a state that can't be written.
    pub async fn recreate(&self, name: &str) -> Result<(), PublishError> {
        self.activation(name)?;
        match self.state.revive(name).await.map_err(Failure::from)? {
            true => Ok(()),
            false => Err(still_deleting(name).into()),
        }
    }

    /// Whether it can live again, to be known before it is told of.
    ///
    /// # Errors
    /// Unknown activation, one that is being deleted, or a state that can't be read.
    pub async fn may_recreate(&self, name: &str) -> Result<(), PublishError> {
        self.activation(name)?;
        if self.state.activation_state(name).await.map_err(Failure::from)? == ActivationState::Deleting {
            return Err(still_deleting(name).into());
        }
        Ok(())
    }
}

fn still_deleting(name: &str) -> Failure {
    Failure {
        code: "deleting".into(),
        message: format!("`{name}` is being deleted, and not all of it is taken back"),
        remedy: format!("`herald delete {name}` goes on where it stopped; then it can live again"),
        retryable: false,
    }
}
