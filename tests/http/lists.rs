//! Lists: pages, filters, and dead letters line by line.

use std::collections::HashSet;

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::method};

use super::{PUBLISHER, Site, home, with};

/// Asks for a publish and cancels it; its id.
async fn cancelled(site: &Site, activation: &str) -> String {
    let path = format!("/v1/activations/{activation}/publishes");
    let asked = site.ask(PUBLISHER, "POST", &path, None).await;
    let cancel = format!("{}/cancel", asked.header("location"));
    assert_eq!(site.ask(PUBLISHER, "POST", &cancel, None).await.status, 202);
    asked.json()["id"].as_str().unwrap().to_owned()
}

/// Where the next page is.
fn next(link: &str) -> Option<String> {
    let path = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?;
    Some(path.to_owned())
}

/// All pages of a list: their ids, page by page.
async fn pages(site: &Site, path: &str) -> Vec<Vec<String>> {
    let (mut found, mut path) = (Vec::new(), Some(path.to_owned()));
    while let Some(here) = path {
        let page = site.get(&here).await;
        assert_eq!(page.status, 200, "{here}: {page:?}");
        let receipts = page.json();
        let ids = receipts.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        found.push(ids);
        assert!(found.len() < 100, "the links lead in a circle");
        path = next(page.header("link"));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_lead_through_all_receipts_newest_first_whatever_comes_meanwhile() {
    let site = Site::idle(home(&with("", &[("a", "target: out"), ("b", "target: out")]))).await;
    let mut ids = Vec::new();
    for number in 0..11 {
        ids.push(cancelled(&site, if number % 3 == 0 { "b" } else { "a" }).await);
    }
    ids.reverse();
    for limit in [1, 3, 11, 1000] {
        let pages = pages(&site, &format!("/v1/publishes?limit={limit}")).await;
        assert_eq!(pages.concat(), ids, "{limit}");
        assert_eq!(pages.len(), ids.len().div_ceil(limit), "no page is empty");
    }
    assert_eq!(pages(&site, "/v1/publishes").await.len(), 1, "50 a page");
    let of_b = pages(&site, "/v1/publishes?activation=b&limit=2&status=cancelled").await;
    assert_eq!(of_b.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert!(of_b.concat().iter().all(|id| ids.contains(id)));
    for none in ["?activation=nobody", "?status=failed", "?activation=a&status=succeeded"] {
        assert_eq!(pages(&site, &format!("/v1/publishes{none}")).await, [Vec::<String>::new()], "{none}");
    }

    let first = site.get("/v1/publishes?limit=4").await;
    let newer = cancelled(&site, "a").await;
    let rest = pages(&site, &next(first.header("link")).unwrap()).await.concat();
    assert_eq!(rest, ids[4..], "what is newer than the first page moves none");
    let newest = site.get("/v1/publishes?limit=1").await.json();
    assert_eq!(newest[0]["id"], newer, "and is seen at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_one_object_a_line_and_are_tried_again() {
    let server = MockServer::start().await;
    let refusal = json!({ "rejected": [{ "member": "3", "code": "blocked" }, { "member": "7", "code": "blocked" }] });
    let refusal = ResponseTemplate::new(200).set_body_json(refusal);
    let refusing = Mock::given(method("POST")).respond_with(refusal).mount_as_scoped(&server).await;
    let hook =
        format!("out: {{ type: local, path: ./out }}\n  hook: {{ type: webhook, url: \"{}/in\" }}", server.uri());
    let config = with("", &[("a", "target: hook")]).replace("out: { type: local, path: ./out }", &hook);
    let site = Site::start(home(&config)).await;
    let receipt = site.published("a").await;
    assert_eq!((&receipt["status"], &receipt["counts"]["rejected"]), (&json!("partial"), &json!(2)), "{receipt:#}");
    let path = format!("/v1/publishes/{}", receipt["id"].as_str().unwrap());
    let rejects = site.get(&format!("{path}/rejects")).await;
    assert_eq!((rejects.status, rejects.header("content-type")), (200, "application/x-ndjson"));
    let letters: Vec<Value> = rejects.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let members: HashSet<_> = letters.iter().map(|one| one["member"].as_str().unwrap()).collect();
    assert_eq!((letters.len(), members), (2, HashSet::from(["3", "7"])), "{letters:?}");
    assert!(rejects.body.ends_with('\n'));

    drop(refusing);
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let retry = site.ask(PUBLISHER, "POST", &format!("{path}/retry"), None).await;
    assert_eq!((retry.status, &retry.json()["kind"]), (202, &json!("retry")), "{retry:?}");
    let again = site.live.ended(retry.json()["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(again.counts.delivered, 2, "{again:?}");
    assert_eq!(site.get(&format!("{path}/rejects")).await.body, "");
}
