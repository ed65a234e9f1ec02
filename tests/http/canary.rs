//! What nobody else may see: tokens, and keys of members.

use std::{
    fs,
    process::{Child, Stdio},
};

use reqwest::Client;
use serde_json::Value;

use super::{ADMIN, PUBLISHER, READER, home, with};
use crate::{service::until, support::Home};

/// `herald run`; killed when dropped.
pub(super) struct Run {
    pub(super) child: Child,
    log: std::path::PathBuf,
    pub(super) base: String,
}

impl Run {
    pub(super) async fn start(home: &Home) -> Self {
        let log = home.path("run.log");
        let file = fs::File::create(&log).unwrap();
        let child =
            home.command(&["run"]).env("HERALD_LOG", "debug").stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let base = until("the service listens", async || {
            let log = fs::read_to_string(&log).unwrap();
            let line = log.lines().find(|line| line.contains("the service listens"))?;
            let address = line.split("address=").nth(1)?.split(' ').next()?;
            Some(format!("http://{address}"))
        })
        .await;
        Self { child, log, base }
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_and_no_member_shows_in_a_log_or_in_an_answer() {
    let home = home(&with("", &[("a", "target: out")]));
    let run = Run::start(&home).await;
    let client: Client = super::client();
    let url = |path: &str| format!("{}{path}", run.base);
    let (mut answers, member, guess) = (Vec::new(), "canary-member-4711", "canary-guess-0815");
    let asks = [
        ("POST", "/v1/activations/a/publishes", format!("{{\"members\":[\"{member}\",\"3\"]}}"), PUBLISHER, 202),
        ("POST", "/v1/activations/a/publishes", format!("{{\"members\":\"{member}\"}}"), PUBLISHER, 422),
        ("POST", "/v1/activations/a/publishes", format!("{{\"{member}\":1}}"), PUBLISHER, 422),
        ("POST", "/v1/activations/a/publishes", format!("{{\"members\":[\"{member}\"}}"), PUBLISHER, 422),
        ("POST", "/v1/activations/a/publishes", format!("{{\"members\":[\"{member}\"]}}"), READER, 403),
        ("POST", "/v1/activations/a/publishes", format!("{{\"members\":[\"{member}\"]}}"), guess, 401),
        (
            "POST",
            "/v1/activations/a/publishes",
            format!("{{\"members\":[\"{member}\"],\"mode\":\"full\"}}"),
            ADMIN,
            422,
        ),
        ("POST", "/login", format!("{{\"token\":\"{guess}\"}}"), "", 401),
        ("POST", "/login", format!("{{\"token\":\"{ADMIN}\"}}"), "", 200),
        ("POST", "/v1/reload", String::new(), ADMIN, 200),
    ];
    for (method, path, body, token, status) in asks {
        let request = client.request(method.parse().unwrap(), url(path)).header("content-type", "application/json");
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let answer = request.body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path} {body}");
        let headers = format!("{:?}", answer.headers());
        answers.push(headers + &answer.text().await.unwrap());
    }
    let receipt: Value = serde_json::from_str(&answers[0][answers[0].rfind("{\"id\"").unwrap()..]).unwrap();
    let path = format!("/v1/publishes/{}", receipt["id"].as_str().unwrap());
    until("the publish has ended", async || {
        let answer = client.get(url(&path)).bearer_auth(READER).send().await.unwrap().text().await.unwrap();
        answer.contains("\"finished_at\":\"").then(|| answers.push(answer))
    })
    .await;
    for path in
        ["/v1/activations", "/v1/activations/a", "/v1/publishes", "/metrics", "/openapi.json", "/", "/activations/a"]
    {
        let answer = client.get(url(path)).bearer_auth(READER).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200, "{path}");
        answers.push(answer.text().await.unwrap());
    }
    let log = run.log();
    assert!(log.contains("\"/v1/reload\"") || log.contains("/v1/reload"), "requests are logged: {log}");
    answers.push(log);
    for told in &answers {
        for canary in [member, guess, READER, PUBLISHER, ADMIN] {
            assert!(!told.contains(canary), "{canary} shows in {told}");
        }
    }
}
