//! Holds a tree against the JSON Schema: every error with its place, substituted texts read as their field's type.

mod choice;
mod map;
mod scalar;

pub(super) use map::shown_key;

use serde_json::Value as Json;

use super::{
    Code, Places, Problem, Problems,
    source::Place,
    tree::{Node, Type, Value},
};

/// Follows a schema down a tree.
pub(super) struct Validator<'a> {
    /// The whole schema; references start here.
    pub(super) root: &'a Json,
    /// What was found.
    pub(super) problems: &'a mut Problems,
    /// Learns which values are secrets.
    pub(super) places: &'a mut Places,
}

/// A value with what is said of it.
#[derive(Clone, Copy)]
struct At<'n, 'p> {
    node: &'n Node,
    path: &'p str,
    /// The key or list item that holds the value: where a missing key is reported.
    holder: &'n Place,
    /// Whether it is an entry: then it is of use even without all it needs, so that references in it are checked.
    entry: bool,
}

impl Validator<'_> {
    /// The value as JSON; `None` where it does not fit, and then problems say why.
    pub(super) fn check(&mut self, node: &Node, schema: &Json, path: &str, holder: &Place) -> Option<Json> {
        self.value(At { node, path, holder, entry: true }, schema)
    }

    fn value(&mut self, at: At<'_, '_>, schema: &Json) -> Option<Json> {
        let Some(schema) = self.resolve(schema) else {
            self.fault(at, Code::InvalidValue, "the schema of this value can't be found", None);
            return None;
        };
        if schema.get("writeOnly") == Some(&Json::Bool(true)) {
            at.node.hide();
            self.places.hide(at.path);
        }
        if at.node.resolved() == Type::Null {
            let remedy = "give it a value, or remove the key";
            self.fault(at, Code::WrongType, "there is no value", Some(remedy.to_owned()));
            return None;
        }
        if let Some(branches) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array)
            && schema.get("type").is_none()
        {
            return self.choice(at, branches);
        }
        let wanted = kinds_of(schema);
        match &at.node.value {
            Value::Scalar(scalar) => self.scalar(at, scalar, schema, &wanted),
            Value::Sequence(items) if wanted.is_empty() || wanted.contains(&"array") => self.list(at, items, schema),
            Value::Mapping(entries) if wanted.is_empty() || wanted.contains(&"object") => self.map(at, entries, schema),
            _ => {
                self.wrong_type(at, at.node.resolved(), &wanted, None);
                None
            }
        }
    }

    fn list(&mut self, at: At<'_, '_>, items: &[Node], schema: &Json) -> Option<Json> {
        let least = schema.get("minItems").and_then(Json::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            self.fault(
                at,
                Code::InvalidValue,
                "the list is empty",
                Some("name at least one, or remove the key".to_owned()),
            );
            return None;
        }
        let any = Json::Bool(true);
        let of = schema.get("items").unwrap_or(&any);
        let mut values = Some(Vec::with_capacity(items.len()));
        for (index, node) in items.iter().enumerate() {
            let path = format!("{}[{index}]", at.path);
            let value = self.value(At { node, path: &path, holder: &node.place, entry: false }, of);
            values = values.zip(value).map(|(mut values, value)| {
                values.push(value);
                values
            });
        }
        values.map(Json::Array)
    }

    /// Follows `$ref` to where it ends.
    fn resolve<'s>(&self, mut schema: &'s Json) -> Option<&'s Json>
    where
        Self: 's,
    {
        // A chain of references in a generated schema is short; one that is not is a circle.
        for _ in 0..32 {
            let Some(reference) = schema.get("$ref").and_then(Json::as_str) else { return Some(schema) };
            schema = self.definition(reference)?;
        }
        None
    }

    fn wrong_type(&mut self, at: At<'_, '_>, found: Type, wanted: &[&str], remedy: Option<String>) {
        let list = match wanted {
            [] => "another type".to_owned(),
            [one] => type_name(one).to_owned(),
            [most @ .., last] => {
                let most = most.iter().map(|kind| type_name(kind)).collect::<Vec<_>>().join(", ");
                format!("{most} or {}", type_name(last))
            }
        };
        // A scalar in the place of a map, or the other way round, may be a secret that slipped a line.
        let whole = |kind: &&str| matches!(*kind, "object" | "array");
        if may_hold_secrets(at.path) && (matches!(found, Type::List | Type::Map) || wanted.iter().any(whole)) {
            at.node.hide();
        }
        let message = format!("{list} is wanted, not {}", found.name());
        self.fault(at, Code::WrongType, &message, remedy);
    }

    fn fault(&mut self, at: At<'_, '_>, code: Code, message: &str, remedy: Option<String>) {
        let mut problem = Problem::new(Some(at.node.place.clone()), code, format!("{}: {message}", at.path));
        problem.remedy = remedy;
        self.problems.push(problem);
    }
}

impl<'a> Validator<'a> {
    fn definition(&self, reference: &str) -> Option<&'a Json> {
        self.root.pointer(reference.strip_prefix('#')?)
    }
}

/// Whether secrets stand in this part of a config.
pub(super) fn may_hold_secrets(path: &str) -> bool {
    ["targets", "service"]
        .iter()
        .any(|map| path.strip_prefix(map).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        || path.contains(".files.encrypt")
}

/// The words of a schema's `type`, or of those that it lets choose from; empty: any.
fn kinds_of(schema: &Json) -> Vec<&str> {
    match (schema.get("type"), schema.get("oneOf").or_else(|| schema.get("anyOf"))) {
        (Some(Json::String(one)), _) => vec![one],
        (Some(Json::Array(several)), _) => several.iter().filter_map(Json::as_str).collect(),
        (_, Some(Json::Array(branches))) => {
            let mut kinds: Vec<&str> = branches.iter().flat_map(kinds_of).collect();
            kinds.dedup();
            kinds
        }
        _ => Vec::new(),
    }
}

/// As errors say it.
fn type_name(kind: &str) -> &str {
    match kind {
        "string" => Type::Text.name(),
        "integer" => Type::Integer.name(),
        "number" => Type::Number.name(),
        "boolean" => Type::Boolean.name(),
        "array" => Type::List.name(),
        "object" => Type::Map.name(),
        other => other,
    }
}
