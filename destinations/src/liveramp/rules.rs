//! What an activation must be like, told at `check`.

use std::collections::HashSet;

use super::{
    columns::{Family, looks_like_an_identifier},
    config::LiveRampConfig,
};
use crate::{
    contract::{ActivationFacts, ConfigError, Mode},
    files::Compression,
};

/// Most segment fields of a file.
const MOST_SEGMENTS: usize = 500;
/// Longest header of a segment field.
const LONGEST_HEADER: usize = 128;
/// What the `files` block may say; the rest is LiveRamp's to say.
const OPEN: [&str; 3] = ["compression", "encrypt", "keep"];

/// Whether a text may be the header of a segment field.
pub(super) fn is_header(text: &str) -> bool {
    (1..=LONGEST_HEADER).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// All that is wrong.
pub(super) fn check(settings: &LiveRampConfig, activation: &ActivationFacts<'_>) -> Vec<ConfigError> {
    let mut faults = Vec::new();
    // What attributes there are is told by others where none fits.
    if !activation.attributes.is_empty() {
        headers(settings, activation.attributes, &mut faults);
        file_as_a_whole(settings, activation.attributes, &mut faults);
    }
    changes(settings, activation, &mut faults);
    files(activation, &mut faults);
    faults
}

fn wrong(key: impl Into<String>, message: impl Into<String>) -> ConfigError {
    ConfigError { key: key.into(), message: message.into() }
}

/// Each header by itself.
fn headers(settings: &LiveRampConfig, attributes: &[&str], faults: &mut Vec<ConfigError>) {
    let region = settings.region;
    let mut seen = HashSet::from([settings.key().to_ascii_uppercase()]);
    for header in attributes {
        let message = if header.eq_ignore_ascii_case(settings.key()) {
            "herald writes this column itself, with the member's key".to_owned()
        } else if !seen.insert(header.to_ascii_uppercase()) {
            "another header differs from it in nothing but case".to_owned()
        } else if region.content(header).is_some() {
            continue;
        } else if region.other().content(header).is_some() {
            format!(
                "this header is for the region `{}`, and the target's is `{}`",
                region.other().word(),
                region.word()
            )
        } else if looks_like_an_identifier(header) {
            let known: Vec<&str> = region.headers().collect();
            format!("looks like an identifier and is none of LiveRamp's headers: {}", known.join(", "))
        } else if !is_header(header) {
            format!("is no header of a segment field: expected at most {LONGEST_HEADER} letters, digits and `_`")
        } else {
            continue;
        };
        faults.push(wrong(format!("attributes.{header}"), message));
    }
}

/// Headers that must or can't stand together.
fn file_as_a_whole(settings: &LiveRampConfig, attributes: &[&str], faults: &mut Vec<ConfigError>) {
    let contents = || attributes.iter().filter_map(|header| settings.region.content(header));
    let has = |family: Family| contents().any(|content| content.family() == family);
    let segments = attributes.iter().filter(|header| settings.region.content(header).is_none()).count();
    let mut fault = |message: String| faults.push(wrong("attributes", message));
    if contents().next().is_none() {
        fault("no attribute is an identifier that LiveRamp could find anybody by, such as `EMAIL1`".to_owned());
    }
    if has(Family::Known) && has(Family::Pseudonymous) {
        let message =
            "people's identifiers and ids of devices can't stand in one file: publish them by two activations";
        fault(message.to_owned());
    }
    let mut devices = contents().filter_map(super::columns::Content::device);
    if let Some(first) = devices.next()
        && devices.any(|other| other != first)
    {
        fault(
            "ids of Android and of Apple devices can't stand in one file: publish them by two activations".to_owned(),
        );
    }
    if segments == 0 {
        fault(
            "no attribute is a segment field: add one, such as `GOLD: \"'1'\"`, or nobody is put anywhere".to_owned(),
        );
    }
    if segments > MOST_SEGMENTS {
        fault(format!("{segments} segment fields are more than the {MOST_SEGMENTS} that LiveRamp takes"));
    }
}

/// LiveRamp either adds what a file holds to the audience, and removes by deletion files; or replaces the audience by
/// each file. Which of the two is set up on its side, and `deletions` says it here.
fn changes(settings: &LiveRampConfig, activation: &ActivationFacts<'_>, faults: &mut Vec<ConfigError>) {
    let deletes = settings.deletions.is_some();
    if activation.mode == Mode::Incremental && activation.removes && !deletes {
        let message = "removals need deletion files, and the target names no place for them: set `deletions` on the \
                       target, or here `send: [add, update]`, or `mode: full` for an audience that each file replaces";
        faults.push(wrong("send", message));
    }
    if activation.mode == Mode::Full && deletes {
        let message = "an audience with deletion files takes changes: remove the target's `deletions` if each file \
                       replaces the audience, or publish in mode incremental";
        faults.push(wrong("mode", message));
    }
    if activation.resyncs && deletes {
        let message = "a resync sends everybody and removes nobody, and LiveRamp keeps who is not in a file: remove \
                       `resync`, or the target's `deletions` if each file replaces the audience";
        faults.push(wrong("resync", message));
    }
}

fn files(activation: &ActivationFacts<'_>, faults: &mut Vec<ConfigError>) {
    for key in activation.files_given.iter().filter(|key| !OPEN.contains(key)) {
        let message =
            format!("LiveRamp's rules and the target's options say this: remove it; open are {}", OPEN.join(", "));
        faults.push(wrong(format!("files.{key}"), message));
    }
    if !matches!(activation.files.compression, Compression::None | Compression::Gzip) {
        faults.push(wrong("files.compression", "LiveRamp takes `gzip` or `none`"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::{
        files::{FileOptions, Format},
        liveramp::config::tests::settings,
    };

    static FILES: LazyLock<FileOptions> =
        LazyLock::new(|| FileOptions { format: Format::Csv, compression: Compression::Gzip, ..FileOptions::default() });

    fn faults<'a>(
        settings: &LiveRampConfig,
        attributes: &'a [&'a str],
        change: impl FnOnce(&mut ActivationFacts<'a>),
    ) -> Vec<String> {
        let mut facts = ActivationFacts {
            mode: Mode::Incremental,
            removes: true,
            resyncs: false,
            attributes,
            files: &FILES,
            files_given: &[],
        };
        change(&mut facts);
        check(settings, &facts).into_iter().map(|fault| fault.key).collect()
    }

    fn of(region: &str, attributes: &[&str]) -> Vec<String> {
        faults(&settings(region), attributes, |_| {})
    }

    #[test]
    fn headers_follow_the_region() {
        assert_eq!(of("us", &["FIRSTNAME", "EMAIL1", "EMAIL1_SHA-256", "PHONE1_SHA-1", "GOLD"]), [""; 0]);
        assert_eq!(of("eu", &["EMAIL1", "SHA256EMAIL1", "MOBILE1", "GOLD"]), [""; 0]);
        assert_eq!(of("eu", &["EMAIL1", "PHONE1_SHA-1", "GOLD"]), ["attributes.PHONE1_SHA-1"]);
        assert_eq!(of("us", &["EMAIL1", "TOWN", "GOLD"]), ["attributes.TOWN"]);
        assert_eq!(of("us", &["EMAIL1", "email2", "GOLD"]), ["attributes.email2"]);
        assert_eq!(of("us", &["EMAIL1", "ccid", "GOLD"]), ["attributes.ccid"]);
        assert_eq!(of("us", &["EMAIL1", "GOLD", "gold"]), ["attributes.gold"]);
        assert_eq!(of("us", &["EMAIL1", "GOLD MEMBER"]), ["attributes.GOLD MEMBER"]);
        let long = "G".repeat(129);
        assert_eq!(of("us", &["EMAIL1", &long]), [format!("attributes.{long}")]);
    }

    #[test]
    fn a_file_holds_one_sort_of_identifiers_and_segment_fields() {
        assert_eq!(of("us", &["AAID", "AAID_SHA-1", "GOLD"]), [""; 0]);
        for wrong in [&["EMAIL1"][..], &["GOLD"], &["EMAIL1", "AAID", "GOLD"], &["AAID", "IDFA_SHA-1", "GOLD"]] {
            assert_eq!(of("us", wrong), ["attributes"], "{wrong:?}");
        }
        let fields: Vec<String> = (0..501).map(|number| format!("F{number}")).collect();
        let mut attributes: Vec<&str> = fields.iter().map(String::as_str).collect();
        attributes.push("EMAIL1");
        assert_eq!(of("us", &attributes), ["attributes"]);
        assert_eq!(of("us", &attributes[1..]), [""; 0]);
    }

    #[test]
    fn what_becomes_of_leavers_is_decided_when_the_config_is_checked() {
        let with = settings("us");
        let mut without = with.clone();
        without.deletions = None;
        let good = ["EMAIL1", "GOLD"];
        assert_eq!(faults(&without, &good, |_| {}), ["send"]);
        assert_eq!(faults(&without, &good, |facts| facts.removes = false), [""; 0]);
        assert_eq!(faults(&without, &good, |facts| facts.mode = Mode::Full), [""; 0]);
        assert_eq!(faults(&with, &good, |facts| facts.mode = Mode::Full), ["mode"]);
        assert_eq!(faults(&with, &good, |facts| facts.resyncs = true), ["resync"]);
    }

    #[test]
    fn of_the_files_only_what_is_open_may_be_said() {
        let (settings, good) = (settings("us"), ["EMAIL1", "GOLD"]);
        assert_eq!(faults(&settings, &good, |facts| facts.files_given = &OPEN), [""; 0]);
        assert_eq!(
            faults(&settings, &good, |facts| facts.files_given = &["path", "max_rows", "manifest", "csv"]),
            ["files.path", "files.max_rows", "files.manifest", "files.csv"]
        );
        static ZSTD: LazyLock<FileOptions> =
            LazyLock::new(|| FileOptions { compression: Compression::Zstd, ..FILES.clone() });
        assert_eq!(faults(&settings, &good, |facts| facts.files = &ZSTD), ["files.compression"]);
    }
}
