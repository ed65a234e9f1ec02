//! Maps: known and unknown keys, names, what is missing.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};

use super::{At, Validator};
use crate::config::{Code, Problem, shapes, suggest, tree::Entry};

/// A key as errors may show it: where a space is forgotten, `password:secret` is a key.
pub(in crate::config) fn shown_key<'e>(path: &str, entry: &'e Entry) -> &'e str {
    match entry.key.split_once(':') {
        Some((key, _)) if super::may_hold_secrets(path) => {
            entry.place.source.hide(entry.place.span.clone());
            key
        }
        _ => &entry.key,
    }
}

impl Validator<'_> {
    pub(super) fn map(&mut self, at: At<'_, '_>, entries: &[Entry], schema: &Json) -> Option<Json> {
        let nothing = Map::new();
        let known = schema.get("properties").and_then(Json::as_object).unwrap_or(&nothing);
        let by_pattern =
            schema.get("patternProperties").and_then(Json::as_object).and_then(|patterns| patterns.iter().next());
        let others = schema.get("additionalProperties");
        let mut values = Map::new();
        let mut seen = HashSet::with_capacity(entries.len());
        for entry in entries {
            // Reported as given twice; the first counts.
            if !seen.insert(entry.key.as_str()) {
                entry.value.hide();
                continue;
            }
            let path = format!("{}.{}", at.path, shown_key(at.path, entry));
            let of = match (known.get(&entry.key), by_pattern, others) {
                (Some(of), _, _) => of,
                (None, Some((pattern, of)), _) => {
                    self.name(entry, &path, pattern);
                    of
                }
                (None, None, Some(Json::Bool(false))) => {
                    self.unknown(entry, &path, known);
                    continue;
                }
                (None, None, Some(of)) => of,
                (None, None, None) => &Json::Bool(true),
            };
            if let Some(value) =
                self.value(At { node: &entry.value, path: &path, holder: &entry.place, entry: false }, of)
            {
                values.insert(entry.key.clone(), value);
            }
        }
        let mut whole = true;
        for key in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            whole &= values.contains_key(key);
            if !seen.contains(key) {
                let message = format!("{}: the key `{key}` is missing", at.path);
                let mut problem = Problem::new(Some(at.holder.clone()), Code::MissingKey, message);
                problem.remedy = known
                    .get(key)
                    .and_then(|of| of.get("description"))
                    .and_then(Json::as_str)
                    .map(|about| format!("`{key}`: {}", about.lines().next().unwrap_or_default()));
                self.problems.push(problem);
            }
        }
        let least = schema.get("minProperties").and_then(Json::as_u64).unwrap_or(0);
        if (entries.len() as u64) < least {
            self.fault(at, Code::InvalidValue, "the map is empty", Some("give at least one entry".to_owned()));
        }
        (whole || at.entry).then_some(Json::Object(values))
    }

    fn name(&mut self, entry: &Entry, path: &str, pattern: &str) {
        let fits = match pattern {
            shapes::NAME => shapes::name(&entry.key),
            shapes::FIELD => shapes::field(&entry.key),
            _ => Ok(()),
        };
        if let Err(message) = fits {
            let message = format!("{path}: {message}");
            self.problems.push(Problem::new(Some(entry.place.clone()), Code::InvalidValue, message));
        }
    }

    fn unknown(&mut self, entry: &Entry, path: &str, known: &Map<String, Json>) {
        // What an unknown key holds may be a secret under a misspelt name.
        if super::may_hold_secrets(path) {
            entry.value.hide();
        }
        let names = || known.keys().map(String::as_str);
        let message = format!("{path}: unknown key{}", suggest::hint(shown_key(path, entry), names()));
        let mut problem = Problem::new(Some(entry.place.clone()), Code::UnknownKey, message);
        if !known.is_empty() {
            problem = problem.remedy(format!("known here: {}", suggest::list(names())));
        }
        self.problems.push(problem);
    }
}
