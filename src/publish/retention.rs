//! `keep`: old publishes of an activation go once they have had their time, whole, manifest first.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use herald_destinations::contract::Mode;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Failure, Publisher, Silent, TakenBack, crash,
    removal::{Mark, PAGE, Removal, marks_of},
};
use crate::{
    config::{Activation, Keep, Target},
    state::{Deposit, DepositsOf},
};

/// Publishes that one publish takes away at most; the next goes on.
const MOST: usize = 1_000;

/// Says of publishes, newest first, whether they have had their time. The newest full one, and what came after it, never
/// has: a consumer who begins now needs just these. Without a full one that is all of them.
struct Expiry {
    keep: Keep,
    now: DateTime<Utc>,
    /// Publishes seen.
    seen: u32,
    /// Whether the newest full one was seen.
    anchored: bool,
}

impl Expiry {
    fn new(keep: Keep, now: DateTime<Utc>) -> Self {
        Self { keep, now, seen: 0, anchored: false }
    }

    /// Of the next older publish: how it was, and when it ended.
    fn has_expired(&mut self, mode: Mode, ended: DateTime<Utc>) -> bool {
        let needed = !self.anchored;
        self.anchored |= mode == Mode::Full;
        self.seen = self.seen.saturating_add(1);
        let past = match self.keep {
            Keep::Publishes(publishes) => self.seen > publishes,
            Keep::Age(age) => TimeDelta::from_std(age).is_ok_and(|age| self.now - ended > age),
        };
        past && !needed
    }
}

impl Publisher {
    /// Takes away the publishes of an activation that have had their time, and goes on with what was begun to be taken
    /// away, also where nothing has its time any more. Whatever keeps it from that is told, fails nothing, and is tried
    /// again by the next publish.
    pub(super) async fn expire(&self, activation: &Activation, target: &Target, cancel: &CancellationToken) {
        if let Err(failure) = self.expire_at(activation, target, cancel).await {
            tracing::warn!(
                code = failure.code,
                error = failure.message,
                "old publishes could not be taken away; the next publish tries again"
            );
        }
    }

    async fn expire_at(
        &self,
        activation: &Activation,
        target: &Target,
        cancel: &CancellationToken,
    ) -> Result<(), Failure> {
        let (name, identity) = (activation.name.as_str(), self.identity(activation, target));
        if activation.keep.is_none() && !self.state.any_leaving(name, &identity).await? {
            return Ok(());
        }
        let Found { expired, standing } = self.expired(activation, &identity).await?;
        if expired.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = expired.iter().map(|deposit| deposit.receipt.id).collect();
        self.state.leaving(&ids).await?;
        crash::point(crash::LEAVING).await;
        let destination = self.connect(activation, target).await?;
        let mut removal = Removal {
            publisher: self,
            destination: destination.as_ref(),
            identity: &identity,
            spared: HashSet::new(),
            asked: HashSet::new(),
            held: HashSet::new(),
            progress: &Silent,
            cancel,
            taken: TakenBack::default(),
            why: None,
        };
        for page in expired.chunks(PAGE as usize) {
            // Others may have published meanwhile.
            removal.spared = self.objects_of_others(name).await?;
            removal.spared.extend(&standing);
            let before = removal.taken.removed;
            let gone = removal.publishes(page).await?;
            let told = told(page, &gone, removal.taken.removed - before);
            self.state.gone(&gone, told.map(|told| (name, told))).await?;
        }
        match removal.taken.left {
            0 => Ok(()),
            left => Err(removal.why.unwrap_or_else(|| Failure {
                code: "target_refused".into(),
                message: format!("{left} objects of old publishes could not be removed"),
                remedy: "let the target's credentials delete objects".into(),
                retryable: true,
            })),
        }
    }

    /// The publishes at a place that go now.
    async fn expired(&self, activation: &Activation, identity: &str) -> Result<Found, Failure> {
        let mut expiry = activation.keep.map(|keep| Expiry::new(keep, Utc::now()));
        let (mut new, mut begun, mut standing) = (Vec::new(), Vec::new(), HashSet::new());
        let mut before = None;
        loop {
            let page = self.state.deposits(DepositsOf::Activation(&activation.name), before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.number);
            for deposit in page.into_iter().filter(|deposit| deposit.place.as_ref().is_none_or(|at| at == identity)) {
                let ended = deposit.receipt.finished_at.unwrap_or(deposit.receipt.queued_at);
                let mode = deposit.receipt.mode;
                let deposit = Deposit { place: Some(identity.to_owned()), ..deposit };
                // What was begun is brought to its end, whatever `keep` says by now.
                if deposit.leaving {
                    begun.push(deposit);
                } else if expiry.as_mut().is_some_and(|expiry| expiry.has_expired(mode, ended)) {
                    new.push(deposit);
                } else {
                    standing.extend(marks_of(&deposit));
                }
            }
            // The oldest go first; of very many, those that a later page may hold wait.
            for found in [&mut new, &mut begun] {
                if found.len() > MOST * 2 {
                    found.drain(..found.len() - MOST);
                }
            }
        }
        new.reverse();
        begun.reverse();
        // What was tried before may be stuck for good, and holds up nothing.
        new.append(&mut begun);
        new.truncate(MOST);
        Ok(Found { expired: new, standing })
    }
}

/// What a look through the publishes at a place found.
struct Found {
    /// Those that go, in the order in which they do.
    expired: Vec<Deposit>,
    /// Marks of what stays.
    standing: HashSet<Mark>,
}

/// What the audit says of publishes, oldest first, that are gone.
fn told(page: &[Deposit], gone: &[Uuid], objects: u64) -> Option<String> {
    let mut sequences = page.iter().filter(|deposit| gone.contains(&deposit.receipt.id)).map(|of| of.receipt.sequence);
    let first = sequences.next()?;
    let last = sequences.next_back().unwrap_or(first);
    Some(format!("{} publishes, numbers {first} to {last}: {objects} objects removed", gone.len()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FULL: Mode = Mode::Full;
    const CHANGES: Mode = Mode::Incremental;

    /// Of publishes, oldest first, a day apart, the last one just now: which have had their time.
    fn expired(keep: Keep, modes: &[Mode]) -> Vec<usize> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1_000);
        let mut expiry = Expiry::new(keep, now);
        let newest_first = (0..modes.len()).rev();
        let days = |index: usize| TimeDelta::days(i64::try_from(modes.len() - 1 - index).unwrap());
        let mut gone: Vec<usize> =
            newest_first.filter(|index| expiry.has_expired(modes[*index], now - days(*index))).collect();
        gone.sort_unstable();
        gone
    }

    fn age(hours: u64) -> Keep {
        Keep::Age(Duration::from_secs(hours * 3_600))
    }

    #[test]
    fn the_newest_stay() {
        assert_eq!(expired(Keep::Publishes(2), &[FULL, FULL, FULL, FULL]), [0, 1]);
        assert_eq!(expired(Keep::Publishes(9), &[FULL, FULL, FULL, FULL]), [] as [usize; 0]);
        assert_eq!(expired(Keep::Publishes(1), &[FULL, CHANGES, FULL, CHANGES, FULL]), [0, 1, 2, 3]);
    }

    #[test]
    fn what_is_past_its_age_goes() {
        let publishes = [FULL, FULL, FULL, FULL, FULL];
        assert_eq!(expired(age(24), &publishes), [0, 1, 2]);
        assert_eq!(expired(age(25), &publishes), [0, 1, 2]);
        assert_eq!(expired(age(23), &publishes), [0, 1, 2, 3]);
        assert_eq!(expired(age(1_000), &publishes), [] as [usize; 0]);
    }

    #[test]
    fn the_newest_full_one_and_all_after_it_stay_however_old() {
        for keep in [Keep::Publishes(1), age(1)] {
            assert_eq!(expired(keep, &[FULL, CHANGES, FULL, CHANGES, CHANGES, CHANGES]), [0, 1]);
            assert_eq!(expired(keep, &[FULL, CHANGES, CHANGES]), [] as [usize; 0]);
        }
    }

    #[test]
    fn without_a_full_one_nothing_goes() {
        assert_eq!(expired(Keep::Publishes(1), &[CHANGES, CHANGES, CHANGES]), [] as [usize; 0]);
        assert_eq!(expired(age(1), &[CHANGES, CHANGES, CHANGES]), [] as [usize; 0]);
    }

    #[test]
    fn a_clock_that_went_back_takes_nothing_away() {
        let mut expiry = Expiry::new(age(24), DateTime::UNIX_EPOCH);
        let later = DateTime::UNIX_EPOCH + TimeDelta::days(365);
        assert!(![FULL, CHANGES, FULL].iter().any(|mode| expiry.has_expired(*mode, later)));
    }
}
