//! The segment's step: which entry of the rule lets a member in or keeps it out.

use std::sync::Arc;

use herald::{
    config,
    publish::{Outcome, Presence, PublishKind, Publisher, Request, Silent, Whom},
};
use tokio_util::sync::CancellationToken;

use super::{
    explain,
    lake::{Keyed, SEGMENTS, home as drawn, shown},
    outcomes, step,
};
use crate::{
    publishing::{self, floats, integers, texts, words},
    support::{Home, replay},
};

const SEGMENTS_HERE: &str = "
  german: { from: person, where: country = 'DE' }
  buyers: { from: person, sql: 'SELECT person FROM contact GROUP BY person HAVING count(*) >= 2' }
  keen: { from: keen, where: worth > 1 }
  both: { from: person, all_of: [german, buyers] }
  either: { from: person, any_of: [german, buyers, { where: score > 90 }] }
  neither: { from: person, none_of: [german, { where: score > 60 }] }
  nested: { from: person, where: score > 10, any_of: [{ all_of: [german], none_of: [buyers] }, keen] }
  keen_ones: { from: person, all_of: [keen] }
  top: { from: person, where: score > 10, limit: { members: 2, order_by: score DESC } }
  tiers: { from: person, waterfall: [top, german, buyers] }
";

/// a: DE 95, two contacts, keen · b: FR 60, two contacts · c: DE 20 · d: no country, 70 · e: GB 5
fn home(segment: &str) -> Home {
    let activation = format!("\n    segment: {segment}\n    mode: incremental\n    attributes: {{ id: id }}\n");
    let text = publishing::config(&activation, SEGMENTS_HERE)
        .replace("      contact:", "      keen: { path: lake/keen.parquet, key: keen }\n      contact:");
    let home = Home::new(&text);
    home.table(
        "person",
        vec![
            ("id", words(&["a", "b", "c", "d", "e"])),
            ("country", texts(&[Some("DE"), Some("FR"), Some("DE"), None, Some("GB")])),
            ("score", floats(&[95.0, 60.0, 20.0, 70.0, 5.0])),
            ("at", integers(&[1; 5])),
        ],
    );
    home.table("contact", vec![("cid", words(&["1", "2", "3", "4"])), ("person", words(&["a", "a", "b", "b"]))]);
    home.table("keen", vec![("keen", words(&["a", "c"])), ("worth", integers(&[5, 0]))]);
    home
}

#[test]
fn each_kind_of_rule_names_the_entry_that_decides() {
    for (segment, key, outcome, detail) in [
        ("german", "a", "passed", "belongs to `german`: `german.where` holds"),
        ("german", "b", "failed", "does not belong to `german`: `german.where` is false or null"),
        ("german", "d", "failed", "does not belong to `german`: `german.where` is false or null"),
        ("buyers", "b", "passed", "belongs to `buyers`: `buyers.sql` holds"),
        ("buyers", "c", "failed", "does not belong to `buyers`: `buyers.sql` does not yield it"),
        ("both", "a", "passed", "belongs to `both`: `german.where` and `buyers.sql` hold"),
        ("both", "b", "failed", "does not belong to `both`: `german.where` is false or null"),
        (
            "both",
            "e",
            "failed",
            "does not belong to `both`: `german.where` is false or null; `buyers.sql` does not yield it",
        ),
        ("either", "b", "passed", "belongs to `either`: `buyers.sql` holds"),
        (
            "either",
            "e",
            "failed",
            "does not belong to `either`: no part of `either.any_of` holds it: `german.where` is false or null; \
             `buyers.sql` does not yield it; `either.any_of[2].where` is false or null",
        ),
        ("neither", "e", "passed", "belongs to `neither`, whose rule rules nobody out"),
        ("neither", "c", "failed", "does not belong to `neither`: `neither.none_of[0]` holds it, by `german.where`"),
        (
            "neither",
            "d",
            "failed",
            "does not belong to `neither`: `neither.none_of[1]` holds it, by `neither.none_of[1].where`",
        ),
        ("nested", "c", "passed", "belongs to `nested`: `nested.where` and `german.where` hold"),
        ("nested", "a", "passed", "belongs to `nested`: `nested.where` and segment `keen` hold"),
        (
            "nested",
            "b",
            "failed",
            "does not belong to `nested`: no part of `nested.any_of` holds it: `german.where` is false or null and \
             `nested.any_of[0].none_of[0]` holds it, by `buyers.sql`; segment `keen`, over the table `keen`, does not \
             hold it",
        ),
        ("keen_ones", "a", "passed", "belongs to `keen_ones`: segment `keen` holds"),
        (
            "keen_ones",
            "c",
            "failed",
            "does not belong to `keen_ones`: segment `keen`, over the table `keen`, does not hold it",
        ),
        ("top", "d", "passed", "belongs to `top`: `top.where` and `top.limit` hold"),
        ("top", "b", "failed", "does not belong to `top`: it is not among the first 2 of `top.limit`"),
        ("top", "e", "failed", "does not belong to `top`: `top.where` is false or null"),
        ("tiers", "c", "passed", "belongs to `tiers`: `german.where` holds"),
        (
            "tiers",
            "e",
            "failed",
            "does not belong to `tiers`: no part of `tiers.waterfall` holds it: `top.where` is false or null; \
             `german.where` is false or null; `buyers.sql` does not yield it",
        ),
        ("tiers.german", "c", "passed", "belongs to `tiers.german`: `german.where` holds"),
        (
            "tiers.german",
            "a",
            "failed",
            "does not belong to `tiers.german`: the rung `top` takes it first, by `top.where` and `top.limit`",
        ),
        ("tiers.buyers", "c", "failed", "does not belong to `tiers.buyers`: `buyers.sql` does not yield it"),
    ] {
        let explained = explain(&home(segment), key);
        assert_eq!(step(&explained, "segment"), (outcome, detail), "{segment} {key}");
        let then = if outcome == "passed" {
            "passed passed passed added none no"
        } else {
            "failed skipped skipped none none no"
        };
        assert_eq!(outcomes(&explained), then, "{segment} {key}");
    }
}

#[test]
fn a_key_that_nobody_has_is_an_answer() {
    let home = home("german");
    for key in ["nobody", "", "-1", "x|y", "ü' OR 1=1 --"] {
        let explained = explain(&home, key);
        assert_eq!(outcomes(&explained), "failed skipped skipped none none no");
        assert_eq!(step(&explained, "segment").1, "the table `person` holds no row with this key");
    }
    let ran = home.run(&["explain", "a", "nobody"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("a  nobody  not held\n\n  ✗ segment "), "{ran:?}");
}

#[test]
fn an_unknown_activation_is_a_usage_error() {
    assert_eq!(home("german").run(&["explain", "b", "a"]).status, 2);
}

#[tokio::test]
async fn of_members_of_many_segments_it_says_what_a_publish_does() {
    const PERSONS: u64 = 40;
    let home = drawn(Keyed::Both, PERSONS, 11);
    let config = Arc::new(config::load(&home.path("herald.yaml")).unwrap());
    let publisher = Publisher::open(config).await.unwrap();
    let cancel = CancellationToken::new();
    let mut all = 0;
    for (number, segment) in SEGMENTS.iter().enumerate().step_by(2) {
        let name = format!("a{number}");
        let request = Request {
            activation: name.clone(),
            kind: PublishKind::Manual,
            full: false,
            whom: Whom::Everybody,
            override_reason: Some("a test".into()),
            receipt: None,
            wait: true,
            unattended: false,
        };
        publisher.publish(&request, &Silent, &cancel).await.unwrap();
        let held = replay(&home.path(&format!("out/{name}")));
        all += held.len();
        // One that is held, if any is, and two others.
        let nobody = (0..PERSONS).map(|person| shown(Keyed::Both, person)).filter(|key| !held.contains_key(key));
        for key in held.keys().next().cloned().into_iter().chain(nobody.take(1)) {
            let explained = publisher.explain(&name, &key, &cancel).await.unwrap();
            let (presence, settled) = match held.contains_key(&key) {
                true => (Presence::Yes, Outcome::Unchanged),
                false => (Presence::No, Outcome::None),
            };
            let delta = explained.steps.iter().find(|step| step.name == "delta").unwrap();
            assert_eq!((explained.held, delta.outcome), (presence, settled), "{segment} {key}: {explained:#?}");
        }
    }
    assert!(all > 30, "only {all} members were published");
}

#[test]
fn a_text_that_can_be_no_key_says_so() {
    let home = drawn(Keyed::Integer, 5, 1);
    let (status, explained) = home.json(&["explain", "a0", "abc"]);
    assert_eq!(status, 0);
    assert_eq!(outcomes(&explained), "failed skipped skipped none none no");
    assert_eq!(step(&explained, "segment").1, "this can't be a key of `person`, whose key is Int64");
    let home = drawn(Keyed::Both, 5, 1);
    let (_, explained) = home.json(&["explain", "a0", "abc"]);
    assert_eq!(step(&explained, "segment").1, "this can't be a key of `person`, whose key has 2 parts, joined by `|`");
}
