//! The config's JSON Schema, made from the raw types and the kinds of targets.

use herald_destinations::contract::Kind;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::raw;

/// Where the schema of a kind's options stands.
pub(super) fn target_definition(kind: &str) -> String {
    format!("Target_{kind}")
}

/// The schema over the given kinds: draft 2020-12, as editors read it.
pub(super) fn schema_of(kinds: &[&dyn Kind]) -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut root = generator.into_root_schema_for::<raw::Root>().to_value();
    tidy(&mut root);
    let mut definitions = Map::new();
    if let Some(Value::Object(own)) = root.get_mut("$defs") {
        definitions.append(own);
    }
    let mut targets = Vec::new();
    for kind in kinds {
        let name = target_definition(kind.name());
        definitions.append(&mut target(*kind, &name));
        targets.push(json!({ "$ref": format!("#/$defs/{name}") }));
    }
    for definition in definitions.values_mut() {
        carriers(definition, kinds);
    }
    let choice = if targets.is_empty() { json!({ "type": "object" }) } else { json!({ "oneOf": targets }) };
    definitions.insert("Target".to_owned(), choice);
    definitions.sort_keys();
    if let Value::Object(root) = &mut root {
        // In a file, a map without entries is as good as none.
        for map in ["service", "sources", "segments", "targets", "activations"] {
            if let Some(Value::Object(property)) = root.get_mut("properties").and_then(|all| all.get_mut(map)) {
                property.remove("default");
            }
        }
        root.insert("$id".to_owned(), json!("https://herald.invalid/schemas/herald.schema.json"));
        root.insert("$defs".to_owned(), Value::Object(definitions));
    }
    root
}

/// The schema as editors should have it: what `${…}` fills in is read as its field's type, so such a text may stand
/// in the place of a number, of a boolean, or of a text with a shape.
pub(super) fn for_editors(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(map) => {
            if let Some(Value::String(pattern)) = map.get_mut("pattern") {
                *pattern = format!("{pattern}|{FILLED}");
            } else if may_be_filled(map) {
                let about = map.remove("description");
                let itself = Value::Object(std::mem::take(map));
                map.extend(about.map(|about| ("description".to_owned(), about)));
                map.insert("anyOf".to_owned(), json!([itself, { "type": "string", "pattern": FILLED }]));
                return schema;
            }
            for value in map.values_mut() {
                *value = for_editors(value.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = for_editors(item.take());
            }
        }
        _ => {}
    }
    schema
}

fn may_be_filled(schema: &Map<String, Value>) -> bool {
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number" | "boolean") => true,
        Some("string") => schema.contains_key("enum"),
        _ => false,
    }
}

/// A text in which something is filled in.
const FILLED: &str = "\\$\\{";

/// A kind's options with its `type` key, and the definitions that they refer to, each under a name of its own.
fn target(kind: &dyn Kind, name: &str) -> Map<String, Value> {
    let mut options = kind.schema().to_value();
    tidy(&mut options);
    let mut definitions = Map::new();
    if let Value::Object(options) = &mut options {
        options.remove("$schema");
        options.remove("title");
        options.entry("description").or_insert_with(|| json!(kind.summary()));
        if let Some(Value::Object(own)) = options.remove("$defs") {
            definitions = own.into_iter().map(|(key, value)| (format!("{name}_{key}"), value)).collect();
        }
        let mut properties = Map::new();
        properties.insert(
            "type".to_owned(),
            json!({ "description": "The kind of target.", "type": "string", "const": kind.name() }),
        );
        if let Some(Value::Object(mut own)) = options.remove("properties") {
            properties.append(&mut own);
        }
        options.insert("properties".to_owned(), Value::Object(properties));
        options.entry("additionalProperties").or_insert(json!(false));
        match options.entry("required").or_insert_with(|| json!([])) {
            Value::Array(required) => required.insert(0, json!("type")),
            other => *other = json!(["type"]),
        }
    }
    definitions.insert(name.to_owned(), options);
    for definition in definitions.values_mut() {
        rename_references(definition, name);
    }
    definitions
}

/// Where an option is itself a target of one of some kinds (`x-herald-kinds`), the schemas of those that there are.
fn carriers(schema: &mut Value, kinds: &[&dyn Kind]) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(names)) = map.remove("x-herald-kinds") {
                let there =
                    names.iter().filter_map(Value::as_str).filter(|name| kinds.iter().any(|kind| kind.name() == *name));
                let branches: Vec<Value> =
                    there.map(|name| json!({ "$ref": format!("#/$defs/{}", target_definition(name)) })).collect();
                map.remove("type");
                map.insert("oneOf".to_owned(), Value::Array(branches));
            }
            map.values_mut().for_each(|value| carriers(value, kinds));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| carriers(item, kinds)),
        _ => {}
    }
}

fn rename_references(schema: &mut Value, name: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(reference) if key == "$ref" => {
                        if let Some(rest) = reference.strip_prefix("#/$defs/") {
                            *reference = format!("#/$defs/{name}_{rest}");
                        }
                    }
                    _ => rename_references(value, name),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, name)),
        _ => {}
    }
}

/// An option is left out, never null: takes `null` out of every choice of types.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            for choice in ["anyOf", "oneOf"] {
                let Some(Value::Array(branches)) = map.get_mut(choice) else { continue };
                branches.retain(|branch| branch.get("type").is_none_or(|kind| kind != "null"));
                if let [only] = branches.as_mut_slice()
                    && let Value::Object(mut only) = only.take()
                {
                    map.remove(choice);
                    only.retain(|key, _| !map.contains_key(key));
                    map.append(&mut only);
                }
            }
            if map.get("default").is_some_and(Value::is_null) {
                map.remove("default");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}
