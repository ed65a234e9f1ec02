//! A snapshot from a file of keys.

use std::fs;

use super::{INCREMENTAL, adopt, counts, home, keyed, lose_state, people, refused};
use crate::publishing::integers;

#[test]
fn blank_lines_repeated_keys_and_the_line_ends_of_other_systems_are_fine() {
    let home = home(INCREMENTAL);
    people(&home, &[("a", "Ann"), ("b c", "Bo"), ("d", "Di")]);
    fs::write(home.path("keys.txt"), "\u{feff}a\r\n\r\nb c\r\na\r\n   \ngone").unwrap();
    let adopted = adopt(&home, &["a", "--keys", "keys.txt"]);
    assert_eq!((&adopted["members"], &adopted["sequence"]), (&3.into(), &serde_json::Value::Null));
    assert_eq!(counts(&home.publish(&["a"])), [1, 2, 1, 0]);
}

#[test]
fn lines_that_can_be_no_key_refuse_the_whole_file_and_are_not_shown() {
    let home = home(INCREMENTAL);
    keyed(&home, integers(&[1, 2]), &["Ann", "Bo"]);
    fs::write(home.path("keys.txt"), "1\n\nprivate@example.com\n2\n7.5\n").unwrap();
    let (status, error) = refused(&home, &["a", "--keys", "keys.txt"]);
    assert_eq!(status, 2, "{error}");
    assert!(error.contains("line 3") && error.contains("1 more line"), "{error}");
    assert!(!error.contains("private"), "{error}");
    fs::write(home.path("keys.txt"), b"1\n\xff\n").unwrap();
    let (status, error) = refused(&home, &["a", "--keys", "keys.txt"]);
    assert!(status == 2 && error.contains("line 2") && error.contains("UTF-8"), "{error}");
    let (status, error) = refused(&home, &["a", "--keys", "absent.txt"]);
    assert!(status == 2 && error.contains("absent.txt"), "{error}");
    assert_eq!(counts(&home.publish(&["a"])), [2, 0, 0, 0], "nothing was adopted");
}

#[test]
fn more_keys_than_are_read_at_a_time_are_all_adopted() {
    let home = home(INCREMENTAL);
    let ids: Vec<i64> = (0..20_000).collect();
    let names: Vec<&str> = ids.iter().map(|_| "x").collect();
    keyed(&home, integers(&ids), &names);
    home.publish(&["a"]);
    lose_state(&home);
    fs::write(home.path("keys.txt"), ids.iter().map(|id| format!("{id}\n")).collect::<String>()).unwrap();
    assert_eq!(adopt(&home, &["a", "--keys", "keys.txt"])["members"], 20_000);
    assert_eq!(counts(&home.publish(&["a"])), [0, 20_000, 0, 0]);
}
