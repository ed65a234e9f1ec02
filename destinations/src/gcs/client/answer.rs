//! One request, one answer: sent under a deadline, and told apart into what was asked for and a failure.

use std::{error::Error, time::Duration};

use bytes::BytesMut;
use reqwest::{
    RequestBuilder, Response,
    header::{AUTHORIZATION, HeaderMap, RETRY_AFTER},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::Client;
use crate::{
    gcs::error::{Failure, Stage},
    http::pause,
};

/// Bytes of an answer past which it is not read on; a page of a list has at most a thousand names.
const LARGEST_ANSWER: usize = 16 << 20;
/// Of a sentence that is not in Google's form, such as a proxy's, so much is kept.
const LONGEST_SENTENCE: usize = 300;
/// What stands in place of what must not be shown.
const BLANK: &str = "…";

/// An answer whose body was read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    body: BytesMut,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as the JSON that a yes must hold.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|_| Failure {
            stage: Stage::Network,
            message: "the answer is not what the JSON API sends".to_owned(),
            ..Failure::default()
        })
    }
}

/// Google's form of an error.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Option<Vec<Reason>>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    reason: String,
}

impl Client {
    /// Sends a request; an answer that is no yes is a failure, but for 308, by which uploads go on.
    pub(super) async fn ask(&self, request: RequestBuilder, deadline: Duration) -> Result<Answer, Failure> {
        within(deadline, async {
            let (response, token) = self.send(request).await?;
            let answer = whole(response).await?;
            if answer.status < 300 || answer.status == 308 { Ok(answer) } else { Err(failure(&answer, &token)) }
        })
        .await
    }

    /// Sends a request whose answer is to be read piece by piece.
    pub(super) async fn open(&self, request: RequestBuilder, deadline: Duration) -> Result<Response, Failure> {
        within(deadline, async {
            let (response, token) = self.send(request).await?;
            if response.status().is_success() {
                return Ok(response);
            }
            Err(failure(&whole(response).await?, &token))
        })
        .await
    }

    /// The answer's head, and the token that was shown.
    async fn send(&self, request: RequestBuilder) -> Result<(Response, String), Failure> {
        let headers = self.headers().await?;
        let token = headers.get(AUTHORIZATION).and_then(|token| token.to_str().ok()).unwrap_or_default();
        let token = token.trim_start_matches("Bearer ").to_owned();
        let response = request.headers(headers).send().await.map_err(|error| unanswered(&error))?;
        Ok((response, token))
    }
}

/// Waits so long, and no longer.
pub(super) async fn within<T>(
    deadline: Duration,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure {
            stage: Stage::Deadline,
            message: format!("no answer in {:.1} s", deadline.as_secs_f64()),
            ..Failure::default()
        }),
    }
}

async fn whole(mut response: Response) -> Result<Answer, Failure> {
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unanswered(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST_ANSWER {
            let message = "the answer has no end".to_owned();
            return Err(Failure { stage: Stage::Network, message, ..Failure::default() });
        }
    }
    Ok(Answer { status, headers, body })
}

fn failure(answer: &Answer, token: &str) -> Failure {
    let refusal: Option<Refusal> = serde_json::from_slice(&answer.body).ok();
    let (reason, message) = match refusal {
        Some(Refusal { error }) => {
            (error.errors.unwrap_or_default().into_iter().next().map(|first| first.reason), error.message)
        }
        // The upload's side answers in plain text, and proxies as they like.
        None => (None, sentence(&answer.body, answer.header("content-type").unwrap_or_default())),
    };
    let message = if token.is_empty() { message } else { message.replace(token, BLANK) };
    Failure {
        stage: Stage::Answered,
        status: Some(answer.status),
        reason: reason.filter(|reason| !reason.is_empty()),
        message: without_accounts(&message),
        retry_after: answer.header(RETRY_AFTER.as_str()).and_then(pause),
    }
}

fn sentence(body: &[u8], content_type: &str) -> String {
    let text = String::from_utf8_lossy(body);
    let plain = content_type.starts_with("text/plain") && !text.contains('<');
    if plain { text.trim().chars().take(LONGEST_SENTENCE).collect() } else { String::new() }
}

/// Google names the account that lacks a right, which may be somebody's e-mail address.
fn without_accounts(message: &str) -> String {
    let words = message.split(' ').map(|word| if word.contains('@') { BLANK } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// No answer, or half of one.
pub(super) fn unanswered(error: &reqwest::Error) -> Failure {
    // The outermost says the address, which may be that of an upload: whoever knows it may write.
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    let stage = if error.is_timeout() { Stage::Deadline } else { Stage::Network };
    let message = if words.is_empty() { "the connection failed".to_owned() } else { words.join(": ") };
    Failure { stage, message, ..Failure::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "text/plain; charset=utf-8".parse().unwrap());
        Answer { status, headers, body: body.as_bytes().into() }
    }

    #[test]
    fn googles_form_of_an_error_is_read() {
        let body = r#"{ "error": { "code": 403, "message": "drop@p.iam.gserviceaccount.com does not have storage.objects.create access, by canary-token.",
            "errors": [ { "message": "…", "domain": "global", "reason": "forbidden" } ] } }"#;
        let failure = failure(&answer(403, body), "canary-token");
        assert_eq!(failure.to_string(), "403 forbidden: … does not have storage.objects.create access, by ….");
    }

    #[test]
    fn an_error_in_no_form_is_kept_short() {
        assert_eq!(failure(&answer(400, "Invalid upload.\n"), "").to_string(), "400: Invalid upload.");
        assert_eq!(failure(&answer(502, "<html>Bad gateway</html>"), "").to_string(), "502");
        assert_eq!(failure(&answer(400, &"x".repeat(9_000)), "").message.len(), LONGEST_SENTENCE);
    }
}
