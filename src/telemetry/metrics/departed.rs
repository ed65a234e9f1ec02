//! Series of activations that are gone: a gauge that nobody moves any more would alert for ever.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::names::{self, Metric};

/// Counters of who is gone are shown so long, for the last scrapes to see how it ended.
const LINGER: Duration = Duration::from_secs(3600);

/// Which activations live, and which did. The recorder forgets nothing, so that what is gone is left out of its text.
#[derive(Debug, Default)]
pub(super) struct Departed {
    live: HashSet<String>,
    gone: HashMap<String, Instant>,
    fresh: HashSet<String>,
    /// Those that live on without the freshness that they had.
    unbounded: HashSet<String>,
}

impl Departed {
    /// These live now, with a freshness or without. Who lived before, and does not, is gone.
    pub(super) fn live<'a>(&mut self, live: impl Iterator<Item = (&'a str, bool)>, now: Instant) {
        let live: Vec<(&str, bool)> = live.collect();
        let fresh: HashSet<String> = live.iter().filter(|one| one.1).map(|one| one.0.to_owned()).collect();
        self.unbounded.extend(self.fresh.difference(&fresh).cloned());
        self.unbounded.retain(|name| !fresh.contains(name));
        self.fresh = fresh;
        let live: HashSet<String> = live.iter().map(|one| one.0.to_owned()).collect();
        for name in self.live.difference(&live) {
            self.gone.entry(name.clone()).or_insert(now);
        }
        self.gone.retain(|name, _| !live.contains(name));
        self.live = live;
    }

    /// The text without the lines of who is gone.
    pub(super) fn without(&self, text: String, now: Instant) -> String {
        if self.gone.is_empty() && self.unbounded.is_empty() {
            return text;
        }
        let stays = |line: &&str| {
            let Some(name) = activation(line) else { return true };
            if is_of(names::FRESHNESS, line) && self.unbounded.contains(name) {
                return false;
            }
            let since = self.gone.get(name);
            since.is_none_or(|since| now.duration_since(*since) < LINGER && !is_gauge(line))
        };
        text.split_inclusive('\n').filter(stays).collect()
    }
}

/// Names of activations hold nothing that is escaped.
fn activation(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("activation=\"")?;
    rest.split_once('"').map(|(name, _)| name)
}

fn is_gauge(line: &str) -> bool {
    [names::LAG, names::FRESHNESS, names::LAST_SUCCESS, names::SNAPSHOT, names::DEAD_LETTERS]
        .into_iter()
        .any(|gauge| is_of(gauge, line))
}

fn is_of(metric: Metric, line: &str) -> bool {
    line.strip_prefix(metric.name).is_some_and(|rest| rest.starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_who_is_gone_stay_for_an_hour() {
        let mut departed = Departed::default();
        let then = Instant::now();
        departed.live([("a", false), ("b", false)].into_iter(), then);
        departed.live([("b", false)].into_iter(), then);
        let text = "herald_bytes_total{activation=\"a\",target=\"t\"} 1\nherald_bytes_total{activation=\"b\"} 1\n";
        assert_eq!(departed.without(text.to_owned(), then), text);
        let later = departed.without(text.to_owned(), then + LINGER);
        assert_eq!(later, "herald_bytes_total{activation=\"b\"} 1\n");
    }
}
