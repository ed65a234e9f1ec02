//! `/v1/activations`, and the reload of all of them.

use axum::{
    Extension, Json,
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Server, Visitor, body, cache::Kept, problem::Problem, publishes, query::Query, view::View};
use crate::{
    config::OnDelete,
    control::{Changes, Idempotency, Trigger},
    fleet,
    publish::code,
};
use herald_destinations::contract::Mode;

/// Members that one request may name.
const MOST_MEMBERS: usize = 10_000;
const LONGEST_MEMBER: usize = 1_024;
const LONGEST_KEY: usize = 255;

/// What to publish. Everything may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(
    rename = "Trigger",
    extend("if" = { "properties": { "mode": { "const": "full" } }, "required": ["mode"] }),
    extend("then" = { "properties": { "kind": { "const": "manual" }, "members": { "const": null } }, "required": ["kind"] })
)]
pub(super) struct Body {
    /// Default: `rapid`.
    kind: Option<Kind>,
    /// Default: as the activation says. `full` goes with `manual` alone.
    mode: Option<Mode>,
    /// The only members to look at. Left out: those touched lately (`rapid`), or all (`manual`).
    #[schemars(length(min = 1, max = 10_000), inner(length(min = 1, max = 1_024)))]
    members: Option<Vec<String>>,
}

/// In which lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TriggerKind")]
enum Kind {
    Rapid,
    Manual,
}

/// A token.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Login", deny_unknown_fields)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct LoginBody {
    /// One of `service.http.tokens`.
    token: String,
}

pub(super) fn json(status: StatusCode, body: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

fn bytes(value: &impl serde::Serialize) -> Result<Bytes, Problem> {
    let written = serde_json::to_vec(value);
    Ok(written.map_err(|_| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))?.into())
}

/// Every activation, by name: as `herald status` shows it, with its definition. A bare array.
#[utoipa::path(get, path = "/v1/activations", tag = "activations", responses((status = 200,
    description = "All of them.", body = ref("#/components/schemas/Activations"), content_type = "application/json")))]
pub(super) async fn all(State(server): State<Server>) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, shown(&server, None).await?))
}

/// One activation.
#[utoipa::path(get, path = "/v1/activations/{name}", tag = "activations", params(("name" = String, Path)),
    responses((status = 200, description = "How it stands.", body = ref("#/components/schemas/Activation"),
        content_type = "application/json")))]
pub(super) async fn one(State(server): State<Server>, Path(name): Path<String>) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, shown(&server, Some(&name)).await?))
}

/// All activations, or one, as JSON; read from the state once for all who ask at the same time.
async fn shown(server: &Server, name: Option<&str>) -> Result<Bytes, Problem> {
    let question = name.map_or_else(|| "activations".to_owned(), |name| format!("activation {name}"));
    if let Some(kept) = server.cache.get(&question) {
        return Ok(kept.body);
    }
    let _turn = server.cache.turn.lock().await;
    if let Some(kept) = server.cache.get(&question) {
        return Ok(kept.body);
    }
    let generation = server.cache.generation();
    let publisher = server.control.publisher();
    let (config, state) = (publisher.config(), publisher.state());
    let body = match name {
        None => {
            let all = fleet::all(config, state).await?;
            bytes(&all.into_iter().map(|one| View::new(config, one)).collect::<Vec<_>>())?
        }
        Some(name) => {
            if !config.activations.contains_key(name) && state.activation(name).await?.is_none() {
                return Err(Problem::unknown("there is no activation of this name"));
            }
            bytes(&View::new(config, fleet::one(config, state, name).await?))?
        }
    };
    server.cache.put(question, generation, Kept { body: body.clone(), link: None });
    Ok(body)
}

/// Asks for a publish. One that waits already stands for both.
#[utoipa::path(post, path = "/v1/activations/{name}/publishes", tag = "activations",
    params(("name" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Sent again within 24 hours, the answer is the same.")),
    request_body(content = ref("#/components/schemas/Trigger"), content_type = "application/json"),
    responses((status = 202, description = "It waits; `Location` is where it can be looked at.",
        body = ref("#/components/schemas/Receipt"), content_type = "application/json",
        headers(("Location" = String, description = "`/v1/publishes/{id}`")))))]
pub(super) async fn trigger(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    headers: HeaderMap,
    request: axum::extract::Request,
) -> Result<Response, Problem> {
    let mut given = body::object(request).await?.unwrap_or_else(|| serde_json::json!({}));
    // The order of keys makes no other request.
    given.sort_all_objects();
    let digest = Sha256::new().chain_update(&name).chain_update([0]).chain_update(given.to_string()).finalize();
    // What the parser says quotes what it read: that may be somebody's key.
    let body: Body = serde_json::from_value(given).map_err(|_| unread())?;
    let rapid = body.kind.unwrap_or(Kind::Rapid) == Kind::Rapid;
    if body.members.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::unfit("`members` names nobody").remedy("name somebody, or leave `members` out"));
    }
    let members = body.members.unwrap_or_default();
    if body.mode == Some(Mode::Full) && (rapid || !members.is_empty()) {
        return Err(Problem::unfit("`mode: full` goes with `kind: manual` and without `members`"));
    }
    let fits = |member: &String| (1..=LONGEST_MEMBER).contains(&member.chars().count());
    if members.len() > MOST_MEMBERS || !members.iter().all(fits) {
        let what = format!("at most {MOST_MEMBERS} members of 1 to {LONGEST_MEMBER} characters are taken");
        return Err(Problem::unfit(what).remedy("send them in several requests, or leave `members` out"));
    }
    let publisher = server.control.publisher();
    let activation = publisher.config().activations.get(&name);
    if body.mode == Some(Mode::Incremental) && activation.is_some_and(|activation| activation.mode == Mode::Full) {
        return Err(Problem::unfit("the activation is `mode: full`, and has no deltas"));
    }
    let trigger = Trigger { rapid, full: body.mode == Some(Mode::Full), members, override_reason: None };
    let idempotency = key(&headers)?.map(|key| Idempotency { key, request: digest.into() });
    let receipt = server.control.trigger(&visitor.caller, &name, trigger, idempotency).await?;
    server.cache.forget();
    publishes::accepted(&receipt)
}

fn unread() -> Problem {
    Problem::unfit(
        "the body takes `kind` (rapid, manual), `mode` (full, incremental) and `members` (a list of texts), and nothing else",
    )
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let fits = |key: &&str| (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let key = key.to_str().ok().filter(fits);
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| Problem::unfit(format!("an `Idempotency-Key` has 1 to {LONGEST_KEY} visible ASCII characters")))
}

async fn paused(server: &Server, visitor: &Visitor, name: &str, paused: bool) -> Result<Response, Problem> {
    server.control.pause(&visitor.caller, name, paused).await?;
    server.cache.forget();
    Ok(json(StatusCode::ACCEPTED, shown(server, Some(name)).await?))
}

/// Stops the schedule of an activation; what it delivered stays.
#[utoipa::path(post, path = "/v1/activations/{name}/pause", tag = "activations", params(("name" = String, Path)),
    responses((status = 202, description = "How it stands now.", body = ref("#/components/schemas/Activation"),
        content_type = "application/json")))]
pub(super) async fn pause(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    paused(&server, &visitor, &name, true).await
}

/// Starts the schedule of an activation again.
#[utoipa::path(post, path = "/v1/activations/{name}/resume", tag = "activations", params(("name" = String, Path)),
    responses((status = 202, description = "How it stands now.", body = ref("#/components/schemas/Activation"),
        content_type = "application/json")))]
pub(super) async fn resume(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    paused(&server, &visitor, &name, false).await
}

/// Lets a deleted activation that is still in the config live again.
#[utoipa::path(post, path = "/v1/activations/{name}/recreate", tag = "activations", params(("name" = String, Path)),
    responses((status = 202, description = "How it stands now.", body = ref("#/components/schemas/Activation"),
        content_type = "application/json")))]
pub(super) async fn recreate(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    server.control.recreate(&visitor.caller, &name).await?;
    server.cache.forget();
    Ok(json(StatusCode::ACCEPTED, shown(&server, Some(&name)).await?))
}

/// Begins the teardown of an activation.
#[utoipa::path(delete, path = "/v1/activations/{name}", tag = "activations",
    params(("name" = String, Path), ("data" = Option<String>, Query, description = "Default: its `on_delete`.")),
    responses((status = 202, description = "The teardown's receipt.", body = ref("#/components/schemas/Receipt"),
        content_type = "application/json", headers(("Location" = String, description = "`/v1/publishes/{id}`")))))]
pub(super) async fn delete(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let on_delete = match Query::read(&uri, &["data"])?.get("data") {
        None => None,
        Some("keep") => Some(OnDelete::Keep),
        Some("purge") => Some(OnDelete::Purge),
        Some(_) => return Err(Problem::unfit("`data` is `keep` or `purge`")),
    };
    // Whoever asked may go away: what was begun is brought to its end.
    let (control, caller) = (server.control.clone(), visitor.caller);
    let deleting = tokio::spawn(async move { control.delete(&caller, &name, on_delete).await });
    let receipt = deleting.await.map_err(|error| Problem::from(code::internal(error)))??;
    server.cache.forget();
    publishes::accepted(&receipt)
}

/// Reads the config again and takes it in force: all of it, or, where anything is wrong, nothing.
#[utoipa::path(post, path = "/v1/reload", tag = "service",
    responses((status = 200, description = "What changed.", body = Changes)))]
pub(super) async fn reload(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Changes>, Problem> {
    // As with a deletion.
    let (control, caller) = (server.control.clone(), visitor.caller);
    let reloading = tokio::spawn(async move { control.reload(&caller).await });
    let changes = reloading.await.map_err(|error| Problem::from(code::internal(error)))??;
    server.cache.forget();
    Ok(Json(changes))
}
