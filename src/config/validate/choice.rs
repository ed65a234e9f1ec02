//! Values that may be of several shapes.

use serde_json::Value as Json;

use super::{At, Type, Validator, kinds_of};
use crate::config::Problems;

impl Validator<'_> {
    /// Chooses a branch by the value's YAML type; words of an enum are taken together.
    pub(super) fn choice(&mut self, at: At<'_, '_>, branches: &[Json]) -> Option<Json> {
        let root = self.root;
        let branches: Vec<&Json> = branches
            .iter()
            .filter_map(|branch| match branch.get("$ref").and_then(Json::as_str) {
                Some(reference) => root.pointer(reference.strip_prefix('#')?),
                None => Some(branch),
            })
            .collect();
        let words: Vec<Json> = branches.iter().flat_map(|branch| words_of(branch)).collect();
        if !words.is_empty() && branches.iter().all(|branch| !words_of(branch).is_empty()) {
            return self.value(at, &serde_json::json!({ "type": "string", "enum": words }));
        }
        if branches.iter().all(|branch| kind_of(branch).is_some()) && at.node.resolved() == Type::Map {
            return self.by_kind(at, &branches);
        }
        let fitting: Vec<&Json> =
            branches.iter().copied().filter(|branch| fits(at.node.resolved(), &kinds_of(branch), at)).collect();
        match fitting.as_slice() {
            [] => {
                let mut wanted: Vec<&str> = branches.iter().flat_map(|branch| kinds_of(branch)).collect();
                wanted.dedup();
                let remedy = (wanted.contains(&"string") && is_scalar(at.node.resolved()))
                    .then(|| super::scalar::QUOTE.to_owned());
                self.wrong_type(at, at.node.resolved(), &wanted, remedy);
                None
            }
            [only] => self.value(at, only),
            several => self.first_that_fits(at, several),
        }
    }

    /// The branch that the map's own `type` names; each allows one word there.
    fn by_kind(&mut self, at: At<'_, '_>, branches: &[&Json]) -> Option<Json> {
        let word = at.node.get("type").and_then(|node| node.text());
        if let Some(branch) = branches.iter().find(|branch| kind_of(branch).is_some_and(|kind| Some(kind) == word)) {
            return self.value(at, branch);
        }
        // Which of its values are secrets is not known.
        for option in at.node.entries().iter().filter(|option| option.key != "type") {
            option.value.hide();
        }
        let words: Vec<Json> =
            branches.iter().filter_map(|branch| branch.pointer("/properties/type/const").cloned()).collect();
        let any = serde_json::json!({ "type": "object", "required": ["type"], "properties": {
            "type": { "description": "The kind of target.", "type": "string", "enum": words },
        } });
        self.value(at, &any);
        None
    }

    /// The first branch without problems, else the problems of the branch that has fewest.
    fn first_that_fits(&mut self, at: At<'_, '_>, branches: &[&Json]) -> Option<Json> {
        let mut best: Option<Problems> = None;
        for branch in branches {
            let mut problems = Problems::new();
            let value = Validator { root: self.root, problems: &mut problems, places: self.places }.value(at, branch);
            if problems.is_empty() {
                return value;
            }
            if best.as_ref().is_none_or(|best| problems.len() < best.len()) {
                best = Some(problems);
            }
        }
        self.problems.extend(best.into_iter().flatten());
        None
    }
}

/// The word that a branch wants as the `type` of a map.
fn kind_of(branch: &Json) -> Option<&str> {
    branch.pointer("/properties/type/const").and_then(Json::as_str)
}

/// The words that a branch allows, where it allows nothing else.
fn words_of(branch: &Json) -> Vec<Json> {
    match (branch.get("const"), branch.get("enum")) {
        (Some(word @ Json::String(_)), _) => vec![word.clone()],
        (_, Some(Json::Array(words))) if words.iter().all(Json::is_string) => words.clone(),
        _ => Vec::new(),
    }
}

fn is_scalar(found: Type) -> bool {
    !matches!(found, Type::List | Type::Map)
}

fn fits(found: Type, wanted: &[&str], at: At<'_, '_>) -> bool {
    let filled = matches!(&at.node.value, crate::config::tree::Value::Scalar(scalar) if scalar.filled);
    wanted.is_empty()
        || wanted.iter().any(|kind| match found {
            Type::Null => false,
            Type::Boolean => *kind == "boolean",
            Type::Integer => matches!(*kind, "integer" | "number"),
            Type::Number => *kind == "number",
            Type::Text => *kind == "string" || filled && matches!(*kind, "boolean" | "integer" | "number"),
            Type::List => *kind == "array",
            Type::Map => *kind == "object",
        })
}
