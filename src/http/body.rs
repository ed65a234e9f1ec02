//! Reading what requests hold.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, Bytes, HttpBody, to_bytes},
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::Response,
};
use futures::{Stream, StreamExt};
use serde_json::Value;
use tokio::{sync::oneshot, time::timeout};

use super::{auth::LARGEST_BODY, problem::Problem};

/// Of what nobody wanted to read, so much is read all the same, and for so long.
const LARGEST_REST: usize = 8 * LARGEST_BODY;
const LONGEST_REST: Duration = Duration::from_secs(5);

/// Reads what a handler left of a request before it is answered. Closed over a body that is still under way, a connection
/// is reset, and its sender learns of that in place of the answer.
pub(super) async fn read_the_rest(request: Request, next: Next) -> Response {
    // Who waits for a word before sending anything has nothing under way.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (back, given_back) = oneshot::channel();
    let lend = |body: Body| Body::from_stream(Lent { body: Some(body.into_data_stream()), back: Some(back) });
    let response = next.run(request.map(lend)).await;
    if let Ok(mut rest) = given_back.await {
        let mut left = LARGEST_REST;
        let read = async {
            while let Some(Ok(bytes)) = rest.next().await {
                left = left.saturating_sub(bytes.len());
                if left == 0 {
                    break;
                }
            }
        };
        // Whoever sends more than that, or more slowly, gets the answer or the reset.
        let _ = timeout(LONGEST_REST, read).await;
    }
    response
}

/// A body that is given back as soon as its reader lets it go.
struct Lent {
    body: Option<BodyDataStream>,
    back: Option<oneshot::Sender<BodyDataStream>>,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| body.poll_next_unpin(context))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits for it once the request has timed out.
            let _ = back.send(body);
        }
    }
}

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
