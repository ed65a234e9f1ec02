//! Starting, stopping, pausing, and what was missed.

use std::fs;

use chrono::{TimeDelta, Utc};

use super::{Running, home, next, one, published_days_ago, receipts, status, until};
use crate::{publishing::words, support::Home};

#[test]
fn it_publishes_by_itself_until_it_is_told_to_stop() {
    let home = one("{ every: 1s }");
    let running = Running::start(&home);
    until("three publishes have ended", || {
        receipts(&home).iter().filter(|receipt| receipt["status"] == "succeeded").count() >= 3
    });
    running.signal("HUP");
    until("SIGHUP is answered", || running.log().contains("the config was read again"));
    assert_eq!(running.stop(), Some(0));
    let receipts = receipts(&home);
    assert!(
        receipts.iter().all(|receipt| receipt["kind"] == "scheduled" && receipt["status"] == "succeeded"),
        "{receipts:?}"
    );
    assert_eq!(home.held().len(), 20);
}

#[test]
fn interrupting_it_is_as_good_as_terminating_it() {
    let home = one("{ manual: true }");
    let mut running = Running::start(&home);
    running.signal("INT");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    assert!(receipts(&home).is_empty());
}

#[test]
fn pause_and_resume_take_effect_while_it_runs() {
    let home = one("{ every: 1s }");
    let running = Running::start(&home);
    until("it publishes", || !receipts(&home).is_empty());
    assert_eq!(home.run(&["pause", "a"]).status, 0);
    assert_eq!(next(&home, "a"), None);
    let paused = Utc::now();
    // Two seconds are what a pause may take; two more would hold two publishes.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let late = receipts(&home).into_iter().filter(|receipt| {
        receipt["queued_at"].as_str().unwrap().parse::<chrono::DateTime<Utc>>().unwrap()
            > paused + TimeDelta::seconds(2)
    });
    assert_eq!(late.count(), 0);
    let before = receipts(&home).len();
    assert_eq!(home.run(&["resume", "a"]).status, 0);
    until("it publishes again", || receipts(&home).len() > before);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn what_was_missed_is_caught_up_by_one_publish_at_once() {
    let home = one("{ every: 12h }");
    published_days_ago(&home, &["a"], 3);
    assert!(next(&home, "a").unwrap() < Utc::now() - TimeDelta::days(2), "it is overdue");
    let running = Running::start(&home);
    until("it catches up", || next(&home, "a").unwrap() > Utc::now());
    let ran: Vec<String> = receipts(&home).iter().map(|receipt| receipt["status"].to_string()).collect();
    assert_eq!(ran.len(), 2, "the one of three days ago and one more: {ran:?}");
    assert!(next(&home, "a").unwrap() <= Utc::now() + TimeDelta::hours(12));
    assert_eq!(running.stop(), Some(0));
    // Started again, nothing is left to catch up.
    let running = Running::start(&home);
    assert_eq!(running.stop(), Some(0));
    assert_eq!(receipts(&home).len(), 2);
}

#[test]
fn status_tells_when_an_activation_publishes_next() {
    let home = one("{ cron: \"0 6 * * *\", timezone: Europe/Berlin }");
    let six = next(&home, "a").unwrap().with_timezone(&chrono_tz::Europe::Berlin);
    assert_eq!(six.format("%H:%M:%S").to_string(), "06:00:00");
    assert!(six > Utc::now() && six <= Utc::now() + TimeDelta::hours(25));
    assert!(home.run(&["status"]).stdout.contains("NEXT"));
    assert_eq!(next(&one("{ manual: true }"), "a"), None);
    let soon = next(&one("{ every: 30d }"), "a").unwrap();
    assert!(soon <= Utc::now() + TimeDelta::seconds(60), "a newcomer is published soon");
}

#[test]
fn lag_past_the_objective_shows_in_status_and_once_in_the_log() {
    let home = one("{ manual: true }\n    freshness: 1d");
    published_days_ago(&home, &["a"], 3);
    assert!(home.run(&["status"]).stdout.contains("3d 0h, too old"), "{}", home.run(&["status"]).stdout);
    assert!(status(&home, "a")["lag_seconds"].as_u64().unwrap() >= 3 * 86_400);
    let running = Running::start(&home);
    let told = |running: &Running| running.log().matches("older than `freshness`").count();
    until("it is in the log", || told(&running) > 0);
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    assert_eq!(told(&running), 1);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_config_without_activations_and_a_second_service_are_refused() {
    let empty = Home::new("targets:\n  out: { type: local, path: ./out }\n");
    let ran = empty.run(&["run"]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.stderr.contains("no activations"), "{ran:?}");

    let home = one("{ manual: true }");
    let running = Running::start(&home);
    let (status, error) = home.json(&["run"]);
    assert_eq!((status, error["error"]["code"].as_str()), (1, Some("busy")), "{error}");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_source_that_is_gone_stops_only_the_activations_that_need_it() {
    let home = home(&[("a".into(), "{ every: 1s }"), ("b".into(), "{ every: 1s }")]);
    let config = fs::read_to_string(home.path("herald.yaml")).unwrap();
    let config = config.replace("key: id }", "key: id }\n      gone: { path: lake/gone.parquet, key: id }");
    let config = config.replace("segments:", "segments:\n  nobody: { from: gone, where: 'true' }");
    home.configure(&config.replacen("segment: everyone", "segment: nobody", 1));
    home.table("gone", vec![("id", words(&["1"])), ("name", words(&["x"]))]);
    let last = |name: &str, status: &str| {
        let named = |receipt: &&serde_json::Value| receipt["activation"] == name && receipt["status"] == status;
        receipts(&home).iter().find(named).cloned()
    };
    let running = Running::start(&home);
    until("both are published", || last("a", "succeeded").is_some() && last("b", "succeeded").is_some());
    assert_eq!(running.stop(), Some(0));
    fs::remove_file(home.path("lake/gone.parquet")).unwrap();
    let before = last("b", "succeeded").unwrap()["sequence"].as_u64();
    let running = Running::start(&home);
    until("one fails and the other goes on", || {
        last("a", "failed").is_some() && last("b", "succeeded").unwrap()["sequence"].as_u64() > before
    });
    assert_eq!(running.stop(), Some(0));
    let failed = last("a", "failed").unwrap();
    assert_eq!(failed["error"]["code"], "source_unreadable");
    assert!(failed["error"]["message"].as_str().unwrap().contains("herald.yaml:"), "{failed}");
}
