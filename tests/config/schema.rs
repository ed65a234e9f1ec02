//! The JSON Schema that editors use.

use std::path::Path;

use serde_json::Value;

#[test]
fn the_schema_in_the_repository_is_the_one_of_this_build() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/herald.schema.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&herald::config::schema()).unwrap());
    if std::env::var_os("HERALD_WRITE_SCHEMAS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == made, "schemas/herald.schema.json is out of date: run this test with HERALD_WRITE_SCHEMAS=1");
}

#[test]
fn every_reference_in_the_schema_leads_somewhere() {
    fn walk(schema: &Value, root: &Value) {
        match schema {
            Value::Object(map) => {
                for (key, value) in map {
                    if let (true, Some(reference)) = (key == "$ref", value.as_str()) {
                        assert!(root.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
                    }
                    walk(value, root);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, root)),
            _ => {}
        }
    }
    let schema = herald::config::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    walk(&schema, &schema);
}

#[test]
fn every_key_is_described() {
    fn walk(schema: &Value, at: &str) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (key, property) in properties {
                assert!(property.get("description").is_some() || at.contains("Identifiers"), "{at}.{key}");
            }
        }
        if let Some(definitions) = schema.get("$defs").and_then(Value::as_object) {
            for (name, definition) in definitions.iter().filter(|(name, _)| !name.starts_with("Target_")) {
                walk(definition, name);
            }
        }
    }
    walk(&herald::config::schema(), "");
}
