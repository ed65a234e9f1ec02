//! The `sources` map.

use herald::config::TableFormat;

use super::support::{Files, SMALL, breaks, small};

#[test]
fn tables_are_read_with_all_their_keys() {
    let files = small(
        "      email: { path: lake/email.parquet, key: email_id, member: individual_id }",
        "      email: { path: \"/abs/*.csv\", format: csv, key: [id, kq], member: [a], updated_at: at, columns: { id: string, kq: string, a: int, at: timestamp } }\n      cloud: { path: s3://bucket/x/, key: id }",
    );
    let config = files.config();
    let email = &config.tables["email"];
    assert_eq!((email.source.as_str(), email.location.as_str()), ("lake", "/abs/*.csv"));
    assert_eq!(email.format, Some(TableFormat::Csv));
    assert_eq!((email.key.clone(), email.member.clone()), (vec!["id".into(), "kq".into()], vec!["a".to_owned()]));
    assert_eq!(email.columns[1], ("kq".to_owned(), "string".to_owned()));
    assert_eq!(config.tables["cloud"].location, "s3://bucket/x/");
}

#[test]
fn names_of_tables_are_unique_over_all_sources() {
    let text = SMALL.replace(
        "segments:\n",
        "  pond:\n    type: files\n    tables:\n      email: { path: x.csv, key: id }\nsegments:\n",
    );
    assert_eq!(
        Files::one(&text).lines(),
        ["12:7: duplicate_name: sources.pond.tables.email: given twice; it also stands at 8:7"]
    );
}

#[test]
fn what_does_not_fit_is_refused_at_its_key() {
    let old = "      email: { path: lake/email.parquet, key: email_id, member: individual_id }";
    for (table, expected) in [
        ("{ key: email_id, member: m }", "8:7: missing_key: sources.lake.tables.email: the key `path` is missing"),
        ("{ path: x, member: m }", "8:7: missing_key: sources.lake.tables.email: the key `key` is missing"),
        ("{ path: x, key: [], member: m }", "8:30: invalid_value: sources.lake.tables.email.key: the list is empty"),
        (
            "{ path: x, key: [a, a], member: m }",
            "8:34: duplicate_name: sources.lake.tables.email.key[1]: the column `a` is given twice",
        ),
        (
            "{ path: x, key: 5, member: m }",
            "8:30: wrong_type: sources.lake.tables.email.key: text or a list is wanted, not an integer",
        ),
        ("{ path: '', key: a, member: m }", "8:22: invalid_value: sources.lake.tables.email.path: the text is empty"),
        (
            "{ path: ftp://x/y, key: a, member: m }",
            "8:22: invalid_value: sources.lake.tables.email.path: tables are not read from ftp:// addresses",
        ),
        (
            "{ path: s3:///y, key: a, member: m }",
            "8:22: invalid_value: sources.lake.tables.email.path: the URL names no bucket",
        ),
        (
            "{ path: x, key: a, member: m, format: orc }",
            "8:52: invalid_value: sources.lake.tables.email.format: `orc` is not one of `parquet`, `csv`, `ndjson`, `arrow`",
        ),
        (
            "{ path: x, key: ad, member: m, columns: { id: string, m: string } }",
            "8:30: unknown_reference: sources.lake.tables.email.key: the column `ad` is not among the declared `columns`, did you mean `id`?",
        ),
        (
            "{ path: x, kee: a, key: a, member: m }",
            "8:25: unknown_key: sources.lake.tables.email.kee: unknown key, did you mean `key`?",
        ),
    ] {
        breaks(old, &format!("      email: {table}"), &[expected]);
    }
    breaks(
        "    type: files\n",
        "    type: filse\n",
        &["5:11: invalid_value: sources.lake.type: `filse` is not one of `files`, did you mean `files`?"],
    );
    breaks("    type: files\n", "", &["4:3: missing_key: sources.lake: the key `type` is missing"]);
    breaks(
        "      email: {",
        "      E-mail: {",
        &[
            "8:7: invalid_value: sources.lake.tables.E-mail: a name starts with a letter a-z and goes on with a-z, 0-9 and _",
            "28:21: unknown_reference: activations.one.attributes.mail.from: there is no table `email`, did you mean `E-mail`?",
        ],
    );
}
