//! Uploads: resumable, and whole in one request.

use std::collections::HashMap;

use axum::{
    extract::{Path, Query, State as FromState},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::{
    Shared,
    auth::{Rights, check},
    locked,
    objects::answer,
    refusal::{Answer, Refusal},
    state::{Session, State, Stored},
};

/// Chunks but the last are multiples of this.
const QUANTUM: usize = 256 << 10;

/// Names as <https://cloud.google.com/storage/docs/objects#naming> has them.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = (1..=1024).contains(&name.len())
        && !name.contains(['\r', '\n'])
        && !matches!(name, "." | "..")
        && !name.starts_with(".well-known/acme-challenge/");
    if fits { Ok(()) } else { Err(Refusal::invalid("Invalid object name.")) }
}

pub(super) async fn begin(
    FromState(state): FromState<Shared>,
    Path(bucket): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let mut state = locked(&state);
    check(&state, &headers, Rights::Write)?;
    state.bucket(&bucket)?;
    let kind = query.get("uploadType").map(String::as_str);
    let (resource, content): (Value, Option<(Bytes, String)>) = match kind {
        Some("resumable") => (json(&body)?, None),
        Some("multipart") => {
            let (resource, bytes, kind) = parts(&headers, &body)?;
            (resource, Some((bytes, kind)))
        }
        _ => return Err(Refusal::invalid("Invalid upload type.")),
    };
    let name = query.get("name").map(String::as_str).or(resource["name"].as_str());
    let name = name.ok_or_else(|| Refusal(400, "required", "Required".to_owned()))?.to_owned();
    check_name(&name)?;
    state.check(&bucket, &name, &query, "")?;
    if let Some((bytes, kind)) = content {
        let bytes = damaged(&mut state, bytes);
        let stored = stored(&resource, bytes, kind);
        compare(&state, resource["crc32c"].as_str(), &stored)?;
        return Ok(answer(state.store(&bucket, &name, stored), &query));
    }
    let id = format!("canary-upload-{}", state.next());
    let host = headers.get("host").and_then(|host| host.to_str().ok()).expect("a host");
    let called = state.knobs.called.clone().unwrap_or_else(|| format!("http://{host}"));
    let location = format!("{called}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={id}");
    state.sessions.insert(id, Session { bucket, name, query, resource, held: Vec::new(), ended: None });
    Ok([("location", location)].into_response())
}

pub(super) async fn chunk(
    FromState(state): FromState<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let mut state = locked(&state);
    // Its address is all that an upload asks for; a token that is shown must be good.
    check(&state, &headers, Rights::Write)?;
    let id = query.get("upload_id").cloned().unwrap_or_default();
    let mut session = state.sessions.remove(&id).ok_or_else(unknown)?;
    let outcome = go_on(&mut state, &mut session, &headers, body);
    if session.ended.is_none() || !state.knobs.forgets {
        state.sessions.insert(id, session);
    }
    outcome
}

pub(super) async fn cancel(
    FromState(state): FromState<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let mut state = locked(&state);
    check(&state, &headers, Rights::Write)?;
    let id = query.get("upload_id").map_or("", String::as_str);
    state.sessions.remove(id).ok_or_else(unknown)?;
    Ok(StatusCode::from_u16(499).expect("a status").into_response())
}

fn unknown() -> Refusal {
    Refusal(404, "notFound", "No such upload.".to_owned())
}

fn go_on(state: &mut State, session: &mut Session, headers: &HeaderMap, body: Bytes) -> Answer {
    let range = headers.get("content-range").and_then(|range| range.to_str().ok()).unwrap_or_default();
    let range = range.strip_prefix("bytes ").and_then(|range| range.split_once('/'));
    let (span, total) = range.ok_or_else(|| Refusal::invalid("Failed to parse Content-Range header."))?;
    if let Some(ended) = &session.ended {
        return Ok(answer(ended.clone(), &session.query));
    }
    let total: Option<usize> = total.parse().ok();
    if let Some((from, to)) = span.split_once('-') {
        let (from, to): (usize, usize) = (from.parse().expect("a number"), to.parse().expect("a number"));
        if from != session.held.len() || body.len() != to + 1 - from {
            return Err(Refusal::invalid("Invalid request. The bytes are not those that come next."));
        }
        let last = total == Some(to + 1);
        if !last && !body.len().is_multiple_of(QUANTUM) {
            return Err(Refusal::invalid("Invalid request. The number of bytes is not a multiple of 262144."));
        }
        let kept = state.knobs.keeps.pop_front().map_or(body.len(), |kept| kept.min(body.len()) / QUANTUM * QUANTUM);
        session.held.extend_from_slice(&body[..kept]);
    }
    if total != Some(session.held.len()) {
        let status = StatusCode::PERMANENT_REDIRECT;
        let last = session.held.len().checked_sub(1);
        return Ok(match last {
            Some(last) => (status, [("range", format!("bytes=0-{last}"))]).into_response(),
            None => status.into_response(),
        });
    }
    end(state, session, headers)
}

/// All bytes are there.
fn end(state: &mut State, session: &mut Session, headers: &HeaderMap) -> Answer {
    let kind = session.resource["contentType"].as_str().unwrap_or("application/octet-stream").to_owned();
    let bytes = damaged(state, session.held.clone().into());
    let stored = stored(&session.resource, bytes, kind);
    let hash = headers.get("x-goog-hash").and_then(|hash| hash.to_str().ok()?.strip_prefix("crc32c="));
    compare(state, hash, &stored)?;
    state.check(&session.bucket, &session.name, &session.query, "")?;
    let resource = state.store(&session.bucket, &session.name, stored);
    session.ended = Some(resource.clone());
    Ok(answer(resource, &session.query))
}

fn stored(resource: &Value, bytes: Bytes, content_type: String) -> Stored {
    let metadata: Map<String, Value> = resource["metadata"].as_object().cloned().unwrap_or_default();
    let content_type = resource["contentType"].as_str().map_or(content_type, str::to_owned);
    Stored { bytes, generation: 0, content_type, metadata }
}

fn compare(state: &State, sent: Option<&str>, stored: &Stored) -> Result<(), Refusal> {
    let found = stored.crc32c();
    match sent {
        Some(sent) if sent != found && !state.knobs.blind => {
            Err(Refusal::invalid(format!("Provided CRC32C \"{sent}\" doesn't match calculated CRC32C \"{found}\".")))
        }
        _ => Ok(()),
    }
}

/// What arrives, less a bit where that was asked for.
fn damaged(state: &mut State, bytes: Bytes) -> Bytes {
    if state.knobs.damages == 0 || bytes.is_empty() {
        return bytes;
    }
    state.knobs.damages -= 1;
    let mut bytes = bytes.to_vec();
    bytes[0] ^= 1;
    bytes.into()
}

fn json(text: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(text).map_err(|_| Refusal(400, "parseError", "Parse Error".to_owned()))
}

/// The resource, the content, and the content's type.
fn parts(headers: &HeaderMap, body: &Bytes) -> Result<(Value, Bytes, String), Refusal> {
    let malformed = || Refusal::invalid("Malformed multipart body.");
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/related; boundary=").ok_or_else(malformed)?;
    let (open, between, close) =
        (format!("--{boundary}\r\n"), format!("\r\n--{boundary}\r\n"), format!("\r\n--{boundary}--\r\n"));
    let inner = body.strip_prefix(open.as_bytes()).and_then(|rest| rest.strip_suffix(close.as_bytes()));
    let (first, second) = split(inner.ok_or_else(malformed)?, between.as_bytes()).ok_or_else(malformed)?;
    let (_, resource) = split(first, b"\r\n\r\n").ok_or_else(malformed)?;
    let (head, content) = split(second, b"\r\n\r\n").ok_or_else(malformed)?;
    let kind =
        std::str::from_utf8(head).ok().and_then(|head| head.strip_prefix("Content-Type: ")).ok_or_else(malformed)?;
    Ok((json(resource)?, Bytes::copy_from_slice(content), kind.to_owned()))
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..found], &bytes[found + at.len()..]))
}
