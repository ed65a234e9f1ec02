//! The compose file, and what stands beside it.

use std::{fs, process::Command};

use serde_json::Value;

use super::{done, path, read, yaml};
use crate::{cli::herald, cli::stderr, support::Home};

const FOLDER: &str = "deploy/compose";

#[test]
fn every_service_is_pinned_shut_in_and_out_of_others_reach() {
    let compose = yaml("deploy/compose/compose.yaml");
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.keys().map(String::as_str).collect::<Vec<_>>(), ["herald", "prometheus", "grafana"]);
    for (name, service) in services {
        let tag = service["image"].as_str().unwrap().rsplit_once(':').unwrap().1;
        assert!(tag.starts_with(|letter: char| letter.is_ascii_digit() || letter == 'v'), "{name}: {tag}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
        for volume in service["volumes"].as_array().unwrap() {
            let (from, rest) = volume.as_str().unwrap().split_once(':').unwrap();
            if from.starts_with('.') {
                assert!(path(FOLDER).join(from).exists(), "{from} is not there");
                assert!(rest.ends_with(":ro"), "{volume}");
            } else {
                assert!(compose["volumes"].as_object().unwrap().contains_key(from), "{from}");
            }
        }
        for secret in service["secrets"].as_array().unwrap() {
            assert!(compose["secrets"].as_object().unwrap().contains_key(secret.as_str().unwrap()), "{secret}");
        }
        let text = service["environment"].to_string();
        assert!(!text.contains("PASSWORD\":"), "{name} has a secret in its environment");
    }
}

#[test]
fn secrets_are_made_once_and_the_config_runs_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("secrets");
    fs::copy(path("deploy/compose/secrets"), &script).unwrap();
    done(Command::new("sh").arg(&script));
    let secret = |name: &str| fs::read_to_string(dir.path().join("secrets.d").join(name)).unwrap();
    let names = yaml("deploy/compose/compose.yaml")["secrets"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let first: Vec<String> = names.iter().map(|name| secret(name)).collect();
    assert!(first.iter().all(|text| text.len() >= 44 && !text.contains('\n')), "they are long enough");
    done(Command::new("sh").arg(&script));
    assert_eq!(names.iter().map(|name| secret(name)).collect::<Vec<_>>(), first, "what is there stays");

    // The config as it is in the container, with the container's folders elsewhere.
    let config = read("deploy/compose/herald/herald.yaml")
        .replace("/run/secrets", dir.path().join("secrets.d").to_str().unwrap())
        .replace("/srv/lake", path("config/lake").to_str().unwrap())
        .replace("/var/lib/herald", dir.path().join("data").to_str().unwrap());
    let home = Home::new(&config);
    let receipt = home.publish(&["gold_customers"]);
    assert!(receipt["counts"]["delivered"].as_u64() > Some(0), "{receipt}");
    let checked = home.run(&["check", "--connect"]);
    assert_eq!(checked.status, 0, "{checked:?}");
    assert!(!dir.path().join("data/data/key").exists(), "the key is the secret");
}

#[test]
fn prometheus_reads_its_config_and_asks_with_its_own_token() {
    let dir = tempfile::tempdir().unwrap();
    let text = read("deploy/compose/prometheus/prometheus.yml")
        .replace("/etc/prometheus/rules.yaml", path("deploy/prometheus/rules.yaml").to_str().unwrap())
        .replace("/run/secrets", dir.path().to_str().unwrap());
    fs::write(dir.path().join("metrics_token"), "t").unwrap();
    let file = dir.path().join("prometheus.yml");
    fs::write(&file, text).unwrap();
    done(Command::new("promtool").args(["check", "config"]).arg(&file));
    let scraped = &yaml("deploy/compose/prometheus/prometheus.yml")["scrape_configs"][0];
    assert_eq!(scraped["job_name"], "herald", "the alerts know it by this word");
    let listen = "0.0.0.0:8080";
    assert!(read("deploy/compose/herald/herald.yaml").contains(listen));
    assert_eq!(scraped["static_configs"][0]["targets"], serde_json::json!(["herald:8080"]));
}

#[test]
fn grafana_finds_its_source_and_the_dashboard() {
    let source = &yaml("deploy/compose/grafana/provisioning/datasources/prometheus.yaml")["datasources"][0];
    assert_eq!((&source["type"], &source["isDefault"]), (&Value::from("prometheus"), &Value::from(true)));
    let folder = &yaml("deploy/compose/grafana/provisioning/dashboards/herald.yaml")["providers"][0]["options"]["path"];
    let volumes = yaml("deploy/compose/compose.yaml")["services"]["grafana"]["volumes"].to_string();
    assert!(volumes.contains(&format!("../grafana:{}:ro", folder.as_str().unwrap())), "{volumes}");
}

#[test]
fn the_config_without_its_secrets_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("herald.yaml"), read("deploy/compose/herald/herald.yaml")).unwrap();
    let ran = herald(dir.path(), "check --config herald.yaml");
    assert_eq!(ran.status.code(), Some(2));
    assert!(stderr(&ran).contains("/run/secrets/herald_key"), "{}", stderr(&ran));
}
