//! The dashboard, looked at with a real browser. The cases themselves are in `cases/*.mjs`.

mod seed;
mod served;

use std::{path::PathBuf, process::Command, time::Duration};

use served::Served;

use crate::support::Home;

/// Of `tests/setup.sh`.
const PLAYWRIGHT: &str = "1.65.1";

/// Runs one of the cases in a browser. What it says is shown if it fails.
fn look(case: &str, served: &Served) {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/dashboard/cases");
    let cache = std::env::var_os("HERALD_CACHE").map_or_else(
        || {
            let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
            std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("herald")
        },
        PathBuf::from,
    );
    let playwright = cache.join(format!("playwright-{PLAYWRIGHT}/node_modules/playwright-core/index.mjs"));
    assert!(playwright.exists(), "run tests/setup.sh: {} is missing", playwright.display());
    let shots = std::env::var_os("HERALD_SCREENSHOTS")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots"), PathBuf::from);
    std::fs::create_dir_all(&shots).unwrap();
    let output = Command::new("node")
        .arg(here.join(format!("{case}.mjs")))
        .env("HERALD_PLAYWRIGHT", playwright)
        .env("HERALD_SCREENSHOTS", shots)
        .env("HERALD_URL", &served.url)
        .output()
        .expect("node is there: see tests/setup.sh");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{failed}");
}

fn shop() -> Home {
    let home = Home::new(seed::CONFIG);
    seed::lake(&home);
    home
}

#[test]
fn pages_are_whole_named_legible_and_ask_for_nothing_elsewhere() {
    let home = shop();
    let served = Served::start(&home, seed::fleet);
    look("reading", &served);
}

#[test]
fn what_other_processes_publish_shows_without_loading_the_page_again() {
    let home = shop();
    let served = Served::start(&home, seed::fleet);
    let publisher = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            // Once the page listens: its first look is at what is there before.
            served.until_heard(Duration::from_secs(30));
            home.publish(&["gold_to_partner"])
        });
        look("live", &served);
        other.join().unwrap()
    });
    assert_eq!(publisher["status"], "succeeded");
}

#[test]
fn buttons_ask_the_api_with_the_csrf_token_and_show_what_it_says() {
    let home = shop();
    let served = Served::start(&home, seed::fleet);
    look("acting", &served);
    let asked = served.asked();
    let expect = [
        "POST /v1/activations/gold_to_partner/publishes {\"kind\":\"manual\"} token",
        "POST /v1/activations/newsletter/pause  token",
        "POST /v1/reload  token",
        "DELETE /v1/activations/gold_to_partner?data=purge  token",
    ];
    for one in expect {
        assert!(asked.iter().any(|asked| asked == one), "{one} in {asked:#?}");
    }
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("DELETE")).count(), 1, "{asked:#?}");
}

#[test]
fn who_may_only_read_sees_no_button() {
    let home = shop();
    let served = Served::start_for(&home, herald::config::Scope::Read, seed::fleet);
    look("onlooker", &served);
}

#[test]
fn a_thousand_activations_are_there_at_once() {
    let home = Home::new(&seed::many(1000));
    seed::lake(&home);
    let served = Served::start(&home, seed::crowd);
    look("crowd", &served);
}
