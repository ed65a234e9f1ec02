//! `/v1/publishes`: receipts and dead letters.

use axum::{
    Extension,
    body::Body,
    extract::{OriginalUri, Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::stream;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use uuid::Uuid;

use super::{Server, Visitor, activations::json, cache::Kept, problem::Problem, query::Query};
use crate::{
    publish::{DeadLetter, Failure, Receipt, Status},
    state::{DeadLetterRow, DeadLettersOf, Filter},
};

const LIMIT: u32 = 50;
const MOST: u32 = 1_000;
/// Dead letters that are read at once: there may be millions.
const PAGE: u32 = 1_000;

fn written(receipt: &impl serde::Serialize) -> Result<Bytes, Problem> {
    let bytes = serde_json::to_vec(receipt);
    Ok(bytes.map_err(|_| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR))?.into())
}

/// 202, with a receipt and where to look at it.
pub(super) fn accepted(receipt: &Receipt) -> Result<Response, Problem> {
    let mut response = json(StatusCode::ACCEPTED, written(receipt)?);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/publishes/{}", receipt.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn unknown() -> Problem {
    Problem::unknown("no publish has this id").remedy("list what there is with `GET /v1/publishes`")
}

fn id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| unknown())
}

/// Receipts, newest first, as a bare array. `Link` with `rel="next"` (RFC 8288) leads to older ones, as long as there are any.
#[utoipa::path(get, path = "/v1/publishes", tag = "publishes",
    params(("activation" = Option<String>, Query, description = "Of this activation."),
        ("status" = Option<String>, Query, description = "Of this status."),
        ("limit" = Option<u32>, Query, description = "At most so many; default 50."),
        ("cursor" = Option<String>, Query, description = "Where a page goes on: out of the `Link` of the one before.")),
    responses((status = 200, description = "Receipts.", body = ref("#/components/schemas/Receipts"),
        content_type = "application/json", headers(("Link" = String, description = "The next page.")))))]
pub(super) async fn list(State(server): State<Server>, OriginalUri(uri): OriginalUri) -> Result<Response, Problem> {
    let query = Query::read(&uri, &["activation", "status", "limit", "cursor"])?;
    let limit = match query.get("limit").map(str::parse::<u32>) {
        None => LIMIT,
        Some(Ok(limit)) if (1..=MOST).contains(&limit) => limit,
        Some(_) => return Err(Problem::unfit(format!("`limit` is 1 to {MOST}"))),
    };
    let status =
        query.get("status").map(|word| Status::deserialize(serde_json::Value::from(word))).transpose().map_err(
            |_| Problem::unfit("`status` is one of queued, running, succeeded, partial, failed, blocked, cancelled"),
        )?;
    let before = query.get("cursor").map(read_cursor).transpose()?;
    let question = format!("publishes {}", uri.query().unwrap_or_default());
    let kept = match server.cache.get(&question) {
        Some(kept) => kept,
        None => {
            let generation = server.cache.generation();
            let activation = query.get("activation").map(ToOwned::to_owned);
            let filter = Filter { activation, status, limit: limit + 1, before };
            let mut receipts = server.control.publisher().state().receipts(filter).await?;
            let more = receipts.len() > limit as usize;
            receipts.truncate(limit as usize);
            let link = receipts.last().filter(|_| more).map(|last| next(&query, limit, last.id));
            let kept = Kept { body: written(&receipts)?, link: link.and_then(|link| HeaderValue::try_from(link).ok()) };
            server.cache.put(question, generation, kept.clone());
            kept
        }
    };
    let mut response = json(StatusCode::OK, kept.body);
    if let Some(link) = kept.link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

fn next(query: &Query, limit: u32, last: Uuid) -> String {
    let mut link = format!("</v1/publishes?limit={limit}&cursor={}", URL_SAFE_NO_PAD.encode(last.as_bytes()));
    for name in ["activation", "status"] {
        if let Some(value) = query.get(name) {
            link.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        }
    }
    link + ">; rel=\"next\""
}

fn read_cursor(text: &str) -> Result<Uuid, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| Uuid::from_slice(&bytes).ok());
    bytes.ok_or_else(|| Problem::unfit("`cursor` is none that a `Link` gave"))
}

/// One receipt.
#[utoipa::path(get, path = "/v1/publishes/{id}", tag = "publishes", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The receipt.", body = ref("#/components/schemas/Receipt"),
        content_type = "application/json")))]
pub(super) async fn one(State(server): State<Server>, Path(text): Path<String>) -> Result<Response, Problem> {
    let found = server.control.publisher().state().receipt(id(&text)?).await?;
    Ok(json(StatusCode::OK, written(&found.ok_or_else(unknown)?)?))
}

/// Dead letters of a publish, one JSON object a line.
#[utoipa::path(get, path = "/v1/publishes/{id}/rejects", tag = "publishes", params(("id" = Uuid, Path)),
    responses((status = 200, description = "One `DeadLetter` a line.", body = String,
        content_type = "application/x-ndjson")))]
pub(super) async fn rejects(State(server): State<Server>, Path(text): Path<String>) -> Result<Response, Problem> {
    let (publisher, id) = (server.control.publisher(), id(&text)?);
    publisher.state().receipt(id).await?.ok_or_else(unknown)?;
    // The first page is read before the answer begins, so that what is wrong can still be told by a status.
    let (first, last) = publisher.dead_letters(DeadLettersOf::Publish(id), PAGE, None).await?;
    let pages = stream::try_unfold(Some((Some(first), last)), move |state| {
        let publisher = publisher.clone();
        async move {
            let Some((read, after)) = state else { return Ok(None) };
            if let Some(page) = read {
                return Ok(Some((lines(&page)?, after.map(|after| (None, Some(after))))));
            }
            let (page, last) = publisher.dead_letters(DeadLettersOf::Publish(id), PAGE, after.as_ref()).await?;
            Ok::<_, Failure>(Some((lines(&page)?, last.map(|last: DeadLetterRow| (None, Some(last))))))
        }
    });
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    Ok((kind, Body::from_stream(pages)).into_response())
}

fn lines(page: &[DeadLetter]) -> Result<Bytes, Failure> {
    let mut lines = Vec::new();
    for letter in page {
        serde_json::to_writer(&mut lines, letter).map_err(crate::publish::code::internal)?;
        lines.push(b'\n');
    }
    Ok(lines.into())
}

/// Stops a publish that waits or runs; one that has ended stays as it is.
#[utoipa::path(post, path = "/v1/publishes/{id}/cancel", tag = "publishes", params(("id" = Uuid, Path)),
    responses((status = 202, description = "Its receipt.", body = ref("#/components/schemas/Receipt"),
        content_type = "application/json", headers(("Location" = String, description = "`/v1/publishes/{id}`")))))]
pub(super) async fn cancel(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let receipt = server.control.cancel(&visitor.caller, id(&text)?).await?;
    server.cache.forget();
    accepted(&receipt)
}

/// Publishes the members of its dead letters anew.
#[utoipa::path(post, path = "/v1/publishes/{id}/retry", tag = "publishes", params(("id" = Uuid, Path)),
    responses((status = 202, description = "The new publish.", body = ref("#/components/schemas/Receipt"),
        content_type = "application/json", headers(("Location" = String, description = "`/v1/publishes/{id}`")))))]
pub(super) async fn retry(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let receipt = server.control.retry(&visitor.caller, id(&text)?).await?;
    server.cache.forget();
    accepted(&receipt)
}
