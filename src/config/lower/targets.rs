//! The `targets` map.

use std::collections::BTreeMap;

use herald_destinations::contract::{Config, ConfigError, Kind};
use serde_json::{Map, Value as Json};

use super::Lowering;
use crate::{
    config::{Code, Origin, Problem, Target},
    withheld,
};

impl Lowering<'_> {
    pub(super) fn targets(&mut self, entries: Map<String, Json>, kinds: &[&dyn Kind]) -> BTreeMap<String, Target> {
        self.each("targets", entries, |lowering, at, name, mut options: Map<String, Json>| {
            let word = options.shift_remove("type")?;
            let kind = kinds.iter().find(|kind| word == kind.name())?;
            if !kind.takes_files() {
                lowering.names.without_files.insert(name.clone(), kind.name());
            }
            let options = Json::Object(options);
            let folder = lowering.folder(&format!("{at}.type"));
            // Wherever a later process is started, the same files are found.
            let folder = std::path::absolute(&folder).unwrap_or(folder);
            match kind.parse(options.clone(), &folder) {
                Ok(config) => {
                    let withheld = lowering.withheld(&at, config.as_ref());
                    Some(Target { name, config, origin: Origin { options, folder, withheld } })
                }
                Err(error) => {
                    let at = if error.key.is_empty() { at } else { format!("{at}.{}", error.key) };
                    if quotes(&error, &options) {
                        lowering.fault(&at, Code::InvalidValue, error.message);
                    } else {
                        let (place, message) = (lowering.places.find(&at).cloned(), format!("{at}: {}", error.message));
                        lowering.problems.push(Problem::new(place, Code::InvalidValue, message));
                    }
                    None
                }
            }
        })
    }
}

/// Secrets that a target's place is made of in part: the account of the one, the host of the other.
const TELLING: [&str; 2] = ["connection_string", "url"];

impl Lowering<'_> {
    /// What came by `${file:}` of a target's options and may show in its place. Its other secrets show nowhere.
    fn withheld(&self, at: &str, config: &dyn Config) -> Vec<String> {
        let place = config.identity();
        let mut texts = Vec::new();
        for (path, text, secret) in self.places.by_file(at) {
            let key = path.rsplit('.').next().unwrap_or(path);
            if !secret {
                texts.push(text.to_owned());
            }
            if !secret || TELLING.contains(&key) {
                texts.extend(withheld::parts_of(&place, text).map(str::to_owned));
            }
        }
        texts
    }
}

/// Whether an error may hold the value that it is about. Where it does not, it helps even with a secret.
fn quotes(error: &ConfigError, options: &Json) -> bool {
    let value = options.pointer(&format!("/{}", error.key.replace('.', "/"))).and_then(Json::as_str);
    value.is_none_or(|value| value.trim().is_empty() || error.message.contains(value.trim()))
}
