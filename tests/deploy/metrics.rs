//! The metrics that rules and dashboards may speak of.

use std::collections::BTreeSet;

use herald::telemetry::metrics::names;

/// Of the process, as Prometheus' own client libraries name them; and what Prometheus itself adds.
const OTHERS: [&str; 7] = [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_open_fds",
    "process_max_fds",
    "up",
    "ALERTS",
];

/// The metrics that an expression reads: words that are followed by `{`, `[`, `)` or an operator, and are no function,
/// keyword, label or text.
pub(super) fn read_by(expression: &str) -> BTreeSet<String> {
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    let mut metrics = BTreeSet::new();
    let mut rest = expression;
    let mut depth = 0;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|letter| !word(letter)).unwrap_or(rest.len());
        if first == '"' {
            // No text of ours holds a quote.
            rest = &rest[rest[1..].find('"').expect("a text that ends") + 2..];
        } else if length > 0 {
            let (name, after) = rest.split_at(length);
            if depth == 0 && (name.starts_with("herald") || name.starts_with("process_") || OTHERS.contains(&name)) {
                metrics.insert(name.to_owned());
            }
            rest = after;
        } else {
            match first {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    metrics
}

/// Fails on an expression that reads no metric, or one that nobody serves.
pub(super) fn assert_served(expression: &str, recorded: &[&str]) {
    let read = read_by(expression);
    assert!(!read.is_empty(), "{expression} reads no metric");
    for metric in &read {
        let plain = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| metric.strip_suffix(suffix));
        let known = |name: &str| {
            names::ALL.iter().any(|metric| metric.name == name) || OTHERS.contains(&name) || recorded.contains(&name)
        };
        assert!(known(metric) || plain.is_some_and(known), "nobody serves {metric}, which {expression} reads");
    }
}

#[test]
fn metrics_of_an_expression_are_found_and_unknown_ones_are_caught() {
    let expression =
        r#"sum by (herald_label) (rate(herald_bytes_total{herald_x="herald_y"}[5m])) / herald:a:b unless up"#;
    let found: Vec<String> = read_by(expression).into_iter().collect();
    assert_eq!(found, ["herald:a:b", "herald_bytes_total", "herald_label", "up"]);
    assert_served("rate(herald_publish_duration_seconds_bucket[5m])", &[]);
    let unknown = std::panic::catch_unwind(|| assert_served("herald_nonsense_total > 0", &[]));
    assert!(unknown.is_err());
}
