//! The dashboard in a real Chromium.

use std::{fmt::Write, path::PathBuf};

use super::{HEAD, Run, TOKEN, people};
use crate::support::{Home, files};

/// As `tests/setup.sh` installs it.
const PLAYWRIGHT: &str = "playwright-1.65.1";

fn cache() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    set("HERALD_CACHE").unwrap_or_else(|| {
        let caches = set("XDG_CACHE_HOME").unwrap_or_else(|| set("HOME").expect("a home").join(".cache"));
        caches.join("herald")
    })
}

/// Runs a case of `browser.mjs`.
async fn browse(run: &Run, token: &str, case: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/service/browser.mjs");
    let mut node = tokio::process::Command::new("node");
    node.args([script, &run.base, token, case])
        .env("PLAYWRIGHT", cache().join(PLAYWRIGHT))
        .env("CHROMIUM", "/usr/bin/chromium");
    let ran = node.kill_on_drop(true).output().await.expect("node, which tests/setup.sh installs");
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_read_by_everybody_follow_what_happens_and_do_what_they_offer() {
    // Takes requests and answers none, so that what it is sent runs until it is cancelled.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = format!(
        "service: {{ http: {{ listen: 127.0.0.1:0, tokens: [ {{ name: ops, token: {TOKEN}, scope: admin }} ] }} }}
{}  silent: {{ type: webhook, url: 'http://{}/', batch: 500, format: ndjson }}
activations:
  gold: {{ segment: few, target: out, attributes: {{ id: id, name: name }}, refresh: {{ manual: true }}, freshness: 26h }}
  many: {{ segment: everyone, target: silent, attributes: {{ id: id, name: name }}, refresh: {{ every: 12h }}, paused: true }}
",
        HEAD.replace("segments:\n", "segments:\n  few: { from: person, where: 'id < 100' }\n"),
        silent.local_addr().unwrap()
    );
    let home = Home::new(&config);
    people(&home, 2_000, 0);
    let run = Run::start(&home).await;
    browse(&run, TOKEN, "everything").await;
    assert!(files(&home.path("out")).iter().all(|path| !path.to_str().unwrap().contains("/gold/")), "it was purged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_activations_are_on_the_screen_within_a_second() {
    let mut config = format!("service: {{ http: {{ listen: 127.0.0.1:0 }} }}\n{HEAD}activations:\n");
    for number in 0..1_000 {
        let _ = writeln!(
            config,
            "  a_{number:04}: {{ segment: everyone, target: out, attributes: {{ id: id }}, refresh: {{ manual: true }} }}"
        );
    }
    let home = Home::new(&config);
    people(&home, 20, 0);
    let run = Run::start(&home).await;
    browse(&run, "", "thousand").await;
}
