//! The SDK's errors, told apart and stripped of anything secret.

use std::{error::Error, fmt, time::Duration};

use azure_core::{
    error::ErrorKind,
    http::{RawResponse, headers::HeaderName},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    azure_blob::error::{Failure, Stage, Time},
    http::pause,
};

/// What stands in place of a secret.
const BLANK: &str = "…";

/// No machine's identity answers.
#[derive(Debug)]
pub(super) struct Nobody {
    /// Whether it was waited for to the end.
    pub(super) late: bool,
}

impl fmt::Display for Nobody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no managed identity answers on this machine, and the target has no other credentials")
    }
}

impl Error for Nobody {}

/// Reads an error of the SDK.
pub(super) fn failure(error: &azure_core::Error, secrets: &[SecretString]) -> Failure {
    let mut failure = match error.kind() {
        ErrorKind::HttpResponse { status, raw_response, .. } => answered(u16::from(*status), raw_response.as_deref()),
        ErrorKind::Credential => without_token(error),
        ErrorKind::Connection | ErrorKind::Io => broken(error),
        // An answer that says yes without what it must hold: it was cut, or comes from somebody else.
        ErrorKind::DataConversion => Failure { stage: Stage::Network, ..said("the answer can't be read") },
        _ => Failure { stage: Stage::Build, ..said(&first_line(error.to_string())) },
    };
    for secret in secrets {
        failure.message = failure.message.replace(secret.expose_secret(), BLANK);
    }
    failure
}

/// Whether the cause is a connection, and not an answer.
pub(super) fn is_network(error: &azure_core::Error) -> bool {
    !causes(error).any(|cause| status_of(cause).is_some()) && causes(error).any(is_connection)
}

fn answered(status: u16, answer: Option<&RawResponse>) -> Failure {
    let header = |name| answer.and_then(|answer| answer.headers().get_optional_str(&HeaderName::from_static(name)));
    let body = answer.and_then(|answer| std::str::from_utf8(answer.body()).ok()).unwrap_or_default();
    let code = header("x-ms-error-code").or_else(|| element(body, "Code"));
    let detail = element(body, "AuthenticationErrorDetail").map(first_line).unwrap_or_default();
    let mut message = element(body, "Message").map(first_line).unwrap_or_default();
    let time = wrong_time(&detail).or_else(|| wrong_time(&message));
    // Other details hold what was signed.
    if time.is_some() && !detail.is_empty() {
        message = detail;
    }
    let milliseconds = |name| header(name)?.trim().parse().ok().map(Duration::from_millis);
    Failure {
        status: Some(status),
        code: code.map(str::to_owned),
        message,
        request_id: header("x-ms-request-id").map(str::to_owned),
        retry_after: milliseconds("x-ms-retry-after-ms")
            .or_else(|| milliseconds("retry-after-ms"))
            .or_else(|| header("retry-after").and_then(pause)),
        time,
        ..Failure::default()
    }
}

/// What the service says where it minds a time: the span of a signature, or the date of a request.
fn wrong_time(text: &str) -> Option<Time> {
    let text = text.to_ascii_lowercase();
    if text.contains("not valid in the specified time frame") || text.contains("signed expiry time") {
        Some(Time::Signature)
    } else if text.contains("date header") || text.contains("not within") && text.contains("valid time") {
        Some(Time::Clock)
    } else {
        None
    }
}

/// A request that never left, because no token was to be had for it. Whoever gives tokens may have answered.
fn without_token(error: &azure_core::Error) -> Failure {
    if is_network(error) {
        return broken(error);
    }
    let answer = causes(error).find_map(status_of);
    // The outermost says it all, and then how to find help.
    let message = first_line(error.to_string());
    let message = message.split(" To troubleshoot").next().unwrap_or_default().trim_end_matches(['.', ' ']).to_owned();
    let time = wrong_time(&message);
    Failure { stage: Stage::Credentials, status: answer, message, time, ..Failure::default() }
}

fn status_of(cause: &(dyn Error + 'static)) -> Option<u16> {
    match cause.downcast_ref::<azure_core::Error>()?.kind() {
        ErrorKind::HttpResponse { status, .. } => Some(u16::from(*status)),
        _ => None,
    }
}

fn is_connection(cause: &(dyn Error + 'static)) -> bool {
    let sdk = cause.downcast_ref::<azure_core::Error>();
    sdk.is_some_and(|sdk| matches!(sdk.kind(), ErrorKind::Connection | ErrorKind::Io))
}

/// An error and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (**error).source())
}

/// A connection that failed, in the words of its causes. Those of the SDK say nothing more, and those of the HTTP
/// client hold the address, signature included.
fn broken(error: &azure_core::Error) -> Failure {
    let mut words: Vec<String> = Vec::new();
    let mut stage = Stage::Network;
    for cause in causes(error) {
        if let Some(http) = cause.downcast_ref::<reqwest::Error>() {
            if http.is_timeout() {
                stage = Stage::Deadline;
            }
            continue;
        }
        if cause.is::<azure_core::Error>() {
            continue;
        }
        if cause.downcast_ref::<Nobody>().is_some_and(|nobody| nobody.late) {
            stage = Stage::Deadline;
        }
        let word = cause.to_string();
        // Wrappers like to repeat what they wrap.
        if !words.last().is_some_and(|last| last.contains(&word)) {
            words.push(word);
        }
    }
    let message = if words.is_empty() { "the connection failed".to_owned() } else { words.join(": ") };
    Failure { stage, message, ..Failure::default() }
}

fn said(message: &str) -> Failure {
    Failure { message: message.to_owned(), ..Failure::default() }
}

fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// The service adds the request's id and the time in lines of their own.
fn first_line(text: impl AsRef<str>) -> String {
    text.as_ref().trim().lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use azure_core::http::headers::Headers;

    use super::*;

    fn response(status: u16, pairs: &[(&'static str, &'static str)], body: &'static str) -> azure_core::Error {
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        let answer = RawResponse::from_bytes(status.into(), headers, body);
        let kind =
            ErrorKind::HttpResponse { status: status.into(), error_code: None, raw_response: Some(Box::new(answer)) };
        azure_core::Error::with_message(kind, "refused")
    }

    #[test]
    fn code_sentence_pause_and_request_are_read() {
        let headers = [("x-ms-request-id", "8F3"), ("retry-after", "7")];
        let body = "<?xml version=\"1.0\"?><Error><Code>ServerBusy</Code><Message>Busy.\nRequestId:8F3\nTime:now</Message></Error>";
        let failure = failure(&response(503, &headers, body), &[]);
        assert_eq!(failure.to_string(), "503 ServerBusy: Busy. (request 8F3)");
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
        let head = super::failure(&response(404, &[("x-ms-error-code", "ContainerNotFound")], ""), &[]);
        assert!(head.is("ContainerNotFound"));
    }

    #[test]
    fn a_time_that_is_wrong_is_told() {
        let time = |detail: &str| {
            let body = format!(
                "<Error><Code>AuthenticationFailed</Code><Message>Failed.</Message><AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
            );
            failure(&response(403, &[], body.leak()), &[])
        };
        let span = "Signature not valid in the specified time frame: Start [a] - Expiry [b] - Current [c]";
        assert_eq!(time(span).time, Some(Time::Signature));
        assert_eq!(time("Request date header too old: 'Fri, 01 Jan 2021 00:00:00 GMT'").time, Some(Time::Clock));
        assert_eq!(time("Issued token is not within the valid time period").time, Some(Time::Clock));
        let other =
            time("The MAC signature found in the HTTP request 'canary' is not the same as any computed signature.");
        assert_eq!((other.time, other.message.as_str()), (None, "Failed."));
    }

    #[test]
    fn secrets_are_blanked_out() {
        let body = "<Error><Code>AuthenticationFailed</Code><Message>not canary=</Message></Error>";
        let failure = failure(&response(403, &[], body), &[SecretString::from("canary=")]);
        assert_eq!(failure.message, "not …");
    }

    #[test]
    fn a_refusal_by_whoever_gives_tokens_keeps_its_status() {
        let kind =
            |status: u16| ErrorKind::HttpResponse { status: status.into(), error_code: None, raw_response: None };
        let refused = |status| {
            let inner = azure_core::Error::with_message(kind(status), "AADSTS7000215: Invalid client secret.");
            azure_core::Error::with_error(
                ErrorKind::Credential,
                inner,
                "authentication failed. AADSTS7000215: Invalid client secret. To troubleshoot, see https://example.com",
            )
        };
        let no = failure(&refused(401), &[]);
        assert_eq!((no.stage, no.status), (Stage::Credentials, Some(401)));
        assert!(no.message.ends_with("Invalid client secret"), "{}", no.message);
        let gone = azure_core::Error::with_error(
            ErrorKind::Credential,
            azure_core::Error::with_message(ErrorKind::Io, "cut"),
            "failed",
        );
        assert_eq!(failure(&gone, &[]).stage, Stage::Network);
        for (late, stage) in [(false, Stage::Network), (true, Stage::Deadline)] {
            let nobody = azure_core::Error::with_error(ErrorKind::Connection, Nobody { late }, "no answer");
            let nobody = failure(&nobody, &[]);
            assert!(nobody.stage == stage && nobody.message.contains("no managed identity"), "{nobody:?}");
        }
    }
}
