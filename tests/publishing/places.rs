//! Which files a table's path names.

use std::fs;

use super::{config, integers, words};
use crate::support::Home;

fn members(path: &str, meddle: impl Fn(&Home)) -> Result<String, String> {
    let activation =
        "\n    segment: everyone\n    mode: full\n    attributes: { id: id }\n    guards: { min_members: 0 }\n";
    let home = Home::new(
        &config(activation, "").replace("lake/person.parquet", &format!("\"{path}\"")).replace(", updated_at: at", ""),
    );
    for (name, id) in [("g/a", "a"), ("g/x/b", "b"), ("g/x/deep/c", "c"), ("g/y/d", "d")] {
        home.table(name, vec![("id", words(&[id])), ("at", integers(&[1]))]);
    }
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
    meddle(&home);
    let ran = home.run(&["publish", "a", "--json"]);
    if ran.status == 0 { Ok(home.held().into_keys().collect()) } else { Err(ran.stderr) }
}

#[test]
fn a_folder_is_all_below_it_and_globs_match_as_in_a_shell() {
    for (path, expected) in [
        ("lake/g", "abcd"),
        ("lake/g/", "abcd"),
        ("lake/g/*.parquet", "a"),
        ("lake/g/**/*.parquet", "abcd"),
        ("lake/g/*/*.parquet", "bd"),
        ("lake/g/x/*/c.parquet", "c"),
        ("lake/?/[xy]/?.parquet", "bd"),
        ("lake/g/x/b.parquet", "b"),
    ] {
        assert_eq!(members(path, |_| {}).as_deref(), Ok(expected), "{path}");
    }
}

#[test]
fn what_writers_leave_beside_data_is_not_read_and_mixed_sorts_are_refused() {
    let litter = |home: &Home| {
        for name in ["_SUCCESS", ".a.parquet.crc", "b.parquet.tmp", ".hidden.parquet", "notes.txt"] {
            fs::write(home.path("lake/g/x").join(name), "not rows").unwrap();
        }
    };
    assert_eq!(members("lake/g", litter).as_deref(), Ok("abcd"));
    let mixed = members("lake/g", |home| fs::write(home.path("lake/g/e.csv"), "id,at\ne,1\n").unwrap());
    assert!(mixed.as_ref().is_err_and(|error| error.contains("different formats")), "{mixed:?}");
}

#[test]
fn names_of_folders_become_columns_also_below_a_glob() {
    let hive = |home: &Home| {
        for (country, id) in [("DE", "x"), ("FR", "y")] {
            home.table(&format!("h/country={country}/p"), vec![("id", words(&[id])), ("at", integers(&[1]))]);
        }
        let text = fs::read_to_string(home.path("herald.yaml")).unwrap();
        home.configure(&text.replace("where: 'true'", "where: country = 'DE'"));
    };
    for path in ["lake/h", "lake/h/**/*.parquet", "lake/h/country=*/*.parquet"] {
        assert_eq!(members(path, hive).as_deref(), Ok("x"), "{path}");
    }
}
