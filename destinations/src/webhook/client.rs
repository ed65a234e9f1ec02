//! The only place that touches the HTTP client: one request, one answer. Nothing is repeated here.

use std::{error::Error as _, time::Duration};

use bytes::Bytes;
use reqwest::{
    StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER},
    redirect,
};

use super::{config::WebhookConfig, options::EventFormat, signature::Signer};
use crate::{
    contract::{Error, ErrorKind},
    http::pause,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer past which it is not read on.
const LARGEST_ANSWER: usize = 4 << 20;
const SEND: &str = "send events to the webhook";

/// A receiver, and how to talk to it.
pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    place: String,
    headers: HeaderMap,
    content_type: &'static str,
    signer: Option<Signer>,
}

/// What is sent.
pub(super) struct Request<'a> {
    /// Equal across the tries of one body, and of no other.
    pub(super) key: &'a str,
    pub(super) body: &'a Bytes,
    /// Whether it only asks if requests would be taken.
    pub(super) probe: bool,
}

/// An answer about the events: taken, or refused for what they are.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Whether it calls itself JSON.
    pub(super) json: bool,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// # Errors
    /// [`ErrorKind::Internal`] when the system's certificates can't be used.
    pub(super) fn new(config: &WebhookConfig) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("herald/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
            .timeout(config.timeout)
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "make an HTTP client").caused_by(error.without_url()))?;
        Ok(Self {
            http,
            url: config.url.clone(),
            place: config.place(),
            headers: config.headers.clone(),
            content_type: match config.format {
                EventFormat::Ndjson => "application/x-ndjson",
                EventFormat::Json => "application/json",
            },
            signer: config.signer.clone(),
        })
    }

    /// Sends one request, signed now.
    ///
    /// # Errors
    /// When there is no whole answer, or one that is not about the events.
    pub(super) async fn post(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let timestamp = chrono::Utc::now().timestamp();
        let mut post = self
            .http
            .post(self.url.clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, self.content_type)
            .header(HeaderName::from_static("idempotency-key"), request.key)
            .header(HeaderName::from_static("webhook-id"), request.key)
            .header(HeaderName::from_static("webhook-timestamp"), timestamp);
        if let Some(signer) = &self.signer {
            let standard = signer.standard(request.key, timestamp, request.body);
            post = post
                .header(HeaderName::from_static("x-herald-signature"), signer.plain(request.body))
                .header(HeaderName::from_static("webhook-signature"), standard);
        }
        if request.probe {
            post = post.header(HeaderName::from_static("x-herald-probe"), "true");
        }
        let sent = post.body(request.body.clone()).send().await;
        let mut response = sent.map_err(|error| self.unanswered(error))?;
        let status = response.status();
        let about_events = status.is_success() || matches!(status.as_u16(), 400 | 413 | 422);
        if !about_events {
            return Err(self.refused(status, response.headers()));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let json = kind.to_ascii_lowercase().contains("json");
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unanswered(error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST_ANSWER {
                return Err(self.error(ErrorKind::Conflict).with("status", status.as_u16()).caused_by(format!(
                    "its answer is longer than {} MiB, so that what it took is unknown",
                    LARGEST_ANSWER >> 20
                )));
            }
        }
        Ok(Answer { status, json, body })
    }

    /// An error that says where.
    pub(super) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, SEND).with("url", &self.place)
    }

    /// No answer, or half of one.
    fn unanswered(&self, error: reqwest::Error) -> Error {
        let kind = if error.is_timeout() {
            ErrorKind::TimedOut
        } else if error.is_builder() {
            ErrorKind::Internal
        } else {
            ErrorKind::Unreachable
        };
        // The outermost says the address, whose path and query are nobody's business.
        let mut words = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            words.push(error.to_string());
            cause = error.source();
        }
        let words = if words.is_empty() { error.without_url().to_string() } else { words.join(": ") };
        self.error(kind).caused_by(words)
    }

    /// An answer that is not about the events.
    fn refused(&self, status: StatusCode, headers: &HeaderMap) -> Error {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let error = self.error(kind_of(status)).with("status", status.as_u16());
        let error = error.after(text(RETRY_AFTER).and_then(pause));
        if status.is_redirection() {
            let to = text(LOCATION).and_then(|to| self.url.join(to).ok()).map(|to| to.origin().ascii_serialization());
            let to = to.unwrap_or_else(|| "nowhere".to_owned());
            return error.with("to", to).caused_by("redirects are not followed: set `url` to where the receiver is");
        }
        match status.as_u16() {
            405 | 406 | 411 | 415 | 501 => error.caused_by("what answers there takes no such POST: correct `url`"),
            409 => error.caused_by("the receiver says that it knows this idempotency key by another content"),
            _ => error,
        }
    }
}

/// What to do about an answer that is not about the events.
fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 403 | 407 => ErrorKind::Unauthorized,
        404 | 410 => ErrorKind::Missing,
        408 => ErrorKind::TimedOut,
        425 => ErrorKind::Unavailable,
        429 => ErrorKind::Throttled,
        501 | 505 => ErrorKind::Conflict,
        507 => ErrorKind::Full,
        500.. => ErrorKind::Unavailable,
        // Whatever the events, what stands there will not take them, so no smaller batch need be tried.
        _ => ErrorKind::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_to_do() {
        for (status, kind) in [
            (301, ErrorKind::Conflict),
            (401, ErrorKind::Unauthorized),
            (403, ErrorKind::Unauthorized),
            (404, ErrorKind::Missing),
            (405, ErrorKind::Conflict),
            (408, ErrorKind::TimedOut),
            (409, ErrorKind::Conflict),
            (410, ErrorKind::Missing),
            (425, ErrorKind::Unavailable),
            (429, ErrorKind::Throttled),
            (500, ErrorKind::Unavailable),
            (501, ErrorKind::Conflict),
            (503, ErrorKind::Unavailable),
            (507, ErrorKind::Full),
        ] {
            assert_eq!(kind_of(StatusCode::from_u16(status).unwrap()), kind, "{status}");
        }
    }
}
