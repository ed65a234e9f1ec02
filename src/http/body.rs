//! Reading what requests hold.

use axum::{
    body::to_bytes,
    extract::Request,
    http::{StatusCode, header},
};
use serde_json::Value;

use super::{auth::LARGEST_BODY, problem::Problem};

/// The JSON object in a request; `None`: it has no body.
pub(super) async fn object(request: Request) -> Result<Option<Value>, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default().to_owned());
    let bytes = to_bytes(request.into_body(), LARGEST_BODY)
        .await
        .map_err(|_| Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE))?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let is_json = kind.is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    });
    if !is_json {
        return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    // Where it went wrong, never what stands there: it may be somebody's key.
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
        Problem::unfit(format!("the body is not JSON: line {}, column {}", error.line(), error.column()))
    })?;
    if !value.is_object() {
        return Err(Problem::unfit("a JSON object is wanted"));
    }
    Ok(Some(value))
}
