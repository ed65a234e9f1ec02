//! What a teardown would take back, without doing it.

use std::collections::HashSet;

use herald_destinations::contract::Visibility;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Failure, PublishError, Publisher,
    removal::{Mark, PAGE, mark},
};
use crate::{config::OnDelete, state::DepositsOf};

/// What a teardown would take back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Withdrawal {
    /// Name of the activation.
    pub activation: String,
    /// `keep` or `purge`.
    pub data: &'static str,
    /// Objects that would be removed, relative to the target's root; none with `keep`.
    pub paths: Vec<String>,
    /// Members that would be removed from a target that shows them one by one; 0 with `keep`.
    pub members: u64,
    /// What would be removed at places that the activation published to before, and that are not torn down yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
}

/// What would be removed at a former place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Elsewhere {
    /// Name of the target, as it was.
    pub target: String,
    /// Objects, relative to its root.
    pub paths: Vec<String>,
    /// Members, where it shows them one by one.
    pub members: u64,
}

impl Publisher {
    /// What deleting an activation would take back.
    ///
    /// # Errors
    /// An unknown activation, or a state that can't be read.
    pub async fn plan_delete(&self, name: &str, on_delete: Option<OnDelete>) -> Result<Withdrawal, PublishError> {
        let (activation, target) = self.activation(name)?;
        let mut withdrawal =
            Withdrawal { activation: name.into(), data: "keep", paths: Vec::new(), members: 0, elsewhere: Vec::new() };
        let decision = self.decision(activation, on_delete).await?;
        let current = self.identity(activation, target);
        if decision.purges_here() {
            withdrawal.data = "purge";
            for name in self.names_of(activation, target).await? {
                withdrawal.paths.extend(self.paths_at(name, &current, true).await?);
            }
        }
        let held = self.state.snapshot(name).await.map_err(Failure::from)?;
        let at_write = target.config.capabilities().visibility == Visibility::AtWrite;
        if let Some(held) = held.as_ref().filter(|held| held.identity == current)
            && decision.purges_here()
            && at_write
        {
            withdrawal.members = held.rows;
        }
        for place in self.state.places(name).await.map_err(Failure::from)? {
            let former = self.former(&place).ok().map_or(activation.on_delete, |former| former.on_delete);
            if place.identity == current || !decision.purges(former, place.leaving) {
                continue;
            }
            let paths = self.paths_at(name, &place.identity, false).await?;
            let held = held.as_ref().filter(|held| held.identity == place.identity);
            let members = if paths.is_empty() { held.map_or(place.rows, |held| held.rows) } else { 0 };
            withdrawal.elsewhere.push(Elsewhere { target: place.target, paths, members });
        }
        Ok(withdrawal)
    }

    /// Every object that receipts name at a place and that no other activation's name, in the order in which they go.
    async fn paths_at(&self, name: &str, identity: &str, unplaced: bool) -> Result<Vec<String>, Failure> {
        let others = self.objects_of_others(name).await?;
        let mut seen: HashSet<Mark> = HashSet::new();
        let (mut extras, mut files) = (Vec::new(), Vec::new());
        let mut before = None;
        loop {
            let page = self.state.deposits(DepositsOf::Activation(name), before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.number);
            for deposit in page {
                if !deposit.place.as_deref().map_or(unplaced, |place| place == identity) {
                    continue;
                }
                let mut ours = |path: &String| {
                    let mark = mark(identity, path);
                    !others.contains(&mark) && seen.insert(mark)
                };
                extras.extend(deposit.receipt.extras.into_iter().map(|extra| extra.path).filter(&mut ours));
                files.extend(deposit.receipt.files.into_iter().map(|file| file.path).filter(&mut ours));
            }
        }
        extras.append(&mut files);
        Ok(extras)
    }
}
