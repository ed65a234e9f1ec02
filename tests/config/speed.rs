//! How long loading takes.

use std::time::{Duration, Instant};

use super::support::{Files, SMALL};

#[test]
fn a_small_config_loads_in_no_time() {
    let files = Files::one(SMALL);
    files.config();
    let started = Instant::now();
    files.config();
    assert!(started.elapsed() < Duration::from_millis(250), "{:?}", started.elapsed());
}

#[test]
fn a_large_config_loads_in_little_time() {
    let segments: String =
        (0..2_000).map(|n| format!("  s{n}: {{ from: individual, where: \"a = {n}\", none_of: [gold] }}\n")).collect();
    let files = Files::one(&SMALL.replace("targets:\n", &format!("{segments}targets:\n")));
    let started = Instant::now();
    assert_eq!(files.config().segments.len(), 2_003);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
