//! Many activations that are due at once.

use std::{collections::BTreeMap, fs, time::Instant};

use super::{Running, home, published_days_ago, receipts, until};

fn names(number: usize) -> Vec<String> {
    (0..number).map(|number| format!("a_{number}")).collect()
}

/// Publishes that succeeded since, by activation.
fn counts(home: &crate::support::Home) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for receipt in receipts(home) {
        assert_eq!(receipt["status"], "succeeded", "{receipt:#}");
        *counts.entry(receipt["activation"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn thirty_that_are_overdue_are_published_once_each() {
    let names = names(30);
    let home = home(&names.iter().map(|name| (name.clone(), "{ every: 12h }")).collect::<Vec<_>>());
    published_days_ago(&home, &names.iter().map(String::as_str).collect::<Vec<_>>(), 2);
    let running = Running::start(&home);
    until("all are published", || {
        let ended = receipts(&home).iter().filter(|receipt| receipt["status"] == "succeeded").count();
        ended >= 60
    });
    assert_eq!(running.stop(), Some(0));
    let counts = counts(&home);
    assert!(counts.len() == 30 && counts.values().all(|count| *count == 2), "{counts:?}");
}

/// A thousand newcomers are due within one minute. Left out of `make test` for the time it takes.
#[test]
#[ignore = "minutes; `make soak` runs it"]
fn soak_a_thousand_due_in_one_minute_are_published_once_each_in_flat_memory() {
    let names = names(1_000);
    let home = home(&names.iter().map(|name| (name.clone(), "{ every: 12h }")).collect::<Vec<_>>());
    let began = Instant::now();
    let running = Running::start(&home);
    let kilobytes = || {
        let status = fs::read_to_string(format!("/proc/{}/status", running.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let ended = || running.log().matches("publish ended").count();
    let mut memory = Vec::new();
    while ended() < 1_000 {
        assert!(began.elapsed().as_secs() < 900, "{} after {:?}", ended(), began.elapsed());
        std::thread::sleep(std::time::Duration::from_secs(1));
        memory.push((ended(), kilobytes() / 1024));
    }
    let took = began.elapsed();
    assert_eq!(running.stop(), Some(0));
    let counts = counts(&home);
    assert!(counts.len() == 1_000 && counts.values().all(|count| *count == 1));
    let at = |share: usize| memory.iter().find(|(ended, _)| *ended >= share).unwrap().1;
    println!("{took:?}; MiB after 300, 600, 1000: {} {} {}", at(300), at(600), at(1_000));
    assert!(at(1_000) < at(300) * 3 / 2, "{memory:?}");
}
