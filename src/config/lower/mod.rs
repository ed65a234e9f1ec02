//! Entries that fit the schema → the checked model: references, rules across keys, defaults.

mod activations;
mod attributes;
mod cadence;
mod cycles;
mod encrypt;
mod files;
mod fitting;
mod segments;
pub(super) mod service;
mod tables;
mod targets;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use herald_destinations::contract::Kind;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::{Code, Config, Places, Problem, Problems, Sql, Table, Target, load::Entries, merge::Merged, suggest};
use crate::withheld;

/// Checks all entries. What it returns makes the config, and is of use only if no problem was found.
pub(super) fn lower(
    path: &Path,
    merged: &Merged,
    entries: Entries,
    kinds: &[&dyn Kind],
    places: Places,
    problems: &mut Problems,
) -> Config {
    let digests = digests(&entries);
    let mut lowering = Lowering { names: Names::of(merged), places: &places, problems };
    let service = lowering.service(entries.service, path);
    let tables = lowering.tables(entries.sources, merged);
    let segments = lowering.segments(entries.segments, &tables);
    let targets = lowering.targets(entries.targets, kinds);
    lowering.withhold(&targets);
    let activations = lowering.activations(entries.activations, (&segments, &tables, &targets));
    Config { service, tables, segments, targets, activations, digests, places }
}

/// Digests of what the entries say; of a source, of each table.
fn digests(entries: &Entries) -> BTreeMap<String, [u8; 32]> {
    let mut digests = BTreeMap::new();
    let mut note = |at: String, value: &Json| {
        digests.insert(at, Sha256::digest(value.to_string()).into());
    };
    for (map, entries) in
        [("segments", &entries.segments), ("targets", &entries.targets), ("activations", &entries.activations)]
    {
        entries.iter().for_each(|(name, value)| note(format!("{map}.{name}"), value));
    }
    for tables in entries.sources.values().filter_map(|source| source.get("tables")?.as_object()) {
        tables.iter().for_each(|(name, value)| note(format!("tables.{name}"), value));
    }
    entries.service.iter().for_each(|(name, value)| note(format!("service.{name}"), value));
    digests
}

/// Every name that the config gives, also those of entries that do not fit.
struct Names {
    tables: BTreeSet<String>,
    segments: BTreeSet<String>,
    targets: BTreeSet<String>,
    /// Of the targets, those that take no files, and their kinds.
    without_files: BTreeMap<String, &'static str>,
    activations: BTreeSet<String>,
}

impl Names {
    fn of(merged: &Merged) -> Self {
        let keys = |map| merged.map(map).iter().map(|entry| entry.key.clone()).collect();
        let tables = merged.map("sources").iter().filter_map(|source| source.value.get("tables"));
        Self {
            tables: tables.flat_map(|tables| tables.entries()).map(|entry| entry.key.clone()).collect(),
            segments: keys("segments"),
            targets: keys("targets"),
            without_files: BTreeMap::new(),
            activations: keys("activations"),
        }
    }
}

struct Lowering<'a> {
    names: Names,
    places: &'a Places,
    problems: &'a mut Problems,
}

impl Lowering<'_> {
    fn fault(&mut self, at: &str, code: Code, message: impl Into<String>) {
        self.problems.push(self.places.problem(at, code, message));
    }

    fn fault_with(&mut self, at: &str, code: Code, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(self.places.problem(at, code, message).remedy(remedy));
    }

    /// Reads an entry. The validator lets nothing through that does not fit, so the error's words, which could
    /// hold a value, are never needed.
    fn read<T: DeserializeOwned>(&mut self, at: &str, json: Json) -> Option<T> {
        match serde_json::from_value(json) {
            Ok(value) => Some(value),
            // What an entry lacks is reported already.
            Err(_) if !self.problems.is_empty() => None,
            Err(_) => {
                self.fault(at, Code::InvalidValue, "the entry does not fit its schema");
                None
            }
        }
    }

    /// From now on nothing shows what came by `${file:}`, but for names that the config itself gives. Secrets show
    /// nowhere to begin with, and are not handed about for it.
    fn withhold(&self, targets: &BTreeMap<String, Target>) {
        let names = [&self.names.tables, &self.names.segments, &self.names.targets, &self.names.activations];
        let texts = self.places.by_file("").filter(|(_, _, secret)| !secret).map(|(_, text, _)| text);
        let parts = targets.values().flat_map(|target| target.origin.withheld.iter().map(String::as_str));
        withheld::withhold(texts.chain(parts).filter(|text| !names.iter().any(|names| names.contains(*text))));
    }

    /// Reads the entries of a map, and lowers each.
    fn each<T: DeserializeOwned, U>(
        &mut self,
        map: &str,
        entries: Map<String, Json>,
        mut lower: impl FnMut(&mut Self, String, String, T) -> Option<U>,
    ) -> BTreeMap<String, U> {
        let mut lowered = BTreeMap::new();
        for (name, json) in entries {
            let at = format!("{map}.{name}");
            if let Some(raw) = self.read(&at, json)
                && let Some(value) = lower(self, at, name.clone(), raw)
            {
                lowered.insert(name, value);
            }
        }
        lowered
    }

    /// A piece of SQL; one of blanks alone is refused.
    fn sql(&mut self, text: String, at: String) -> Sql {
        if text.trim().is_empty() {
            self.fault_with(&at, Code::InvalidValue, "the SQL is empty", "write it, or remove the key");
        }
        Sql { text, at }
    }

    /// Refuses a reference to what does not exist. `what`: `table`, `segment`, …
    fn refer(&mut self, at: &str, what: &str, name: &str, known: &BTreeSet<String>) -> bool {
        if known.contains(name) {
            return true;
        }
        let hint = suggest::hint(name, known.iter().map(String::as_str));
        let problem = self.places.problem(at, Code::UnknownReference, format!("there is no {what} `{name}`{hint}"));
        let problem = if known.is_empty() || known.len() > 30 {
            problem
        } else {
            problem.remedy(format!("there are {}", suggest::list(known.iter().map(String::as_str))))
        };
        self.problems.push(problem);
        false
    }

    /// A path as it is from everywhere: relative ones start at the file that names them.
    fn local_path(&self, at: &str, path: &str) -> PathBuf {
        absolute(&self.folder(at), path)
    }

    /// The folder of the file that a value stands in.
    fn folder(&self, at: &str) -> PathBuf {
        self.places.find(at).map(|place| place.source.folder.clone()).unwrap_or_default()
    }

    /// Whether a key was given, but with a value that did not fit, which is reported already.
    fn dropped<T>(&self, at: &str, value: &Option<T>) -> bool {
        value.is_none() && self.places.has(at)
    }

    /// Whether an entry has a key that nothing reads: it may be a misspelt one that seems to be missing.
    fn misspelt(&self, at: &str) -> bool {
        let inside = |problem: &Problem| {
            let rest = problem.message.strip_prefix(at).and_then(|rest| rest.strip_prefix('.'));
            rest.and_then(|rest| rest.split_once(": ")).is_some_and(|(key, _)| !key.contains('.'))
        };
        self.problems.iter().any(|problem| problem.code == Code::UnknownKey && inside(problem))
    }

    fn table<'t>(&mut self, at: &str, name: &str, tables: &'t BTreeMap<String, Table>) -> Option<&'t Table> {
        let known = std::mem::take(&mut self.names.tables);
        let found = self.refer(at, "table", name, &known);
        self.names.tables = known;
        if found { tables.get(name) } else { None }
    }
}

/// A path that starts at a folder, as it is from everywhere.
pub(super) fn absolute(folder: &Path, path: &str) -> PathBuf {
    let joined = folder.join(path);
    std::path::absolute(&joined).unwrap_or(joined)
}

/// The problem of two keys that do not go together; kept here so that all say it alike.
fn together(one: &str, other: &str) -> String {
    format!("`{one}` does not go with `{other}`")
}

/// Adds a problem that stands nowhere else.
impl Lowering<'_> {
    fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
