//! Traces, received by a collector in this process.

mod protobuf;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::runtime::Runtime;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use self::protobuf::{Span, spans};
use crate::{
    publishing::{config, floats, integers, words},
    support::Home,
};

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, score: score }
";
const TOKEN: &str = "canary-token";

/// A collector that gives the same answer to all.
struct Collector {
    runtime: Runtime,
    server: MockServer,
}

impl Collector {
    fn answering(answer: ResponseTemplate) -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(MockServer::start());
        runtime.block_on(Mock::given(any()).respond_with(answer).mount(&server));
        Self { runtime, server }
    }

    fn requests(&self) -> Vec<Request> {
        self.runtime.block_on(self.server.received_requests()).unwrap()
    }

    /// All spans so far, each by its name.
    fn spans(&self) -> Vec<Span> {
        self.requests().iter().flat_map(|request| spans(&request.body)).collect()
    }

    /// The `service` map of a config that sends traces here.
    fn service(&self, more: &str) -> String {
        let uri = self.server.uri();
        format!("service: {{ traces: {{ endpoint: \"{uri}\", headers: {{ x-token: {TOKEN} }}{more} }} }}\n")
    }
}

/// A lake of members whose names and scores are to be found nowhere else.
fn home(config: &str) -> Home {
    let home = Home::new(config);
    let ids = ["canary-ann", "canary-bob", "canary-eve"];
    home.table("person", vec![("id", words(&ids)), ("score", floats(&[1.0, 2.0, 3.0])), ("at", integers(&[1; 3]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
    home
}

fn by_name(spans: Vec<Span>) -> BTreeMap<String, Span> {
    let count = spans.len();
    let named: BTreeMap<_, _> = spans.into_iter().map(|span| (span.name.clone(), span)).collect();
    assert_eq!(named.len(), count, "a name came twice: {named:#?}");
    named
}

#[test]
fn a_publish_is_a_trace_of_its_phases() {
    let collector = Collector::answering(ResponseTemplate::new(200));
    let home = home(&(collector.service("") + &config(ACTIVATION, "")));
    let receipt = home.publish(&["a"]);

    let requests = collector.requests();
    assert!(!requests.is_empty());
    for request in &requests {
        assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/v1/traces"));
        assert_eq!(request.headers["x-token"], TOKEN);
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        let text = String::from_utf8_lossy(&request.body);
        assert!(!text.contains("canary"), "a key or a secret left with a trace: {text}");
    }
    let spans = by_name(collector.spans());
    assert_eq!(spans.keys().collect::<Vec<_>>(), ["commit", "deliver", "publish", "resolve"]);
    let publish = &spans["publish"];
    assert_eq!(publish.parent, "");
    assert!(!publish.failed);
    for (name, value) in [
        ("herald.publish.id", receipt["id"].as_str().unwrap()),
        ("herald.activation", "a"),
        ("herald.segment", "everyone"),
        ("herald.target", "out"),
        ("herald.kind", "manual"),
        ("herald.mode", "incremental"),
        ("herald.status", "succeeded"),
        ("herald.resolved", "3"),
        ("herald.added", "3"),
        ("herald.delivered", "3"),
        ("herald.rejected", "0"),
    ] {
        assert_eq!(publish.attributes.get(name).map(String::as_str), Some(value), "{name}: {publish:#?}");
    }
    assert_eq!(publish.resource["service.name"], "herald");
    assert_eq!(publish.resource["service.version"], env!("CARGO_PKG_VERSION"));
    for name in ["resolve", "deliver", "commit"] {
        let span = &spans[name];
        assert_eq!((&span.trace, &span.parent), (&publish.trace, &publish.id), "{name}");
        assert!(publish.start <= span.start && span.start <= span.end && span.end <= publish.end, "{name}");
    }
    assert!(spans["resolve"].end <= spans["deliver"].start && spans["deliver"].end <= spans["commit"].start);
    assert_eq!(spans["resolve"].attributes["herald.rows"], "3");
    assert_eq!(spans["deliver"].attributes["herald.sent"], "3");
}

#[test]
fn the_comparison_has_a_span_of_its_own_where_records_show_as_they_arrive() {
    let collector = Collector::answering(ResponseTemplate::new(200));
    let receiver = Collector::answering(ResponseTemplate::new(200));
    let hook = format!("out: {{ type: webhook, url: \"{}/in\", secret: canary-secret }}", receiver.server.uri());
    let config = config(ACTIVATION, "").replace("out: { type: local, path: ./out }", &hook);
    let home = home(&(collector.service("") + &config));
    home.publish(&["a"]);
    let spans = by_name(collector.spans());
    assert_eq!(spans.keys().collect::<Vec<_>>(), ["commit", "deliver", "delta", "publish", "resolve"]);
    assert!(spans["delta"].end <= spans["deliver"].start);
    assert_eq!(spans["delta"].attributes["herald.changes"], "3");
}

#[test]
fn a_publish_that_fails_says_so_by_its_code() {
    let collector = Collector::answering(ResponseTemplate::new(200));
    let guarded = format!("{ACTIVATION}    guards: {{ min_members: 10 }}\n");
    let home = home(&(collector.service("") + &config(&guarded, "")));
    let (status, receipt) = home.json(&["publish", "a"]);
    assert_ne!(status, 0, "{receipt:#}");
    let spans = by_name(collector.spans());
    let code = receipt["error"]["code"].as_str().unwrap();
    for name in ["publish", "deliver"] {
        assert!(spans[name].failed, "{name}: {spans:#?}");
        assert_eq!(spans[name].attributes["error.type"], code, "{name}");
    }
    assert!(!spans["resolve"].failed && !spans.contains_key("commit"), "{spans:#?}");
}

#[test]
fn the_standard_variables_ask_for_traces_and_without_them_none_leave() {
    let collector = Collector::answering(ResponseTemplate::new(200));
    let home = home(&config(ACTIVATION, ""));
    home.publish(&["a"]);
    assert!(collector.requests().is_empty());
    let publish = |more: &[(&str, &str)]| {
        let mut command = home.command(&["publish", "a"]);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.server.uri());
        command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("x-token={TOKEN}"));
        command.envs(more.iter().copied());
        assert!(command.output().unwrap().status.success());
    };
    publish(&[("OTEL_SDK_DISABLED", "true")]);
    publish(&[("OTEL_TRACES_SAMPLER", "always_off")]);
    assert!(collector.requests().is_empty());
    publish(&[("OTEL_SERVICE_NAME", "segments")]);
    assert!(collector.requests().iter().all(|request| request.headers["x-token"] == TOKEN));
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.name == "publish"));
    assert!(spans.iter().all(|span| span.resource["service.name"] == "segments"), "{spans:#?}");
}

/// Well before spans leave by themselves: what a stop does not send is lost.
#[test]
fn a_service_that_stops_lets_the_last_spans_leave() {
    let collector = Collector::answering(ResponseTemplate::new(200));
    let service = collector.service("").replace("service: {", "service: { http: { listen: 127.0.0.1:0 },");
    let home = home(&(service + &config(ACTIVATION, "").replace("manual: true", "every: 1h")));
    let log = home.path("run.log");
    let file = std::fs::File::create(&log).unwrap();
    let mut command = home.command(&["run"]);
    let mut child = command.env("OTEL_BSP_SCHEDULE_DELAY", "3600000").stderr(file).spawn().unwrap();
    let started = Instant::now();
    while home.held().len() < 3 {
        assert!(started.elapsed() < Duration::from_secs(60), "{}", std::fs::read_to_string(&log).unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let spans = by_name(collector.spans());
    assert_eq!(spans["publish"].attributes["herald.kind"], "scheduled");
    assert_eq!(spans.keys().collect::<Vec<_>>(), ["commit", "deliver", "publish", "resolve"]);
}

#[test]
fn none_of_the_publishes_is_traced_at_a_share_of_nothing() {
    let collector = Collector::answering(ResponseTemplate::new(200));
    let home = home(&(collector.service(", sample: 0%") + &config(ACTIVATION, "")));
    home.publish(&["a"]);
    assert!(collector.requests().is_empty());
}

#[test]
fn a_collector_out_of_order_costs_one_warning_and_no_publish() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    for (answer, told) in [(ResponseTemplate::new(401), "could not be sent"), (slow, "could not be sent in time")] {
        let collector = Collector::answering(answer);
        let home = home(&(collector.service("") + &config(ACTIVATION, "")));
        let started = Instant::now();
        let ran = home.run(&["publish", "a", "--json"]);
        assert!(started.elapsed() < Duration::from_secs(30), "the publish waited for the collector");
        let receipt: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((ran.status, receipt["status"].as_str()), (0, Some("succeeded")), "{ran:?}");
        assert_eq!(ran.stderr.matches(told).count(), 1, "{ran:?}");
        assert!(!ran.stderr.contains(TOKEN) && !ran.stderr.contains(&collector.server.uri()), "{ran:?}");
        assert!(!collector.requests().is_empty());
    }
}
