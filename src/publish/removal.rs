//! Taking objects back: exactly those that receipts name, manifests before what they promise, in batches.

use std::collections::HashSet;

use herald_destinations::contract::Destination;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Failure, Progress, Publisher, code, crash, place::location, receipt::TakenBack};
use crate::state::{Deposit, DepositsOf};

/// Publishes that are looked at together.
pub(super) const PAGE: u32 = 100;
/// Objects that are removed before somebody may stop it.
const BATCH: usize = 500;
/// Objects refused running, with none removed, after which it is not the objects.
const HOPELESS: u64 = 1_000;
/// Paths that a receipt names of those that could not be removed.
pub(super) const NAMED: usize = 100;

/// What stands for an object, wherever the root of the target is that names it.
pub(super) type Mark = [u8; 16];

/// The mark of an object at a place.
pub(super) fn mark(identity: &str, path: &str) -> Mark {
    let (before, after) = without_user(location(identity));
    let hash = Sha256::new().chain_update(before).chain_update(after.trim_end_matches('/')).chain_update("/");
    let hash = hash.chain_update(path).finalize();
    std::array::from_fn(|index| hash[index])
}

/// A location without the user who logs in: several may share a folder. Below a user's home (`~`) it is another one for each.
fn without_user(location: &str) -> (&str, &str) {
    let Some(start) = location.find("sftp://").map(|at| at + "sftp://".len()) else { return ("", location) };
    let rest = &location[start..];
    let host = rest.split('/').next().unwrap_or_default();
    let at_home = rest[host.len()..].starts_with("/~");
    match host.rfind('@') {
        Some(user) if !at_home => (&location[..start], &rest[user + 1..]),
        _ => ("", location),
    }
}

/// A removal under way at one place.
pub(super) struct Removal<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) destination: &'a dyn Destination,
    pub(super) identity: &'a str,
    /// Objects that must stay.
    pub(super) spared: HashSet<Mark>,
    /// Objects that were asked to go: several publishes may name one that was written over.
    pub(super) asked: HashSet<Mark>,
    /// Objects that stay, since a manifest that could not be removed promises them.
    pub(super) held: HashSet<Mark>,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancellationToken,
    pub(super) taken: TakenBack,
    /// What the target said when it removed none of a batch.
    pub(super) why: Option<Failure>,
}

/// The kinds of objects of a publish, in the order in which they go.
#[derive(Clone, Copy)]
enum Turn {
    Manifests,
    OtherExtras,
    Parts,
}

impl Turn {
    fn paths(self, deposit: &Deposit) -> Vec<&str> {
        let extras = || deposit.receipt.extras.iter().map(|extra| extra.path.as_str());
        let is_manifest = |path: &&str| path.ends_with("manifest.json");
        match self {
            Self::Manifests => extras().filter(is_manifest).collect(),
            Self::OtherExtras => extras().filter(|path| !is_manifest(path)).collect(),
            Self::Parts => deposit.receipt.files.iter().map(|file| file.path.as_str()).collect(),
        }
    }
}

impl Removal<'_> {
    /// Removes the objects of publishes, all manifests first: no manifest ever promises what is gone. Publishes of which
    /// one could not be removed keep the rest. Returns those of which nothing is left.
    ///
    /// # Errors
    /// When nobody answers any more, everything is refused, or somebody stopped it; what was removed until then is counted.
    pub(super) async fn publishes(&mut self, page: &[Deposit]) -> Result<Vec<Uuid>, Failure> {
        let mut stuck: HashSet<Uuid> = HashSet::new();
        for turn in [Turn::Manifests, Turn::OtherExtras, Turn::Parts] {
            let mut batch: Vec<(Uuid, String)> = Vec::new();
            for deposit in page.iter().filter(|deposit| stuck.contains(&deposit.receipt.id)) {
                self.held.extend(paths_of(deposit).map(|path| mark(self.identity, path)));
            }
            for deposit in page {
                let id = deposit.receipt.id;
                for path in turn.paths(deposit) {
                    let mark = mark(self.identity, path);
                    if self.spared.contains(&mark) {
                        if self.asked.insert(mark) {
                            self.taken.shared += 1;
                            self.progress.advance(1);
                        }
                    } else if stuck.contains(&id) || self.held.contains(&mark) {
                        // Whoever else names it is not done either.
                        stuck.insert(id);
                        if self.asked.insert(mark) {
                            self.taken.left += 1;
                        }
                    } else if self.asked.insert(mark) {
                        batch.push((id, path.to_owned()));
                        if batch.len() == BATCH {
                            self.batch(std::mem::take(&mut batch), &mut stuck).await?;
                        }
                    }
                }
            }
            if !batch.is_empty() {
                self.batch(batch, &mut stuck).await?;
            }
        }
        Ok(page.iter().map(|deposit| deposit.receipt.id).filter(|id| !stuck.contains(id)).collect())
    }

    async fn batch(&mut self, batch: Vec<(Uuid, String)>, stuck: &mut HashSet<Uuid>) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            self.taken.left += batch.len() as u64;
            return Err(stopped());
        }
        crash::point(crash::REMOVING).await;
        let (owners, paths): (Vec<Uuid>, Vec<String>) = batch.into_iter().unzip();
        let gone = match self.destination.remove(&paths).await {
            Ok(gone) => gone,
            // Each request was repeated already, under the activation's `retry`: the others would fare no better.
            Err(error) if error.kind().passes() => {
                self.taken.left += paths.len() as u64;
                return Err(error.into());
            }
            Err(error) => {
                self.why.get_or_insert(error.into());
                Vec::new()
            }
        };
        crash::point(crash::REMOVED).await;
        self.taken.removed += gone.len() as u64;
        self.progress.advance(gone.len() as u64);
        if gone.len() < paths.len() {
            let gone: HashSet<&String> = gone.iter().collect();
            for (owner, path) in owners.iter().zip(&paths).filter(|(_, path)| !gone.contains(path)) {
                stuck.insert(*owner);
                self.taken.name_left(path);
            }
        }
        match &self.why {
            Some(why) if self.taken.removed == 0 && self.taken.left >= HOPELESS => Err(why.clone()),
            _ => Ok(()),
        }
    }
}

impl Publisher {
    /// Marks of the objects that receipts of other activations name, as far as those are to stay.
    pub(super) async fn objects_of_others(&self, activation: &str) -> Result<HashSet<Mark>, Failure> {
        let mut marks = HashSet::new();
        let mut before = None;
        loop {
            let page = self.state.deposits(DepositsOf::Others(activation), before, PAGE).await?;
            let Some(last) = page.last() else { return Ok(marks) };
            before = Some(last.number);
            for deposit in page.iter().filter(|deposit| !deposit.leaving) {
                marks.extend(marks_of(deposit));
            }
        }
    }

    /// Marks of the objects that an activation's own receipts name at a place, as far as those are to stay; as they are
    /// reached by way of `alias`.
    pub(super) async fn standing_at(
        &self,
        activation: &str,
        identity: &str,
        alias: &str,
    ) -> Result<HashSet<Mark>, Failure> {
        let mut marks = HashSet::new();
        let mut before = None;
        loop {
            let page = self.state.deposits(DepositsOf::Activation(activation), before, PAGE).await?;
            let Some(last) = page.last() else { return Ok(marks) };
            before = Some(last.number);
            let here = |deposit: &&Deposit| deposit.place.as_deref() == Some(identity) && !deposit.leaving;
            marks.extend(page.iter().filter(here).flat_map(paths_of).map(|path| mark(alias, path)));
        }
    }
}

impl TakenBack {
    /// Counts an object that is left, and names it if there are not too many.
    pub(super) fn name_left(&mut self, path: &str) {
        self.left += 1;
        if self.left_paths.len() < NAMED {
            self.left_paths.push(path.to_owned());
        }
    }
}

/// Paths of the objects of a publish.
pub(super) fn paths_of(deposit: &Deposit) -> impl Iterator<Item = &str> {
    let files = deposit.receipt.files.iter().map(|file| file.path.as_str());
    files.chain(deposit.receipt.extras.iter().map(|extra| extra.path.as_str()))
}

/// Marks of the objects of a publish.
pub(super) fn marks_of(deposit: &Deposit) -> impl Iterator<Item = Mark> {
    deposit.place.iter().flat_map(move |place| paths_of(deposit).map(move |path| mark(place, path)))
}

/// Of a teardown that somebody stopped.
pub(super) fn stopped() -> Failure {
    Failure { remedy: "ask again: it goes on where it stopped".into(), ..code::interrupted() }
}

#[cfg(test)]
mod tests {
    use super::mark;

    #[test]
    fn an_object_has_one_mark_by_whatever_root_and_user_it_is_reached() {
        let same = |one: (&str, &str), other: (&str, &str)| mark(one.0, one.1) == mark(other.0, other.1);
        assert!(same(("local local /out person", "a/b"), ("local local /out/a other", "b")));
        assert!(!same(("local local /out person", "b"), ("local local /out/a person", "b")));
        let sftp = |user: &str, path: &str| format!("sftp sftp://{user}@host:22{path} person");
        assert!(same((&sftp("u", "/in"), "b"), (&sftp("v", "/in/"), "b")));
        assert!(!same((&sftp("u", "/~/in"), "b"), (&sftp("v", "/~/in"), "b")), "each has a home of its own");
        assert!(!same((&sftp("u", "/in"), "b"), ("sftp sftp://u@other:22/in person", "b")));
    }
}
