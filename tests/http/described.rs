//! The description of the API, and whether the service keeps to it.

use std::{path::Path, process::Command};

use serde_json::Value;

use super::{ADMIN, canary::Run, home, with};
use crate::servers::tool;

#[test]
fn the_description_in_the_repository_is_the_one_of_this_build() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/openapi.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&herald::http::openapi()).unwrap());
    if std::env::var_os("HERALD_WRITE_SCHEMAS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == made, "schemas/openapi.json is out of date: run this test with HERALD_WRITE_SCHEMAS=1");
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    fn references<'a>(node: &'a Value, found: &mut Vec<&'a str>) {
        match node {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = herald::http::openapi();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in &found {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys().filter(|name| *name != "DeadLetter") {
        assert!(found.contains(&&*format!("#/components/schemas/{name}")), "{name} is used nowhere");
    }
}

/// Schemathesis makes requests of all kinds out of the description, right ones and wrong ones, and holds each answer
/// against it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_answers_as_it_is_described_whatever_is_asked() {
    let home = home(&with("", &[("a", "target: out"), ("gold_to_partner", "target: out")]));
    let run = Run::start(&home).await;
    let asked = super::client().post(format!("{}/v1/activations/a/publishes", run.base)).bearer_auth(ADMIN);
    let receipt: Value = serde_json::from_str(&asked.send().await.unwrap().text().await.unwrap()).unwrap();
    let settings = SETTINGS.replace("{id}", receipt["id"].as_str().unwrap());
    std::fs::write(home.path("schemathesis.toml"), settings).unwrap();
    let mut command = Command::new(tool("schemathesis"));
    command
        .current_dir(home.path(""))
        .args(["run", &format!("{}/openapi.json", run.base), "--header", &format!("Authorization: Bearer {ADMIN}")])
        .args(["--url", &run.base, "--max-examples", "8", "--seed", "1", "--workers", "1", "--no-color"])
        .args(["--phases", "coverage,fuzzing", "--continue-on-failure", "--max-time", "15"])
        .args(["--suppress-health-check", "all", "--request-timeout", "20", "--generation-database", "none"])
        .args(["--checks", CHECKS])
        // It does not end.
        .args(["--exclude-path", "/v1/events"]);
    let ran = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (said, failed) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}\n{failed}");
    assert!(!run.log().contains("panicked"), "{}", run.log());
}

/// Names of what there is, so that more than 404 is seen; and what the description has no words for: that a large body is
/// refused before it is read, and that a key stands for one request.
const SETTINGS: &str = "
[parameters]
\"path.name\" = \"a\"
\"path.id\" = \"{id}\"

[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429]

[[operations]]
include-name = \"POST /v1/activations/{name}/publishes\"
[operations.checks.positive_data_acceptance]
enabled = false
";

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,positive_data_acceptance,missing_required_header,\
                      unsupported_method,ignored_auth";
