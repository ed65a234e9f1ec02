//! Looking at, reading, listing and removing objects.

use std::collections::HashMap;

use axum::{
    body::Body,
    extract::{Path, Query, State as FromState},
    http::{HeaderMap, Response, StatusCode},
    response::IntoResponse,
};
use serde_json::{Value, json};

use super::{
    Shared,
    auth::{Rights, check},
    locked,
    refusal::Answer,
};

/// JSON, of which only what `fields` asks for is sent.
pub(super) fn answer(value: Value, query: &HashMap<String, String>) -> Response<Body> {
    let value = query.get("fields").map_or(value.clone(), |fields| partial(&value, fields));
    axum::Json(value).into_response()
}

/// `a,b(c,d)`: the parts of an object, or of each of a list.
fn partial(value: &Value, fields: &str) -> Value {
    if let Value::Array(all) = value {
        return all.iter().map(|one| partial(one, fields)).collect();
    }
    let mut out = json!({});
    let mut rest = fields;
    while !rest.is_empty() {
        let end = rest.find([',', '(']).unwrap_or(rest.len());
        let name = &rest[..end];
        let inner = rest[end..].strip_prefix('(').map(|after| after.split_once(')').expect("a bracket"));
        if let Some(found) = value.get(name) {
            out[name] = inner.map_or_else(|| found.clone(), |(inner, _)| partial(found, inner));
        }
        rest = inner.map_or(&rest[end..], |(_, after)| after).trim_start_matches(',');
    }
    out
}

pub(super) async fn get(
    FromState(state): FromState<Shared>,
    Path((bucket, name)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let state = locked(&state);
    check(&state, &headers, Rights::Read)?;
    let stored = state.object(&bucket, &name)?;
    if query.get("alt").is_some_and(|alt| alt == "media") {
        let hash = format!("crc32c={}", stored.crc32c());
        let headers = [("content-type", stored.content_type.clone()), ("x-goog-hash", hash)];
        return Ok((headers, stored.bytes.clone()).into_response());
    }
    Ok(answer(stored.resource(&bucket, &name), &query))
}

pub(super) async fn delete(
    FromState(state): FromState<Shared>,
    Path((bucket, name)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let mut state = locked(&state);
    check(&state, &headers, Rights::Write)?;
    state.object(&bucket, &name)?;
    state.check(&bucket, &name, &query, "")?;
    state.remove(&bucket, &name);
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn list(
    FromState(state): FromState<Shared>,
    Path(bucket): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let state = locked(&state);
    check(&state, &headers, Rights::Read)?;
    let prefix = query.get("prefix").map_or("", String::as_str);
    let after = query.get("pageToken").map(|token| token.strip_prefix("after ").expect("a token of this server"));
    let objects = state.bucket(&bucket)?;
    let wanted =
        objects.iter().filter(|(name, _)| name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after));
    let page: Vec<_> = wanted.clone().take(state.knobs.page).collect();
    let mut found = json!({ "kind": "storage#objects" });
    if !page.is_empty() {
        found["items"] = page.iter().map(|(name, stored)| stored.resource(&bucket, name)).collect();
    }
    if let Some((last, _)) = page.last().filter(|_| wanted.count() > page.len()) {
        found["nextPageToken"] = format!("after {last}").into();
    }
    Ok(answer(found, &query))
}
