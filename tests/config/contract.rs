//! The config of the manual's reference page, as it stands there.

use std::time::Duration;

use herald::config::{Rapid, Refresh};

use super::support::Files;

const CONTRACT: &str = include_str!("../fixtures/config/contract.yaml");

#[test]
fn the_reference_config_loads() {
    let config = Files::one(CONTRACT).config();
    assert_eq!(config.tables.len(), 3);
    assert_eq!(config.segments.keys().collect::<Vec<_>>(), ["gold_buyers", "gold_de", "recent_buyers", "tiers"]);
    let activation = &config.activations["gold_to_partner"];
    let names: Vec<&str> = activation.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!(names, ["individual_id", "full_name", "email", "email_sha", "emails", "spend_90d"]);
    assert_eq!(activation.refresh, Refresh::Every(Duration::from_secs(12 * 3_600)));
    assert_eq!(activation.rapid, Some(Rapid { every: Duration::from_secs(300), overlap: Duration::from_secs(600) }));
}

#[test]
fn the_values_shown_for_the_service_are_its_defaults() {
    let files = Files::one(CONTRACT);
    let shown = files.load_at("herald.yaml").unwrap().service;
    let rest = CONTRACT.split_once("\nsources:").map(|(_, rest)| format!("sources:{rest}")).unwrap();
    let default = Files::one(&rest).config().service;
    assert_eq!(
        (shown.memory, shown.concurrency, shown.max_teardowns_per_reload, shown.http.listen),
        (default.memory, default.concurrency, default.max_teardowns_per_reload, default.http.listen)
    );
    assert!(shown.encryption_key.is_none() && default.encryption_key.is_none());
    assert!(shown.data_dir.ends_with("herald-data") && default.data_dir.ends_with("herald-data"));
}

#[test]
fn an_error_in_the_reference_config_stands_where_it_is() {
    let line = CONTRACT.lines().position(|line| line.contains("    where: country = 'DE'")).unwrap() + 1;
    let lines = Files::one(&CONTRACT.replace("    where: country = 'DE'", "    wher: country = 'DE'")).lines();
    assert_eq!(lines, [format!("{line}:5: unknown_key: segments.gold_de.wher: unknown key, did you mean `where`?")]);
}
