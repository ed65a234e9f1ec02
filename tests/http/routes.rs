//! What each route answers.

use herald::http::{Hub, Scrape, Server, routes};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{ADMIN, PUBLISHER, READER, Site, home, with};
use crate::service::{Live, until};

const NOBODYS: &str = "/v1/publishes/018f3f5c-0000-7000-8000-000000000000";
const TRIGGER: &str = "/v1/activations/a/publishes";

/// Method, path, body, status, code of the problem.
type Case<'a> = (&'a str, &'a str, Option<&'a str>, u16, &'a str);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_route_answers_with_its_status_and_errors_are_problems() {
    let activations =
        [("a", "target: out"), ("stopped", "target: out, paused: true"), ("whole", "target: out, mode: full")];
    let site = Site::start(home(&with("", &activations))).await;
    let many = format!("{{\"members\":[{}\"x\"]}}", "\"x\",".repeat(10_000));
    let long = format!("{{\"members\":[\"{}\"]}}", "x".repeat(1_025));
    let large = format!("{{\"members\":[\"{}\"]}}", "x".repeat(1 << 20));
    let (cancel, retry, rejects) =
        (format!("{NOBODYS}/cancel"), format!("{NOBODYS}/retry"), format!("{NOBODYS}/rejects"));
    let cases: &[Case<'_>] = &[
        ("GET", "/healthz", None, 200, ""),
        ("HEAD", "/healthz", None, 200, ""),
        ("GET", "/readyz", None, 200, ""),
        ("GET", "/metrics", None, 200, ""),
        ("GET", "/openapi.json", None, 200, ""),
        ("GET", "/", None, 200, ""),
        ("GET", "/v1/activations", None, 200, ""),
        ("HEAD", "/v1/activations", None, 200, ""),
        ("GET", "/v1/activations/a", None, 200, ""),
        ("GET", "/v1/activations/b", None, 404, "unknown"),
        ("GET", "/v1/activations/%FF", None, 400, "unfit"),
        ("GET", "/v1/activations/%00", None, 404, "unknown"),
        ("GET", "/v1/activations/a'--", None, 404, "unknown"),
        ("GET", "/v1/nothing", None, 404, "unknown"),
        ("GET", "/v1/activations/", None, 404, "unknown"),
        ("GET", "/v1/publishes", None, 200, ""),
        ("GET", "/v1/publishes?limit=1000", None, 200, ""),
        ("GET", "/v1/publishes?limit=0", None, 422, "unfit"),
        ("GET", "/v1/publishes?limit=1001", None, 422, "unfit"),
        ("GET", "/v1/publishes?limit=-1", None, 422, "unfit"),
        ("GET", "/v1/publishes?limit=1&limit=2", None, 422, "unfit"),
        ("GET", "/v1/publishes?status=done", None, 422, "unfit"),
        ("GET", "/v1/publishes?status=", None, 200, ""),
        ("GET", "/v1/publishes?cursor=%22%27", None, 422, "unfit"),
        ("GET", "/v1/publishes?activations=a", None, 422, "unfit"),
        ("GET", "/v1/publishes?activation=%00%FF", None, 200, ""),
        ("GET", NOBODYS, None, 404, "unknown"),
        ("GET", "/v1/publishes/none", None, 404, "unknown"),
        ("GET", &rejects, None, 404, "unknown"),
        ("POST", &cancel, None, 404, "unknown"),
        ("POST", &retry, None, 404, "unknown"),
        ("POST", "/v1/activations/b/pause", None, 404, "unknown"),
        ("POST", "/v1/activations/b/resume", None, 404, "unknown"),
        ("POST", "/v1/activations/b/recreate", None, 404, "unknown"),
        ("POST", "/v1/activations/b/publishes", None, 404, "unknown"),
        ("DELETE", "/v1/activations/b", None, 404, "unknown"),
        ("DELETE", "/v1/activations/a?data=some", None, 422, "unfit"),
        ("DELETE", "/v1/activations/a?dat=keep", None, 422, "unfit"),
        ("POST", "/v1/activations/stopped/resume", None, 409, "paused_by_config"),
        ("POST", "/v1/activations/a/recreate", None, 202, ""),
        ("PUT", "/v1/activations", None, 405, "method_not_allowed"),
        ("POST", "/v1/activations/a", None, 405, "method_not_allowed"),
        ("DELETE", "/healthz", None, 405, "method_not_allowed"),
        ("GET", "/v1/reload", None, 405, "method_not_allowed"),
        ("BREW", "/v1/reload", None, 405, "method_not_allowed"),
        ("POST", TRIGGER, Some("{"), 422, "unfit"),
        ("POST", TRIGGER, Some("null"), 422, "unfit"),
        ("POST", TRIGGER, Some("[]"), 422, "unfit"),
        ("POST", TRIGGER, Some("{\"kind\":\"fast\"}"), 422, "unfit"),
        ("POST", TRIGGER, Some("{\"members\":[]}"), 422, "unfit"),
        ("POST", TRIGGER, Some("{\"members\":[\"\"]}"), 422, "unfit"),
        ("POST", TRIGGER, Some("{\"members\":[4711]}"), 422, "unfit"),
        ("POST", TRIGGER, Some("{\"members\":\"4711\"}"), 422, "unfit"),
        ("POST", TRIGGER, Some("{\"member\":[\"1\"]}"), 422, "unfit"),
        ("POST", TRIGGER, Some("{\"mode\":\"full\"}"), 422, "unfit"),
        ("POST", TRIGGER, Some("{\"mode\":\"full\",\"kind\":\"manual\",\"members\":[\"1\"]}"), 422, "unfit"),
        ("POST", TRIGGER, Some(&many), 422, "unfit"),
        ("POST", TRIGGER, Some(&long), 422, "unfit"),
        ("POST", TRIGGER, Some(&large), 413, "too_large"),
        ("POST", "/v1/activations/whole/publishes", Some("{}"), 422, "unfit"),
        ("POST", "/v1/activations/whole/publishes", Some("{\"members\":[\"1\"],\"kind\":\"manual\"}"), 422, "unfit"),
        (
            "POST",
            "/v1/activations/whole/publishes",
            Some("{\"mode\":\"incremental\",\"kind\":\"manual\"}"),
            422,
            "unfit",
        ),
        ("POST", "/v1/activations/whole/publishes", Some("{\"kind\":\"manual\"}"), 202, ""),
        ("POST", TRIGGER, None, 202, ""),
        ("POST", TRIGGER, Some("{}"), 202, ""),
        ("POST", TRIGGER, Some("{\"kind\":null,\"mode\":null,\"members\":null}"), 202, ""),
        ("POST", TRIGGER, Some("{\"kind\":\"rapid\",\"members\":[\"\\u0000\",\"ünï'--\"]}"), 202, ""),
        ("POST", TRIGGER, Some("{\"kind\":\"manual\",\"mode\":\"full\"}"), 202, ""),
        ("POST", "/v1/activations/a/pause", None, 202, ""),
        ("POST", "/v1/activations/a/pause", None, 202, ""),
        ("POST", "/v1/activations/a/resume", None, 202, ""),
        ("POST", "/v1/reload", None, 200, ""),
    ];
    for (method, path, body, status, code) in cases {
        let answer = site.ask(ADMIN, method, path, *body).await;
        let said = body.map_or("", |body| &body[..body.len().min(60)]);
        assert_eq!(answer.status, *status, "{method} {path} {said}: {answer:?}");
        if !code.is_empty() {
            let problem = answer.json();
            assert_eq!(problem["code"], *code, "{method} {path} {said}: {problem}");
            assert_eq!(problem["instance"], path.split('?').next().unwrap(), "{problem}");
            assert!(!answer.body.contains("4711"), "no member is quoted: {problem}");
        }
        assert_eq!(answer.status == 405, !answer.header("allow").is_empty(), "{answer:?}");
    }
    let bearer = format!("Bearer {ADMIN}");
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        let answer = site.send("POST", TRIGGER, &headers, Some("{}")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (415, &"media_type".into()), "{kind}");
    }
    for (key, status) in
        [("", 422), ("two words", 422), ("k\u{e9}", 422), (&*"k".repeat(256), 422), (&*"k".repeat(255), 202)]
    {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        assert_eq!(site.send("POST", TRIGGER, &headers, None).await.status, status, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_sent_again_gets_the_same_answer_and_another_request_none() {
    let site = Site::idle(home(&with("", &[("a", "target: out"), ("b", "target: out")]))).await;
    let ask = async |token: &str, path: &str, body: &str| {
        let bearer = format!("Bearer {token}");
        let headers =
            [("authorization", &*bearer), ("content-type", "application/json"), ("idempotency-key", "order-1")];
        site.send("POST", path, &headers, Some(body)).await
    };
    let first = ask(PUBLISHER, TRIGGER, "{\"kind\":\"rapid\",\"members\":[\"3\"]}").await;
    let again = ask(PUBLISHER, TRIGGER, "{ \"members\": [\"3\"], \"kind\": \"rapid\" }").await;
    assert_eq!((first.status, again.status), (202, 202), "{again:?}");
    assert_eq!((first.header("location"), &first.json()["id"]), (again.header("location"), &again.json()["id"]));
    for (path, body) in [
        (TRIGGER, "{\"kind\":\"rapid\",\"members\":[\"4\"]}"),
        (TRIGGER, "{}"),
        ("/v1/activations/b/publishes", "{\"kind\":\"rapid\",\"members\":[\"3\"]}"),
    ] {
        let other = ask(PUBLISHER, path, body).await;
        assert_eq!((other.status, &other.json()["code"]), (422, &"idempotency_key_reused".into()), "{other:?}");
    }
    assert_eq!(ask(ADMIN, TRIGGER, "{\"members\":[\"4\"]}").await.status, 202, "keys are each caller's own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_lives_through_its_whole_life_over_the_network() {
    let site = Site::start(home(&with("", &[("a", "target: out"), ("b", "target: out")]))).await;
    let first = site.published("a").await;
    assert_eq!((&first["status"], &first["counts"]["added"]), (&json!("succeeded"), &json!(20)), "{first}");
    let path = format!("/v1/publishes/{}", first["id"].as_str().unwrap());
    let ended = site.ask(PUBLISHER, "POST", &format!("{path}/cancel"), None).await;
    assert_eq!((ended.status, &ended.json()["code"]), (409, &json!("ended")));
    let none = site.ask(PUBLISHER, "POST", &format!("{path}/retry"), None).await;
    assert_eq!((none.status, &none.json()["code"]), (409, &json!("no_dead_letters")), "{none:?}");
    assert_eq!(site.get("/v1/activations/a").await.json()["members"], 20);

    let paused = site.ask(PUBLISHER, "POST", "/v1/activations/a/pause", None).await;
    assert_eq!((paused.status, &paused.json()["state"]), (202, &json!("paused")));
    let resumed = site.ask(PUBLISHER, "POST", "/v1/activations/a/resume", None).await;
    assert_eq!((resumed.status, &resumed.json()["state"]), (202, &json!("active")));

    let deleted = site.ask(ADMIN, "DELETE", "/v1/activations/a?data=purge", None).await;
    assert_eq!((deleted.status, &deleted.json()["kind"]), (202, &json!("teardown")), "{deleted:?}");
    let teardown = deleted.header("location").rsplit('/').next().unwrap().parse().unwrap();
    site.live.ended(teardown).await;
    until("it is deleted", async || (site.get("/v1/activations/a").await.json()["state"] == "deleted").then_some(()))
        .await;
    for (method, path) in [("POST", TRIGGER), ("POST", "/v1/activations/a/pause"), ("DELETE", "/v1/activations/a")] {
        let refused = site.ask(ADMIN, method, path, None).await;
        assert_eq!(refused.status, 409, "{refused:?}");
    }
    let cancel = format!("{}/cancel", deleted.header("location"));
    assert_eq!(site.ask(ADMIN, "POST", &cancel, None).await.status, 409, "a teardown can't be cancelled");
    let back = site.ask(ADMIN, "POST", "/v1/activations/a/recreate", None).await;
    assert_eq!((back.status, &back.json()["state"]), (202, &json!("active")), "{back:?}");
    assert_eq!(site.published("a").await["counts"]["added"], 20);

    let good = with("", &[("a", "target: out"), ("b", "target: out, paused: true"), ("c", "target: out")]);
    site.home.configure(&good.replace("where: 'true'", "where: 'nobody = 1'"));
    let refused = site.ask(ADMIN, "POST", "/v1/reload", None).await;
    assert_eq!(refused.status, 422);
    let errors = refused.json()["errors"].clone();
    assert!(errors[0]["message"].is_string() && errors[0]["code"].is_string(), "{refused:?}");
    assert_eq!(site.get("/v1/activations/c").await.status, 404, "nothing changed");
    site.home.configure(&good);
    let reloaded = site.ask(ADMIN, "POST", "/v1/reload", None).await;
    assert_eq!(reloaded.json(), json!({ "added": ["c"], "changed": ["b"], "removed": [], "restart": [] }));
    let names: Vec<_> =
        site.get("/v1/activations").await.json().as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_cancelled_and_the_definition_is_shown_whole_and_in_order() {
    let files = "{ format: csv, compression: gzip, max_rows: 7, keep: { publishes: 3 } }";
    let more = format!("target: out, files: {files}, retry: {{ attempts: 2 }}");
    let site = Site::idle(home(&with("", &[("a", &more)]))).await;
    let asked = site.ask(PUBLISHER, "POST", TRIGGER, None).await;
    let path = asked.header("location").to_owned();
    let cancelled = site.ask(PUBLISHER, "POST", &format!("{path}/cancel"), None).await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (202, &json!("cancelled")), "{cancelled:?}");
    assert_eq!(site.get(&path).await.json()["status"], "cancelled");
    let again = site.ask(PUBLISHER, "POST", &format!("{path}/cancel"), None).await;
    assert_eq!((again.status, again.json()["id"].clone()), (202, cancelled.json()["id"].clone()));

    let shown = site.get("/v1/activations/a").await.json();
    let definition = &shown["definition"];
    assert_eq!(definition["attributes"].as_object().unwrap().keys().collect::<Vec<_>>(), ["name", "id"]);
    assert_eq!(definition["retry"]["attempts"], 2, "{definition:#}");
    assert_eq!(definition["keep"], json!({ "publishes": 3 }));
    assert_eq!((&definition["files"]["format"], &definition["files"]["max_rows"]), (&json!("csv"), &json!(7)));
    assert_eq!(definition["was"], json!(null));
    let all = site.get("/v1/activations").await.json();
    assert_eq!(all[0]["definition"], *definition);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_has_an_id_and_requests_are_counted_by_route() {
    let site = Site::idle(home(&with("", &[("a", "target: out")]))).await;
    let bearer = format!("Bearer {READER}");
    let headers = [("authorization", bearer.as_str()), ("x-request-id", "mine-1.2_3")];
    let own = site.send("GET", "/v1/activations/a", &headers, None).await;
    assert_eq!(own.header("x-request-id"), "mine-1.2_3");
    for not_fit_for_a_log in ["two words", "a\"b", &"x".repeat(129)] {
        let made = site.send("GET", "/healthz", &[("x-request-id", not_fit_for_a_log)], None).await;
        assert_eq!(made.header("x-request-id").len(), 36, "{made:?}");
    }
    site.get("/v1/activations/nobody-4711").await;
    site.get("/nothing-4711").await;
    site.ask(ADMIN, "BREW", "/v1/reload", None).await;
    let metrics = site.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"), "{metrics:?}");
    for line in [
        "herald_http_requests_total{route=\"/v1/activations/{name}\",method=\"GET\",status=\"200\"} 1",
        "herald_http_requests_total{route=\"/v1/activations/{name}\",method=\"GET\",status=\"404\"} 1",
        "herald_http_requests_total{route=\"/healthz\",method=\"GET\",status=\"200\"} 3",
    ] {
        assert!(metrics.body.contains(line), "{line} is not in:\n{}", metrics.body);
    }
    assert!(!metrics.body.contains("4711") && !metrics.body.contains("BREW"), "{}", metrics.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_stops_says_when_to_ask_again() {
    let home = home(&with("", &[("a", "target: out")]));
    let mut live = Live::idle(&home).await;
    let server_stops = CancellationToken::new();
    let scrape = Scrape::new(String::new);
    let server = Server::new(live.control.clone(), Hub::new(), scrape, server_stops.clone()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes(server)).await.unwrap() });
    live.run();
    let site = Site { live, home, address, client: super::client(), scheme: "http" };
    assert_eq!(site.get("/readyz").await.status, 200);
    server_stops.cancel();
    let unready = site.get("/readyz").await;
    assert_eq!((unready.status, unready.header("retry-after")), (503, "5"), "{unready:?}");
    assert_eq!(site.get("/healthz").await.status, 200, "it lives");
    site.live.stop.cancel();
    let refused = until("the teardowns have stopped", async || {
        let answer = site.ask(ADMIN, "DELETE", "/v1/activations/a", None).await;
        (answer.status != 202).then_some(answer)
    })
    .await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("stopping")), "{refused:?}");
    assert_eq!(refused.header("retry-after"), "5");
}
