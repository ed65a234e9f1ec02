//! The `targets` map.

use std::collections::BTreeMap;

use herald_destinations::contract::Kind;
use serde_json::{Map, Value as Json};

use super::Lowering;
use crate::config::{Code, Target};

impl Lowering<'_> {
    pub(super) fn targets(&mut self, entries: Map<String, Json>, kinds: &[&dyn Kind]) -> BTreeMap<String, Target> {
        self.each("targets", entries, |lowering, at, name, mut options: Map<String, Json>| {
            let word = options.shift_remove("type")?;
            let kind = kinds.iter().find(|kind| word == kind.name())?;
            match kind.parse(Json::Object(options), &lowering.folder(&format!("{at}.type"))) {
                Ok(config) => Some(Target { name, config }),
                Err(error) => {
                    let at = if error.key.is_empty() { at } else { format!("{at}.{}", error.key) };
                    lowering.fault(&at, Code::InvalidValue, error.message);
                    None
                }
            }
        })
    }
}
