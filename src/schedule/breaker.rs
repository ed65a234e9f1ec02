//! One per target: after a few failures in a row, over all of its activations, its publishes wait, and one at a time
//! tries whether it is back.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

/// So many failures of the target in a row, and it is let alone.
const FAILURES: u32 = 3;
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// What a publish that ended says of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It took what it was given.
    Well,
    /// It failed.
    Failed,
    /// Nothing: the publish stopped for another reason.
    None,
}

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// In a row.
    failures: u32,
    /// Open until then; from then on one publish may try.
    until: Option<DateTime<Utc>>,
    /// Pauses so far.
    pauses: u32,
    /// The activation whose publish tries: others may still run from before.
    probing: Option<Arc<str>>,
}

impl Breaker {
    /// Whether a publish may begin.
    pub(super) fn lets_through(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now >= until && self.probing.is_none())
    }

    /// When the next publish may try; `None`: any may, or one does.
    pub(super) fn reopens(&self) -> Option<DateTime<Utc>> {
        self.until.filter(|_| self.probing.is_none())
    }

    /// A publish begins. While the target is let alone, it is the one that tries, unless another does.
    pub(super) fn began(&mut self, activation: &Arc<str>) {
        if self.until.is_some() {
            self.probing.get_or_insert_with(|| Arc::clone(activation));
        }
    }

    pub(super) fn ended(&mut self, target: &str, activation: &str, sign: Sign, now: DateTime<Utc>) {
        let another_tries = self.probing.as_ref().is_some_and(|probing| **probing != *activation);
        if !another_tries {
            self.probing = None;
        }
        match sign {
            Sign::Well => {
                if self.until.is_some() {
                    tracing::info!("target `{target}` is back: its publishes go on");
                }
                *self = Self::default();
            }
            Sign::Failed => {
                self.failures = self.failures.saturating_add(1);
                // Those that ran when it opened, or beside the one that tries, say nothing new.
                let open = another_tries || self.until.is_some_and(|until| now < until);
                if self.failures >= FAILURES && !open {
                    let pause = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(16)).min(LONGEST_PAUSE);
                    if self.pauses == 0 {
                        tracing::warn!(
                            failures = self.failures,
                            "target `{target}` fails: its publishes wait, and one at a time tries whether it is back"
                        );
                    }
                    self.pauses = self.pauses.saturating_add(1);
                    self.until = Some(now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX));
                }
            }
            Sign::None => {}
        }
    }

    /// After the clock was put back: no pause is longer than it was meant to be.
    pub(super) fn clock_went_back(&mut self, now: DateTime<Utc>) {
        let longest = now + TimeDelta::from_std(LONGEST_PAUSE).unwrap_or(TimeDelta::MAX);
        self.until = self.until.map(|until| until.min(longest));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Breaker, Sign};

    fn second(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(number)
    }

    fn begin(breaker: &mut Breaker, activation: &str) {
        breaker.began(&Arc::from(activation));
    }

    fn end(breaker: &mut Breaker, activation: &str, sign: Sign, at: DateTime<Utc>) {
        breaker.ended("out", activation, sign, at);
    }

    fn fail(breaker: &mut Breaker, at: i64) {
        begin(breaker, "a");
        end(breaker, "a", Sign::Failed, second(at));
    }

    #[test]
    fn it_opens_after_three_failures_in_a_row_and_a_success_between_starts_anew() {
        let mut breaker = Breaker::default();
        fail(&mut breaker, 0);
        fail(&mut breaker, 1);
        end(&mut breaker, "a", Sign::None, second(2));
        assert!(breaker.lets_through(second(2)));
        end(&mut breaker, "a", Sign::Well, second(2));
        fail(&mut breaker, 3);
        fail(&mut breaker, 4);
        assert!(breaker.lets_through(second(4)));
        fail(&mut breaker, 5);
        assert!(!breaker.lets_through(second(34)));
        assert_eq!(breaker.reopens(), Some(second(35)));
    }

    #[test]
    fn one_at_a_time_tries_and_pauses_double_up_to_a_quarter_of_an_hour() {
        let mut breaker = Breaker::default();
        (0..3).for_each(|at| fail(&mut breaker, at));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let until = breaker.reopens().unwrap();
            assert!(breaker.lets_through(until));
            begin(&mut breaker, "a");
            assert!(!breaker.lets_through(until), "one tries");
            end(&mut breaker, "a", Sign::Failed, until);
            pauses.push((breaker.reopens().unwrap() - until).num_seconds());
        }
        assert_eq!(pauses, [60, 120, 240, 480, 900, 900, 900, 900]);
        begin(&mut breaker, "a");
        end(&mut breaker, "a", Sign::Well, second(100_000));
        assert!(breaker.lets_through(second(100_000)));
    }

    #[test]
    fn a_try_that_says_nothing_lets_the_next_try() {
        let mut breaker = Breaker::default();
        (0..3).for_each(|at| fail(&mut breaker, at));
        begin(&mut breaker, "a");
        end(&mut breaker, "a", Sign::None, second(40));
        assert!(breaker.lets_through(second(40)));
    }

    #[test]
    fn a_publish_from_before_the_opening_that_ends_lets_no_second_one_try() {
        for sign in [Sign::None, Sign::Failed] {
            let mut breaker = Breaker::default();
            begin(&mut breaker, "long");
            (0..3).for_each(|at| fail(&mut breaker, at));
            begin(&mut breaker, "b");
            end(&mut breaker, "long", sign, second(40));
            assert!(!breaker.lets_through(second(5_000)), "{sign:?}: one tries");
            end(&mut breaker, "b", Sign::Failed, second(41));
            assert_eq!(breaker.reopens(), Some(second(101)), "{sign:?}: the pause is the second one");
        }
    }
}
