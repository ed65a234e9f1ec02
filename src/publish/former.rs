//! What happens where an activation goes elsewhere than before: once a publish at the new place has succeeded, the former
//! place is torn down, on record, by the `on_delete` that it was last published with. Until then it stays as it is, and an
//! activation that comes back goes on from the snapshot that it left.
//!
//! A place that can't be reached does not keep the activation from its new one. It stays on record, with the snapshot of
//! what it held, and is tried again by later publishes until it is torn down, or somebody lets it be with `delete --keep`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use herald_destinations::contract::{RetryPolicy, Visibility};

use super::{Failure, Publisher, Status, place::location, teardown::Watch};
use crate::{
    config::{Activation, OnDelete, Target},
    state::PlaceRow,
};

/// A former place that could not be torn down is left alone for so long.
const PAUSE: TimeDelta = TimeDelta::hours(1);

/// Whether a place is left alone for now, since it failed just before.
pub(super) fn waits(place: &PlaceRow, now: DateTime<Utc>) -> bool {
    place.tried.is_some_and(|tried| now - tried < PAUSE && tried <= now)
}

/// How long to keep trying a place that the activation does not go to any more: what waits goes elsewhere.
pub(super) fn patience(retry: RetryPolicy) -> RetryPolicy {
    RetryPolicy { attempts: retry.attempts.min(3), max_elapsed: retry.max_elapsed.min(Duration::from_secs(60)) }
}

impl Publisher {
    /// Notes where an activation goes to now. What it left there before is in force again, unless it was begun to be taken
    /// back, or members of another table stand there: that is brought to its end first. Called under its lock.
    ///
    /// # Errors
    /// When what was begun there could not be brought to its end, or the state can't be written.
    pub(super) async fn enter_place(
        &self,
        activation: &Activation,
        target: &Target,
        watch: Watch<'_>,
    ) -> Result<(), Failure> {
        let (name, current) = (activation.name.as_str(), self.identity(activation, target));
        let snapshot = self.state.snapshot(name).await?;
        let here = |place: &PlaceRow| place.identity == current && place.left_at.is_none();
        if self.state.places(name).await?.iter().all(here) && snapshot.is_none_or(|row| row.identity == current) {
            return Ok(());
        }
        self.state.leave_others(name, &current, Utc::now()).await?;
        for place in self.state.places(name).await?.into_iter().filter(|place| place.pointer.is_some() || place.leaving)
        {
            let begun = place.identity == current && place.leaving;
            if !begun && !self.must_go_first(activation, target, &place) {
                continue;
            }
            let watch = (activation.retry.into(), watch);
            let receipt = self.tear_down_former(activation, target, place, true, watch).await?;
            self.sweep(name, self.pointer(name).await?.as_ref()).await?;
            if let Some(failure) = receipt.error.filter(|_| receipt.status != Status::Succeeded) {
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Whether a former place is to be purged before anything is sent: it is where the activation goes now, but for the table
    /// that identifies members, and whom the target shows one by one it would lose again by a purge that came later.
    fn must_go_first(&self, activation: &Activation, target: &Target, place: &PlaceRow) -> bool {
        let current = self.identity(activation, target);
        let on_delete = self.former(place).map_or(activation.on_delete, |former| former.on_delete);
        place.identity != current
            && location(&place.identity) == location(&current)
            && on_delete == OnDelete::Purge
            && target.config.capabilities().visibility == Visibility::AtWrite
    }

    /// Tears down the places that an activation does not go to any more, after it was published at its new one. Whatever
    /// keeps it from that is told, fails nothing, and is tried again by later publishes. Called under its lock.
    pub(super) async fn leave_former_places(&self, activation: &Activation, target: &Target, watch: Watch<'_>) {
        let torn_down = async {
            for place in self.state.places(&activation.name).await?.into_iter().filter(|place| place.left_at.is_some())
            {
                if watch.cancel.is_cancelled() {
                    break;
                }
                self.leave_former_place(activation, target, place, watch).await?;
            }
            Ok::<_, Failure>(())
        };
        if let Err(failure) = torn_down.await {
            tracing::error!(
                code = failure.code,
                error = failure.message,
                "former places could not be torn down; later publishes try again"
            );
        }
    }

    async fn leave_former_place(
        &self,
        activation: &Activation,
        target: &Target,
        place: PlaceRow,
        watch: Watch<'_>,
    ) -> Result<(), Failure> {
        let name = activation.name.as_str();
        if self.state.unsettled_at(name, &place.identity).await? {
            tracing::warn!(target = place.target, "a publish to a former place is not settled yet: it is tried again");
            return Ok(());
        }
        let objects = self.state.count_objects(name, &place.identity, false).await?;
        if objects == 0 && place.pointer.is_none() {
            // Nothing ever arrived there.
            return Ok(self.state.forget_place(name, &place.identity).await?);
        }
        let known = self.former(&place);
        let on_delete = known.as_ref().map_or(activation.on_delete, |former| former.on_delete);
        let purge = on_delete == OnDelete::Purge;
        if purge && waits(&place, Utc::now()) {
            tracing::warn!(target = place.target, "what a former place holds is not taken back yet; it is tried again");
            return Ok(());
        }
        tracing::info!(target = place.target, purge, "the activation goes elsewhere: tearing the former place down");
        let retry = patience(activation.retry).into();
        let receipt = self.tear_down_former(activation, target, place, purge, (retry, watch)).await?;
        self.sweep(name, self.pointer(name).await?.as_ref()).await?;
        if let Some(failure) = receipt.error.filter(|_| receipt.status != Status::Succeeded) {
            tracing::error!(
                code = failure.code,
                error = failure.message,
                remedy = failure.remedy,
                "what the former place holds could not be taken back; later publishes try again"
            );
        }
        Ok(())
    }

    /// The files of the snapshot that an activation stands on.
    pub(super) async fn pointer(&self, activation: &str) -> Result<Option<crate::snapshot::Pointer>, Failure> {
        let row = self.state.snapshot(activation).await?;
        let standing = row.map(|row| serde_json::from_value::<super::standing::Standing>(row.pointer));
        Ok(standing.transpose().map_err(super::code::internal)?.map(|standing| standing.pointer))
    }
}
