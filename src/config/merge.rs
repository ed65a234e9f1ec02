//! Several files → one set of entries.

use std::collections::HashMap;

use super::{
    Code, Places, Problem, Problems,
    source::Place,
    suggest,
    tree::{Entry, Node, Type, Value},
    validate::shown_key,
};

/// The top-level maps.
const MAPS: [&str; 5] = ["service", "sources", "segments", "targets", "activations"];

/// The top-level maps of all files, each name once.
#[derive(Debug, Default)]
pub(super) struct Merged {
    maps: [Vec<Entry>; 5],
    seen: [HashMap<String, Place>; 5],
    first: Option<Place>,
}

impl Merged {
    /// Takes over the entries of one document.
    pub(super) fn add(&mut self, root: Node, problems: &mut Problems) {
        self.first.get_or_insert_with(|| root.place.clone());
        let found = root.resolved();
        let Value::Mapping(entries) = root.value else {
            root.hide();
            let message = format!("a config file is a map, not {}", found.name());
            problems.push(
                Problem::new(Some(root.place), Code::WrongType, message)
                    .remedy(format!("it holds any of {}", suggest::list(MAPS))),
            );
            return;
        };
        duplicates(&entries, "", problems);
        for entry in entries {
            let Some(index) = MAPS.iter().position(|name| *name == entry.key) else {
                entry.value.hide();
                let message = format!("{}: unknown key{}", entry.key, suggest::hint(&entry.key, MAPS));
                problems.push(
                    Problem::new(Some(entry.place), Code::UnknownKey, message)
                        .remedy(format!("known here: {}", suggest::list(MAPS))),
                );
                continue;
            };
            match (entry.value.resolved(), entry.value.value) {
                (_, Value::Mapping(entries)) => self.take(index, entries, problems),
                (Type::Null, _) => {}
                (found, value) => {
                    let node = Node { value, place: entry.value.place, anchor: entry.value.anchor };
                    node.hide();
                    let message = format!("{}: a map is wanted, not {}", entry.key, found.name());
                    problems.push(Problem::new(Some(node.place), Code::WrongType, message));
                }
            }
        }
    }

    fn take(&mut self, index: usize, entries: Vec<Entry>, problems: &mut Problems) {
        for entry in entries {
            if let Some(earlier) = self.seen[index].get(&entry.key) {
                let path = format!("{}.{}", MAPS[index], shown_key(MAPS[index], &entry));
                problems.push(twice(&path, &entry.place, earlier));
                entry.value.hide();
            } else {
                self.seen[index].insert(entry.key.clone(), entry.place.clone());
                self.maps[index].push(entry);
            }
        }
    }

    /// The entries of a top-level map.
    pub(super) fn map(&self, name: &str) -> &[Entry] {
        MAPS.iter().position(|map| *map == name).map_or(&[], |index| &self.maps[index])
    }

    /// Where each value stands.
    pub(super) fn places(&self) -> Places {
        let mut places = Places::default();
        for (name, entries) in MAPS.iter().zip(&self.maps) {
            for entry in entries {
                places.record(format!("{name}.{}", entry.key), &entry.value, &entry.place, 1);
            }
            if let Some(place) = entries.first().map(|entry| &entry.place).or(self.first.as_ref()) {
                places.set((*name).to_owned(), place.clone());
            }
        }
        places
    }
}

/// The problem of a name given twice.
pub(super) fn twice(path: &str, at: &Place, first: &Place) -> Problem {
    let message = format!("{path}: given twice; it also stands at {first}");
    Problem::new(Some(at.clone()), Code::DuplicateName, message).remedy("rename or remove one of the two")
}

/// Finds keys that stand twice in one map of a file.
fn duplicates(entries: &[Entry], path: &str, problems: &mut Problems) {
    let mut seen: HashMap<&str, &Place> = HashMap::with_capacity(entries.len());
    for entry in entries {
        let key = shown_key(path, entry);
        let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        if let Some(first) = seen.get(entry.key.as_str()) {
            problems.push(twice(&path, &entry.place, first));
        } else {
            seen.insert(entry.key.as_str(), &entry.place);
        }
        below(&entry.value, &path, problems);
    }
}

fn below(node: &Node, path: &str, problems: &mut Problems) {
    match &node.value {
        Value::Scalar(_) => {}
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                below(item, &format!("{path}[{index}]"), problems);
            }
        }
        Value::Mapping(entries) => duplicates(entries, path, problems),
    }
}
