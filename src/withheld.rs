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
use serde_json::Value;

/// Stands where a text was.
pub const WITHHELD: &str = "(withheld)";
/// Shorter texts, and numbers of fewer digits, are words like any other.
const SHORTEST: usize = 4;
/// Hosts that say nothing.
const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];
/// Forms that are remembered: configs are read again and again, and each may have new ones.
const MOST: usize = 10_000;
/// Bytes that the finder may take.
const FINDER: usize = 256 << 20;

/// All that was ever withheld: what is under way may still speak of what a reload took away.
static FORMS: Mutex<BTreeSet<Form>> = Mutex::new(BTreeSet::new());
static FINDER_OF_FORMS: ArcSwapOption<Regex> = ArcSwapOption::const_empty();

/// A form in which a text turns up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    text: String,
    /// Whether it turns up as a whole word only: `gold` says nothing of `gold_to_partner`.
    whole: bool,
}

/// From now on, nothing shows these.
pub fn withhold<'a>(texts: impl IntoIterator<Item = &'a str>) {
    let forms: BTreeSet<Form> = texts.into_iter().flat_map(forms).collect();
    let mut known = FORMS.lock().unwrap_or_else(PoisonError::into_inner);
    if forms.is_subset(&known) {
        return;
    }
    if known.len() + forms.len() > MOST {
        known.clear();
    }
    known.extend(forms);
    FINDER_OF_FORMS.store(Some(Arc::new(finder(&known))));
}

/// A text without what is withheld.
pub fn without(text: &str) -> Cow<'_, str> {
    match &*FINDER_OF_FORMS.load() {
        Some(finder) => finder.replace_all(text, WITHHELD),
        None => Cow::Borrowed(text),
    }
}

/// A line of the log without what is withheld. Of one that is JSON, texts alone are looked at: it stays JSON, and what it
/// counts and when it was written stay as they are.
pub fn without_in_line(line: &str) -> Cow<'_, str> {
    let finder = FINDER_OF_FORMS.load();
    let Some(finder) = finder.as_ref().filter(|finder| finder.is_match(line)) else { return Cow::Borrowed(line) };
    match serde_json::from_str::<Value>(line) {
        Ok(mut json @ Value::Object(_)) => {
            mask(&mut json, finder);
            Cow::Owned(format!("{json}\n"))
        }
        _ => finder.replace_all(line, WITHHELD),
    }
}

fn mask(json: &mut Value, finder: &Regex) {
    match json {
        Value::String(text) => *text = finder.replace_all(text, WITHHELD).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, finder)),
        Value::Object(fields) => {
            let shown = |name: &str| matches!(name, "timestamp" | "level" | "target");
            fields.iter_mut().filter(|(name, _)| !shown(name)).for_each(|(_, value)| mask(value, finder));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Of the parts that a place is made of, those that a withheld text gives away: `sftp.example.com` of
/// `SFTP.example.com`, or the account of a connection string.
pub fn parts_of<'p>(place: &'p str, text: &str) -> impl Iterator<Item = &'p str> {
    let text = text.to_lowercase();
    pieces(place).filter(move |piece| text.contains(&piece.to_lowercase()))
}

/// The longest come first, so that no part of one is left over. Where there is too much to look for, nothing is shown.
fn finder(forms: &BTreeSet<Form>) -> Regex {
    let mut forms: Vec<&Form> = forms.iter().collect();
    forms.sort_by_key(|form| std::cmp::Reverse(form.text.len()));
    let is_word = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    let pattern = |form: &&Form| {
        let edge = |char| if form.whole && is_word(char) { r"\b" } else { "" };
        let (first, last) = (form.text.chars().next(), form.text.chars().next_back());
        format!("{}{}{}", edge(first), regex::escape(&form.text), edge(last))
    };
    let any = forms.iter().map(pattern).collect::<Vec<_>>().join("|");
    let found = RegexBuilder::new(&any).case_insensitive(true).size_limit(FINDER).build();
    #[expect(clippy::expect_used, reason = "the pattern is fixed, and a test builds it")]
    found.unwrap_or_else(|_| Regex::new(EVERYTHING).expect("it is a pattern"))
}

/// Matches any text whole.
const EVERYTHING: &str = "(?s).+";

/// The forms in which a text turns up: whole, line by line, as the parts of an address, as a path that was joined to
/// another, and as the fixed parts of a pattern.
fn forms(text: &str) -> BTreeSet<Form> {
    let text = text.trim();
    let long = |text: &str| text.chars().count() >= SHORTEST;
    if text.chars().all(|char| char.is_ascii_digit()) {
        // A bare number is anything; after these it is a port.
        let ports = [format!(":{text}"), format!("port {text}")].map(|text| Form { text, whole: true });
        return if long(text) { ports.into() } else { BTreeSet::new() };
    }
    let mut whole: BTreeSet<&str> = text.lines().map(str::trim).collect();
    whole.insert(text);
    if text.contains("://") {
        whole.extend(pieces(text));
    }
    let path = text.trim_start_matches("../").trim_start_matches("./");
    whole.insert(path.trim_matches('/'));
    let mut parts = BTreeSet::new();
    if let Some(at) = path.find(['*', '?', '[']) {
        parts.insert(path[..at].trim_matches('/'));
    }
    // What stands between placeholders; shorter parts, as in `part-{part}`, say nothing.
    let fixed = path.split(['{', '}']).step_by(2).map(|part| part.trim_matches(['/', '-', '_', '.']));
    parts.extend(fixed.filter(|part| part.len() >= 2 * SHORTEST));
    let texts = whole.into_iter().map(|text| (text, true)).chain(parts.into_iter().map(|text| (text, false)));
    let both = |(text, whole): (&str, bool)| {
        // `Debug` escapes some.
        let escaped = format!("{text:?}");
        let escaped = escaped[1..escaped.len() - 1].to_owned();
        [text.to_owned(), escaped].map(|text| Form { text, whole })
    };
    texts.filter(|(text, _)| long(text)).flat_map(both).collect()
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
        let forms: BTreeSet<Form> = withheld.iter().flat_map(|text| forms(text)).collect();
        finder(&forms).replace_all(text, WITHHELD).into_owned()
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
        let said = "8080 members in the eu at 07:22:1950, gold_to_partner, file:22:5";
        assert_eq!(shown(&["eu", "8080", "22", "gold", "long enough"], said), said);
    }

    #[test]
    fn parts_of_a_place_are_those_that_a_text_gives_away() {
        let place = "azure_blob://acct77.blob.core.windows.net/exports/daily";
        let text = "DefaultEndpointsProtocol=https;AccountName=acct77;EndpointSuffix=core.windows.net";
        assert_eq!(parts_of(place, text).collect::<Vec<_>>(), ["acct77"]);
    }

    #[test]
    fn of_a_line_of_json_texts_alone_are_masked_and_it_stays_json() {
        withhold(["4711", "gold", "it's \"4711\""]);
        let line = "{\"timestamp\":\"T:4711\",\"level\":\"WARN\",\"gold\":4711,\"rows\":47110,\"span\":{\"error\":\"sftp:4711, gold, it's \\\"4711\\\"\"}}\n";
        let shown = without_in_line(line);
        let json: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((&json["timestamp"], &json["gold"], &json["rows"]), (&"T:4711".into(), &4711.into(), &47110.into()));
        assert_eq!(json["span"]["error"], "sftp(withheld), (withheld), (withheld)");
        assert!(shown.ends_with("}\n"));
        assert_eq!(without_in_line("at sftp:4711\n"), "at sftp(withheld)\n");
    }

    #[test]
    fn what_can_not_be_looked_for_shows_nothing() {
        assert_eq!(Regex::new(EVERYTHING).unwrap().replace_all("a\nb", WITHHELD), WITHHELD);
    }

    #[test]
    fn what_was_withheld_once_stays_so() {
        withhold(["canary-one"]);
        withhold(["canary-two"]);
        assert_eq!(without("canary-one, Canary-Two, other"), "(withheld), (withheld), other");
    }
}
