//! The `targets` map, over the kinds that Herald has.

use herald::config::{Config, Problems, Surroundings, load_in};
use herald_destinations::{
    KINDS,
    files::{Compression, Format},
};

use super::support::Files;

fn load(options: &str) -> Result<Config, Problems> {
    let files = Files::one(&format!("targets:\n  t: {options}\n"));
    load_in(&files.folder.path().join("herald.yaml"), Surroundings { variables: &|_| None, kinds: KINDS })
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
        "{ type: gcs, bucket: partner, prefix: in/, service_account: key.json }",
        "{ type: gcs, bucket: partner, anonymous: true, endpoint: \"http://127.0.0.1:4443\" }",
        "{ type: sftp, host: sftp.example.com, port: 22, user: u, path: /in, private_key: \"-----BEGIN OPENSSH PRIVATE KEY-----\", passphrase: x, host_key: \"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\", temp_name: suffix, rename: auto }",
        "{ type: sftp, host: sftp.example.com, user: u, path: in, password: x, known_hosts: hosts, temp_name: folder, rename: plain }",
        "{ type: sftp, host: sftp.example.com, user: u, agent: true, known_hosts: hosts, temp_name: none, rename: none }",
        "{ type: azure_blob, account: acc, container: partner, prefix: in/, endpoint: \"https://blobs.example.com\", account_key: \"a2V5\" }",
        "{ type: azure_blob, account: acc, container: partner, sas: \"sv=1&sp=rcwdl&sig=x%3D\" }",
        "{ type: azure_blob, container: partner, connection_string: \"AccountName=acc;AccountKey=a2V5\" }",
        "{ type: azure_blob, account: acc, container: partner, tenant_id: t, client_id: c, client_secret: s }",
        "{ type: azure_blob, account: acc, container: partner }",
        "{ type: webhook, url: \"https://hooks.example.com/in\", secret: s3cret, batch: 500, format: ndjson, headers: { X-Team: growth } }",
        "{ type: liveramp, via: { type: s3, bucket: partner, sse: AES256 }, audience: GOLD, region: eu, folder: in/gold, deletions: in/gone, format: psv, key: ID, min_rows: 50 }",
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
        ("{ type: gcs, prefix: in/ }", "2:3: missing_key: targets.t: the key `bucket` is missing"),
        (
            "{ type: gcs, bucket: partner, service_account: k.json, anonymous: true }",
            "2:72: invalid_value: targets.t.anonymous: excludes `service_account`: no credentials are sent",
        ),
        (
            "{ type: sftp, host: h, user: u, password: p, known_hosts: k, temp_name: prefix }",
            "2:78: invalid_value: targets.t.temp_name: `prefix` is not one of `suffix`, `folder`, `none`, did you mean `suffix`?",
        ),
        (
            "{ type: azure_blob, account: acc, container: partner, account_key: a2V5, sas: \"sig=x\" }",
            "2:84: invalid_value: targets.t.sas: excludes `account_key`: leave one of the two out",
        ),
        (
            "{ type: azure_blob, account: acc, container: Partner }",
            "2:51: invalid_value: targets.t.container: `Partner` is no container: expected 3 to 63 lower-case letters, digits and single hyphens, without a path",
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
        (
            "{ type: liveramp, audience: A, region: us, folder: f, via: { type: s3, bucke: partner } }",
            "2:60: missing_key: targets.t.via: the key `bucket` is missing",
        ),
        (
            "{ type: liveramp, audience: A, region: us, folder: f, via: { type: s3, bucket: a/b } }",
            "2:85: invalid_value: targets.t.via.bucket: `a/b` is no bucket: expected 3 to 63 lower-case letters, digits, dots and hyphens, without a path",
        ),
        (
            "{ type: liveramp, audience: A, region: us, folder: f, via: { type: s4, bucket: partner } }",
            "2:73: invalid_value: targets.t.via.type: `s4` is not one of `sftp`, `s3`, `gcs`, `local`, did you mean `s3`?",
        ),
        (
            "{ type: liveramp, audience: A, region: us, folder: f, via: { bucket: partner } }",
            "2:60: missing_key: targets.t.via: the key `type` is missing",
        ),
        (
            "{ type: liveramp, audience: A, region: fr, folder: f, via: { type: local, path: x } }",
            "2:45: invalid_value: targets.t.region: `fr` is not one of `us`, `eu`",
        ),
        (
            "{ type: liveramp, audience: A, region: us, folder: _f, via: { type: local, path: x } }",
            "2:57: invalid_value: targets.t.folder: is no folder below `via`: expected names of letters, digits, `.`, `_` and `-`, a letter or digit first, with `/` between them",
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
fn no_error_shows_what_a_target_is_entrusted_with() {
    for options in [
        "{ type: webhook, url: \"https://user:canary@h/\", secret: canary, headers: { Authorization: canary } }",
        "{ type: webhook, url: \"https://h/?t=canary\", secret: \"canary\", batch: 0, headers: { A B: canary } }",
        "{ type: webhook, url: [canary], secret: { x: canary }, headers: { A: [canary] }, secrets: canary }",
        "{ type: liveramp, via: { type: s3, bucket: b, access_key_id: canary, secret_access_key: [canary] } }",
        "{ type: liveramp, via: { type: s3, bucket: partner, secret_access_key: canary }, audience: A, region: us, folder: f }",
        "{ type: liveramp, via: { type: s5, secret_access_key: canary, secrets: { x: canary } } }",
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
        load_in(&files.folder.path().join("herald.yaml"), Surroundings { variables: &|_| None, kinds: KINDS })
    };
    with("").unwrap_or_else(|problems| panic!("{problems}"));
    let problems = with(", files: { format: csv }").err().unwrap();
    let lines: Vec<_> = problems.iter().map(|problem| problem.to_string()).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let expected = "conflict: activations.a.files: a target of type webhook takes records, not files";
    assert!(lines[0].contains(expected), "{lines:?}");
}

#[test]
fn what_liveramp_can_not_take_is_told_at_its_key() {
    let with = |target: &str, activation: &str| {
        let text = format!(
            "sources: {{ lake: {{ type: files, tables: {{ t: {{ path: lake/*.parquet, key: id, columns: {{ id: string }} }} }} }} }}\n\
             segments: {{ all: {{ from: t, where: 'true' }} }}\n\
             targets: {{ ramp: {{ type: liveramp, via: {{ type: local, path: out }}, audience: A, region: us, folder: f{target} }} }}\n\
             activations:\n  a: {{ segment: all, target: ramp, refresh: {{ manual: true }}, {activation} }}\n"
        );
        let files = Files::one(&text);
        let loaded =
            load_in(&files.folder.path().join("herald.yaml"), Surroundings { variables: &|_| None, kinds: KINDS });
        let lines = |problems: Problems| {
            problems
                .iter()
                .map(|problem| problem.to_string().split_once(": ").unwrap().1.to_owned())
                .collect::<Vec<_>>()
        };
        loaded.map(|config| config.activations["a"].files.clone()).map_err(lines)
    };
    let (deletes, good) = (", deletions: d", "attributes: { EMAIL1: id, GOLD: id }");
    let files = with(deletes, good).unwrap();
    assert_eq!((files.format, files.compression), (Format::Csv, Compression::Gzip));
    let files = with(deletes, &format!("{good}, files: {{ compression: none }}")).unwrap();
    assert_eq!((files.format, files.compression), (Format::Csv, Compression::None));
    with("", &format!("{good}, mode: full")).unwrap();
    with("", &format!("{good}, send: [add, update]")).unwrap();
    for (target, activation, starts) in [
        ("", good.to_owned(), "conflict: activations.a.send: removals need deletion files"),
        (deletes, format!("{good}, mode: full"), "conflict: activations.a.mode: "),
        (deletes, format!("{good}, resync: {{ every: 180d }}"), "conflict: activations.a.resync: "),
        (deletes, format!("{good}, files: {{ manifest: true }}"), "conflict: activations.a.files.manifest: "),
        (deletes, format!("{good}, files: {{ format: csv }}"), "conflict: activations.a.files.format: "),
        (
            deletes,
            "attributes: { EMAIL1: id, TOWN: id, G: id }".to_owned(),
            "conflict: activations.a.attributes.TOWN: ",
        ),
        (deletes, "attributes: { GOLD: id }".to_owned(), "conflict: activations.a.attributes: no attribute is"),
    ] {
        let lines = with(target, &activation).unwrap_err();
        assert!(lines.len() == 1 && lines[0].starts_with(starts), "{lines:?}");
    }
}
