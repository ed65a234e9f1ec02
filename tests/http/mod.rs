//! The API, asked over the network.

mod admission;
mod by_file;
mod bytes;
mod canary;
mod connections;
mod described;
mod lists;
mod routes;
mod sessions;
mod stopping;
mod tls;

use std::net::SocketAddr;

use herald::http::{Hub, Scrape, Server, serve};
use reqwest::{Client, Method, header::HeaderMap, redirect::Policy};
use serde_json::Value;

use crate::{
    service::{HEAD, Live, people},
    support::Home,
};

const READER: &str = "reader-4f1d0c0e7a";
const PUBLISHER: &str = "publisher-9b2e6d13c5";
const ADMIN: &str = "admin-0d5c8a7e21";

/// A config with a token of each scope, and these activations, each with what else is said of it.
fn with(http: &str, activations: &[(&str, &str)]) -> String {
    let tokens = format!(
        "{{ name: reader, token: {READER}, scope: read }}, {{ name: publisher, token: {PUBLISHER}, scope: publish }}, {{ name: admin, token: {ADMIN}, scope: admin }}"
    );
    config(&format!("tokens: [ {tokens} ]{http}"), activations)
}

fn config(http: &str, activations: &[(&str, &str)]) -> String {
    let mut config =
        format!("service: {{ watch: false, http: {{ listen: 127.0.0.1:0, {http} }} }}\n{HEAD}activations:\n");
    for (name, more) in activations {
        config.push_str(&format!(
            "  {name}: {{ segment: everyone, refresh: {{ manual: true }}, attributes: {{ name: name, id: id }}, guards: {{ max_removed: 100% }}, {more} }}\n"
        ));
    }
    config
}

fn home(config: &str) -> Home {
    let home = Home::new(config);
    people(&home, 20, 0);
    home
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// What every answer of the service carries, and every error.
    fn check(self) -> Self {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(self.header(name), value, "{self:?}");
        }
        assert!(self.header("content-security-policy").contains("default-src 'none'"), "{self:?}");
        assert!(!self.header("x-request-id").is_empty() && !self.header("cache-control").is_empty(), "{self:?}");
        if self.status >= 400 && !self.header("content-type").starts_with("text/html") {
            assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
            let problem = self.json();
            assert_eq!((&problem["type"], &problem["status"]), (&"about:blank".into(), &self.status.into()));
            for key in ["title", "detail", "code"] {
                assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {self:?}");
            }
            assert_eq!(self.status == 401, problem.get("instance").is_none(), "{self:?}");
        }
        self
    }
}

/// A service that is listened to.
struct Site {
    live: Live,
    home: Home,
    address: SocketAddr,
    client: Client,
    scheme: &'static str,
}

impl Site {
    async fn start(home: Home) -> Self {
        let live = Live::start(&home).await;
        Self::of(home, live).await
    }

    /// Nothing that is asked for is begun.
    async fn idle(home: Home) -> Self {
        let live = Live::idle(&home).await;
        Self::of(home, live).await
    }

    async fn of(home: Home, live: Live) -> Self {
        let metrics = herald::telemetry::Metrics::new().unwrap();
        let server = Server::new(live.control.clone(), Hub::new(), Scrape::of(metrics), live.stop.clone()).unwrap();
        let (address, _) = serve(server).await.unwrap();
        Self { live, home, address, client: client(), scheme: "http" }
    }

    /// One request, with what else is said of it.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let url = format!("{}://{}{path}", self.scheme, self.address);
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }.check()
    }

    /// With a token, and a body of JSON.
    async fn ask(&self, token: &str, method: &str, path: &str, body: Option<&str>) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(method, path, &headers[..if body.is_some() { 2 } else { 1 }], body).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(READER, "GET", path, None).await
    }

    /// A publish of everybody, once it has ended.
    async fn published(&self, activation: &str) -> Value {
        let path = format!("/v1/activations/{activation}/publishes");
        let asked = self.ask(PUBLISHER, "POST", &path, Some("{\"kind\":\"manual\"}")).await;
        assert_eq!(asked.status, 202, "{asked:?}");
        let receipt = asked.json();
        assert_eq!(asked.header("location"), format!("/v1/publishes/{}", receipt["id"].as_str().unwrap()));
        self.live.ended(receipt["id"].as_str().unwrap().parse().unwrap()).await;
        self.get(asked.header("location")).await.json()
    }
}

fn client() -> Client {
    crate::servers::tls();
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

/// All operations that are described: method, path, with names of what there is.
fn operations(activation: &str, publish: &str) -> Vec<(String, String)> {
    let document = herald::http::openapi();
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let path = path.replace("{name}", activation).replace("{id}", publish);
            found.push((method.to_uppercase(), path));
        }
    }
    found
}
