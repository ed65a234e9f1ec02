//! From a path to a checked config: every error of every step at once.

use std::path::{Path, PathBuf};

use herald_destinations::contract::Kind;
use serde_json::{Map, Value as Json};

use super::{
    Code, Config, Places, Problem, Problems, discover, lower,
    merge::Merged,
    parse, schema, shapes,
    source::Source,
    substitute::{self, Variables},
    suggest,
    tree::{Entry, Type},
    validate::{Validator, shown_key},
};

/// Where a config's variables and kinds of targets come from.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Looks up `${VAR}`.
    pub variables: &'a Variables<'a>,
    /// Kinds of targets, by the word after `type:`.
    pub kinds: &'a [&'a dyn Kind],
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// Reads a config file, or a folder of them, with this process's environment and every kind of target
/// that is compiled in. Reads the files that `${file:}` names, and nothing else.
///
/// # Errors
/// All that is wrong, sorted. A config without activations is none of it.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let variables = |name: &str| std::env::var(name).ok();
    load_in(path, Surroundings { variables: &variables, kinds: herald_destinations::KINDS })
}

/// [`load`] with other surroundings.
///
/// # Errors
/// All that is wrong, sorted.
pub fn load_in(path: &Path, surroundings: Surroundings<'_>) -> Result<Config, Problems> {
    let (config, problems) = survey_in(path, surroundings);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// All that is wrong, sorted, and what can be made of the rest: entries with errors are left out of it, so that
/// the SQL of the others can still be planned. `None` where nothing can be made of it.
pub fn survey(path: &Path) -> (Option<Config>, Problems) {
    let variables = |name: &str| std::env::var(name).ok();
    survey_in(path, Surroundings { variables: &variables, kinds: herald_destinations::KINDS })
}

/// Where the data of a config is kept, however broken the rest of the config may be; the default where it says nothing that
/// can be read.
pub fn data_dir(path: &Path) -> PathBuf {
    let mut ignored = Problems::new();
    let mut merged = Merged::default();
    for source in discover::sources(path, &mut ignored) {
        // Of a file that is broken somewhere, what stands above that.
        let roots = parse::parse(&source).or_else(|problem| {
            let above = problem.at.map_or(0, |at| at.line.saturating_sub(1));
            let text: String = source.text.split_inclusive('\n').take(above).collect();
            parse::parse(&Source::new(source.path.clone(), source.folder.clone(), text))
        });
        roots.into_iter().flatten().for_each(|root| merged.add(root, &mut ignored));
    }
    let given = merged.map("service").iter().find(|entry| entry.key == "data_dir").cloned();
    let Some(mut given) = given else { return lower::service::beside(path) };
    substitute::fill(&mut given.value, "", &|name| std::env::var(name).ok(), &mut ignored);
    match given.value.text() {
        Some(text) => lower::absolute(&given.value.place.source.folder, text),
        None => lower::service::beside(path),
    }
}

fn survey_in(path: &Path, surroundings: Surroundings<'_>) -> (Option<Config>, Problems) {
    let mut problems = Problems::new();
    let mut merged = Merged::default();
    for source in discover::sources(path, &mut problems) {
        match parse::parse(&source) {
            Err(problem) => problems.push(problem),
            Ok(roots) => {
                for mut root in roots {
                    substitute::fill(&mut root, "", surroundings.variables, &mut problems);
                    merged.add(root, &mut problems);
                }
            }
        }
    }
    // A file that could not be read may hold what the others refer to.
    let whole = !problems.iter().any(|problem| matches!(problem.code, Code::Syntax | Code::Unreadable));
    let schema = schema::schema_of(surroundings.kinds);
    let mut places = merged.places();
    let entries = Checker { schema: &schema, kinds: surroundings.kinds, places: &mut places, problems: &mut problems }
        .entries(&merged);
    if !whole {
        return (None, problems.sorted());
    }
    let config = lower::lower(path, &merged, entries, surroundings.kinds, places, &mut problems);
    // Segments that need each other can't be planned.
    let circular = problems.iter().any(|problem| problem.code == Code::Cycle);
    ((!circular).then_some(config), problems.sorted())
}

/// Entries that fit the schema, as JSON.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) service: Map<String, Json>,
    pub(super) sources: Map<String, Json>,
    pub(super) segments: Map<String, Json>,
    pub(super) targets: Map<String, Json>,
    pub(super) activations: Map<String, Json>,
}

struct Checker<'a> {
    schema: &'a Json,
    kinds: &'a [&'a dyn Kind],
    places: &'a mut Places,
    problems: &'a mut Problems,
}

/// Kinds of targets that are promised but may be missing from this build.
const PROMISED: [&str; 12] = [
    "local",
    "s3",
    "azure_blob",
    "gcs",
    "sftp",
    "webhook",
    "liveramp",
    "google_ads",
    "meta",
    "linkedin",
    "amazon_ads",
    "marketing_cloud",
];

impl Checker<'_> {
    fn entries(mut self, merged: &Merged) -> Entries {
        Entries {
            service: self.service(merged.map("service")),
            sources: self.map("sources", merged.map("sources"), |_, _| Some("Source".to_owned())),
            segments: self.map("segments", merged.map("segments"), |_, _| Some("Segment".to_owned())),
            targets: self.map("targets", merged.map("targets"), Self::target),
            activations: self.map("activations", merged.map("activations"), |_, _| Some("Activation".to_owned())),
        }
    }

    /// The keys of `service` may come from several files, so each is held against its own part of the schema.
    fn service(&mut self, entries: &[Entry]) -> Map<String, Json> {
        let nothing = Map::new();
        let known = self.schema.pointer("/$defs/Service/properties").and_then(Json::as_object).unwrap_or(&nothing);
        let mut values = Map::new();
        for entry in entries {
            let path = format!("service.{}", shown_key("service", entry));
            let Some(of) = known.get(&entry.key) else {
                entry.value.hide();
                let names = || known.keys().map(String::as_str);
                let message = format!("{path}: unknown key{}", suggest::hint(shown_key("service", entry), names()));
                self.problems.push(
                    Problem::new(Some(entry.place.clone()), Code::UnknownKey, message)
                        .remedy(format!("known here: {}", suggest::list(names()))),
                );
                continue;
            };
            if let Some(value) = self.check(entry, of, &path) {
                values.insert(entry.key.clone(), value);
            }
        }
        values
    }

    fn map(
        &mut self,
        map: &str,
        entries: &[Entry],
        definition: impl Fn(&mut Self, &Entry) -> Option<String>,
    ) -> Map<String, Json> {
        let mut values = Map::new();
        for entry in entries {
            let path = format!("{map}.{}", entry.key);
            if let Err(message) = shapes::name(&entry.key) {
                let message = format!("{path}: {message}");
                self.problems.push(Problem::new(Some(entry.place.clone()), Code::InvalidValue, message));
            }
            let value = definition(self, entry).and_then(|name| {
                let of = self.schema.pointer(&format!("/$defs/{name}"))?;
                let before = self.problems.len();
                let value = self.check(entry, of, &path);
                // A kind reads only what fits its schema.
                value.filter(|_| map != "targets" || self.problems.len() == before)
            });
            if let Some(value) = value {
                values.insert(entry.key.clone(), value);
            }
        }
        values
    }

    fn check(&mut self, entry: &Entry, of: &Json, path: &str) -> Option<Json> {
        let mut validator = Validator { root: self.schema, problems: self.problems, places: self.places };
        validator.check(&entry.value, of, path, &entry.place)
    }

    /// The definition of a target's kind.
    fn target(&mut self, entry: &Entry) -> Option<String> {
        let Some(kind) = entry.value.get("type") else {
            if entry.value.resolved() != Type::Map {
                return Some("Target".to_owned());
            }
            entry.value.hide();
            let message = format!("targets.{}: the key `type` is missing", entry.key);
            self.problems.push(
                Problem::new(Some(entry.place.clone()), Code::MissingKey, message)
                    .remedy(format!("one of {}", suggest::list(self.names()))),
            );
            return None;
        };
        let path = format!("targets.{}.type", entry.key);
        let names = self.names();
        match kind.text() {
            Some(name) if names.contains(&name) => return Some(schema::target_definition(name)),
            Some(name) => {
                let at = kind.place.clone();
                let problem = if PROMISED.contains(&name) {
                    Problem::new(Some(at), Code::NotSupported, format!("{path}: `{name}` is not in this build yet"))
                } else {
                    let hint = suggest::hint(name, PROMISED);
                    self.places.problem(&path, Code::InvalidValue, format!("unknown kind of target{hint}"))
                };
                self.problems.push(problem.remedy(format!("this build has {}", suggest::list(names))));
            }
            None => {
                let message = format!("{path}: text is wanted, not {}", kind.resolved().name());
                self.problems.push(Problem::new(Some(kind.place.clone()), Code::WrongType, message));
            }
        }
        // Which of its values are secrets is not known.
        for option in entry.value.entries().iter().filter(|option| option.key != "type") {
            option.value.hide();
        }
        None
    }

    fn names(&self) -> Vec<&'static str> {
        self.kinds.iter().map(|kind| kind.name()).collect()
    }
}
