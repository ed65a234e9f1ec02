//! No secret in any output.

use super::support::{Files, SMALL, small};

const CANARY: &str = "canary-7f3a";

/// Every way to look at a config or at what is wrong with it.
fn everything(files: &Files) -> String {
    match files.load() {
        Ok(config) => format!("{config:?}"),
        Err(problems) => format!(
            "{problems}\n{problems:?}\n{}\n{}\n{}",
            problems.render(false),
            problems.render(true),
            problems.to_json()
        ),
    }
}

#[test]
fn no_output_holds_a_secret() {
    let target = "{ type: local, path: ./out }";
    let targets = [
        "{ type: s3, bucket: a/b, secret_access_key: CANARY }",
        "{ type: s3, bucket: 5, secret_access_key: \"CANARY\" }",
        "{ type: s3, bucket: b, secret_acces_key: CANARY }",
        "{ type: s4, bucket: b, secret_access_key: CANARY }",
        "{ type: sftp, host: h, password: CANARY }",
        "{ bucket: b, secret_access_key: CANARY }",
        "{ type: s3, bucket: b, secret_access_key: [CANARY] }",
        "{ type: s3, bucket: b, secret_access_key: { x: CANARY } }",
        "{ type: s3, bucket: b, secret_access_key: CANARY, secret_access_key: CANARY }",
        "{ type: s3, bucket: b, secret_access_key: CANARY, oops: [CANARY, { a: CANARY }] }",
        "{ type: s3, bucket: b, secret_access_key: CANARY, assume_role: CANARY }",
        "{ type: s3, bucket: b, assume_role: { arn: \"${file:secret}\" } }",
        "{ type: s3, bucket: b, checksum: \"${file:secret}\" }",
        "{ type: s3, bucket: \"${file:secret}\", path_style: \"${file:secret}\" }",
        "{ type: s3, bucket: b, path_style: x, secret_access_key: \"CANARY",
        "{ type: s3, bucket: b, secret_access_key: CANARY, prefix: ]",
        "\n    type: s3\n    bucket: 5\n    secret_access_key: |\n      CANARY\n      CANARY\n    oops: 1",
        "\n    type: s3\n    bucket: 5\n    secret_access_key: &k CANARY\n    oops: *k",
        "{ type: s3, bucket: b, secret_access_key: \"${CANARY}\" }",
        "{ type: s3, bucket: b, secret_access_key:CANARY }",
        "{ type: s3, bucket: b, headers: { Authorization:CANARY } }",
        "{ type: s3, bucket: b, a:CANARY: 1, a:CANARY: 2 }",
    ];
    for options in targets {
        let files = small(target, &options.replace("CANARY", CANARY)).with("secret", format!("{CANARY}\n"));
        let shown = everything(&files);
        assert!(!shown.contains(CANARY) || options.contains("${CANARY}"), "{options}\n{shown}");
    }
    let old = "  data_dir: ./data\n";
    for service in [
        "encryption_key: CANARY",
        "encryption_key: [CANARY]",
        "encryption_kye: CANARY",
        "? encryption_key:CANARY",
        "state: postgres://u:CANARY@host/db",
        "alerts: [{ url: CANARY, format: slack, when: [lag] }]",
        "alerts: [{ url: https://x, format: slack, key: CANARY, when: [lag] }]",
        "alerts: [{ url: https://x, format: pagerduty, key: [CANARY], when: [lag] }]",
        "alerts: [{ url: https://x/CANARY, format: slak, when: [lag] }]",
        "http: { tokens: [{ name: a, token: CANARY, scope: rot }] }",
        "http: { tokens: [{ name: a, tokn: CANARY, scope: read }] }",
        "http: { tokens: [CANARY] }",
        "http: { tokens: CANARY }",
        "http: CANARY",
        "http: { listen: \"${file:secret}\" }",
        "concurrency: \"${file:secret}\"",
        "engine: { memory: \"${file:secret}\", type: \"${file:secret}\" }",
    ] {
        let files = small(old, &format!("  {}\n", service.replace("CANARY", CANARY))).with("secret", CANARY);
        let shown = everything(&files);
        assert!(!shown.contains(CANARY) && shown.contains("service."), "{service}\n{shown}");
    }
    let activation = Files::one(&format!(
        "{SMALL}    mode: \"${{file:secret}}\"\n    freshness: \"${{file:secret}}\"\n    require: [\"${{file:secret}}\"]\n    was: \"${{file:secret}}\"\n"
    ))
    .with("secret", CANARY);
    let shown = everything(&activation);
    assert!(!shown.contains(CANARY) && shown.contains("activations.one.mode"), "{shown}");
    for (old, new) in [
        ("segment: gold", "segment: \"${file:secret}\""),
        ("target: partner", "target: \"${file:secret}\""),
        ("from: email,", "from: \"${file:secret}\","),
        ("waterfall: [gold, buyers]", "waterfall: [\"${file:secret}\"]"),
        ("path: lake/email.parquet, key: email_id", "path: \"${file:secret}://x\", key: email_id"),
        ("    type: files\n", "    type: \"${file:secret}\"\n"),
    ] {
        let files = small(old, new).with("secret", CANARY);
        let shown = everything(&files);
        assert!(!shown.contains(CANARY), "{new}\n{shown}");
    }
}

#[test]
fn a_config_that_loads_shows_no_secret_in_debug() {
    let files = small("{ type: local, path: ./out }", "{ type: s3, bucket: b, secret_access_key: canary-7f3a }");
    assert!(!format!("{:?}", files.config()).contains(CANARY));
}

#[test]
fn the_line_of_a_secret_is_shown_with_the_secret_masked() {
    let files =
        small("{ type: local, path: ./out }", "{ type: s3, bucket: 5, secret_access_key: canary-7f3a, parallel: x }");
    let shown = files.problems().render(false);
    assert!(shown.contains("{ type: s3, bucket: 5, secret_access_key: ***, parallel: "), "{shown}");
}
