//! What holds for every request: its id, its line in the log, its time, and what every answer carries.

use std::{
    any::Any,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use tracing::Instrument;
use uuid::Uuid;

use super::{Server, auth::Named, problem::Problem};

/// Until the head of the answer. Streams that follow it, events and dead letters, may take longer.
const TIME: Duration = Duration::from_secs(60);
/// A reload reads the whole config and plans it against its sources.
const TIME_OF_RELOAD: Duration = Duration::from_secs(600);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 128;

/// What every answer says to browsers. Pages load their own files only and stand in nobody's frame.
const SECURITY: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

pub(super) async fn frame(State(server): State<Server>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str).to_owned();
    let time = if route == "/v1/reload" { TIME_OF_RELOAD } else { TIME };
    let span = tracing::info_span!("request", request_id = %id);
    let answered = tokio::time::timeout(time, next.run(request)).instrument(span.clone()).await;
    let response = answered.unwrap_or_else(|_| Problem::of_status(StatusCode::REQUEST_TIMEOUT).into_response());
    let mut response = told_as_problem(response, &path);
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
        let close = server.close.clone();
        response = response
            .map(|body| Body::from_stream(body.into_data_stream().take_until(async move { close.cancelled().await })));
    }
    let caller = response.extensions_mut().remove::<Named>().map_or_else(|| "-".to_owned(), |named| named.0);
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    let (status, took) = (response.status().as_u16(), began.elapsed());
    let ms = took.as_millis();
    // What callers make up, paths and methods, would make a series each.
    if route != "-" && known(&method) {
        server.scrape.count(&route, method.as_str(), status, took);
    }
    span.in_scope(|| {
        // Probes come every few seconds, and would drown the rest.
        if matches!(route.as_str(), "/healthz" | "/readyz" | "/metrics") && status < 400 {
            tracing::debug!(request_id = %id, %method, route, status, ms, caller, "answered");
        } else {
            tracing::info!(request_id = %id, %method, route, status, ms, caller, "answered");
        }
    });
    response
}

fn known(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    )
}

/// The router names the methods of a path on whatever comes back from one that does not take the method, past all
/// layers: who is not admitted would learn of the path.
pub(super) async fn without_methods(mut response: Response) -> Response {
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().remove(header::ALLOW);
    }
    response
}

/// What becomes of a panic: the answer to its request, and nothing else.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// Errors of the framework are plain text; here they become problems. Pages stay pages.
fn told_as_problem(mut response: Response, path: &str) -> Response {
    let status = response.status();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return response.map(|_| problem.body(path));
    }
    let is_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/html"));
    if !(status.is_client_error() || status.is_server_error()) || is_page {
        return response;
    }
    let problem = Problem::of_status(status);
    let mut told = problem.clone().into_response().map(|_| problem.body(path));
    for name in [header::ALLOW, header::RETRY_AFTER] {
        if let Some(value) = response.headers_mut().remove(&name) {
            told.headers_mut().insert(name, value);
        }
    }
    told.extensions_mut().remove::<Problem>();
    if let Some(named) = response.extensions_mut().remove::<Named>() {
        told.extensions_mut().insert(named);
    }
    told
}

/// The caller's own, if it can stand in a log.
fn request_id(request: &Request) -> String {
    let sane = |id: &&str| {
        (1..=LONGEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(sane);
    given.map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned)
}
