//! Errors as RFC 9457 tells them.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    control::{Refusal, Refused},
    publish::Failure,
    state::StateError,
};

/// Media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";
/// Seconds after which a service that stops, or has too much to do, may be asked again.
const AGAIN: u64 = 5;

/// Why a request was not done; small, since results carry it.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Problem(Box<Told>);

/// Why a request was not done, RFC 9457.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Told {
    /// Always `about:blank`: `code` tells problems apart.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The words of the status.
    title: &'static str,
    /// The status again.
    status: u16,
    /// What happened.
    detail: String,
    /// Path of the request; left out of 401, which is the same for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// A short stable code.
    code: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// All that is wrong with a config.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<ConfigProblem>>")]
    errors: Option<serde_json::Value>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// One thing that is wrong with a config.
#[derive(Debug, Serialize, JsonSchema)]
#[allow(dead_code, reason = "only its schema is used: `config::Problem` writes itself")]
struct ConfigProblem {
    /// The file; null where there is no place.
    path: Option<String>,
    /// From 1.
    line: Option<u64>,
    /// From 1.
    column: Option<u64>,
    /// A short stable code.
    code: String,
    /// What is wrong.
    message: String,
    /// What to do.
    remedy: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self(Box::new(Told {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            code: code.to_owned(),
            remedy: None,
            errors: None,
            retry_after: None,
        }))
    }

    /// What a status alone says: of answers that no handler of ours gave.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => ("unknown", "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this path does not take this method"),
            StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "a body of at most 1 MiB is taken"),
            StatusCode::REQUEST_TIMEOUT => ("timed_out", "the request took too long"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("media_type", "a body of application/json is wanted"),
            status if status.is_server_error() => ("internal", "something failed that the request is not to blame for"),
            _ => ("unfit", "the request can't be read"),
        };
        Self::new(status, code, detail)
    }

    /// The request is not as it must be.
    pub(super) fn unfit(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unfit", detail)
    }

    pub(super) fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown", detail)
    }

    /// No valid token. The same words whatever was wrong with it, and wherever.
    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "a valid token is needed")
            .remedy("send `Authorization: Bearer TOKEN` with a token of `service.http.tokens`")
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(super) fn stopping() -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the service stops");
        problem.0.retry_after = Some(AGAIN);
        problem
    }

    #[must_use]
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    #[must_use]
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// With the path that it happened at, as bytes of a body.
    pub(super) fn body(mut self, path: &str) -> Body {
        if self.0.status != StatusCode::UNAUTHORIZED.as_u16() {
            self.0.instance = Some(path.to_owned());
        }
        Body::from(serde_json::to_vec(&self).unwrap_or_default())
    }
}

/// The body is written by the outermost layer, which knows the path.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.0.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, retry_after) = match refusal.refused {
            Refused::Unknown => (StatusCode::NOT_FOUND, None),
            Refused::Conflict => (StatusCode::CONFLICT, None),
            Refused::Unfit | Refused::Config => (StatusCode::UNPROCESSABLE_ENTITY, None),
            Refused::Stopping => (StatusCode::SERVICE_UNAVAILABLE, Some(AGAIN)),
            Refused::Failed => (StatusCode::INTERNAL_SERVER_ERROR, None),
        };
        let mut problem = Self::new(status, &refusal.code, refusal.message);
        problem.0.remedy = refusal.remedy;
        problem.0.errors = refusal.problems.map(|problems| problems.to_json());
        problem.0.retry_after = retry_after;
        problem
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Refusal::from(failure).into()
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        Refusal::from(error).into()
    }
}
