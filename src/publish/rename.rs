//! `was`: a renamed activation takes over what its former name left, once, in place of a teardown.
//!
//! What may be cut short, and what then stands: the snapshot's files are first written anew under the new name, and no
//! pointer names them yet, so that a crash leaves the former name as it was and files that the next publish sweeps away.
//! One transaction then moves everything at once. After it the former name's files serve nobody; the next publish
//! removes what a crash left of them.

use tokio_util::sync::CancellationToken;

use super::{Failure, Progress, Publisher, code, standing::Standing};
use crate::{
    config::{Activation, Target},
    state::{ActivationState, SnapshotRow},
};

impl Publisher {
    /// The snapshot that an activation's next publish starts from: its own, or what it is about to take over. The row
    /// says under whose name its files stand.
    pub(super) async fn stands_on(
        &self,
        activation: &Activation,
        target: &Target,
    ) -> Result<Option<SnapshotRow>, Failure> {
        let identity = self.identity(activation, target);
        match self.state.snapshot(&activation.name).await? {
            Some(row) if row.identity == identity => Ok(Some(row)),
            // It may have come back, which its next publish notes.
            Some(row) => Ok(Some(self.left_here(activation, &identity).await?.unwrap_or(row))),
            None => match self.left_here(activation, &identity).await? {
                Some(row) => Ok(Some(row)),
                None => self.inheritance(activation, target).await,
            },
        }
    }

    /// The snapshot that an activation left at a place, if nothing was taken back there.
    async fn left_here(&self, activation: &Activation, identity: &str) -> Result<Option<SnapshotRow>, Failure> {
        let places = self.state.places(&activation.name).await?;
        let Some(place) = places.into_iter().find(|place| place.identity == identity && !place.leaving) else {
            return Ok(None);
        };
        Ok(place.pointer.zip(place.publish).map(|(pointer, publish)| SnapshotRow {
            activation: activation.name.clone(),
            identity: identity.to_owned(),
            pointer,
            rows: place.rows,
            publish,
        }))
    }

    /// The former name's snapshot, while this one has never published.
    async fn inheritance(&self, activation: &Activation, target: &Target) -> Result<Option<SnapshotRow>, Failure> {
        let Some(was) = self.heir_of(activation).await? else { return Ok(None) };
        let row = self.state.snapshot(was).await?;
        // Of another place it says nothing of this one.
        Ok(row.filter(|row| row.identity == self.identity(activation, target)))
    }

    /// The former name, where this one has no publish of its own and that one lives.
    pub(super) async fn heir_of<'a>(&self, activation: &'a Activation) -> Result<Option<&'a str>, Failure> {
        let Some(was) = activation.was.as_deref() else { return Ok(None) };
        let living = self.state.activation_state(was).await? == ActivationState::Active;
        Ok((living && !self.state.ever_began(&activation.name).await?).then_some(was))
    }

    /// Takes over what the former name left, if there is anything. Called under the lock of the activation.
    pub(super) async fn take_over(
        &self,
        activation: &Activation,
        target: &Target,
        wait: bool,
        cancel: &CancellationToken,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        let Some(was) = activation.was.as_deref() else { return Ok(()) };
        if self.heir_of(activation).await?.is_none() {
            return self.sweep_former(was).await;
        }
        let _lock = self.lock(was, wait, cancel, progress).await?;
        // What a crash left of the former name is settled by its own records, and may change what is taken over.
        let former = Activation { name: was.to_owned(), was: None, ..activation.clone() };
        self.settle(&former, target).await?;
        let Some(row) = self.inheritance(activation, target).await? else { return Ok(()) };
        let standing: Standing = serde_json::from_value(row.pointer.clone()).map_err(code::internal)?;
        let pointer = self.snapshots()?.copy(was, &activation.name, &standing.pointer)?;
        let pointer = serde_json::to_value(Standing { pointer, ..standing }).map_err(code::internal)?;
        let row = SnapshotRow { activation: activation.name.clone(), pointer, ..row };
        let pointers = self.former_pointers(was, &activation.name).await?;
        self.state.take_over(was, &row, &pointers).await?;
        tracing::info!(
            activation = activation.name,
            was,
            members = row.rows,
            "took over the snapshot of the former name"
        );
        self.snapshots()?.sweep(was, &[])
    }

    /// Snapshots of the places that the former name left and that are not torn down yet, written anew: identity and pointer.
    async fn former_pointers(&self, was: &str, name: &str) -> Result<Vec<(String, serde_json::Value)>, Failure> {
        let mut pointers = Vec::new();
        for place in self.state.places(was).await? {
            let Some(pointer) = place.pointer else { continue };
            let standing: Standing = serde_json::from_value(pointer).map_err(code::internal)?;
            let pointer = self.snapshots()?.copy(was, name, &standing.pointer)?;
            let standing = serde_json::to_value(Standing { pointer, ..standing }).map_err(code::internal)?;
            pointers.push((place.identity, standing));
        }
        Ok(pointers)
    }

    /// Removes what a crash left of a former name whose snapshot was taken over.
    async fn sweep_former(&self, was: &str) -> Result<(), Failure> {
        let store = self.snapshots()?;
        if store.has_files(was) && self.state.activation_state(was).await? == ActivationState::Deleted {
            store.sweep(was, &[])?;
        }
        Ok(())
    }

    /// The names that an activation's objects at the target are on record under: its own, and, until it has taken over
    /// what that left, its former one.
    pub(super) async fn names_of<'a>(
        &self,
        activation: &'a Activation,
        target: &Target,
    ) -> Result<Vec<&'a str>, Failure> {
        let mut names = vec![activation.name.as_str()];
        if let Some(was) = activation.was.as_deref()
            && self.inheritance(activation, target).await?.is_some()
        {
            names.push(was);
        }
        Ok(names)
    }
}
