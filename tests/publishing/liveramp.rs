//! Publishes to LiveRamp through a folder: from the lake to audience and deletion files.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use super::{integers, texts, words};
use crate::support::{Home, count, files};

/// `target` and `activation` hold further keys of both.
fn config(target: &str, activation: &str) -> String {
    format!(
        "
sources:
  lake:
    type: files
    tables:
      person: {{ path: lake/person.parquet, key: id }}
segments:
  everyone: {{ from: person, where: 'true' }}
targets:
  ramp:
    type: liveramp
    via: {{ type: local, path: ./out }}
    audience: GOLD
    region: us
    folder: gold
{target}
activations:
  a:
    segment: everyone
    target: ramp
    refresh: {{ manual: true }}
    guards: {{ max_removed: 100% }}
    attributes: {{ EMAIL1: email, PHONE1_SHA-1: phone, TIER: tier, VISITS: visits }}
{activation}
"
    )
}

/// `printf 2015550123 | sha1sum`
const PHONE: &str = "85234cd49b71718b1b00cd3133214d85bfb96e29";
const DELETIONS: &str = "    deletions: gold_deletions";
const PLAIN: &str = "    files: { compression: none }";

/// Members `from` to `to` of a tier; number 3 has an address that is none, number 4 none at all.
fn people(home: &Home, (from, to): (usize, usize), tier: &str) {
    let numbers: Vec<usize> = (from..to).collect();
    let ids: Vec<String> = numbers.iter().map(|number| format!("m{number}")).collect();
    let emails: Vec<Option<String>> = numbers
        .iter()
        .map(|number| match number {
            3 => Some("nobody".to_owned()),
            4 => None,
            _ => Some(format!(" Person{number}@Example.COM")),
        })
        .collect();
    let emails: Vec<Option<&str>> = emails.iter().map(Option::as_deref).collect();
    let phones: Vec<Option<&str>> = numbers.iter().map(|number| (*number == 5).then_some("(201) 555-0123")).collect();
    let visits: Vec<i64> = numbers.iter().map(|number| *number as i64).collect();
    home.table(
        "person",
        vec![
            ("id", words(&ids.iter().map(String::as_str).collect::<Vec<_>>())),
            ("email", texts(&emails)),
            ("phone", texts(&phones)),
            ("tier", words(&vec![tier; numbers.len()])),
            ("visits", integers(&visits)),
        ],
    );
}

/// Path → lines of every file below the target, header first, rows sorted.
fn seen(home: &Home) -> BTreeMap<String, Vec<String>> {
    let root = home.path("out");
    let read = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[1..].sort();
        (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), lines)
    };
    files(&root).iter().map(read).collect()
}

fn path(receipt: &Value, file: usize) -> String {
    receipt["files"][file]["path"].as_str().unwrap().to_owned()
}

#[test]
fn changes_are_handed_over_as_audience_and_deletion_files() {
    let home = Home::new(&config(DELETIONS, PLAIN));
    people(&home, (0, 60), "gold");
    let checked = home.run(&["check", "--connect"]);
    assert_eq!(checked.status, 0, "{checked:?}");

    let first = home.publish(&["a"]);
    assert_eq!((count(&first, "resolved"), count(&first, "suppressed"), count(&first, "added")), (60, 2, 58));
    assert_eq!(first["suppressed_by"], serde_json::json!({ "invalid:EMAIL1": 1, "no_identifier": 1 }));
    let found = seen(&home);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&path(&first, 0)], "one file and nothing else");
    let lines = &found[&path(&first, 0)];
    assert_eq!(lines[0], "CCID,EMAIL1,PHONE1_SHA-1,TIER,VISITS");
    assert!(lines.contains(&"m0,person0@example.com,,gold,0".to_owned()), "{lines:?}");
    assert!(lines.contains(&format!("m5,person5@example.com,{PHONE},gold,5")), "{lines:?}");
    assert_eq!(home.json(&["verify", "a"]).0, 0);
    let explained = home.json(&["explain", "a", "m3"]).1;
    let step = explained["steps"].as_array().unwrap().iter().find(|step| step["name"] == "identifiers").unwrap();
    assert_eq!((&step["outcome"], &explained["held"]), (&Value::from("failed"), &Value::from("no")), "{explained}");

    // Thirty leave; an address that is only written otherwise changes nothing.
    people(&home, (30, 60), "gold");
    let second = home.publish(&["a"]);
    assert_eq!((count(&second, "unchanged"), count(&second, "removed")), (30, 28));
    let found = seen(&home);
    assert_eq!(found.len(), 2);
    let lines = &found[&path(&second, 0)];
    assert!(path(&second, 0).starts_with("gold_deletions/GOLD_PII_DELETE_"), "{}", path(&second, 0));
    assert_eq!(lines[0], "CCID,EMAIL1,PHONE1_SHA-1,TIER,VISITS");
    assert!(lines.contains(&"m5,,,1,1".to_owned()), "{lines:?}");
    assert_eq!(lines.len(), 29);

    let third = home.publish(&["a"]);
    assert_eq!((third["files"].as_array().unwrap().len(), seen(&home).len()), (0, 2), "nothing changed");
    let gone = home.run(&["delete", "a", "--purge"]);
    assert_eq!(gone.status, 0, "{gone:?}");
    assert_eq!(seen(&home), BTreeMap::new(), "a purge takes back what was handed over");
}

#[test]
fn changes_that_are_too_few_are_kept_for_a_later_publish() {
    let home = Home::new(&config(DELETIONS, PLAIN));
    people(&home, (10, 50), "gold");
    home.publish(&["a"]);
    people(&home, (10, 60), "gold");
    let (status, receipt) = home.json(&["publish", "a"]);
    assert_eq!((status, receipt["error"]["code"].as_str()), (1, Some("target_refused")), "{receipt}");
    assert!(receipt["error"]["message"].as_str().unwrap().contains("fewer than 25 rows"), "{receipt}");
    assert_eq!((count(&receipt, "owed"), seen(&home).len()), (10, 1));
    people(&home, (10, 80), "gold");
    let receipt = home.publish(&["a"]);
    assert_eq!((count(&receipt, "added"), seen(&home).len()), (30, 2));
    let (status, receipt) = home.json(&["publish", "a", "--full"]);
    assert_eq!((status, receipt["error"]["code"].as_str()), (1, Some("target_refused")), "{receipt}");
}

#[test]
fn an_audience_that_each_file_replaces_is_published_whole() {
    let home = Home::new(&config("", "    mode: full\n    files: { compression: none }"));
    people(&home, (10, 50), "gold");
    home.publish(&["a"]);
    people(&home, (20, 50), "gold");
    let receipt = home.publish(&["a"]);
    assert_eq!(count(&receipt, "added"), 30);
    assert_eq!(seen(&home)[&path(&receipt, 0)].len(), 31);
    assert_eq!(seen(&home).len(), 2);
}
