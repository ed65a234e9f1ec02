//! The running service: what is asked of it, and what becomes of its config.

mod browser;
mod crash;
mod lives;
mod reload;
mod teardown;
mod triggers;
mod walk;

use std::{
    fmt::Write,
    fs,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use futures::StreamExt;
use herald::{
    config,
    control::{Caller, Control, Watched},
    publish::{Publisher, Receipt, Status},
    schedule::{Load, Publishing, Service, Settings, SystemClock},
    state::State,
};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    publishing::{integers, words},
    support::Home,
};

/// A debug build on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// May do everything.
const TOKEN: &str = "a-token-of-the-walk";

pub(crate) const HEAD: &str = "
sources:
  lake:
    type: files
    tables:
      person: { path: lake/person.parquet, key: id }
segments:
  everyone: { from: person, where: 'true' }
targets:
  out: { type: local, path: ./out }
";

/// A config with these activations, each with what else is said of it.
pub(crate) fn with(service: &str, activations: &[(&str, &str)]) -> String {
    let mut config = format!("service: {{ http: {{ listen: 127.0.0.1:0 }}, {service} }}\n{HEAD}activations:\n");
    for (name, more) in activations {
        let _ = writeln!(
            config,
            "  {name}: {{ segment: everyone, target: out, refresh: {{ manual: true }}, attributes: {{ id: id, name: name }}, guards: {{ max_removed: 100% }}, {more} }}"
        );
    }
    config
}

fn home(activations: &[(&str, &str)]) -> Home {
    let home = Home::new(&with("watch: false", activations));
    people(&home, 20, 0);
    home
}

/// Writes `person`; another generation changes every record.
pub(crate) fn people(home: &Home, number: usize, generation: usize) {
    let ids: Vec<i64> = (0..number as i64).collect();
    let names: Vec<String> = ids.iter().map(|id| format!("{id} {generation}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    home.table("person", vec![("id", integers(&ids)), ("name", words(&names))]);
}

/// A service in this process.
pub(crate) struct Live {
    pub(crate) control: Control,
    /// What its scheduler has to do.
    pub(crate) load: watch::Receiver<Load>,
    pub(crate) stop: CancellationToken,
    service: Option<Service>,
    running: Vec<JoinHandle<()>>,
}

impl Live {
    /// With nothing that runs publishes yet.
    pub(crate) async fn idle(home: &Home) -> Self {
        let path = home.path("herald.yaml");
        let watched = Watched::of(&path);
        let config = Arc::new(config::load(&path).unwrap());
        let publisher = Publisher::open(Arc::clone(&config)).await.unwrap();
        publisher.in_force().await.unwrap();
        publisher.state().put_back(None).await.unwrap();
        let vanished = publisher.vanished().await.unwrap();
        let publisher = Arc::new(ArcSwap::from_pointee(publisher.tearing_down(vanished)));
        let runner = Arc::new(Publishing::new(Arc::clone(&publisher)).unwrap());
        let settings = Settings { grace: Duration::ZERO, ..Settings::default() };
        let service = Service::new(&config, runner, Arc::new(SystemClock), settings).await.unwrap();
        let stop = CancellationToken::new();
        let (control, task) = Control::start(watched, publisher, service.scheduler(), stop.clone()).await.unwrap();
        let load = service.load();
        Self { control, load, stop, service: Some(service), running: vec![task] }
    }

    pub(crate) async fn start(home: &Home) -> Self {
        let mut live = Self::idle(home).await;
        live.run();
        live
    }

    pub(crate) fn run(&mut self) {
        let (service, stop) = (self.service.take().unwrap(), self.stop.clone());
        self.running.push(tokio::spawn(async move {
            service.run(stop).await;
        }));
    }

    pub(crate) fn state(&self) -> State {
        self.control.publisher().state().clone()
    }

    /// The receipt of a publish once it has ended.
    pub(crate) async fn ended(&self, id: Uuid) -> Receipt {
        let state = self.state();
        until("the publish has ended", async || {
            let receipt = state.receipt(id).await.unwrap().unwrap();
            (!matches!(receipt.status, Status::Queued | Status::Running)).then_some(receipt)
        })
        .await
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        drop(self.service.take());
        for task in self.running {
            task.await.unwrap();
        }
    }
}

pub(crate) fn ops() -> Caller {
    Caller::machine("ops")
}

/// Waits until there is something.
pub(crate) async fn until<T>(what: &str, mut so: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = so().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the audit says: who did what to which activation, oldest first.
async fn audit(live: &Live) -> Vec<(String, String, Option<String>)> {
    let mut lines = live.state().audits(&herald::state::AuditsOf::default(), 1_000).await.unwrap();
    lines.reverse();
    lines.into_iter().map(|line| (line.who, line.what, line.activation)).collect()
}

/// `herald run`; killed when dropped.
struct Run {
    child: Child,
    base: String,
    client: reqwest::Client,
}

impl Run {
    async fn start(home: &Home) -> Self {
        let log = home.path("run.log");
        let child =
            home.command(&["run"]).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let base = until("the service listens", async || {
            let log = fs::read_to_string(&log).unwrap();
            let line = log.lines().find(|line| line.contains("the service listens"))?;
            let address = line.split("address=").nth(1)?.split(' ').next()?;
            Some(format!("http://{address}"))
        })
        .await;
        Self { child, base, client: reqwest::Client::new() }
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.client.get(format!("{}{path}", self.base)).bearer_auth(TOKEN).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await).unwrap()
    }

    /// Asks for a publish; the receipt once it has ended.
    async fn publish(&self, activation: &str, body: Value) -> Value {
        let request = self.client.post(format!("{}/v1/activations/{activation}/publishes", self.base));
        let request = request.bearer_auth(TOKEN).header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 202, "{activation}");
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        until("the publish has ended", async || {
            let receipt = self.json(&location).await;
            (!["queued", "running"].contains(&receipt["status"].as_str().unwrap())).then_some(receipt)
        })
        .await
    }

    /// What is told as it happens, from now on.
    async fn events(&self) -> Arc<Mutex<String>> {
        let answer = self.client.get(format!("{}/v1/events", self.base)).bearer_auth(TOKEN).send().await.unwrap();
        let heard = Arc::<Mutex<String>>::default();
        let hearing = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut news = answer.bytes_stream();
            while let Some(Ok(more)) = news.next().await {
                hearing.lock().unwrap().push_str(std::str::from_utf8(&more).unwrap());
            }
        });
        heard
    }

    async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.get("/metrics").await;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
