//! What a publish does first where its activation goes elsewhere than before: the former place is torn down, on record, by
//! the `on_delete` that it was last published with.
//!
//! A place that can't be reached does not keep the activation from its new one. It stays on record, with the snapshot of
//! what it held, and is tried again by later publishes until it is torn down, or somebody lets it be with `delete --keep`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use herald_destinations::contract::RetryPolicy;

use super::{Failure, Publisher, Status, teardown::Watch};
use crate::{
    config::{Activation, OnDelete, Target},
    state::PlaceRow,
};

/// A former place that could not be torn down is left alone for so long.
const PAUSE: TimeDelta = TimeDelta::hours(1);

/// How long to keep trying a place that the activation does not go to any more: what waits goes elsewhere.
pub(super) fn patience(retry: RetryPolicy) -> RetryPolicy {
    RetryPolicy { attempts: retry.attempts.min(3), max_elapsed: retry.max_elapsed.min(Duration::from_secs(60)) }
}

impl Publisher {
    /// Tears down the places that an activation does not go to any more. Called under its lock.
    ///
    /// # Errors
    /// When a place that it goes to again could not be torn down, or the state can't be written.
    pub(super) async fn leave_former_places(
        &self,
        activation: &Activation,
        target: &Target,
        watch: Watch<'_>,
    ) -> Result<(), Failure> {
        let (name, current) = (activation.name.as_str(), self.identity(activation, target));
        let snapshot = self.state.snapshot(name).await?;
        let here = |place: &PlaceRow| place.identity == current && place.left_at.is_none();
        let places = self.state.places(name).await?;
        if places.iter().all(here) && snapshot.is_none_or(|row| row.identity == current) {
            return Ok(());
        }
        let now = Utc::now();
        self.state.leave_others(name, &current, now).await?;
        for place in self.state.places(name).await?.into_iter().filter(|place| place.left_at.is_some()) {
            let again = place.identity == current;
            let objects = self.state.count_objects(name, &place.identity, false).await?;
            if objects == 0 && place.pointer.is_none() {
                // Nothing ever arrived there.
                self.state.forget_place(name, &place.identity).await?;
                continue;
            }
            let known = self.former(&place);
            let on_delete = known.as_ref().map_or(activation.on_delete, |former| former.on_delete);
            let purge = on_delete == OnDelete::Purge;
            if purge && !again && !self.may_purge(activation, target, &place, now).await {
                continue;
            }
            tracing::info!(
                target = place.target,
                purge,
                "the activation goes elsewhere: tearing the former place down"
            );
            let retry = if again { activation.retry } else { patience(activation.retry) };
            let receipt = self.tear_down_former(activation, target, place, purge, (retry.into(), watch)).await?;
            self.sweep(name, self.pointer(name).await?.as_ref()).await?;
            if let Some(failure) = receipt.error.filter(|_| receipt.status != Status::Succeeded) {
                if again {
                    return Err(failure);
                }
                tracing::error!(
                    code = failure.code,
                    error = failure.message,
                    remedy = failure.remedy,
                    "what the former place holds could not be taken back; later publishes try again"
                );
            }
        }
        Ok(())
    }

    /// Whether what a former place holds may go now: not while the new one can't be written to, which may be a slip, and
    /// not just after it failed.
    async fn may_purge(&self, activation: &Activation, target: &Target, place: &PlaceRow, now: DateTime<Utc>) -> bool {
        if place.tried.is_some_and(|tried| now - tried < PAUSE && tried <= now) {
            tracing::warn!(target = place.target, "what a former place holds is not taken back yet; it is tried again");
            return false;
        }
        let probed = async {
            let destination = target.config.connect(patience(activation.retry).into()).await?;
            destination.probe().await
        };
        match probed.await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "the new place can't be written to: the former one is left as it is for now");
                false
            }
        }
    }

    /// The files of the snapshot that an activation stands on.
    async fn pointer(&self, activation: &str) -> Result<Option<crate::snapshot::Pointer>, Failure> {
        let row = self.state.snapshot(activation).await?;
        let standing = row.map(|row| serde_json::from_value::<super::standing::Standing>(row.pointer));
        Ok(standing.transpose().map_err(super::code::internal)?.map(|standing| standing.pointer))
    }
}
