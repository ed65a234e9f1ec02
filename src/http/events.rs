//! `GET /v1/events`: what happens, as server-sent events.
//!
//! ```text
//! this process: State ─▶ Observers ─▶ Hub ─┬─▶ listener
//! other ones:   state.db ─▶ Watch ─────────┘   (while somebody listens, once a second)
//! ```
//!
//! Events are `publish`, `activation`, and `resync`: something was missed, so that all is to be read anew; with
//! `?progress=true` also `progress`.

mod hub;
mod message;

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{StreamExt, stream};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

pub use self::hub::Hub;
use super::{Server, Visitor, auth::Pass, problem::Problem, query::Query};

/// A browser that was cut off asks again after this.
const RETRY: Duration = Duration::from_secs(2);
/// Proxies drop connections that say nothing for long; a comment so often is heard by all of them.
const ALIVE: Duration = Duration::from_secs(15);
/// Between two looks whether a listener may listen still.
const LOOK: Duration = Duration::from_secs(2);
/// The event that most listeners have no use for.
const PROGRESS: &str = "progress";

/// What happens, as it happens: an event `publish` each time that the status of a publish changes.
#[utoipa::path(get, path = "/v1/events", tag = "publishes",
    params(("progress" = Option<String>, Query, description = "`true`: also how far publishes are.")),
    responses((status = 200, description = "Server-sent events, until the caller's token or session is no longer valid.",
        body = String, content_type = "text/event-stream")))]
pub(super) async fn events(
    State(server): State<Server>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let progress = match Query::read(&uri, &["progress"])?.get("progress") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::unfit("`progress` is `true` or `false`")),
    };
    let listening = server.hub.listen(server.control.publisher().state());
    let (events, place) = listening.ok_or_else(too_many)?;
    let greeting = Event::default().retry(RETRY).comment("listening");
    // Who was here before may have missed something: nothing is kept for him.
    let missed = headers.contains_key("last-event-id").then(resync);
    let news = BroadcastStream::new(events).filter_map(move |message| {
        // Given back when the listener goes.
        let _ = &place;
        let event = match message {
            Ok(message) if message.name == PROGRESS && !progress => None,
            Ok(message) => Some(Event::default().id(message.id.to_string()).event(message.name).data(&message.data)),
            Err(BroadcastStreamRecvError::Lagged(_)) => Some(resync()),
        };
        std::future::ready(event)
    });
    let stream = stream::iter([greeting]).chain(stream::iter(missed)).chain(news);
    let closed = server.hub.closed();
    let stream = stream.map(Ok::<_, Infallible>).take_until(closed).take_until(not_admitted(server, visitor.pass));
    let alive = KeepAlive::new().interval(ALIVE).text("alive");
    // A proxy that gathers answers would hold events back.
    let unbuffered =
        [(header::CACHE_CONTROL, "no-store"), (header::HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((unbuffered, Sse::new(stream).keep_alive(alive)).into_response())
}

/// Until who listens would not be admitted any more: his token was taken away, or his session is over.
async fn not_admitted(server: Server, pass: Pass) {
    while server.guard.stands(&server, &pass) {
        tokio::time::sleep(LOOK).await;
    }
}

fn resync() -> Event {
    Event::default().event("resync").data("{}")
}

fn too_many() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_listeners", "too many listen to events already")
        .remedy("close a page of the dashboard, or ask again later")
        .retry_after(30)
}
