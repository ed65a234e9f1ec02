//! `herald healthcheck`: whether the running service lives, asked without any other program. For images, which have none.

use std::time::Duration;

use serde_json::json;

use super::{
    args::Global,
    exit::{Exit, Stop},
    output::Output,
};
use crate::{
    config,
    http::Spot,
    publish::{Failure, code},
};

/// Shorter than the time that an image gives a check.
const PATIENCE: Duration = Duration::from_secs(4);
/// The code of a service that does not answer, or not well.
const UNREACHABLE: &str = "service_unreachable";

pub(super) async fn run(global: &Global, url: Option<&str>, output: Output) -> Result<Exit, Stop> {
    let base = match url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        // Its config may have been broken since it was read: that is no illness of the service.
        None => Spot::find(&config::data_dir(&global.config))
            .ok_or_else(|| ill("no service has this data folder".to_owned()))?,
    };
    let url = format!("{base}/healthz");
    // The service is on this machine: a proxy of the environment is not asked, and no redirect is followed.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        // It is named otherwise than by the address that it is asked at, and is told nothing.
        .tls_danger_accept_invalid_certs(true)
        .build()
        .map_err(|error| Stop::Failure(code::internal(format_args!("could not set up HTTP: {error}"))))?;
    let answer = client.get(&url).send().await.map_err(|error| {
        let why = if error.is_timeout() { "does not answer in time" } else { "can't be reached" };
        ill(format!("the service at {base} {why}"))
    })?;
    if !answer.status().is_success() {
        return Err(ill(format!("the service at {base} answers {}", answer.status().as_u16())));
    }
    if output.json() {
        output.document(&json!({ "ok": true }))?;
    } else {
        output.text("ok")?;
    }
    Ok(Exit::Done)
}

fn ill(message: String) -> Stop {
    Stop::Failure(Failure {
        code: UNREACHABLE.into(),
        message,
        remedy: "see the log of `herald run`".into(),
        retryable: true,
    })
}
