//! Files and folders, syntax, names given twice.

use herald::config::Refresh;

use super::support::{Files, SMALL, breaks, small};

#[test]
fn a_small_config_loads_with_its_defaults() {
    let files = Files::one(SMALL);
    let config = files.config();
    assert_eq!(config.tables.keys().collect::<Vec<_>>(), ["email", "individual"]);
    assert_eq!(config.tables["email"].member, ["individual_id"]);
    assert_eq!(config.tables["email"].location, files.folder.path().join("lake/email.parquet").display().to_string());
    assert_eq!(config.service.data_dir, files.folder.path().join("data"));
    assert_eq!(config.service.memory, 1 << 30);
    assert_eq!((config.service.concurrency, config.service.max_teardowns_per_reload), (4, 1));
    assert_eq!(config.service.http.listen, "127.0.0.1:8080");
    let one = &config.activations["one"];
    assert_eq!(one.refresh, Refresh::Manual);
    assert_eq!(one.attributes.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["id", "mail"]);
    assert_eq!((one.guards.min_members, one.guards.max_removed), (1, 0.5));
    assert_eq!(config.targets["partner"].config.identity(), files.folder.path().join("./out").display().to_string());
}

#[test]
fn files_of_a_folder_are_merged_at_any_depth() {
    let (before, after) = SMALL.split_once("segments:").unwrap();
    let (segments, rest) = after.split_once("targets:").unwrap();
    let files = Files::new()
        .with("a/b/c/first.yml", before)
        .with("second.yaml", format!("segments:{segments}"))
        .with("third.yaml", format!("---\ntargets:{rest}"))
        .with("notes.txt", "not: [yaml")
        .with(".hidden/copy.yaml", SMALL)
        .with("empty.yaml", "# nothing here\n")
        .with("a/service.yaml", "service: { concurrency: 9 }\nsegments:\n");
    let config = files.config();
    assert_eq!(config.service.concurrency, 9);
    assert_eq!(config.service.data_dir, files.folder.path().join("a/b/c/data"), "relative to the file that names it");
    assert_eq!(config.segments.len(), 3);
}

/// What it led to is not mounted, say: without it activations would seem to be gone.
#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_told() {
    let files = Files::new().with("a.yaml", SMALL);
    std::os::unix::fs::symlink(files.folder.path().join("gone"), files.folder.path().join("team")).unwrap();
    let lines = files.lines();
    assert!(lines.len() == 1 && lines[0].starts_with("team:1:1: unreadable: "), "{lines:?}");
}

#[test]
fn a_name_given_twice_names_both_places() {
    let files =
        Files::new().with("a.yaml", SMALL).with("b/b.yaml", "\nsegments:\n  gold: { from: individual, where: x }\n");
    let a = files.folder.path().join("a.yaml");
    assert_eq!(
        files.lines(),
        ["b/b.yaml:3:3: duplicate_name: segments.gold: given twice; it also stands at a.yaml:11:3"],
        "{}",
        a.display()
    );
    breaks(
        "  buyers:\n",
        "  gold:\n",
        &[
            "14:3: duplicate_name: segments.gold: given twice; it also stands at 11:3",
            "19:23: unknown_reference: segments.tiers.waterfall[1]: there is no segment `buyers`, did you mean `tiers`?",
        ],
    );
}

#[test]
fn keys_of_the_service_may_stand_in_several_files_but_once() {
    let files = Files::one(SMALL).with("z.yaml", "service: { data_dir: other }");
    assert_eq!(files.lines(), ["z.yaml:1:12: duplicate_name: service.data_dir: given twice; it also stands at 2:3"]);
}

#[test]
fn a_key_given_twice_is_an_error_at_any_depth() {
    breaks(
        "    where: country = 'DE'",
        "    where: a\n    where: b",
        &["14:5: duplicate_name: segments.gold.where: given twice; it also stands at 13:5"],
    );
    breaks(
        "value: address }",
        "value: address, value: other }",
        &["28:44: duplicate_name: activations.one.attributes.mail.value: given twice; it also stands at 28:28"],
    );
    breaks(
        "targets:\n",
        "segments: {}\ntargets:\n",
        &["20:1: duplicate_name: segments: given twice; it also stands at 9:1"],
    );
}

#[test]
fn syntax_errors_have_their_place() {
    let lines = Files::one("segments:\n  a: [1, 2\n  b: }\n").lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("3:") && lines[0].contains(": syntax: not valid YAML: "), "{lines:?}");
    let lines = Files::one("a: 'open\n").lines();
    assert!(lines[0].contains(": syntax: "), "{lines:?}");
    let lines = Files::one("segments: !custom {}\n").lines();
    assert_eq!(lines, ["1:11: syntax: YAML tags are not used in a config"]);
    let lines = Files::one("segments:\n  {a: b}: c\n").lines();
    assert_eq!(lines, ["2:3: syntax: a key must be text"]);
    let lines = Files::one("segments: *nowhere\n").lines();
    assert!(lines[0].starts_with("1:11: syntax: "), "{lines:?}");
}

#[test]
fn bytes_that_are_not_utf8_have_their_place() {
    let lines = Files::new().with("herald.yaml", b"a: b\nc: \xff\n").lines();
    assert_eq!(lines, ["2:4: syntax: the file is not UTF-8"]);
}

#[test]
fn a_syntax_error_does_not_make_dangling_references_elsewhere() {
    let lines = Files::new()
        .with("a.yaml", "segments: [")
        .with(
            "b.yaml",
            "activations:\n  x: { segment: gone, target: gone, attributes: { a: b }, refresh: { manual: yes } }\n",
        )
        .lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("a.yaml:") && lines[0].contains("syntax"), "{lines:?}");
    assert_eq!(lines[1], "b.yaml:2:78: wrong_type: activations.x.refresh.manual: a boolean is wanted, not text");
}

#[test]
fn what_can_not_be_read_is_an_error() {
    let files = Files::new();
    let problems = files.load_at("missing.yaml").err().unwrap();
    let line = problems.to_string();
    assert!(line.contains("missing.yaml:1:1: unreadable: can't read the config: "), "{line}");
    let line = files.load().err().unwrap().to_string();
    assert!(
        line.ends_with(":1:1: unreadable: can't read the config: the folder holds no *.yaml or *.yml file"),
        "{line}"
    );
}

#[test]
fn a_config_that_says_nothing_loads_empty() {
    let config = Files::one("# nothing\n").config();
    assert!(config.activations.is_empty() && config.segments.is_empty());
}

#[test]
fn a_byte_order_mark_and_crlf_do_no_harm() {
    let text = format!("\u{feff}{}", SMALL.replace('\n', "\r\n"));
    Files::one(&text).config();
    let files = Files::one(&text.replace("country = 'DE'", "[]"));
    assert_eq!(files.lines(), ["13:12: wrong_type: segments.gold.where: text is wanted, not a list"]);
}

#[test]
fn columns_count_characters() {
    breaks(
        "{ type: local, path: ./out }",
        "{ path: \"äöü🦀\", type: 5 }",
        &["21:34: wrong_type: targets.partner.type: text is wanted, not an integer"],
    );
}

#[test]
fn aliases_repeat_what_their_anchor_holds() {
    let files = small(
        "      mail: { from: email, value: address }",
        "      mail: &mail { from: email, value: address }\n      again: *mail",
    );
    assert_eq!(files.config().activations["one"].attributes.len(), 3);
    let bomb =
        (0..40).fold("a0: &a0 [x]\n".to_owned(), |text, n| format!("{text}a{}: &a{} [*a{n}, *a{n}]\n", n + 1, n + 1));
    let lines = Files::one(&bomb).lines();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].ends_with("syntax: more than 100000 values, those that aliases repeat included"), "{lines:?}");
    let lines = Files::one("segments: &a { b: *a }\n").lines();
    assert_eq!(lines, ["1:19: syntax: the alias stands within its own anchor"]);
}

#[test]
fn depth_is_bounded() {
    for text in [format!("a: {}", "[".repeat(10_000)), (0..5_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect()] {
        let lines = Files::one(&text).lines();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains(": syntax: "), "{lines:?}");
    }
}

#[test]
fn unknown_top_level_keys_are_errors() {
    breaks(
        "activations:\n",
        "activation:\n",
        &["22:1: unknown_key: activation: unknown key, did you mean `activations`?"],
    );
    assert_eq!(Files::one("- a\n").lines(), ["1:1: wrong_type: a config file is a map, not a list"]);
    assert_eq!(Files::one("segments: 5\n").lines(), ["1:11: wrong_type: segments: a map is wanted, not an integer"]);
}

#[test]
fn all_errors_are_shown_at_once_in_order() {
    let files = small("from: individual\n    where: country = 'DE'", "from: individuals\n    wher: x");
    assert_eq!(
        files.lines(),
        [
            "12:11: unknown_reference: segments.gold.from: there is no table `individuals`, did you mean `individual`?",
            "13:5: unknown_key: segments.gold.wher: unknown key, did you mean `where`?",
        ]
    );
}
