//! `GET /v1/events`: what happens, as server-sent events.
//!
//! ```text
//! this process: State ─▶ Observers ─▶ Hub ─┬─▶ listener
//! other ones:   state.db ─▶ Watch ─────────┘   (while somebody listens, once a second)
//! ```
//!
//! Events are `publish`, `progress`, `activation`, and `resync`: something was missed, so that all is to be read anew.

mod hub;
mod message;

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures::{StreamExt, stream};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

pub use self::hub::Hub;
use super::Server;

/// A browser that was cut off asks again after this.
const RETRY: Duration = Duration::from_secs(2);
/// Proxies drop connections that say nothing for long; a comment so often is heard by all of them.
const ALIVE: Duration = Duration::from_secs(15);

pub(super) fn routes() -> Router<Server> {
    Router::new().route("/v1/events", get(events))
}

async fn events(State(server): State<Server>, headers: HeaderMap) -> Response {
    let Some((events, place)) = server.hub.listen(server.control.publisher().state()) else { return too_many() };
    let greeting = Event::default().retry(RETRY).comment("listening");
    // Who was here before may have missed something: nothing is kept for him.
    let missed = headers.contains_key("last-event-id").then(resync);
    let news = BroadcastStream::new(events).map(move |message| {
        // Given back when the listener goes.
        let _ = &place;
        match message {
            Ok(message) => Event::default().id(message.id.to_string()).event(message.name).data(&message.data),
            Err(BroadcastStreamRecvError::Lagged(_)) => resync(),
        }
    });
    let stream = stream::iter([greeting]).chain(stream::iter(missed)).chain(news);
    let stream = stream.map(Ok::<_, Infallible>).take_until(server.hub.closed());
    let alive = KeepAlive::new().interval(ALIVE).text("alive");
    // A proxy that gathers answers would hold events back.
    let unbuffered =
        [(header::CACHE_CONTROL, "no-store"), (header::HeaderName::from_static("x-accel-buffering"), "no")];
    (unbuffered, Sse::new(stream).keep_alive(alive)).into_response()
}

fn resync() -> Event {
    Event::default().event("resync").data("{}")
}

fn too_many() -> Response {
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "too many listen to events already",
        "code": "too_many_listeners",
        "remedy": "close a page of the dashboard, or ask again later",
    });
    let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::RETRY_AFTER, "30")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, problem.to_string()).into_response()
}
