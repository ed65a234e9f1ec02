//! The description of the API, made from its handlers.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Server, activations, dashboard, events, probes, problem, publishes, session, view};
use crate::publish::{DeadLetter, Receipt};

/// The routes that are described.
pub(super) fn described() -> OpenApiRouter<Server> {
    OpenApiRouter::new()
        .routes(routes!(probes::healthz))
        .routes(routes!(probes::readyz))
        .routes(routes!(probes::metrics))
        .routes(routes!(probes::description))
        .routes(routes!(session::page, session::login))
        .routes(routes!(session::logout))
        .routes(routes!(activations::all))
        .routes(routes!(activations::one, activations::delete))
        .routes(routes!(activations::trigger))
        .routes(routes!(activations::pause))
        .routes(routes!(activations::resume))
        .routes(routes!(activations::recreate))
        .routes(routes!(activations::reload))
        .routes(routes!(publishes::list))
        .routes(routes!(publishes::one))
        .routes(routes!(publishes::rejects))
        .routes(routes!(publishes::cancel))
        .routes(routes!(publishes::retry))
        .routes(routes!(events::events))
        .routes(routes!(dashboard::fleet::page))
}

/// The description, OpenAPI 3.1.
pub fn openapi() -> Value {
    let mut document = serde_json::to_value(described().into_openapi()).unwrap_or_default();
    document["info"] = json!({
        "title": "Herald",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Publishes customer segments to the places that act on them. Lists are bare arrays; \
            `Link: <…>; rel=\"next\"` leads to the next page. Errors are RFC 9457 problems.",
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    document["servers"] = json!([{ "url": "/" }]);
    document["security"] = json!([{ "bearer": [] }, { "cookie": [] }]);
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer" },
        "cookie": { "type": "apiKey", "in": "cookie", "name": "herald_session",
            "description": "From `POST /login`; changes need the header `X-CSRF-Token`, too." },
    });
    if let Value::Object(schemas) = &mut document["components"]["schemas"] {
        schemas.append(&mut components());
    } else {
        document["components"]["schemas"] = Value::Object(components());
    }
    if let Value::Object(paths) = &mut document["paths"] {
        for (path, operations) in paths {
            for (method, operation) in operations.as_object_mut().into_iter().flatten() {
                complete(path, method, operation);
            }
        }
    }
    document
}

/// What holds for many operations alike.
fn complete(path: &str, method: &str, operation: &mut Value) {
    let problem = |about: &str| {
        json!({ "description": about,
            "content": { problem::PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } } })
    };
    operation["responses"]["default"] = problem("Why not.");
    operation["operationId"] = json!(operation_id(path, method));
    if matches!(path, "/healthz" | "/readyz" | "/login" | "/logout") {
        operation["security"] = json!([]);
    } else {
        operation["responses"]["401"] = problem("No valid token.");
        operation["responses"]["403"] = problem("The token's scope does not allow this.");
    }
    if path.contains('{') {
        operation["responses"]["404"] = problem("There is none.");
    }
    if path.starts_with("/v1/") && method != "get" {
        operation["responses"]["409"] = problem("It is not in a state for that.");
        operation["responses"]["422"] = problem("The request is not as it must be.");
        operation["responses"]["503"] = problem("The service stops; `Retry-After` says when to ask again.");
    }
    if operation.get("requestBody").is_some() {
        operation["requestBody"]["required"] = json!(path == "/login");
        operation["responses"]["413"] = problem("The body is larger than 1 MiB.");
        operation["responses"]["415"] = problem("The body is not what it is said to be.");
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        let schema = match parameter["name"].as_str().unwrap_or_default() {
            // An empty one is as good as none.
            "limit" => json!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 1000 }, { "const": "" }] }),
            "status" => json!({ "anyOf": [{ "$ref": "#/components/schemas/Status" }, { "const": "" }] }),
            "progress" => json!({ "type": "string", "enum": ["true", "false", ""] }),
            "data" => json!({ "type": "string", "enum": ["keep", "purge", ""] }),
            // The sixteen bytes of an id.
            "cursor" => json!({ "type": "string", "pattern": "^([A-Za-z0-9_-]{21}[AQgw])?$" }),
            "id" => json!({ "type": "string", "format": "uuid" }),
            "name" => json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$", "example": "gold_to_partner" }),
            "Idempotency-Key" => json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" }),
            _ => json!({ "type": "string" }),
        };
        parameter["schema"] = schema;
    }
}

fn operation_id(path: &str, method: &str) -> String {
    let words = path.split(['/', '.']).filter(|part| !part.is_empty() && !part.starts_with('{'));
    let one = if path.ends_with('}') { "_one" } else { "" };
    format!("{method}_{}{one}", words.collect::<Vec<_>>().join("_"))
}

/// Schemas of what is sent and taken, from the types themselves.
fn components() -> Map<String, Value> {
    let mut found = Map::new();
    for sent in [schema_of::<Receipt>, schema_of::<view::View>, schema_of::<problem::Told>, schema_of::<DeadLetter>] {
        found.append(&mut sent(false));
    }
    for taken in [schema_of::<activations::Body>, schema_of::<activations::LoginBody>] {
        found.append(&mut taken(true));
    }
    let list = |of: &str| json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{of}") } });
    found.insert("Receipts".to_owned(), list("Receipt"));
    found.insert("Activations".to_owned(), list("Activation"));
    found.insert(
        "Health".to_owned(),
        json!({ "type": "object", "required": ["status"],
        "properties": { "status": { "type": "string", "const": "ok" } } }),
    );
    found.insert(
        "Session".to_owned(),
        json!({ "type": "object", "required": ["name", "csrf"],
        "properties": { "name": { "type": "string" }, "csrf": { "type": "string" } } }),
    );
    found.sort_keys();
    found
}

/// A type and all that it is made of, by name.
fn schema_of<T: JsonSchema>(taken: bool) -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    let settings = if taken { settings.for_deserialize() } else { settings.for_serialize() };
    let mut generator = settings.into_generator();
    generator.subschema_for::<T>();
    generator.take_definitions(true)
}
