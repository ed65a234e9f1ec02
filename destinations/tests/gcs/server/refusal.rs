//! Google's form of an error.

use axum::{
    body::Body,
    http::{Response, StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
};
use serde_json::json;

/// A no: status, reason, sentence.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str, pub(super) String);

/// What a handler answers.
pub(super) type Answer = Result<Response<Body>, Refusal>;

impl Refusal {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self(400, "invalid", message.into())
    }

    pub(super) fn no_bucket() -> Self {
        Self(404, "notFound", "The specified bucket does not exist.".to_owned())
    }

    pub(super) fn no_object(bucket: &str, name: &str) -> Self {
        Self(404, "notFound", format!("No such object: {bucket}/{name}"))
    }

    pub(super) fn unmet() -> Self {
        let message = "At least one of the pre-conditions you specified did not hold.";
        Self(412, "conditionNotMet", message.to_owned())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let Self(status, reason, message) = self;
        let errors = json!([{ "message": message, "domain": "global", "reason": reason }]);
        let body = json!({ "error": { "code": status, "message": message, "errors": errors } });
        let status = StatusCode::from_u16(status).expect("a status");
        (status, [(CONTENT_TYPE, "application/json; charset=UTF-8")], body.to_string()).into_response()
    }
}
