//! The `service` map.

use herald::config::{AlertEvent, AlertFormat, Scope};

use super::support::{Files, SMALL, small};

fn faults(service: &str) -> Vec<String> {
    small("  data_dir: ./data\n", &format!("  {service}\n")).lines()
}

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn every_key_of_the_contract_is_read() {
    let files = small(
        "  data_dir: ./data\n",
        "  data_dir: /srv/herald\n  encryption_key: \"${KEY}\"\n  state: sqlite\n  engine: { type: embedded, memory: 512MiB }\n  concurrency: 2\n  max_teardowns_per_reload: 0\n  http:\n    listen: 0.0.0.0:80\n    tokens: [{ name: ops, token: \"${TOKEN}\", scope: admin }, { name: none, token: \"\", scope: read }]\n  alerts: [{ url: \"https://hooks.example.com/x\", format: slack, when: [failed, lag] }]\n",
    )
    .variable("KEY", KEY)
    .variable("TOKEN", "t-o-k-e-n");
    let service = files.config().service;
    assert_eq!(service.data_dir.display().to_string(), "/srv/herald");
    assert_eq!(service.encryption_key.as_ref().unwrap().0[31], 31);
    assert_eq!((service.memory, service.concurrency, service.max_teardowns_per_reload), (512 << 20, 2, 0));
    assert_eq!(service.http.tokens.len(), 1, "an empty token is no token");
    assert_eq!(service.http.tokens[0].scope, Scope::Admin);
    assert_eq!(service.alerts[0].format, AlertFormat::Slack);
    assert_eq!(service.alerts[0].when, [AlertEvent::Failed, AlertEvent::Lag]);
    let shown = format!("{service:?}");
    assert!(!shown.contains("t-o-k-e-n") && !shown.contains("hooks.example.com"), "{shown}");
}

#[test]
fn the_data_folder_stands_beside_the_config() {
    let config = small("  data_dir: ./data\n", "  concurrency: 1\n");
    assert_eq!(
        config.load_at("herald.yaml").unwrap().service.data_dir,
        config.folder.path().canonicalize().unwrap().join("herald-data")
    );
    let folder = Files::new().with("config/herald.yaml", SMALL.replace("  data_dir: ./data\n", "  concurrency: 1\n"));
    assert_eq!(
        folder.load_at("config").unwrap().service.data_dir,
        folder.folder.path().canonicalize().unwrap().join("herald-data")
    );
}

#[test]
fn keys_of_a_wrong_length_are_refused_without_a_word_of_them() {
    let files = small("  data_dir: ./data\n", "  encryption_key: c2hvcnQ=\n");
    assert_eq!(
        files.lines(),
        ["2:19: invalid_value: service.encryption_key: a key of 32 bytes is wanted, this one has 5"]
    );
    assert!(!files.problems().render(false).contains("c2hvcnQ"));
    assert_eq!(
        faults("encryption_key: not base64"),
        ["2:19: invalid_value: service.encryption_key: 32 bytes in base64 are wanted, and this is not base64"]
    );
    let empty = small("  data_dir: ./data\n", "  encryption_key: \"${HERALD_KEY:-}\"\n");
    assert!(empty.config().service.encryption_key.is_none());
}

#[test]
fn an_open_address_needs_a_token() {
    let expected =
        "conflict: service.http.listen: an address that other machines reach needs `tokens`, and none is set";
    assert_eq!(faults("http: { listen: 0.0.0.0:80 }"), [format!("2:19: {expected}")]);
    assert_eq!(
        faults("http: { listen: '[::]:80', tokens: [{ name: a, token: '${NONE:-}', scope: read }] }"),
        [format!("2:19: {expected}")]
    );
    assert!(small("  data_dir: ./data\n", "  http: { listen: 127.0.0.1:80 }\n").load().is_ok());
    assert_eq!(
        faults("http: { listen: here }"),
        ["2:19: invalid_value: service.http.listen: an address and a port such as 127.0.0.1:8080 is wanted"]
    );
}

#[test]
fn what_does_not_fit_is_refused_at_its_key() {
    for (service, expected) in [
        ("data_dri: x", "2:3: unknown_key: service.data_dri: unknown key, did you mean `data_dir`?"),
        ("data_dir: ''", "2:13: invalid_value: service.data_dir: the text is empty"),
        ("concurrency: 0", "2:16: invalid_value: service.concurrency: at least 1 is wanted"),
        ("concurrency: four", "2:16: wrong_type: service.concurrency: an integer is wanted, not text"),
        ("concurrency: \"4\"", "2:16: wrong_type: service.concurrency: an integer is wanted, not text"),
        ("concurrency: 2.5", "2:16: wrong_type: service.concurrency: an integer is wanted, not a number"),
        (
            "engine: { memory: 1GB, typ: embedded }",
            "2:26: unknown_key: service.engine.typ: unknown key, did you mean `type`?",
        ),
        (
            "engine: { memory: 1 gig }",
            "2:21: invalid_value: service.engine.memory: a size such as 512MiB or 2GB is wanted, not `1 gig`",
        ),
        ("engine: { memory: 1MiB }", "2:21: invalid_value: service.engine.memory: at least 16MiB is wanted"),
        ("engine: { type: ballista }", "2:19: invalid_value: service.engine.type: `ballista` is not one of `embedded`"),
        (
            "state: postgres://u:hidden@h/d",
            "2:10: not_supported: service.state: state in Postgres is not in this build yet",
        ),
        ("state: mysql", "2:10: invalid_value: service.state: `sqlite` is wanted"),
        (
            "http: { tokens: [{ name: a, token: b, scope: root }] }",
            "2:48: invalid_value: service.http.tokens[0].scope: `root` is not one of `read`, `publish`, `admin`",
        ),
        (
            "http: { tokens: [{ name: a, token: b, scope: read }, { name: a, token: c, scope: read }] }",
            "2:64: duplicate_name: service.http.tokens[1].name: two tokens have this name",
        ),
        (
            "alerts: [{ url: ftp://x, format: slack, when: [lag] }]",
            "2:19: invalid_value: service.alerts[0].url: a URL that starts with https:// is wanted",
        ),
        (
            "alerts: [{ url: https://x, format: slack, when: [late] }]",
            "2:52: invalid_value: service.alerts[0].when[0]: `late` is not one of `failed`, `partial`, `blocked`, `lag`, `dead_letters`, `config`, `teardown`, did you mean `lag`?",
        ),
        (
            "alerts: [{ url: https://x, format: pagerduty, when: [lag] }]",
            "2:12: missing_key: service.alerts[0].key: `pagerduty` needs `key`, the routing key of the service there",
        ),
        (
            "alerts: [{ url: https://x, format: slack, key: k, when: [lag] }]",
            "2:50: conflict: service.alerts[0].key: `key` is of `pagerduty` alone",
        ),
        (
            "http: { url: herald.example.com }",
            "2:16: invalid_value: service.http.url: a URL such as https://herald.example.com is wanted",
        ),
        ("max_teardowns_per_reload: -1", "2:29: invalid_value: service.max_teardowns_per_reload: at least 0 is wanted"),
    ] {
        let lines = faults(service);
        assert_eq!(lines, [expected], "{service}");
    }
}

#[test]
fn traces_are_read_and_their_headers_are_kept_secret() {
    let traces =
        "traces: { endpoint: 'http://collector:4318/', headers: { authorization: 'Bearer c-a-n-a-r-y' }, sample: 25% }";
    let service = small("  data_dir: ./data\n", &format!("  {traces}\n")).config().service;
    let shown = format!("{service:?}");
    assert!(!shown.contains("c-a-n-a-r-y"), "{shown}");
    let traces = service.traces.unwrap();
    assert_eq!((traces.endpoint.as_str(), traces.sample), ("http://collector:4318/v1/traces", Some(0.25)));
    assert_eq!(traces.headers[0].0, "authorization");
    let whole = small("  data_dir: ./data\n", "  traces: { endpoint: 'https://c/otlp/v1/traces' }\n").config().service;
    assert_eq!(whole.traces.unwrap().endpoint, "https://c/otlp/v1/traces");
}

#[test]
fn traces_to_nowhere_and_headers_that_are_none_are_refused() {
    let wrong =
        "invalid_value: service.traces.endpoint: the URL of a collector is wanted, such as http://collector:4318";
    for endpoint in ["collector:4318", "ftp://collector", "http://collector?x=1", "no url"] {
        let found = faults(&format!("traces: {{ endpoint: '{endpoint}' }}"));
        assert_eq!(found.len(), 1, "{endpoint}: {found:?}");
        assert!(found[0].ends_with(wrong), "{endpoint}: {found:?}");
    }
    let found = faults("traces: { endpoint: 'http://c', headers: { 'a b': c-a-n-a-r-y } }");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("can't be sent as a header") && !found[0].contains("c-a-n-a-r-y"), "{found:?}");
}
