//! Series of activations that are gone: a gauge that nobody moves any more would alert for ever.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::names;

/// Counters of who is gone are shown so long, for the last scrapes to see how it ended.
const LINGER: Duration = Duration::from_secs(3600);

/// Which activations live, and which did. The recorder forgets nothing, so that what is gone is left out of its text.
#[derive(Debug, Default)]
pub(super) struct Departed {
    live: HashSet<String>,
    gone: HashMap<String, Instant>,
}

impl Departed {
    /// These live now. Who lived before, and does not, is gone.
    pub(super) fn live<'a>(&mut self, live: impl Iterator<Item = &'a str>, now: Instant) {
        let live: HashSet<String> = live.map(str::to_owned).collect();
        for name in self.live.difference(&live) {
            self.gone.entry(name.clone()).or_insert(now);
        }
        self.gone.retain(|name, _| !live.contains(name));
        self.live = live;
    }

    /// The text without the lines of who is gone.
    pub(super) fn without(&self, text: String, now: Instant) -> String {
        if self.gone.is_empty() {
            return text;
        }
        let stays = |line: &&str| {
            let since = activation(line).and_then(|name| self.gone.get(name));
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
    [names::LAG, names::LAST_SUCCESS, names::SNAPSHOT, names::DEAD_LETTERS]
        .iter()
        .any(|gauge| line.strip_prefix(gauge.name).is_some_and(|rest| rest.starts_with('{')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_who_is_gone_stay_for_an_hour() {
        let mut departed = Departed::default();
        let then = Instant::now();
        departed.live(["a", "b"].into_iter(), then);
        departed.live(["b"].into_iter(), then);
        let text = "herald_bytes_total{activation=\"a\",target=\"t\"} 1\nherald_bytes_total{activation=\"b\"} 1\n";
        assert_eq!(departed.without(text.to_owned(), then), text);
        let later = departed.without(text.to_owned(), then + LINGER);
        assert_eq!(later, "herald_bytes_total{activation=\"b\"} 1\n");
    }
}
