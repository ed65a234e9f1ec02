//! Posting, with patience.

use std::time::Duration;

use herald_destinations::contract::RetryPolicy;
use reqwest::{Client, StatusCode, header, redirect};
use secrecy::ExposeSecret;

use super::{Notice, message};
use crate::config::Alert;

/// One post.
const TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 8;
/// No answer makes us wait for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Why something could not be posted. Never the URL, which is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unposted {
    /// It was refused, and would be again.
    #[error("refused with status {0}")]
    Refused(StatusCode),
    /// It kept failing.
    #[error("no good answer after {ATTEMPTS} tries, the last with status {0}")]
    Failing(StatusCode),
    /// Nobody answered.
    #[error("no answer after {ATTEMPTS} tries: {0}")]
    Unreachable(&'static str),
    /// The client could not be made, or the URL is none.
    #[error("it can't be posted to that URL")]
    Impossible,
}

/// Posts to one place.
#[derive(Debug)]
pub(super) struct Poster(Option<Client>);

impl Poster {
    pub(super) fn new() -> Self {
        let agent = concat!("herald/", env!("CARGO_PKG_VERSION"));
        // What is posted to one place is for nobody else.
        let builder = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).user_agent(agent);
        Self(builder.build().ok())
    }

    /// Posts a notice, again and again while that may help.
    pub(super) async fn post(&self, alert: &Alert, notice: &Notice) -> Result<(), Unposted> {
        let client = self.0.as_ref().ok_or(Unposted::Impossible)?;
        let key = alert.key.as_ref().map(ExposeSecret::expose_secret);
        let body = message::body(alert.format, key, notice).to_string();
        let mut attempt = 1;
        loop {
            let request = client.post(alert.url.expose_secret()).header(header::CONTENT_TYPE, "application/json");
            let (pause, why) = match request.body(body.clone()).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) if passes(answer.status()) => (after(&answer), Unposted::Failing(answer.status())),
                Ok(answer) => return Err(Unposted::Refused(answer.status())),
                Err(error) if error.is_builder() => return Err(Unposted::Impossible),
                Err(error) => (None, Unposted::Unreachable(said(&error))),
            };
            if attempt >= ATTEMPTS {
                return Err(why);
            }
            let pause = pause.unwrap_or_else(|| RetryPolicy::ceiling(attempt)).min(LONGEST_PAUSE);
            tracing::debug!(format = alert.format.as_str(), attempt, %why, "posting an alert again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }
}

fn passes(status: StatusCode) -> bool {
    status.is_server_error() || [408, 425, 429].contains(&status.as_u16())
}

/// What the answer asks to wait for.
fn after(answer: &reqwest::Response) -> Option<Duration> {
    let seconds = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What went wrong, without the address that reqwest's own words hold.
fn said(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it took too long"
    } else if error.is_connect() {
        "could not connect"
    } else {
        "the connection broke"
    }
}
