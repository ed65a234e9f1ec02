//! Every metric moves when a service does what it tells of.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use herald::{
    alerts,
    control::Trigger,
    http::{self, Hub, Scrape, Server},
    publish::Status,
    telemetry::{
        Metrics,
        metrics::names::{self, Kind},
    },
};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::path};

use super::{choosy, config, publish};
use crate::{
    service::{Live, ops, people, until},
    support::Home,
};

/// Names of the metrics that a scrape shows with another value than 0.
fn moved(text: &str) -> BTreeSet<&'static str> {
    let shows = |name: &str| {
        text.lines().any(|line| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']));
            rest.and_then(|rest| rest.rsplit_once(' ')).is_some_and(|(_, value)| value.parse::<f64>().unwrap() != 0.0)
        })
    };
    let all = names::ALL.iter().filter(|metric| match metric.kind {
        Kind::Histogram => shows(&format!("{}_count", metric.name)),
        Kind::Counter | Kind::Gauge => shows(metric.name),
    });
    all.map(|metric| metric.name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_is_moved_by_what_it_tells_of() {
    let server = MockServer::start().await;
    let asked = AtomicUsize::new(0);
    let flaky = move |request: &Request| match asked.fetch_add(1, Ordering::Relaxed) {
        // After any other fault a refusal says nothing, as the first try may have been taken.
        0 => ResponseTemplate::new(429),
        1 => choosy(request).set_delay(Duration::from_secs(1)),
        _ => choosy(request),
    };
    Mock::given(path("/in")).respond_with(flaky).mount(&server).await;
    Mock::given(path("/alert")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let alert = format!("{{ url: '{}/alert', format: webhook, when: [blocked] }}", server.uri());
    let service = format!("concurrency: 1, alerts: [{alert}]");
    let home = Home::new(&config(&service, &server.uri()));
    people(&home, 20, 0);

    let live = Live::start(&home).await;
    let metrics = Metrics::follow(&live.control, live.load.clone(), live.stop.clone()).unwrap();
    let alerts = alerts::start(&live.control, &metrics);
    let scrape = Scrape::of(metrics.clone());
    let server = Server::new(live.control.clone(), Hub::new(), scrape, live.stop.clone()).unwrap();
    let (address, answering) = http::serve(server.clone()).await.unwrap();
    let get = async || reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
    assert!(get().await.contains("herald_dead_letters{activation=\"events\"} 0\n"), "a live one without any shows 0");

    // One worker: who comes second waits.
    let events = live.control.trigger(&ops(), "events", Trigger::default(), None).await.unwrap();
    let files = live.control.trigger(&ops(), "files", Trigger::default(), None).await.unwrap();
    let mut seen = BTreeSet::new();
    until("a scrape shows what runs and what waits", async || {
        seen.extend(moved(&get().await));
        let both = seen.contains("herald_publishes_running") && seen.contains("herald_publishes_queued");
        both.then_some(())
    })
    .await;
    assert_eq!(live.ended(events.id).await.status, Status::Partial);
    assert_eq!(live.ended(files.id).await.status, Status::Succeeded);
    publish(&live, "few", Status::Blocked).await;
    publish(&live, "lost", Status::Failed).await;
    home.configure("activations: [");
    live.control.reload(&ops()).await.unwrap_err();
    let started = Instant::now();
    loop {
        seen.extend(moved(&get().await));
        let still: Vec<_> = names::ALL.iter().map(|metric| metric.name).filter(|name| !seen.contains(name)).collect();
        if still.is_empty() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no scrape showed that {still:?} moved");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let text = get().await;
    for line in [
        "herald_publishes_total{activation=\"events\",target=\"hook\",kind=\"manual\",status=\"partial\"} 1\n",
        "herald_publishes_total{activation=\"files\",target=\"out\",kind=\"manual\",status=\"succeeded\"} 1\n",
        "herald_publishes_total{activation=\"few\",target=\"out\",kind=\"manual\",status=\"blocked\"} 1\n",
        "herald_publishes_total{activation=\"lost\",target=\"nobody\",kind=\"manual\",status=\"failed\"} 1\n",
        "herald_records_total{activation=\"events\",target=\"hook\",outcome=\"rejected\"} 1\n",
        "herald_records_total{activation=\"events\",target=\"hook\",outcome=\"delivered\"} 19\n",
        "herald_request_retries_total{target=\"hook\",reason=\"throttled\"} 1\n",
        "herald_dead_letters{activation=\"events\"} 1\n",
        "herald_snapshot_records{activation=\"files\"} 20\n",
        "herald_freshness_seconds{activation=\"files\"} 1\n",
        "herald_alerts_total{format=\"webhook\",result=\"sent\"} 1\n",
        "herald_config_valid 0\n",
        "herald_config_reloads_total{result=\"refused\"} 1\n",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert!(!text.contains("herald_freshness_seconds{activation=\"few\"}"), "{text}");
    live.end().await;
    alerts.end().await;
    server.close();
    answering.await.unwrap();
}
