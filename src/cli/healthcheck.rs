//! `herald healthcheck`: whether the running service lives, asked without any other program. For images, which have none.

use std::{net::SocketAddr, time::Duration};

use serde_json::json;

use super::{
    args::Global,
    context,
    exit::{Exit, Stop},
    output::Output,
};
use crate::publish::{Failure, code};

/// Shorter than the time that an image gives a check.
const PATIENCE: Duration = Duration::from_secs(4);
/// The code of a service that does not answer, or not well.
const UNREACHABLE: &str = "service_unreachable";

pub(super) async fn run(global: &Global, url: Option<&str>, output: Output) -> Result<Exit, Stop> {
    let base = match url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", reachable(&context::load(global)?.service.http.listen)),
    };
    let url = format!("{base}/healthz");
    // The service is on this machine: a proxy of the environment is not asked, and no redirect is followed.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
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

/// Who listens on all addresses is reached on the loopback one.
fn reachable(listen: &str) -> String {
    match listen.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => match address {
            SocketAddr::V4(address) => format!("127.0.0.1:{}", address.port()),
            SocketAddr::V6(address) => format!("[::1]:{}", address.port()),
        },
        _ => listen.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_service_on_all_addresses_is_asked_on_the_loopback_one() {
        assert_eq!(reachable("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(reachable("[::]:8080"), "[::1]:8080");
        assert_eq!(reachable("10.1.2.3:80"), "10.1.2.3:80");
        assert_eq!(reachable("localhost:8080"), "localhost:8080");
    }
}
