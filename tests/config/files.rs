//! The `files` block.

use herald::config::Keep;
use herald_destinations::{
    conformance::public_key,
    files::{Compression, DATA_CLOUD_PATH, DEFAULT_PATH, Format, Quote},
};

use super::support::{Files, SMALL};

fn with(files: &str) -> Files {
    Files::one(&format!("{SMALL}    files: {files}\n"))
}

#[test]
fn the_usual_compression_follows_the_format() {
    for (files, format, compression) in [
        ("{}", Format::Parquet, Compression::Zstd),
        ("{ format: parquet }", Format::Parquet, Compression::Zstd),
        ("{ format: csv }", Format::Csv, Compression::Gzip),
        ("{ format: ndjson }", Format::Ndjson, Compression::Gzip),
        ("{ format: csv, compression: none }", Format::Csv, Compression::None),
    ] {
        let config = with(files).config();
        let options = &config.activations["one"].files;
        assert_eq!((options.format, options.compression), (format, compression), "{files}");
        assert_eq!((options.path.as_str(), options.max_rows, options.max_size), (DEFAULT_PATH, 5_000_000, 512 << 20));
        assert!(options.manifest && !options.overwrite && !options.checksums);
        assert_eq!((&options.encrypt, &options.marker), (&None, &None));
    }
}

#[test]
fn every_key_is_read() {
    // YAML reads a bare NULL as nothing.
    assert_eq!(
        with("{ format: csv, csv: { null: NULL } }").lines(),
        ["30:40: wrong_type: activations.one.files.csv.null: there is no value"]
    );
    let config = with(
        "{ format: csv, csv: { delimiter: ¦, quote: text, formula_guard: true, bom: true }, layout: data_cloud, checksums: true, marker: _SUCCESS }",
    )
    .config();
    let files = &config.activations["one"].files;
    assert_eq!(
        (files.path.as_str(), files.checksums, files.marker.as_deref()),
        (DATA_CLOUD_PATH, true, Some("_SUCCESS"))
    );
    assert_eq!(
        (files.csv.delimiter, files.csv.quote, files.csv.formula_guard, files.csv.bom),
        ('¦', Quote::Text, true, true)
    );
    let config = with(
        "{ format: csv, path: \"x/{publish_id}-{part}.{ext}\", max_rows: 10, max_size: 1MiB, csv: { delimiter: \"\\t\", header: false, quote: all, null: \"NULL\" }, manifest: false, keep: { publishes: 14 } }",
    )
    .config();
    let one = &config.activations["one"];
    assert_eq!(one.files.path, "x/{publish_id}-{part}.{ext}");
    assert_eq!((one.files.max_rows, one.files.max_size, one.files.manifest), (10, 1 << 20, false));
    assert_eq!((one.files.csv.delimiter, one.files.csv.header, one.files.csv.quote), ('\t', false, Quote::All));
    assert_eq!(one.files.csv.null, "NULL");
    assert_eq!(one.keep, Some(Keep::Publishes(14)));
}

#[test]
fn what_does_not_fit_is_refused_at_its_key() {
    for (files, expected) in [
        (
            "{ format: xml }",
            "30:22: invalid_value: activations.one.files.format: `xml` is not one of `parquet`, `csv`, `ndjson`",
        ),
        ("{ max_rows: 0 }", "30:24: invalid_value: activations.one.files.max_rows: at least 1 is wanted"),
        (
            "{ max_size: 5 }",
            "30:24: wrong_type: activations.one.files.max_size: a text such as `512MiB` is wanted, not an integer",
        ),
        ("{ max_size: 0B }", "30:24: invalid_value: activations.one.files.max_size: a part holds at least 1 byte"),
        (
            "{ overwrite: true, path: out.parquet }",
            "30:25: conflict: activations.one.files.overwrite: a file that stands still holds a whole membership, and this activation publishes changes",
        ),
        ("{ csv: { header: true } }", "30:14: conflict: activations.one.files.csv: it goes with `format: csv` alone"),
        (
            "{ format: csv, csv: { delimiter: ab } }",
            "30:45: invalid_value: activations.one.files.csv.delimiter: the text is too long",
        ),
        ("{ keep: {} }", "30:14: missing_key: activations.one.files.keep: nothing says how long files stay"),
        (
            "{ keep: { publishes: 1, age: 3d } }",
            "30:41: conflict: activations.one.files.keep.age: `age` does not go with `publishes`",
        ),
        (
            "{ keep: { publishes: 0 } }",
            "30:33: invalid_value: activations.one.files.keep.publishes: at least 1 is wanted",
        ),
        (
            "{ layout: data_cloud, path: \"{publish_id}/{part}\" }",
            "30:40: conflict: activations.one.files.path: `path` does not go with `layout`",
        ),
        (
            "{ marker: a/b }",
            "30:22: invalid_value: activations.one.files.marker: expected a file's name, such as `_SUCCESS`, that stands beside the parts",
        ),
        ("{ layout: other }", "30:22: invalid_value: activations.one.files.layout: `other` is not one of `data_cloud`"),
        ("{ formt: csv }", "30:14: unknown_key: activations.one.files.formt: unknown key, did you mean `format`?"),
    ] {
        assert_eq!(with(files).lines(), [expected], "{files}");
    }
}

#[test]
fn options_that_do_not_go_together_are_all_told() {
    for (files, keys) in [
        ("{ format: csv, compression: snappy }", &["30:40: invalid_value: activations.one.files.compression: "][..]),
        ("{ compression: gzip }", &["30:27: invalid_value: activations.one.files.compression: "]),
        ("{ path: \"all.{ext}\" }", &["30:20: invalid_value: activations.one.files.path: "]),
        ("{ path: \"../{publish_id}-{part}\" }", &["30:20: invalid_value: activations.one.files.path: "]),
        ("{ path: \"{publishid}-{part}\" }", &["30:20: invalid_value: activations.one.files.path: "]),
        (
            "{ path: x, compression: bzip2, max_size: 0B }",
            &[
                "30:20: invalid_value: activations.one.files.path: ",
                "30:36: invalid_value: activations.one.files.compression: ",
                "30:53: invalid_value: activations.one.files.max_size: ",
            ],
        ),
    ] {
        let lines = with(files).lines();
        assert_eq!(lines.len(), keys.len(), "{files}: {lines:?}");
        assert!(lines.iter().zip(keys).all(|(line, key)| line.starts_with(key)), "{files}: {lines:?}");
    }
    let files =
        Files::one(&format!("{SMALL}    mode: full\n    files: {{ overwrite: true, path: customers.parquet }}\n"));
    assert!(files.config().activations["one"].files.overwrite);
}

#[test]
fn keys_are_read_beside_the_config_and_judged_by_check() {
    let keyed = |files: &str| with(files).with("keys/partner.pgp", public_key()).with("keys/none.txt", "not a key");
    let config = keyed("{ format: csv, encrypt: { pgp: [keys/partner.pgp] } }").config();
    let files = &config.activations["one"].files;
    assert_eq!((files.extension().as_str(), files.content_type()), ("csv.gz.pgp", "application/pgp-encrypted"));
    for (files, expected) in [
        ("{ encrypt: { pgp: [] } }", "30:30: invalid_value: activations.one.files.encrypt.pgp: "),
        ("{ encrypt: {} }", "30:14: missing_key: activations.one.files.encrypt: "),
        (
            "{ encrypt: { pgp: [keys/partner.pgp, keys/none.txt] } }",
            "30:49: invalid_value: activations.one.files.encrypt.pgp[1]: `keys/none.txt`: it is no file of OpenPGP keys, or a damaged one",
        ),
        (
            "{ encrypt: { pgp: [keys/partner.pgp], sign: keys/partner.pgp } }",
            "30:56: invalid_value: activations.one.files.encrypt.sign: `keys/partner.pgp`: it holds a public key; a private key is wanted to sign with",
        ),
        (
            "{ encrypt: { pgp: [keys/partner.pgp], passphrase: CANARY } }",
            "30:62: conflict: activations.one.files.encrypt.passphrase: the value is not valid; the details are withheld, as they could show a secret",
        ),
    ] {
        let lines = keyed(files).lines();
        assert_eq!(lines.len(), 1, "{files}: {lines:?}");
        assert!(lines[0].starts_with(expected), "{files}: {lines:?}");
    }
    let lines = keyed("{ encrypt: { pgp: [keys/gone.asc] } }").lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let start = "30:31: missing_file: activations.one.files.encrypt.pgp[0]: ";
    assert!(lines[0].starts_with(start) && lines[0].contains("keys/gone.asc"), "{lines:?}");
    for files in [
        "{ encrypt: { pgp: [keys/partner.pgp], passphrase: [CANARY] } }",
        "{ encrypt: { pgp: [keys/partner.pgp], pasphrase: CANARY } }",
    ] {
        assert!(keyed(files).lines().iter().all(|line| !line.contains("CANARY")), "{files}");
    }
}
