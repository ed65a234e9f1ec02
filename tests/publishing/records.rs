//! What a record is made of.

use super::{booleans, config, floats, integers, texts, words};
use crate::support::{Home, count};

fn lake(home: &Home) {
    home.table(
        "person",
        vec![
            ("id", texts(&[Some("a"), Some("b"), Some("b"), None, Some("c")])),
            ("name", texts(&[Some("Ann"), Some("Old"), Some("Bo"), Some("Nobody"), None])),
            ("country", words(&["DE", "FR", "FR", "DE", "GB"])),
            ("consent", booleans(&[Some(true), Some(true), Some(true), Some(true), None])),
            ("at", integers(&[1, 1, 2, 1, 1])),
        ],
    );
    home.table(
        "contact",
        vec![
            ("cid", words(&["1", "2", "3", "4", "5", "6"])),
            ("person", words(&["a", "a", "a", "b", "c", "z"])),
            ("kind", words(&["mail", "mail", "call", "mail", "call", "mail"])),
            (
                "value",
                texts(&[None, Some(" Ann@Example.COM "), Some("1"), Some("bo@example.com"), Some("2"), Some("z")]),
            ),
            ("rank", integers(&[1, 2, 3, 1, 1, 1])),
            ("land", words(&["DE", "FR", "DE", "FR", "XX", "DE"])),
            ("amount", floats(&[1.5, 2.5, 4.0, 8.0, 16.0, 32.0])),
        ],
    );
}

#[test]
fn direct_related_listed_and_aggregated_fields_stand_side_by_side() {
    let home = Home::new(&config(
        "
    segment: everyone
    mode: full
    attributes:
      id: id
      name: upper(name)
      first: { from: contact, value: normalize_email(value), where: kind = 'mail', order_by: rank }
      last: { from: contact, value: value, order_by: rank DESC }
      all: { from: contact, value: value, take: all, order_by: rank DESC }
      mails: { from: contact, value: count(*), where: kind = 'mail' }
      spent: { from: contact, value: sum(amount) }
      average: { from: contact, value: sum(amount) / count(*) }
      at_home: { from: contact, value: count(*), where: land = member.country }
      label: { from: contact, value: \"member.name || '-' || kind\", order_by: rank }
      digest: sha256_hex(id)
",
        "",
    ));
    lake(&home);
    let receipt = home.publish(&["a"]);
    assert_eq!(count(&receipt, "resolved"), 4, "three members and a null key");
    assert_eq!(receipt["suppressed_by"], serde_json::json!({"null_key": 1}));
    let held = home.held();
    let of = |member: &str, field: &str| held[member].get(field).map(String::as_str);
    assert_eq!(of("a", "name"), Some("ANN"));
    assert_eq!(of("b", "name"), Some("BO"), "of duplicates the latest counts");
    assert_eq!(of("c", "name"), None);
    assert_eq!(of("a", "first"), Some("ann@example.com"), "the first value that is not null");
    assert_eq!(of("c", "first"), None);
    assert_eq!(of("a", "last"), Some("1"));
    assert_eq!(of("a", "all"), Some("[1,  Ann@Example.COM ]"));
    assert_eq!((of("a", "mails"), of("c", "mails")), (Some("2"), Some("0")));
    assert_eq!((of("a", "spent"), of("a", "average")), (Some("8.0"), Some("2.6666666666666665")));
    assert_eq!((of("a", "at_home"), of("b", "at_home"), of("c", "at_home")), (Some("2"), Some("1"), Some("0")));
    assert_eq!((of("a", "label"), of("c", "label")), (Some("Ann-mail"), None));
    assert_eq!(of("a", "digest"), Some("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"));
}

#[test]
fn filter_and_requirements_suppress_with_the_first_reason() {
    let home = Home::new(&config(
        "
    segment: everyone
    mode: full
    attributes:
      id: id
      name: name
      mail: { from: contact, value: value, where: kind = 'mail', order_by: rank }
    filter: consent AND name <> 'Ann'
    require: [name, mail]
",
        "",
    ));
    lake(&home);
    let receipt = home.publish(&["a"]);
    assert_eq!(receipt["suppressed_by"], serde_json::json!({"filter": 2, "null_key": 1}));
    assert_eq!(home.held().len(), 1);
}

#[test]
fn a_composite_key_identifies_members_and_their_related_rows() {
    let home = Home::new(
        &config(
            "
    segment: everyone
    mode: incremental
    guards: { max_removed: 100% }
    attributes:
      id: id
      n: { from: contact, value: count(*) }
",
            "",
        )
        .replace("key: id,", "key: [id, kq],")
        .replace("member: person", "member: [person, q]"),
    );
    let person = |ids: &[&str], qualifiers: &[i64]| {
        home.table(
            "person",
            vec![("id", words(ids)), ("kq", integers(qualifiers)), ("at", integers(&vec![1; ids.len()]))],
        );
    };
    person(&["a", "a", "b"], &[1, 2, 1]);
    home.table(
        "contact",
        vec![("cid", words(&["1", "2", "3"])), ("person", words(&["a", "a", "b"])), ("q", integers(&[2, 2, 9]))],
    );
    home.publish(&["a"]);
    let held = home.held();
    assert_eq!(held.keys().collect::<Vec<_>>(), ["a|1", "a|2", "b|1"]);
    assert_eq!((held["a|2"]["n"].as_str(), held["b|1"]["n"].as_str()), ("2", "0"));
    person(&["a", "b"], &[2, 1]);
    assert_eq!(count(&home.publish(&["a"]), "removed"), 1);
    assert_eq!(home.held().keys().collect::<Vec<_>>(), ["a|2", "b|1"]);
}

#[test]
fn an_integer_key_keeps_its_type_in_the_files() {
    let home = Home::new(&config(
        "
    segment: everyone
    mode: incremental
    guards: { max_removed: 100% }
    attributes: { id: id }
",
        "",
    ));
    home.table("person", vec![("id", integers(&[3, 1, 2])), ("at", integers(&[1, 1, 1]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", integers(&[]))]);
    home.publish(&["a"]);
    home.table("person", vec![("id", integers(&[1, 2])), ("at", integers(&[1, 1]))]);
    home.publish(&["a"]);
    assert_eq!(home.held().keys().collect::<Vec<_>>(), ["1", "2"]);
    let part = crate::support::files(&home.path("out")).into_iter().find(|path| path.extension().unwrap() == "parquet");
    let file = std::fs::File::open(part.unwrap()).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    assert_eq!(reader.schema().field(1).data_type(), &arrow::datatypes::DataType::Int64);
}

#[test]
fn what_can_not_be_asked_of_one_row_is_an_error_of_the_config() {
    for (line, at) in [
        ("    filter: count(*) > 1\n", "activations.a.filter"),
        ("    filter: name\n", "activations.a.filter"),
        ("      n: { from: contact, value: cid, order_by: random() }\n", "activations.a.attributes.n.order_by"),
        ("      n: { from: contact, value: cid, where: count(*) > 1 }\n", "activations.a.attributes.n.where"),
        ("      n: now()\n", "activations.a.attributes.n"),
    ] {
        let attributes = "    segment: everyone\n    mode: full\n    attributes:\n      id: id\n";
        let home = Home::new(&config(&format!("{attributes}{line}"), ""));
        lake(&home);
        let ran = home.run(&["publish", "a"]);
        assert_eq!(ran.status, 2, "{line}: {ran:?}");
        assert!(ran.stderr.lines().next().unwrap().contains(&format!("invalid_sql: {at}")), "{line}: {ran:?}");
    }
    // Null is not true: nobody passes, which is no error.
    let nobody = "    segment: everyone\n    mode: full\n    filter: \"NULL\"\n    guards: { min_members: 0 }\n    attributes: { id: id }\n";
    let home = Home::new(&config(nobody, ""));
    lake(&home);
    assert_eq!(home.publish(&["a"])["suppressed_by"]["filter"], 3);
}
