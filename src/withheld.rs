//! What came by `${file:}`: no log line, error or page shows it, wherever it turns up.
//!
//! A property of the process and not of a call: a library's error may quote a host name or a path from anywhere.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwapOption;
use regex::{Regex, RegexBuilder};

/// Stands where a text was.
pub const WITHHELD: &str = "(withheld)";
/// Shorter texts are words like any other.
const SHORTEST: usize = 4;
/// Hosts that say nothing.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];
/// Texts that are remembered: configs are read again and again, and each may have new ones.
const MOST: usize = 10_000;
/// Bytes that the finder may take.
const FINDER: usize = 64 << 20;

/// All that was ever withheld: what is under way may still speak of what a reload took away.
static TEXTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static FINDER_OF_TEXTS: ArcSwapOption<Regex> = ArcSwapOption::const_empty();

/// From now on, nothing shows these.
pub fn withhold<'a>(texts: impl IntoIterator<Item = &'a str>) {
    let mut known = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let new: Vec<String> = texts.into_iter().flat_map(forms).filter(|form| !known.contains(form)).collect();
    if new.is_empty() {
        return;
    }
    if known.len() + new.len() > MOST {
        known.clear();
    }
    known.extend(new);
    FINDER_OF_TEXTS.store(finder(&known).map(Arc::new));
}

/// A text without what is withheld.
pub fn without(text: &str) -> Cow<'_, str> {
    match &*FINDER_OF_TEXTS.load() {
        Some(finder) => finder.replace_all(text, WITHHELD),
        None => Cow::Borrowed(text),
    }
}

/// Of the parts that a place is made of, those that a withheld text gives away: `sftp.example.com` of
/// `SFTP.example.com`, or the account of a connection string.
pub fn parts_of<'p>(place: &'p str, text: &str) -> impl Iterator<Item = &'p str> {
    let text = text.to_lowercase();
    pieces(place).filter(move |piece| text.contains(&piece.to_lowercase()))
}

/// The longest come first, so that no part of one is left over.
fn finder(texts: &BTreeSet<String>) -> Option<Regex> {
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let any = texts.iter().map(|text| regex::escape(text)).collect::<Vec<_>>().join("|");
    RegexBuilder::new(&any).case_insensitive(true).size_limit(FINDER).build().ok()
}

/// The forms in which a text turns up: whole, line by line, as the parts of an address, as a path that was joined to
/// another, and as the fixed start of a pattern.
fn forms(text: &str) -> BTreeSet<String> {
    let text = text.trim();
    if text.chars().all(|char| char.is_ascii_digit()) {
        // A bare number is anything; after these it is a port.
        return if text.is_empty() { BTreeSet::new() } else { [format!(":{text}"), format!("port {text}")].into() };
    }
    let mut forms: BTreeSet<&str> = text.lines().map(str::trim).collect();
    forms.insert(text);
    if text.contains("://") {
        forms.extend(pieces(text));
    }
    let path = text.trim_start_matches("../").trim_start_matches("./");
    forms.insert(path.trim_matches('/'));
    if let Some(at) = path.find(['*', '?', '[']) {
        forms.insert(path[..at].trim_matches('/'));
    }
    // What stands between placeholders; shorter parts, as in `part-{part}`, say nothing.
    let fixed = path.split(['{', '}']).step_by(2).map(|part| part.trim_matches(['/', '-', '_', '.']));
    forms.extend(fixed.filter(|part| part.len() >= 2 * SHORTEST));
    let long = forms.into_iter().filter(|form| form.chars().count() >= SHORTEST);
    // `Debug` and JSON escape some.
    long.flat_map(|form| [form.to_owned(), form.escape_debug().to_string()]).collect()
}

/// What stands between the separators of an address, its scheme left out.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let first_label = rest.split(['.', '/', '@', ':']).next();
    let tells = |piece: &&str| piece.len() >= SHORTEST && !LOOPBACK.contains(piece);
    rest.split(['/', ' ', '@', ':', '?']).chain(first_label).filter(tells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(withheld: &[&str], text: &str) -> String {
        let texts: BTreeSet<String> = withheld.iter().flat_map(|text| forms(text)).collect();
        finder(&texts).unwrap().replace_all(text, WITHHELD).into_owned()
    }

    #[test]
    fn texts_are_withheld_in_every_form_that_they_take() {
        let by_file = ["SFTP.Example.com", "2222", "./lake/canary/*.parquet", "https://bucket-4.s3.test/a-path?x=1"];
        let said =
            "could not reach sftp.example.com:2222 (path /srv/lake/canary/part-1.parquet, host bucket-4.s3.test)";
        let left = "could not reach (withheld)(withheld) (path /srv/(withheld)/part-1.parquet, host (withheld))";
        assert_eq!(shown(&by_file, said), left);
        assert_eq!(
            shown(&["a \"b\" c\nsecond line"], r#"{"e":"a \"b\" c"} SECOND LINE"#),
            r#"{"e":"(withheld)"} (withheld)"#
        );
    }

    #[test]
    fn of_two_the_longer_goes_whole() {
        assert_eq!(shown(&["token", "token-4711"], "token-4711 and token"), "(withheld) and (withheld)");
    }

    #[test]
    fn short_words_and_bare_numbers_stay() {
        assert_eq!(shown(&["eu", "8080", "long enough"], "8080 members in the eu"), "8080 members in the eu");
    }

    #[test]
    fn parts_of_a_place_are_those_that_a_text_gives_away() {
        let place = "azure_blob://acct77.blob.core.windows.net/exports/daily";
        let text = "DefaultEndpointsProtocol=https;AccountName=acct77;EndpointSuffix=core.windows.net";
        assert_eq!(parts_of(place, text).collect::<Vec<_>>(), ["acct77"]);
    }

    #[test]
    fn what_was_withheld_once_stays_so() {
        withhold(["canary-one"]);
        withhold(["canary-two"]);
        assert_eq!(without("canary-one, Canary-Two, other"), "(withheld), (withheld), other");
    }
}
