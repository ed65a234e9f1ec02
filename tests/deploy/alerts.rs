//! Prometheus' rules: each is sound, fires when it is to, and leads to a page that says what to do.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::{done, metrics::assert_served, path, read, yaml};

const RULES: &str = "deploy/prometheus/rules.yaml";

fn rules() -> Vec<Value> {
    let groups = yaml(RULES)["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn rules_fire_when_they_are_to_and_not_before() {
    done(Command::new("promtool").args(["check", "rules", "--lint-fatal"]).arg(path(RULES)));
    done(Command::new("promtool").args(["test", "rules"]).arg(path("deploy/prometheus/rules_test.yaml")));
}

#[test]
fn every_alert_is_tested() {
    let tests = read("deploy/prometheus/rules_test.yaml");
    for rule in rules() {
        if let Some(name) = rule["alert"].as_str() {
            // One line that says it is silent proves nothing: labels are there where it fires.
            let fires = tests.split("alertname: ").any(|part| {
                part.split_whitespace().next().is_some_and(|word| word.trim_end_matches(',') == name)
                    && part.trim_start_matches(name).trim_start().starts_with("exp_alerts:")
            });
            assert!(fires, "no test shows {name} fire");
        }
    }
}

#[test]
fn every_rule_reads_what_is_served_and_every_alert_leads_to_its_runbook() {
    let rules = rules();
    let recorded: Vec<&str> = rules.iter().filter_map(|rule| rule["record"].as_str()).collect();
    let operations = read("docs/operations.md");
    let anchors: BTreeSet<String> = operations
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect();
    let mut alerts = 0;
    for rule in &rules {
        assert_served(rule["expr"].as_str().unwrap(), &recorded);
        let Some(name) = rule["alert"].as_str() else { continue };
        alerts += 1;
        assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().is_some_and(|text| text.len() > 10), "{name} has no {text}");
        }
        let anchor =
            rule["annotations"]["runbook_url"].as_str().and_then(|url| url.strip_prefix("docs/operations.md#"));
        assert_eq!(anchor, Some(name.to_lowercase().as_str()));
        assert!(anchors.contains(anchor.unwrap()), "docs/operations.md has no {name}");
    }
    assert!(alerts >= 9, "{alerts}");
}
