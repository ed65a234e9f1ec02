//! What came by `${file:}` shows in no log, error, page, metric or alert, whatever it is.

use std::fs;

use reqwest::Client;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{ADMIN, canary::Run, client};
use crate::{
    service::{people, until},
    support::{Home, files},
};

/// File and text. Whatever of them shows is found by `canary`, or by the numbers below.
const SECRETS: [(&str, &str); 16] = [
    ("lake", "./lake/canary-lake/*.parquet"),
    ("folder", "./canary-folder/.//out"),
    ("host", "Canary-Host.invalid"),
    ("port", "42213"),
    ("user", "canary-user"),
    ("path", "/canary-path/in"),
    ("bucket", "canary-bucket"),
    ("prefix", "canary-prefix"),
    ("url", "http://127.0.0.1:9/canary-hook"),
    ("connection", "AccountName=canaryacct;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/canaryacct"),
    ("rule", "name <> 'canary-name'"),
    ("cron", "17 3 13 * *"),
    ("freshness", "7919h"),
    ("members", "987654"),
    ("files", "{activation}/canary-files-{sequence}-{part}.{ext}"),
    ("short", "59m"),
];
/// How those show that are no texts.
const NUMBERS: [&str; 9] =
    ["42213", "17 3 13", "28508400", "7919", "329 d", "987654", "987,654", "987\u{202f}654", "3540"];

const TARGETS: &str = r#"
sources: { lake: { type: files, tables: { person: { path: "${file:secrets/lake}", key: id } } } }
segments:
  everyone: { from: person, where: "${file:secrets/rule}" }
  broken: { from: person, where: "true", limit: { members: "${file:secrets/members}", order_by: "id" } }
targets:
  here: { type: local, path: "${file:secrets/folder}" }
  far: { type: sftp, host: "${file:secrets/host}", port: "${file:secrets/port}", user: "${file:secrets/user}", path: "${file:secrets/path}", password: x, host_key: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU" }
  bucket: { type: s3, bucket: "${file:secrets/bucket}", prefix: "${file:secrets/prefix}", region: eu-central-1, endpoint: "http://127.0.0.1:9", access_key_id: a, secret_access_key: b }
  blob: { type: azure_blob, container: partner, connection_string: "${file:secrets/connection}" }
  ramp: { type: liveramp, audience: A, region: us, folder: f, via: { type: sftp, host: "${file:secrets/host}", user: u, password: x, host_key: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", path: in } }
  hook: { type: webhook, url: "${file:secrets/url}", timeout: 2s }
activations:
"#;

fn home(alerts: &str) -> Home {
    let more = r#"segment: everyone, attributes: { id: id, name: name }, refresh: { cron: "${file:secrets/cron}" }, freshness: "${file:secrets/freshness}", resync: { every: "${file:secrets/freshness}" }, rapid: { every: "${file:secrets/short}" }, guards: { max_members: "${file:secrets/members}" }, retry: { attempts: 1, max_elapsed: "${file:secrets/short}" }, mode: incremental"#;
    let mut config = format!(
        "service: {{ watch: false, http: {{ listen: 127.0.0.1:0, tokens: [ {{ name: admin, token: {ADMIN}, scope: admin }} ] }}, alerts: [ {{ format: webhook, url: \"{alerts}\", when: [failed] }} ] }}\n{TARGETS}"
    );
    for target in ["here", "far", "bucket", "blob", "hook"] {
        let files = if target == "hook" {
            ""
        } else {
            ", files: { path: \"${file:secrets/files}\", keep: { age: \"${file:secrets/freshness}\" } }"
        };
        config += &format!("  to_{target}: {{ target: {target}, {more}{files} }}\n");
    }
    config += "  to_ramp: { target: ramp, segment: everyone, mode: full, attributes: { id: id, EMAIL1: name }, refresh: { manual: true }, retry: { attempts: 1 } }\n";
    let home = Home::new(&config);
    people(&home, 20, 0);
    fs::create_dir(home.path("canary-folder")).unwrap();
    fs::create_dir_all(home.path("lake/canary-lake")).unwrap();
    fs::rename(home.path("lake/person.parquet"), home.path("lake/canary-lake/person.parquet")).unwrap();
    fs::create_dir(home.path("secrets")).unwrap();
    for (name, text) in SECRETS {
        fs::write(home.path("secrets").join(name), format!("{text}\n")).unwrap();
    }
    home
}

/// Paths of delivered objects are what a receipt is for.
fn assert_silent_but_for_paths(what: &str, told: &str) {
    assert_silent(what, &told.replace("canary-files", ""));
}

fn assert_silent(what: &str, told: &str) {
    let lower = told.to_lowercase();
    let shows = lower.find("canary").or_else(|| NUMBERS.iter().find_map(|number| lower.find(number)));
    if let Some(at) = shows {
        let from = lower.floor_char_boundary(at.saturating_sub(200));
        panic!("{what} shows: {}", &lower[from..lower.floor_char_boundary(at + 100)]);
    }
}

#[test]
fn commands_show_nothing_of_it() {
    let home = home("http://127.0.0.1:9/");
    let run = |arguments: &[&str]| {
        let output = home.command(arguments).env("HERALD_LOG", "debug").output().unwrap();
        assert_silent_but_for_paths(&format!("stdout of {arguments:?}"), &String::from_utf8_lossy(&output.stdout));
        assert_silent(&format!("stderr of {arguments:?}"), &String::from_utf8_lossy(&output.stderr));
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), log)
    };
    for arguments in [&["check"][..], &["publish", "to_here"], &["verify", "to_here"]] {
        let (status, log) = run(arguments);
        assert_eq!(status, 0, "{arguments:?}: {log}");
    }
    assert!(home.path("canary-folder/out/to_here").is_dir(), "the texts are used");
    for arguments in [
        &["check", "--connect"][..],
        &["publish", "to_far"],
        &["publish", "to_bucket", "--json"],
        &["publish", "to_blob"],
        &["publish", "to_hook"],
        &["publish", "to_ramp"],
    ] {
        let (status, log) = run(arguments);
        assert_eq!(status, 1, "{arguments:?}: {log}");
    }
    for arguments in [&["status"][..], &["status", "--json"], &["audit"], &["delete", "to_here", "--plan"]] {
        run(arguments);
    }
    // A guard that stops a publish does not say at what.
    fs::write(home.path("secrets/members"), "19").unwrap();
    let (status, log) = run(&["publish", "to_here", "--full"]);
    assert!(status == 4 && log.contains("`guards.max_members` is (withheld), this publish would make it 20"), "{log}");
    // A source that goes, and one that is no file of its kind.
    for file in files(&home.path("lake")) {
        fs::write(file, "no parquet").unwrap();
    }
    assert_ne!(run(&["check"]).0, 0);
    assert_ne!(run(&["publish", "to_here"]).0, 0);
    fs::remove_dir_all(home.path("lake")).unwrap();
    assert_ne!(run(&["check", "--json"]).0, 0);
    assert_ne!(run(&["publish", "to_here", "--json"]).0, 0);
    run(&["receipts", "--json"]);
    // What is gone from the config is torn down by what is on record.
    fs::write(home.path("herald.yaml"), "activations: {}\n").unwrap();
    run(&["delete", "to_far", "--purge"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_shows_nothing_of_it() {
    let alerts = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&alerts).await;
    let home = home(&alerts.uri());
    let run = Run::start(&home).await;
    let client: Client = client();
    let ask = async |method: &str, path: &str| {
        let request = client.request(method.parse().unwrap(), format!("{}{path}", run.base)).bearer_auth(ADMIN);
        let request = request.header("content-type", "application/json");
        let answer = if method == "POST" { request.body(r#"{"kind":"manual"}"#) } else { request };
        let answer = answer.send().await.unwrap();
        answer.text().await.unwrap()
    };
    let names = ["to_here", "to_far", "to_bucket", "to_blob", "to_hook", "to_ramp"];
    for name in names {
        let told = ask("POST", &format!("/v1/activations/{name}/publishes")).await;
        assert!(told.contains("\"id\""), "{told}");
    }
    until("all but one have failed", async || {
        let receipts = ask("GET", "/v1/publishes").await;
        (receipts.matches("\"error\":{").count() >= 4 && receipts.contains("\"succeeded\"")).then_some(())
    })
    .await;
    let mut pages = vec!["/".to_owned(), "/v1/activations".into(), "/v1/publishes".into(), "/metrics".into()];
    for name in names {
        pages.extend(["/activations/", "/v1/activations/"].map(|start| format!("{start}{name}")));
        let receipts = ask("GET", &format!("/v1/publishes?activation={name}")).await;
        let receipts: serde_json::Value = serde_json::from_str(&receipts).unwrap();
        let id = receipts[0]["id"].as_str().unwrap();
        pages.extend(["/publishes/", "/v1/publishes/"].map(|start| format!("{start}{id}")));
    }
    for page in pages {
        let told = ask("GET", &page).await;
        assert!(!told.is_empty(), "{page}");
        if page.starts_with("/v1/") {
            assert_silent_but_for_paths(&page, &told);
        } else {
            assert_silent(&page, &told);
        }
        if page == "/v1/activations/to_here" {
            let definition: serde_json::Value = serde_json::from_str(&told).unwrap();
            let definition = &definition["definition"];
            let withheld =
                ["refresh", "rapid", "resync", "freshness", "guards.max_members", "retry.max_elapsed", "files.keep"];
            assert_eq!(definition["withheld"], serde_json::json!(withheld));
            assert_eq!(definition["target"]["place"], "(withheld)");
            assert_eq!(definition["guards"]["max_removed"], 0.5, "what is said openly stays");
        }
    }
    for name in names {
        let plan = ask("GET", &format!("/activations/{name}/deletion?data=purge")).await;
        assert_silent_but_for_paths(name, &plan);
    }
    let posted = until("failures are alerted of", async || {
        let posted = alerts.received_requests().await.unwrap();
        (posted.len() >= 4).then_some(posted)
    })
    .await;
    for request in posted {
        assert_silent("an alert", &String::from_utf8_lossy(&request.body));
    }
    assert_silent("the log", &run.log());
}
