//! Browsers: a token for a cookie, and changes by it.

use serde_json::json;

use super::{ADMIN, READER, Site, config, home, with};

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_may_what_its_token_may_and_changes_need_the_word_of_the_page() {
    let site = Site::start(home(&with("", &[("a", "target: out")]))).await;
    let page = site.send("GET", "/", &[("accept", "text/html")], None).await;
    assert_eq!((page.status, page.header("location")), (303, "/login"));
    let login = format!("{{\"token\":\"{ADMIN}\"}}");
    let answer = site.send("POST", "/login", &[JSON], Some(&login)).await;
    assert_eq!((answer.status, &answer.json()["name"]), (200, &json!("admin")));
    let (set, csrf) = (answer.header("set-cookie"), answer.json()["csrf"].as_str().unwrap().to_owned());
    for word in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age="] {
        assert!(set.contains(word), "{set}");
    }
    assert!(!set.contains(ADMIN) && !answer.body.contains(ADMIN), "{answer:?}");
    let cookie = set.split(';').next().unwrap();

    let page = site.send("GET", "/", &[("cookie", cookie), ("accept", "text/html")], None).await;
    assert!(page.status == 200 && page.body.contains(&csrf), "the page holds the word: {page:?}");
    assert_eq!(site.send("GET", "/v1/activations", &[("cookie", cookie)], None).await.status, 200);
    let own = format!("http://{}", site.address);
    let word = ("x-csrf-token", csrf.as_str());
    for headers in [
        vec![("cookie", cookie)],
        vec![("cookie", cookie), ("x-csrf-token", "wrong")],
        vec![("cookie", cookie), ("x-csrf-token", "")],
        vec![("cookie", cookie), word, ("origin", "https://example.com")],
        vec![("cookie", cookie), word, ("sec-fetch-site", "cross-site")],
    ] {
        let answer = site.send("POST", "/v1/activations/a/pause", &headers, None).await;
        assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("forbidden")), "{headers:?}");
    }
    let headers = [("cookie", cookie), word, ("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    let paused = site.send("POST", "/v1/activations/a/pause", &headers, None).await;
    assert_eq!((paused.status, &paused.json()["state"]), (202, &json!("paused")));

    let again = site.send("POST", "/login", &[JSON], Some(&login)).await;
    let other = again.header("set-cookie").split(';').next().unwrap();
    assert_ne!(other, cookie, "each login is a session of its own");
    let out = site.send("POST", "/logout", &[("cookie", cookie)], None).await;
    assert_eq!((out.status, out.header("location")), (303, "/login"));
    assert!(out.header("set-cookie").starts_with("herald_session=;") && out.header("set-cookie").contains("Max-Age=0"));
    for (session, status) in [(cookie, 401), (other, 200)] {
        assert_eq!(site.send("GET", "/v1/activations", &[("cookie", session)], None).await.status, status, "{session}");
    }
    let cookie = other;
    let foreign = [("origin", "https://example.com")];
    assert_eq!(site.send("POST", "/logout", &foreign, None).await.status, 403, "nobody else logs one out");
    assert_eq!(site.send("POST", "/login", &[JSON, foreign[0]], Some(&login)).await.status, 403);

    let forged = cookie.replacen("YWRtaW4", "cmVhZGVy", 1);
    assert_ne!(forged, cookie);
    let long = cookie.replace('.', ".9");
    for cookie in [forged, long, format!("{cookie}x"), "herald_session=".into(), "herald_session=..".into()] {
        assert_eq!(site.send("GET", "/v1/activations", &[("cookie", &cookie)], None).await.status, 401, "{cookie}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_form_leads_to_the_dashboard_and_a_wrong_token_to_the_form_with_a_word() {
    let site = Site::idle(home(&with("", &[("a", "target: out")]))).await;
    let page = site.send("GET", "/login", &[], None).await;
    assert!(page.body.contains("type=\"password\"") && !page.body.contains("role=\"alert\""), "{page:?}");
    let right = site.send("POST", "/login", &[FORM], Some(&format!("token={READER}"))).await;
    assert_eq!((right.status, right.header("location")), (303, "/"));
    let cookie = right.header("set-cookie").split(';').next().unwrap();
    let reader = site.send("GET", "/v1/activations/a", &[("cookie", cookie)], None).await;
    assert_eq!(reader.status, 200);

    let program = site.send("POST", "/login", &[FORM], Some("token=canary-guess")).await;
    assert_eq!((program.status, program.header("content-type")), (401, "application/problem+json"));
    let wrong =
        site.send("POST", "/login", &[FORM, ("accept", "text/html,*/*;q=0.8")], Some("token=canary-guess")).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.header("content-type").starts_with("text/html"), "{wrong:?}");
    assert!(wrong.body.contains("role=\"alert\"") && wrong.body.contains("type=\"password\""), "{wrong:?}");
    assert!(!wrong.body.contains("canary-guess") && wrong.header("set-cookie").is_empty(), "{wrong:?}");
    let problem = site.send("POST", "/login", &[JSON], Some("{\"token\":\"canary-guess\"}")).await;
    assert_eq!((problem.status, &problem.json()["code"]), (401, &json!("unauthorized")));
    for (kind, body, status) in [
        (JSON, "{}", 422),
        (JSON, "{\"token\":1}", 422),
        (JSON, "", 422),
        (JSON, "{\"token\":\"\",\"token\":\"\"}", 401),
        (FORM, "tok=1", 422),
        (("content-type", "text/plain"), "token", 415),
    ] {
        assert_eq!(site.send("POST", "/login", &[kind], Some(body)).await.status, status, "{kind:?} {body}");
    }
    let large = format!("token={}", "x".repeat(2 << 20));
    assert_eq!(site.send("POST", "/login", &[FORM], Some(&large)).await.status, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_heard_ends_with_the_session_and_with_the_token() {
    let config = with("", &[("a", "target: out")]);
    let site = Site::start(home(&config)).await;
    let login = site.send("POST", "/login", &[JSON], Some(&format!("{{\"token\":\"{READER}\"}}"))).await;
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    let bearer = format!("Bearer {READER}");
    let listen = async |header: (&str, &str)| {
        let url = format!("http://{}/v1/events?progress=true", site.address);
        let answer = site.client.get(url).header(header.0, header.1).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{header:?}");
        answer
    };
    let ends = async |answer: reqwest::Response| {
        tokio::time::timeout(std::time::Duration::from_secs(20), answer.bytes()).await.is_ok()
    };
    let (by_session, by_token) = (listen(("cookie", &cookie)).await, listen(("authorization", &bearer)).await);
    assert_eq!(site.send("POST", "/logout", &[("cookie", &cookie)], None).await.status, 303);
    assert!(ends(by_session).await, "the session is over");
    let other = listen(("authorization", &format!("Bearer {ADMIN}"))).await;
    site.home.configure(&config.replace(READER, "another-token"));
    assert_eq!(site.ask(ADMIN, "POST", "/v1/reload", None).await.status, 200);
    assert!(ends(by_token).await, "the token is taken away");
    let mut other = other;
    assert!(other.chunk().await.unwrap().is_some_and(|heard| !heard.is_empty()), "others hear on");
    let wrong = site.ask(ADMIN, "GET", "/v1/events?progress=yes", None).await;
    assert_eq!(wrong.status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_are_for_tls_alone_where_a_proxy_speaks_it() {
    let http = ", url: \"https://herald.example.com\"";
    let site = Site::idle(home(&with(http, &[("a", "target: out")]))).await;
    let login = site.send("POST", "/login", &[JSON], Some(&format!("{{\"token\":\"{READER}\"}}"))).await;
    assert!(login.header("set-cookie").contains("; Secure"), "{login:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_needs_a_token_the_page_is_open_and_its_word_still_there() {
    let site = Site::idle(home(&config("", &[("a", "target: out")]))).await;
    let page = site.send("GET", "/", &[("accept", "text/html")], None).await;
    assert!(page.status == 200 && page.body.contains("csrf-token"), "{page:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_logins_are_slowed_and_too_many_at_once_turned_away() {
    let site = Site::idle(home(&with("", &[("a", "target: out")]))).await;
    let began = std::time::Instant::now();
    let guesses = (0..60).map(|_| site.send("POST", "/login", &[JSON], Some("{\"token\":\"guess\"}")));
    let answers = futures::future::join_all(guesses).await;
    let turned_away = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(turned_away > 0 && answers.iter().all(|answer| matches!(answer.status, 401 | 429)), "{turned_away}");
    assert!(began.elapsed().as_millis() >= 500);
    let login = format!("{{\"token\":\"{READER}\"}}");
    assert_eq!(site.send("POST", "/login", &[JSON], Some(&login)).await.status, 200);
}
