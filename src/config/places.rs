//! Where each value stands, for problems that only later phases can find.

use std::collections::HashMap;

use secrecy::{ExposeSecret, SecretString};

use super::{
    Code, Problem,
    source::Place,
    tree::{Node, Value},
};

/// Where each value of the config stands, by dotted path: `segments.gold_de.where`,
/// `activations.x.attributes.email.value`, `segments.s.all_of[0]`.
#[derive(Debug, Default)]
pub struct Places {
    spots: HashMap<String, Spot>,
    /// Path and text of what came by `${file:}`.
    by_file: Vec<(String, SecretString)>,
}

#[derive(Debug, Clone)]
struct Spot {
    place: Place,
    hidden: bool,
    /// The schema says that it is a secret.
    secret: bool,
    scalar: bool,
}

impl Places {
    /// The place of a value, or of the nearest entry that would hold it.
    pub fn find(&self, at: &str) -> Option<&Place> {
        self.nearest(at).map(|(spot, _)| &spot.place)
    }

    /// Whether a value stands at just this path.
    pub fn has(&self, at: &str) -> bool {
        self.spots.contains_key(at)
    }

    /// The keys that a map at this path gives, sorted.
    pub(super) fn keys(&self, at: &str) -> Vec<String> {
        let below = |path: &String| {
            let key = path.strip_prefix(at)?.strip_prefix('.')?;
            (!key.contains(['.', '['])).then(|| key.to_owned())
        };
        let mut keys: Vec<String> = self.spots.keys().filter_map(below).collect();
        keys.sort();
        keys
    }

    /// Whether the value at a path is a secret, or it or a part of it came by `${file:}`: nothing may quote it.
    /// Entries as a whole (`targets.partner`) are never hidden.
    pub fn hidden(&self, at: &str) -> bool {
        self.nearest(at).is_some_and(|(spot, exact)| spot.hidden && (exact || spot.scalar))
    }

    /// What came by `${file:}` at a path or below, with its own path and whether the schema calls it a secret.
    pub(super) fn by_file(&self, at: &str) -> impl Iterator<Item = (&str, &str, bool)> {
        let below = move |path: &str| {
            let rest = path.strip_prefix(at);
            rest.is_some_and(|rest| at.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let found = self.by_file.iter().filter(move |(path, _)| below(path));
        found.map(|(path, text)| {
            let secret = self.spots.get(path).is_some_and(|spot| spot.secret);
            (path.as_str(), text.expose_secret(), secret)
        })
    }

    /// A problem at a value; its message is prefixed with the path. Of a hidden value the message is
    /// withheld, since it could quote the value.
    pub fn problem(&self, at: &str, code: Code, message: impl Into<String>) -> Problem {
        let message = if self.hidden(at) {
            format!("{at}: {}; the details are withheld, as they could show a secret", summary(code))
        } else {
            format!("{at}: {}", message.into())
        };
        Problem::new(self.find(at).cloned(), code, message)
    }

    /// The spot, and whether it is the very one asked for.
    fn nearest(&self, at: &str) -> Option<(&Spot, bool)> {
        let mut path = at;
        loop {
            if let Some(spot) = self.spots.get(path) {
                return Some((spot, path.len() == at.len()));
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    pub(super) fn set(&mut self, path: String, place: Place) {
        self.spots.entry(path).or_insert(Spot { place, hidden: false, secret: false, scalar: false });
    }

    /// Records a value and all below it. `holder`: the key or list item that holds it, where a map is said to
    /// stand. `depth`: 0 for a top-level map, 1 for its entries.
    pub(super) fn record(&mut self, path: String, node: &Node, holder: &Place, depth: usize) -> bool {
        let mut hidden = false;
        match &node.value {
            Value::Scalar(scalar) => {
                hidden = scalar.from_file;
                if hidden {
                    self.by_file.push((path.clone(), scalar.text.as_str().into()));
                }
            }
            Value::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    hidden |= self.record(format!("{path}[{index}]"), item, &item.place, depth + 1);
                }
            }
            Value::Mapping(entries) => {
                for entry in entries {
                    hidden |= self.record(format!("{path}.{}", entry.key), &entry.value, &entry.place, depth + 1);
                }
            }
        }
        let scalar = matches!(node.value, Value::Scalar(_));
        let place = if matches!(node.value, Value::Mapping(_)) { holder } else { &node.place };
        let spot = Spot { place: place.clone(), hidden: hidden && (scalar || depth > 1), secret: false, scalar };
        self.spots.entry(path).or_insert(spot);
        hidden
    }

    /// Marks a value as a secret.
    pub(super) fn hide(&mut self, path: &str) {
        if let Some(spot) = self.spots.get_mut(path) {
            spot.hidden = true;
            spot.secret = true;
        }
    }
}

fn summary(code: Code) -> &'static str {
    match code {
        Code::InvalidSql => "the SQL does not plan",
        Code::MissingFile => "a file is missing or can't be read",
        Code::WrongType => "the value has a wrong type",
        Code::UnknownReference => "the value names nothing that the config holds",
        _ => "the value is not valid",
    }
}
