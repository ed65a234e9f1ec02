//! Whatever a file holds, loading it ends with a config or with problems.

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use super::support::{Files, SMALL};

/// What a mangled config must not do: panic, hang, or fail without saying where.
fn survives(text: &[u8]) {
    let files = Files::new().with("herald.yaml", text);
    if let Err(problems) = files.load() {
        assert!(!problems.is_empty());
        let folder = files.folder.path().display().to_string();
        for problem in &problems {
            let line = problem.to_string();
            assert!(line.starts_with(&folder) && !line.contains('\n'), "{line}");
        }
        let shown = problems.render(false);
        assert!(problems.iter().all(|problem| shown.contains(&problem.to_string())));
    }
}

/// Pieces that break YAML in ways of their own.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ":",
            ": ",
            "- ",
            "? ",
            "| ",
            "> ",
            "\n",
            "\n  ",
            "\t",
            "'",
            "\"",
            "#",
            " #",
            "&a ",
            "*a",
            "!x ",
            "!!str ",
            "%",
            "@",
            "`",
            "---\n",
            "...\n",
            "${",
            "${A}",
            "${file:x}",
            "$${",
            "}",
            "\u{feff}",
            "\u{0}",
            "\u{85}",
            "\u{2028}",
            "ä",
            "🦀",
            "~",
            "null",
            "1e999",
            "0x",
            "99999999999999999999",
            "<<: ",
            "\\",
            ",",
            "type: s3",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_config_with_pieces_put_in_survives(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, piece()), 1..6)
    ) {
        let mut text: Vec<char> = SMALL.chars().collect();
        for (at, cut, piece) in edits {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, piece.chars());
        }
        survives(text.into_iter().collect::<String>().as_bytes());
    }

    #[test]
    fn a_config_cut_short_survives(end in 0..SMALL.len()) {
        survives(&SMALL.as_bytes()[..end]);
    }

    #[test]
    fn pieces_alone_survive(pieces in prop::collection::vec(piece(), 0..40)) {
        survives(pieces.concat().as_bytes());
    }

    #[test]
    fn bytes_survive(bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..200), Just(vec![0xef, 0xbb, 0xbf])]) {
        survives(&bytes);
    }
}
