//! What stops a publish before anything is sent.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Failure, ledger::Truth};
use crate::{config::Guards, withheld::WITHHELD};

/// What one guard says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Judgement {
    /// `min_members`, `max_members`, `max_removed` or `max_changed`.
    pub name: &'static str,
    /// Members, or a ratio from 0 to 1.
    pub limit: f64,
    /// What it is held against.
    pub value: f64,
    /// Whether it stops the publish.
    pub trips: bool,
}

/// Judges a whole delta. `held`: members of the snapshot, `None` for a first publish.
pub fn judge(guards: &Guards, truth: &Truth, held: Option<u64>) -> Vec<Judgement> {
    let members = truth.members as f64;
    let mut judgements = vec![verdict("min_members", guards.min_members as f64, members, |value, limit| value < limit)];
    if let Some(most) = guards.max_members {
        judgements.push(verdict("max_members", most as f64, members, |value, limit| value > limit));
    }
    if let Some(held) = held.filter(|held| *held > 0) {
        let share = |records: u64| records as f64 / held as f64;
        judgements.push(verdict("max_removed", guards.max_removed, share(truth.removed), |value, limit| value > limit));
        if let Some(most) = guards.max_changed {
            let changed = share(truth.updated + truth.removed);
            judgements.push(verdict("max_changed", most, changed, |value, limit| value > limit));
        }
    }
    judgements
}

fn verdict(name: &'static str, limit: f64, value: f64, trips: impl Fn(f64, f64) -> bool) -> Judgement {
    Judgement { name, limit, value, trips: trips(value, limit) }
}

/// Whether no guard can trip any more, whatever the rest brings: `unseen` rows of members are still to come.
/// Until then nothing is sent.
pub(super) fn settled(guards: &Guards, so_far: &Truth, held: Option<u64>, unseen: u64) -> bool {
    let worst = Truth { members: so_far.members + unseen, ..*so_far };
    let fewest = judge(&Guards { max_members: None, ..*guards }, so_far, None);
    let most = judge(&Guards { min_members: 0, ..*guards }, &worst, None);
    let rest = held.unwrap_or(0).saturating_sub(so_far.compared);
    let lost = Truth { removed: so_far.removed + rest, ..*so_far };
    let shares = judge(&Guards { min_members: 0, max_members: None, ..*guards }, &lost, held);
    fewest.iter().chain(&most).chain(&shares).all(|judgement| !judgement.trips)
}

/// The failure of a publish that a guard stopped. `hides`: its limit is not to be shown.
pub(super) fn blocked(judgement: &Judgement, hides: bool) -> Failure {
    let ratio = judgement.name.starts_with("max_removed") || judgement.name.starts_with("max_changed");
    let shown = |number: f64| if ratio { format!("{:.1} %", number * 100.0) } else { format!("{number}") };
    Failure {
        code: format!("guard_{}", judgement.name),
        message: format!(
            "`guards.{}` is {}, this publish would make it {}",
            judgement.name,
            if hides { WITHHELD.to_owned() } else { shown(judgement.limit) },
            shown(judgement.value)
        ),
        remedy:
            "look at `herald plan`; if the change is meant, publish once with `--override REASON`, or change the guard"
                .into(),
        retryable: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARDS: Guards = Guards { min_members: 1, max_members: None, max_removed: 0.5, max_changed: None };

    #[test]
    fn a_share_on_the_limit_passes_and_one_past_it_trips() {
        let truth = |removed| Truth { members: 5, removed, compared: 10, ..Truth::default() };
        let trips = |removed| judge(&GUARDS, &truth(removed), Some(10)).iter().any(|judgement| judgement.trips);
        assert!(!trips(5));
        assert!(trips(6));
        assert!(
            !judge(&GUARDS, &truth(6), None).iter().any(|judgement| judgement.trips),
            "a first publish removes nobody"
        );
    }

    #[test]
    fn nothing_is_sent_while_the_rest_could_still_trip_a_guard() {
        let so_far = |compared, removed| Truth { members: 1, removed, compared, ..Truth::default() };
        assert!(!settled(&GUARDS, &Truth::default(), None, 10), "nobody yet");
        assert!(settled(&GUARDS, &so_far(0, 0), None, 10));
        assert!(!settled(&GUARDS, &so_far(4, 0), Some(10), 10), "six more could go");
        assert!(settled(&GUARDS, &so_far(5, 0), Some(10), 10));
        assert!(!settled(&GUARDS, &so_far(5, 1), Some(10), 10));
        let capped = Guards { max_members: Some(5), ..GUARDS };
        assert!(!settled(&capped, &so_far(0, 0), None, 10));
        assert!(settled(&capped, &so_far(0, 0), None, 4));
    }
}
