//! Killed at any instant, the next publish settles what was in flight and then publishes anew.

use std::{fs, thread, time::Duration};

use herald::publish::crash::MOMENTS;

use super::{config, integers, words};
use crate::{
    simulation::Random,
    support::{Home, count, files},
};

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, name: name }
    guards: { max_removed: 100% }
    files: { max_rows: 2000 }
";

const PEOPLE: i64 = 12_000;

fn lake(home: &Home, generation: i64) {
    let ids: Vec<String> = (generation..generation + PEOPLE).map(|number| format!("m{number:06}")).collect();
    let names: Vec<String> =
        ids.iter().enumerate().map(|(row, id)| format!("{id} {}", generation * i64::from(row % 7 == 0))).collect();
    let refs = |texts: &[String]| words(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    home.table("person", vec![("id", refs(&ids)), ("name", refs(&names)), ("at", integers(&vec![1; ids.len()]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
}

/// Every part that a reader can see stands in a manifest, and nothing half-written stands beside them.
fn assert_whole(home: &Home, moment: u64) {
    let out = home.path("out");
    let mut named = 0;
    let all = files(&out);
    for path in &all {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(!name.starts_with('.') && !name.contains("tmp"), "killed after {moment} ms: {name} was left");
        if name.ends_with("manifest.json") {
            let manifest: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            named += 1 + manifest["files"].as_array().unwrap().len();
        }
    }
    assert_eq!(named, all.len(), "killed after {moment} ms: a part without manifest in {all:?}");
}

/// Kills one publish a moment, each a share of a whole publish's time, and publishes after it; how many died in time.
fn killed_at(moments: impl Iterator<Item = f64>) -> u32 {
    let home = Home::new(&config(ACTIVATION, ""));
    lake(&home, 0);
    home.publish(&["a"]);
    // Timed on a publish like those that are killed, with the program in the file cache.
    lake(&home, 250);
    let started = std::time::Instant::now();
    home.publish(&["a"]);
    let whole = u64::try_from(started.elapsed().as_millis()).unwrap();
    let mut killed = 0;
    for (step, share) in (1..).zip(moments) {
        lake(&home, step * 500);
        let mut child = home.command(&["publish", "a", "--quiet"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        let moment = (whole as f64 * share) as u64;
        thread::sleep(Duration::from_millis(moment));
        child.kill().unwrap();
        killed += u32::from(!child.wait().unwrap().success());
        let receipt = home.publish(&["a"]);
        assert_whole(&home, moment);
        let held = home.held();
        assert_eq!(held.len(), usize::try_from(PEOPLE).unwrap(), "killed after {moment} ms");
        assert_eq!(held.keys().next().unwrap(), &format!("m{:06}", step * 500));
        assert_eq!(count(&receipt, "resolved"), u64::try_from(PEOPLE).unwrap());
        let scratch = files(&home.path("herald-data/scratch"));
        assert_eq!(scratch.len(), 1, "rows of a dead publish were left: {scratch:?}");
        let (status, verified) = home.json(&["verify", "a"]);
        assert_eq!(status, 0, "{verified}");
    }
    killed
}

#[test]
fn killed_at_any_moment_nothing_is_lost_half_visible_or_sent_twice() {
    // Spread over the whole publish, denser towards its end, where it seals, commits and acknowledges.
    let killed = killed_at((1..=16).map(|step| f64::from(step * step) / 256.0 + 0.005));
    assert!(killed >= 8, "only {killed} of 16 publishes were killed in time to test anything");
}

#[test]
fn two_publishes_of_one_activation_never_overlap() {
    let home = Home::new(&config(ACTIVATION, ""));
    lake(&home, 0);
    let first = home.command(&["publish", "a", "--quiet"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let lock = home.path("herald-data/locks/a.lock");
    while !lock.exists() {
        thread::sleep(Duration::from_millis(5));
    }
    let refused = home.json(&["publish", "a", "--no-wait"]);
    let waited = home.publish(&["a"]);
    let mut first = first;
    assert!(first.wait().unwrap().success());
    // The one that did not wait came while the first held the lock, or just after it let go.
    if refused.0 != 0 {
        assert_eq!((refused.0, refused.1["error"]["code"].as_str().or(refused.1["code"].as_str())), (1, Some("busy")));
    }
    assert_eq!(count(&waited, "unchanged"), u64::try_from(PEOPLE).unwrap());
}

/// Publishes with a process that aborts at a moment. Whether it came by.
fn aborted(home: &Home, moment: &str) -> bool {
    let mut command = home.command(&["publish", "a", "--quiet"]);
    let status = command.env("HERALD_CRASH_AT", moment).stderr(std::process::Stdio::null()).status().unwrap();
    assert!(status.success() || status.code().is_none(), "{moment}: {status}");
    !status.success()
}

#[test]
fn aborted_at_every_named_moment_nothing_is_lost_half_visible_or_sent_twice() {
    let home = Home::new(&config(ACTIVATION, ""));
    lake(&home, 0);
    home.publish(&["a"]);
    let mut cut = Vec::new();
    for (step, moment) in MOMENTS.iter().chain(&["written:2", "seal_stored"]).enumerate() {
        let generation = 100 * (i64::try_from(step).unwrap() + 1);
        lake(&home, generation);
        if !aborted(&home, moment) {
            continue;
        }
        cut.push(*moment);
        // The one that settles is aborted, too.
        if *moment == "seal_stored" {
            assert!(aborted(&home, "settling") && aborted(&home, "recovered") && aborted(&home, "acknowledged"));
        }
        let again = home.publish(&["a"]);
        assert_whole(&home, 0);
        let held = home.held();
        assert_eq!(held.len(), usize::try_from(PEOPLE).unwrap(), "{moment}");
        assert_eq!(held.keys().next().unwrap(), &format!("m{generation:06}"), "{moment}");
        let settled = ["seal_stored", "committed", "acknowledged"].contains(moment);
        assert_eq!(count(&again, "delivered") == 0, settled, "{moment}: what was sealed is not sent twice");
    }
    let expected = [
        "queued",
        "spooled",
        "ticket_stored",
        "begun",
        "written",
        "sealed",
        "seal_stored",
        "committed",
        "acknowledged",
        "written:2",
        "seal_stored",
    ];
    assert_eq!(cut, expected);
}

#[test]
#[ignore = "takes minutes: make soak"]
fn soak_killed_at_200_random_moments() {
    let mut random = Random::new(crate::simulation::number("HERALD_SIM_SEED").unwrap_or(1));
    // Half of them in the last third, where it seals, commits and acknowledges.
    let share = |random: &mut Random| random.below(10_000) as f64 / 10_000.0;
    let mut moment = |number: i32| if number % 2 == 0 { share(&mut random) } else { 0.66 + share(&mut random) * 0.36 };
    // In several homes: who looks at a target reads all that was ever published to it.
    let killed: u32 = (0..8).map(|_| killed_at((0..25).map(&mut moment))).sum();
    assert!(killed >= 120, "only {killed} of 200 publishes were killed in time to test anything");
}
