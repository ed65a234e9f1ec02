//! The `targets` map, over kinds that only tests have.

use super::support::{Files, breaks, small};

const OLD: &str = "{ type: local, path: ./out }";

fn bucket(options: &str) -> Files {
    small(OLD, &format!("{{ type: s3, {options} }}"))
}

#[test]
fn options_of_a_kind_are_read() {
    let config = bucket("bucket: b, prefix: in/, path_style: true, parallel: 4, checksum: required, assume_role: { arn: \"arn:x\" }, headers: { X-Team: growth }").config();
    assert_eq!(config.targets["partner"].config.identity(), "b/in/");
}

#[test]
fn options_that_do_not_fit_are_refused_at_their_key() {
    for (options, expected) in [
        (
            "buckt: b",
            "21:3: missing_key: targets.partner: the key `bucket` is missing\n21:24: unknown_key: targets.partner.buckt: unknown key, did you mean `bucket`?",
        ),
        ("bucket: 5", "21:32: wrong_type: targets.partner.bucket: text is wanted, not an integer"),
        (
            "bucket: b, path_style: often",
            "21:47: wrong_type: targets.partner.path_style: a boolean is wanted, not text",
        ),
        ("bucket: b, parallel: 256", "21:45: invalid_value: targets.partner.parallel: at most 255 is wanted"),
        (
            "bucket: b, checksum: requird",
            "21:45: invalid_value: targets.partner.checksum: `requird` is not one of `auto`, `required`, did you mean `required`?",
        ),
        (
            "bucket: b, assume_role: { external_id: x }",
            "21:35: missing_key: targets.partner.assume_role: the key `arn` is missing",
        ),
        (
            "bucket: b, assume_role: { arn: x }",
            "21:55: invalid_value: targets.partner.assume_role.arn: an ARN is wanted, not x",
        ),
        ("bucket: a/b", "21:32: invalid_value: targets.partner.bucket: a bucket's name holds no slash"),
        (
            "bucket: b, headers: { a: 1 }",
            "21:49: wrong_type: targets.partner.headers.a: text is wanted, not an integer",
        ),
        ("bucket: b, path_style: ~", "21:47: wrong_type: targets.partner.path_style: there is no value"),
    ] {
        assert_eq!(bucket(options).lines().join("\n"), expected, "{options}");
    }
}

#[test]
fn kinds_that_are_promised_say_that_they_are_not_here_yet() {
    for kind in [
        "azure_blob",
        "gcs",
        "sftp",
        "webhook",
        "liveramp",
        "google_ads",
        "meta",
        "linkedin",
        "amazon_ads",
        "marketing_cloud",
    ] {
        let files = small(OLD, &format!("{{ type: {kind}, anything: 5 }}"));
        assert_eq!(
            files.lines(),
            [format!("21:20: not_supported: targets.partner.type: `{kind}` is not in this build yet")]
        );
        let remedy = files.problems().iter().next().unwrap().remedy.clone().unwrap();
        assert_eq!(remedy, "this build has `local`, `s3`");
    }
}

#[test]
fn unknown_kinds_suggest_the_nearest() {
    breaks(
        OLD,
        "{ type: locl, path: x }",
        &["21:20: invalid_value: targets.partner.type: unknown kind of target, did you mean `local`?"],
    );
    breaks(OLD, "{ path: x }", &["21:3: missing_key: targets.partner: the key `type` is missing"]);
    breaks(OLD, "{}", &["21:3: missing_key: targets.partner: the key `type` is missing"]);
    breaks(OLD, "local", &["21:12: wrong_type: targets.partner: a map is wanted, not text"]);
    breaks(OLD, "{ type: 5 }", &["21:20: wrong_type: targets.partner.type: text is wanted, not an integer"]);
}

#[test]
fn relative_paths_start_at_the_file() {
    let files = Files::new()
        .with("x/t.yaml", "targets: { a: { type: local, path: out } }")
        .with("y.yaml", "targets: { b: { type: local, path: out } }");
    let config = files.config();
    assert_eq!(config.targets["a"].config.identity(), files.folder.path().join("x/out").display().to_string());
    assert_eq!(config.targets["b"].config.identity(), files.folder.path().join("out").display().to_string());
}
