//! Copying within the store, in as many steps as the server likes.

use std::collections::HashMap;

use axum::{
    extract::{Path, Query, State as FromState},
    http::HeaderMap,
};
use serde_json::json;

use super::{
    Shared,
    auth::{Rights, check},
    locked,
    objects::answer,
    refusal::{Answer, Refusal},
    upload::check_name,
};

pub(super) async fn rewrite(
    FromState(state): FromState<Shared>,
    Path((bucket, from, to_bucket, to)): Path<(String, String, String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let mut state = locked(&state);
    check(&state, &headers, Rights::Write)?;
    check_name(&to)?;
    let source = state.object(&bucket, &from)?.clone();
    state.check(&bucket, &from, &query, "Source")?;
    state.check(&to_bucket, &to, &query, "")?;
    let what = format!("{bucket}/{from}#{} to {to_bucket}/{to}", source.generation);
    let before = match query.get("rewriteToken") {
        None => 0,
        Some(token) => match state.rewrites.remove(token) {
            Some((copied, bytes)) if copied == what => bytes,
            _ => return Err(Refusal::invalid("Invalid rewrite token")),
        },
    };
    let size = source.bytes.len() as u64;
    let copied = before.saturating_add(state.knobs.step).min(size);
    let mut step = json!({
        "kind": "storage#rewriteResponse", "totalBytesRewritten": copied.to_string(), "objectSize": size.to_string(),
        "done": copied == size
    });
    if copied == size {
        step["resource"] = state.store(&to_bucket, &to, source);
    } else {
        let token = format!("rewrite-{}", state.next());
        step["rewriteToken"] = token.as_str().into();
        state.rewrites.insert(token, (what, copied));
    }
    Ok(answer(step, &query))
}
