//! Grafana's dashboard.

use std::{collections::BTreeSet, fmt::Write, process::Command};

use serde_json::Value;

use super::{done, metrics::assert_served, read};

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/grafana/herald.json")).unwrap()
}

/// An expression as Prometheus gets it.
fn filled(expression: &str) -> String {
    let mut text = expression.to_owned();
    for (variable, value) in
        [("$__rate_interval", "5m"), ("$__range", "1h"), ("$job", ".*"), ("$activation", ".*"), ("$target", ".*")]
    {
        text = text.replace(variable, value);
    }
    assert!(!text.contains('$'), "{expression} has an unknown variable");
    text
}

/// Title of the panel, and what it asks for.
fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap();
    let asked = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let title = panel["title"].as_str().unwrap().to_owned();
        targets.into_iter().map(move |target| (title.clone(), filled(target["expr"].as_str().unwrap())))
    });
    let annotations = dashboard["annotations"]["list"].as_array().unwrap();
    let annotated = annotations.iter().map(|one| ("annotation".to_owned(), filled(one["expr"].as_str().unwrap())));
    asked.chain(annotated).collect()
}

#[test]
fn every_expression_parses_and_reads_what_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules.yaml");
    let mut text = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    let expressions = expressions(&dashboard());
    assert!(expressions.len() > 25, "{}", expressions.len());
    for (number, (title, expression)) in expressions.iter().enumerate() {
        assert_served(expression, &[]);
        let quoted = serde_json::to_string(expression).unwrap();
        writeln!(text, "  - {{ record: \"panel:n{number}\", expr: {quoted} }} # {title}").unwrap();
    }
    std::fs::write(&rules, text).unwrap();
    done(Command::new("promtool").args(["check", "rules"]).arg(&rules));
}

#[test]
fn a_dashboard_can_be_provisioned_as_it_stands() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], "herald");
    assert_eq!(dashboard["schemaVersion"], 39, "of Grafana 11");
    assert!(
        dashboard.get("id").is_none() && dashboard.get("__inputs").is_none(),
        "an export for others asks on import"
    );
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    let rows: Vec<&str> =
        panels.iter().filter(|panel| panel["type"] == "row").map(|panel| panel["title"].as_str().unwrap()).collect();
    assert_eq!(
        rows,
        ["Fleet", "Lag against freshness", "Publishes", "How long", "What was sent", "Targets", "Snapshots", "Process"]
    );
    let mut taken: Vec<[i64; 4]> = Vec::new();
    for panel in panels {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_i64().unwrap());
        assert!(x + w <= 24, "{} is too wide", panel["title"]);
        for [ox, oy, ow, oh] in &taken {
            assert!(x + w <= *ox || ox + ow <= x || y + h <= *oy || oy + oh <= y, "{} overlaps", panel["title"]);
        }
        taken.push([x, y, w, h]);
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
            assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", panel["title"]);
        }
    }
}
