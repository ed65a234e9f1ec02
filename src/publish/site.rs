//! One of the places that an activation is taken back from.

use std::fs;

use uuid::Uuid;

use super::{
    Failure,
    place::location,
    removal::{PAGE, Removal, mark, paths_of},
};
use crate::state::{Deposit, DepositsOf};

/// A place that is torn down.
pub(super) struct Site {
    pub(super) identity: String,
    /// Whether publishes whose place nobody noted are taken to be there.
    pub(super) unplaced: bool,
    /// The snapshot of what it holds.
    pub(super) pointer: Option<serde_json::Value>,
}

impl Removal<'_> {
    /// Removes all that an activation has at the place, newest publish first, page by page on record. What the activation
    /// has standing at `current`, the place that it goes to, stays, if that is another one by name alone.
    pub(super) async fn all(&mut self, name: &str, site: &Site, current: &str) -> Result<(), Failure> {
        let mut before = None;
        loop {
            let mut page = self.publisher.state.deposits(DepositsOf::Activation(name), before, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            before = Some(last.number);
            page.retain(|deposit| site.has(deposit));
            if page.is_empty() {
                continue;
            }
            // Others may have published meanwhile.
            self.spared = self.publisher.objects_of_others(name).await?;
            if site.identity != current {
                self.spared.extend(self.publisher.standing_at(name, current, current).await?);
                if is_same_folder(&site.identity, current) {
                    self.spared.extend(self.publisher.standing_at(name, current, &site.identity).await?);
                }
            }
            let gone: Vec<Uuid> = self.publishes(&page).await?;
            self.publisher.state.gone(&gone, None).await?;
        }
    }

    /// Counts as left what stands at the place and was not asked to go.
    pub(super) async fn count_unasked(&mut self, name: &str, site: &Site) -> Result<(), Failure> {
        let mut before = None;
        loop {
            let page = self.publisher.state.deposits(DepositsOf::Activation(name), before, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            before = Some(last.number);
            for path in page.iter().filter(|deposit| site.has(deposit)).flat_map(paths_of) {
                let mark = mark(self.identity, path);
                if !self.spared.contains(&mark) && self.asked.insert(mark) {
                    self.taken.left += 1;
                }
            }
        }
    }
}

impl Site {
    /// Whether a publish went there.
    fn has(&self, deposit: &Deposit) -> bool {
        deposit.place.as_deref().map_or(self.unplaced, |place| place == self.identity)
    }
}

/// Whether two places are one folder of this machine that is named in two ways, such as by a link.
fn is_same_folder(one: &str, other: &str) -> bool {
    let real = |identity| location(identity).strip_prefix("local local ").and_then(|path| fs::canonicalize(path).ok());
    real(one).is_some_and(|one| real(other) == Some(one))
}
