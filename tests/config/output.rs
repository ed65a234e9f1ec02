//! How problems look.

use herald::config::{Code, Problem};

use super::support::small;

#[test]
fn a_problem_shows_its_line_and_what_to_do() {
    let files = small("where: country = 'DE'", "wher: country = 'DE'");
    let shown = files.problems().render(false);
    let folder = files.folder.path().display().to_string();
    let expected = include_str!("../fixtures/config/report.txt");
    assert_eq!(shown.replace(&folder, "config"), expected);
}

#[test]
fn the_first_line_is_never_wrapped() {
    let long = "x".repeat(400);
    let files = small("where: country = 'DE'", &format!("wher{long}: 1"));
    let shown = files.problems().render(true);
    assert!(
        shown.lines().any(|line| line.contains(&format!("unknown_key: segments.gold.wher{long}: unknown key"))),
        "{shown}"
    );
    let problem = Problem::new(None, Code::InvalidSql, "one\ntwo\r\n\tthree");
    assert_eq!(problem.to_string(), "invalid_sql: one two three");
}

#[test]
fn problems_have_a_json_form() {
    let files = small("where: country = 'DE'", "wher: country = 'DE'");
    let json = files.problems().to_json();
    assert_eq!(json.as_array().map(Vec::len), Some(1));
    assert_eq!(json[0]["code"], "unknown_key");
    assert_eq!((json[0]["line"].as_u64(), json[0]["column"].as_u64()), (Some(13), Some(5)));
    assert_eq!(json[0]["message"], "segments.gold.wher: unknown key, did you mean `where`?");
    assert!(json[0]["path"].as_str().unwrap().ends_with("herald.yaml"));
    assert!(json[0]["remedy"].as_str().unwrap().starts_with("known here: "));
}

#[test]
fn colour_is_only_for_terminals() {
    let files = small("where: country = 'DE'", "where: 5");
    let problems = files.problems();
    assert!(!problems.render(false).contains('\u{1b}') && problems.render(true).contains('\u{1b}'));
}

#[test]
fn every_code_is_documented() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config-errors.md")).unwrap();
    for code in Code::ALL {
        assert!(docs.contains(&format!("`{code}`")), "{code}");
    }
}
