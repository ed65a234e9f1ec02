//! The end of a service: it answers until what runs has ended.

use std::process::Command;

use serde_json::Value;

use super::{ADMIN, canary::Run, client, home, with};
use crate::{service::until, support::Home};

/// Asks the service of this home whether it lives.
fn check(home: &Home) -> Option<i32> {
    home.command(&["healthcheck"]).output().unwrap().status.code()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_service_answers_until_the_last_publish_has_ended() {
    // It takes what comes, and answers nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let config = with("", &[("a", "target: hook, mode: incremental")]);
    let config = config.replace("targets:\n", &format!("targets:\n  hook: {{ type: webhook, url: \"{url}\" }}\n"));
    let home = home(&config);
    let mut run = Run::start(&home).await;
    let client = client();
    let ask = async |method: &str, path: &str| {
        let request = client.request(method.parse().unwrap(), format!("{}{path}", run.base)).bearer_auth(ADMIN);
        request.header("content-type", "application/json").send().await
    };
    let asked = ask("POST", "/v1/activations/a/publishes").await.unwrap().text().await.unwrap();
    let asked: Value = serde_json::from_str(&asked).unwrap();
    let path = format!("/v1/publishes/{}", asked["id"].as_str().unwrap());
    let running = async || ask("GET", &path).await.unwrap().text().await.unwrap().contains("\"status\":\"running\"");
    until("the publish runs", async || running().await.then_some(())).await;
    let term = || Command::new("kill").args(["-TERM", &run.child.id().to_string()]).status().unwrap();
    assert!(term().success());
    until("the service is not ready", async || (ask("GET", "/readyz").await.unwrap().status() == 503).then_some(()))
        .await;
    assert!(running().await, "who watches it still sees it");
    assert_eq!(ask("POST", "/v1/activations/a/publishes").await.unwrap().status(), 202, "it is on record, and comes");
    assert_eq!(check(&home), Some(0), "it lives");
    assert!(term().success(), "the second one ends it at once");
    let ended = tokio::task::spawn_blocking(move || run.child.wait().unwrap().code());
    assert_eq!(ended.await.unwrap(), Some(130));
    assert_eq!(check(&home), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_speaks_tls_and_whose_config_broke_is_found_alive() {
    let home = home(&with(", tls: { cert: ./cert.pem, key: ./key.pem }", &[("a", "target: out")]));
    super::tls::certificate(&home.path(""));
    assert_eq!(check(&home), Some(1), "none runs");
    let mut run = Run::start(&home).await;
    assert_eq!(check(&home), Some(0));
    for broken in [
        "service: { no_such_key: 1 }\nactivations: [\n",
        "service: { data_dir: ./herald-data }\nsources: {\n  lake: }}\n",
        "service:\n  data_dir: herald-data\n  http: { listen: \"127.0.0.1:0\n",
    ] {
        home.configure(broken);
        assert_eq!(check(&home), Some(0), "it runs on with the last good config, now {broken}");
    }
    assert!(Command::new("kill").args(["-TERM", &run.child.id().to_string()]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || run.child.wait().unwrap().code());
    assert_eq!(ended.await.unwrap(), Some(0));
    assert!(!home.path("herald-data/listens.json").exists());
    assert_eq!(check(&home), Some(1));
}
