//! The `targets` map, over the kinds that Herald has.

use herald::config::{Config, Problems, Surroundings, load_in};
use herald_destinations::{contract::Kind, local, s3, sftp, webhook};

use super::support::Files;

fn load(options: &str) -> Result<Config, Problems> {
    let files = Files::one(&format!("targets:\n  t: {options}\n"));
    let kinds: [&dyn Kind; 4] = [local::KIND, s3::KIND, sftp::KIND, webhook::KIND];
    load_in(&files.folder.path().join("herald.yaml"), Surroundings { variables: &|_| None, kinds: &kinds })
}

fn faults(options: &str) -> Vec<String> {
    let problems = match load(options) {
        Ok(_) => panic!("{options} loads"),
        Err(problems) => problems,
    };
    problems.iter().map(|problem| problem.to_string().split_once("herald.yaml:").unwrap().1.to_owned()).collect()
}

#[test]
fn every_option_of_the_reference_is_taken() {
    for options in [
        "{ type: local, path: ./out }",
        "{ type: s3, bucket: partner, prefix: in/, region: eu-central-1, endpoint: \"https://s3.example.com\", path_style: false, access_key_id: a, secret_access_key: b, session_token: c, assume_role: { arn: \"arn:aws:iam::123456789012:role/x\", external_id: yes-42 }, sse: { kms_key: k }, acl: bucket-owner-full-control, requester_pays: false, checksum: auto }",
        "{ type: s3, bucket: partner, checksum: required, sse: AES256 }",
        "{ type: sftp, host: sftp.example.com, port: 22, user: u, path: /in, private_key: \"-----BEGIN OPENSSH PRIVATE KEY-----\", passphrase: x, host_key: \"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\", temp_name: suffix, rename: auto }",
        "{ type: sftp, host: sftp.example.com, user: u, path: in, password: x, known_hosts: hosts, temp_name: folder, rename: plain }",
        "{ type: sftp, host: sftp.example.com, user: u, agent: true, known_hosts: hosts, temp_name: none, rename: none }",
        "{ type: webhook, url: \"https://hooks.example.com/in\", secret: s3cret, batch: 500, format: ndjson, headers: { X-Team: growth } }",
        "{ type: webhook, url: \"http://127.0.0.1:8080/\", secret: whsec_c2VjcmV0, format: json, timeout: 2m }",
    ] {
        load(options).unwrap_or_else(|problems| panic!("{options}\n{problems}"));
    }
}

#[test]
fn what_does_not_fit_is_refused_at_its_key() {
    for (options, expected) in [
        ("{ type: local, path: '' }", "2:27: invalid_value: targets.t.path: the text is empty"),
        ("{ type: local }", "2:3: missing_key: targets.t: the key `path` is missing"),
        (
            "{ type: s3, bucket: partner, sse: { kms: k } }",
            "2:35: missing_key: targets.t.sse: the key `kms_key` is missing",
        ),
        (
            "{ type: s3, bucket: partner, sse: 5 }",
            "2:40: wrong_type: targets.t.sse: text or a map is wanted, not an integer",
        ),
        (
            "{ type: s3, bucket: partner, sse: aes256 }",
            "2:40: invalid_value: targets.t.sse: `aes256` is not one of `AES256`, `aws:kms`, did you mean `AES256`?",
        ),
        (
            "{ type: s3, bucket: partner, checksum: never }",
            "2:45: invalid_value: targets.t.checksum: `never` is not one of `auto`, `required`, `off`",
        ),
        (
            "{ type: s3, bucket: partner, path_style: 1 }",
            "2:47: wrong_type: targets.t.path_style: a boolean is wanted, not an integer",
        ),
        (
            "{ type: sftp, host: h, user: u, password: p, known_hosts: k, temp_name: prefix }",
            "2:78: invalid_value: targets.t.temp_name: `prefix` is not one of `suffix`, `folder`, `none`, did you mean `suffix`?",
        ),
        ("{ type: webhook, secret: s }", "2:3: missing_key: targets.t: the key `url` is missing"),
        (
            "{ type: webhook, secret: s, url: nowhere }",
            "2:39: invalid_value: targets.t.url: is no address: expected `https://host[:port]/path`",
        ),
        (
            "{ type: webhook, url: \"https://h/\", secret: s, batch: 10001 }",
            "2:60: invalid_value: targets.t.batch: at most 10000 is wanted",
        ),
        (
            "{ type: webhook, url: \"https://h/\", secret: s, timeout: 30 }",
            "2:62: wrong_type: targets.t.timeout: a text such as `30s` is wanted, not an integer",
        ),
        (
            "{ type: webhook, url: \"https://h/\", secret: s, headers: { Content-Type: x } }",
            "2:78: invalid_value: targets.t.headers.Content-Type: is set by herald itself: remove it",
        ),
    ] {
        let lines = faults(options);
        assert_eq!(lines.first().map(String::as_str), Some(expected), "{lines:?}");
    }
    let lines = faults("{ type: s3, bucket: partner, access_key_id: a }");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(": invalid_value: targets.t"), "{lines:?}");
    let lines = faults("{ type: s3, bucket: partner, endpoint: nowhere }");
    assert!(lines[0].starts_with("2:45: invalid_value: targets.t.endpoint: "), "{lines:?}");
}

#[test]
fn no_error_shows_what_a_webhook_is_entrusted_with() {
    for options in [
        "{ type: webhook, url: \"https://user:canary@h/\", secret: canary, headers: { Authorization: canary } }",
        "{ type: webhook, url: \"https://h/?t=canary\", secret: \"canary\", batch: 0, headers: { A B: canary } }",
        "{ type: webhook, url: [canary], secret: { x: canary }, headers: { A: [canary] }, secrets: canary }",
    ] {
        let problems = load(options).err().unwrap();
        let shown = format!("{problems} {problems:?} {} {}", problems.render(false), problems.to_json());
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn files_of_an_activation_to_a_target_without_files_are_refused() {
    let with = |files: &str| {
        let text = format!(
            "sources: {{ lake: {{ type: files, tables: {{ t: {{ path: lake/*.parquet, key: id, columns: {{ id: string }} }} }} }} }}\n\
             segments: {{ all: {{ from: t, where: 'true' }} }}\n\
             targets: {{ hook: {{ type: webhook, url: \"https://h/\", secret: s }} }}\n\
             activations:\n  a: {{ segment: all, target: hook, attributes: {{ id: id }}, refresh: {{ manual: true }}{files} }}\n"
        );
        let files = Files::one(&text);
        let kinds: [&dyn Kind; 1] = [webhook::KIND];
        load_in(&files.folder.path().join("herald.yaml"), Surroundings { variables: &|_| None, kinds: &kinds })
    };
    with("").unwrap_or_else(|problems| panic!("{problems}"));
    let problems = with(", files: { format: csv }").err().unwrap();
    let lines: Vec<_> = problems.iter().map(|problem| problem.to_string()).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let expected = "conflict: activations.a.files: a target of type webhook takes records, not files";
    assert!(lines[0].contains(expected), "{lines:?}");
}
