//! `${VAR}`, `${VAR:-default}`, `${file:PATH}`, `$${`.

use super::support::{Files, SMALL, breaks, small};

#[test]
fn filled_in_text_is_read_as_its_fields_type() {
    let files = small("  data_dir: ./data\n", "  concurrency: \"${N}\"\n  engine: { memory: \"${M:-2GiB}\" }\n")
        .variable("N", "7");
    let config = files.config();
    assert_eq!((config.service.concurrency, config.service.memory), (7, 2 << 30));
    let files = Files::one(&format!("{SMALL}    paused: ${{P}}\n    guards: {{ max_removed: \"${{R}}%\" }}\n"))
        .variable("P", "true")
        .variable("R", "30");
    let config = files.config();
    assert!(config.activations["one"].paused);
    assert_eq!(config.activations["one"].guards.max_removed, 0.3);
}

#[test]
fn filled_in_text_of_a_wrong_type_is_an_error() {
    let files = small("  data_dir: ./data\n", "  concurrency: \"${N}\"\n").variable("N", "many");
    assert_eq!(files.lines(), ["2:16: wrong_type: service.concurrency: an integer is wanted, not text"]);
    let files = small("  data_dir: ./data\n", "  concurrency: \"${N:-}\"\n");
    assert_eq!(files.lines(), ["2:16: wrong_type: service.concurrency: an integer is wanted, not nothing"]);
}

#[test]
fn filled_in_digits_stay_text_where_text_is_wanted() {
    let files = small("where: country = 'DE'", "where: ${W}").variable("W", "true");
    assert_eq!(files.config().segments["gold"].rule.filter.as_ref().unwrap().text, "true");
}

#[test]
fn a_variable_without_value_or_default_is_an_error() {
    breaks(
        "  data_dir: ./data\n",
        "  data_dir: \"${NOWHERE}/x\"\n",
        &["2:13: missing_variable: service.data_dir: the environment variable NOWHERE is not set"],
    );
    breaks(
        "where: country = 'DE'",
        "where: a = '${A' AND b",
        &["13:12: invalid_value: segments.gold.where: a `${` has no closing `}`"],
    );
}

#[test]
fn a_doubled_dollar_is_a_literal() {
    let files = small("where: country = 'DE'", "where: country = '$${X}'");
    assert_eq!(files.config().segments["gold"].rule.filter.as_ref().unwrap().text, "country = '${X}'");
}

#[test]
fn files_are_read_beside_the_file_that_names_them_less_one_newline() {
    let files = Files::new()
        .with("deep/s.yaml", "segments: { q: { from: individual, where: \"${file:q.sql}\" } }")
        .with("deep/q.sql", "a = 1\n\n")
        .with("herald.yaml", SMALL);
    assert_eq!(files.config().segments["q"].rule.filter.as_ref().unwrap().text, "a = 1\n");
}

#[test]
fn a_file_that_is_not_there_is_an_error_at_the_value() {
    let lines = small("where: country = 'DE'", "where: \"${file:gone.sql}\"").lines();
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].starts_with("13:12: missing_file: segments.gold.where: the file `gone.sql` can't be read: "),
        "{lines:?}"
    );
    let lines = small("where: country = 'DE'", "where: \"${file:.}\"").lines();
    assert!(lines[0].ends_with("can't be read: it is not a regular file"), "{lines:?}");
}

#[test]
fn each_unset_variable_is_told() {
    let lines = small("  data_dir: ./data\n", "  data_dir: \"${A}\"\n  http: { listen: \"${B}\" }\n").lines();
    assert_eq!(
        lines,
        [
            "2:13: missing_variable: service.data_dir: the environment variable A is not set",
            "3:19: missing_variable: service.http.listen: the environment variable B is not set",
        ]
    );
}
