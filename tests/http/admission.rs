//! Who is let in, and what he may.

use std::collections::BTreeMap;

use super::{ADMIN, Answer, PUBLISHER, READER, Site, config, home, operations, with};

const NOBODYS: &str = "018f3f5c-0000-7000-8000-000000000000";
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/login", "/logout"];

/// All that may not differ between two answers of 401.
fn told(answer: &Answer) -> (u16, BTreeMap<String, String>, String) {
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let own = ["date", "x-request-id"];
    (answer.status, headers.filter(|(name, _)| !own.contains(&name.as_str())).collect(), answer.body.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_valid_token_every_route_answers_the_same() {
    let site = Site::idle(home(&with("", &[("a", "target: out")]))).await;
    let mut asked: Vec<_> =
        operations("a", NOBODYS).into_iter().filter(|(_, path)| !OPEN.contains(&path.as_str())).collect();
    assert!(asked.len() >= 14, "{asked:?}");
    for (method, path) in [
        ("GET", "/activations/a"),
        ("GET", "/v1/activations/nobody"),
        ("DELETE", "/v1/activations/nobody"),
        ("GET", "/nothing"),
        ("PUT", "/v1/activations"),
        ("TRACE", "/v1/reload"),
    ] {
        asked.push((method.to_owned(), path.to_owned()));
    }
    let wrong = format!("Bearer {}x", &ADMIN[1..]);
    let cases: [&[(&str, &str)]; 7] = [
        &[],
        &[("authorization", &wrong)],
        &[("authorization", "Bearer ")],
        &[("authorization", ADMIN)],
        &[("authorization", "Basic YWRtaW46YWRtaW4=")],
        &[("cookie", "herald_session=YWRtaW4.99999999999.AAAA")],
        &[("authorization", &wrong), ("content-type", "application/json"), ("accept", "text/html")],
    ];
    let mut first = None;
    for (method, path) in &asked {
        for headers in cases {
            let body = (method == "POST").then_some("{\"members\":[]}");
            let answer = site.send(method, path, headers, body).await;
            let told = told(&answer);
            assert_eq!(told.0, 401, "{method} {path} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            assert_eq!(&told, first.get_or_insert_with(|| told.clone()), "{method} {path} {headers:?}");
        }
    }
    for path in ["/healthz", "/readyz", "/login"] {
        assert_eq!(site.send("GET", path, &[], None).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_may_what_its_scope_says_and_nothing_past_it() {
    let site = Site::start(home(&with("", &[("a", "target: out")]))).await;
    for (method, path) in operations("a", NOBODYS) {
        // The one does not end.
        if OPEN.contains(&path.as_str()) || path == "/v1/events" {
            continue;
        }
        let needs = match (method.as_str(), path.as_str()) {
            ("GET", _) => 0,
            ("DELETE", _) | (_, "/v1/reload" | "/v1/activations/a/recreate") => 2,
            _ => 1,
        };
        for (has, token) in [READER, PUBLISHER, ADMIN].into_iter().enumerate() {
            let answer = site.ask(token, &method, &path, None).await;
            assert_eq!(answer.status == 403, has < needs, "{method} {path} with {token}: {answer:?}");
            assert_ne!(answer.status, 401, "{method} {path}");
            if has < needs {
                let problem = answer.json();
                let scope = ["read", "publish", "admin"][needs];
                assert_eq!(problem["code"], "forbidden");
                assert!(problem["remedy"].as_str().unwrap().contains(scope), "{problem}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tokens_other_names_of_this_machine_and_pages_of_other_sites_are_refused() {
    let site = Site::start(home(&config("", &[("a", "target: out")]))).await;
    let (path, own) = ("/v1/activations/a/pause", format!("http://{}", site.address));
    let port = site.address.port();
    let local = format!("localhost:{port}");
    for host in ["localhost", local.as_str(), "127.0.0.1:1", "[::1]:80", "LOCALHOST"] {
        assert_eq!(site.send("GET", "/v1/activations", &[("host", host)], None).await.status, 200, "{host}");
    }
    for host in ["herald.example.com", "127.0.0.1.example.com", "localhost.example.com:80", "10.0.0.7", "0.0.0.0"] {
        for (method, path) in [("GET", "/v1/activations"), ("GET", "/"), ("POST", path)] {
            let answer = site.send(method, path, &[("host", host)], None).await;
            assert_eq!((answer.status, &answer.json()["code"]), (421, &"misdirected".into()), "{host} {path}");
        }
    }
    for foreign in [
        ("origin", "https://example.com"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for (method, path) in [("POST", path), ("POST", "/v1/reload"), ("DELETE", "/v1/activations/a")] {
            let answer = site.send(method, path, &[foreign], None).await;
            assert_eq!(answer.status, 403, "{foreign:?} {method} {path}");
        }
    }
    assert_eq!(site.send("GET", "/v1/activations/a", &[], None).await.json()["state"], "active");
    let answer = site.send("POST", path, &[("origin", &own), ("sec-fetch-site", "same-origin")], None).await;
    assert_eq!((answer.status, &answer.json()["state"]), (202, &"paused".into()));
    assert_eq!(site.send("POST", "/v1/activations/a/resume", &[], None).await.status, 202, "what is no browser");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deletion_would_take_back_is_shown_to_those_who_may_delete() {
    let site = Site::idle(home(&with("", &[("a", "target: out")]))).await;
    for (token, status) in [(READER, 403), (PUBLISHER, 403), (ADMIN, 200)] {
        assert_eq!(site.ask(token, "GET", "/activations/a/deletion", None).await.status, status, "{token}");
        assert_eq!(site.ask(token, "GET", "/activations/a", None).await.status, 200, "{token}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_token_counts_from_the_reload_on_and_the_former_does_no_more() {
    let before = with("", &[("a", "target: out")]);
    let site = Site::start(home(&before)).await;
    let login = format!("{{\"token\":\"{READER}\"}}");
    let session = site.send("POST", "/login", &[("content-type", "application/json")], Some(&login)).await;
    let cookie = session.header("set-cookie").split(';').next().unwrap().to_owned();
    assert_eq!(site.send("GET", "/v1/activations", &[("cookie", &cookie)], None).await.status, 200);
    site.home.configure(&before.replace(READER, "reader-2"));
    assert_eq!(site.get("/v1/activations").await.status, 200, "nothing is read before the reload");
    assert_eq!(site.ask(ADMIN, "POST", "/v1/reload", None).await.status, 200);
    assert_eq!(site.get("/v1/activations").await.status, 401);
    assert_eq!(site.ask("reader-2", "GET", "/v1/activations", None).await.status, 200);
    assert_eq!(site.send("GET", "/v1/activations", &[("cookie", &cookie)], None).await.status, 401, "nor its session");
}
