//! The running service: what is asked of it, and what becomes of its config.

mod crash;
mod reload;
mod teardown;
mod triggers;

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use herald::{
    config,
    control::{Caller, Control},
    publish::{Publisher, Receipt, Status},
    schedule::{Publishing, Service, Settings, SystemClock},
    state::State,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    publishing::{integers, words},
    support::Home,
};

/// A debug build on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

const HEAD: &str = "
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
fn with(service: &str, activations: &[(&str, &str)]) -> String {
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
fn people(home: &Home, number: usize, generation: usize) {
    let ids: Vec<i64> = (0..number as i64).collect();
    let names: Vec<String> = ids.iter().map(|id| format!("{id} {generation}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    home.table("person", vec![("id", integers(&ids)), ("name", words(&names))]);
}

/// A service in this process.
struct Live {
    control: Control,
    stop: CancellationToken,
    service: Option<Service>,
    running: Vec<JoinHandle<()>>,
}

impl Live {
    /// With nothing that runs publishes yet.
    async fn idle(home: &Home) -> Self {
        let path = home.path("herald.yaml");
        let config = Arc::new(config::load(&path).unwrap());
        let publisher = Publisher::open(Arc::clone(&config)).await.unwrap();
        publisher.in_force().await.unwrap();
        publisher.state().put_back(None).await.unwrap();
        let vanished = publisher.vanished().await.unwrap();
        let publisher = Arc::new(ArcSwap::from_pointee(publisher.tearing_down(vanished)));
        let runner = Arc::new(Publishing::new(Arc::clone(&publisher)));
        let settings = Settings { grace: Duration::ZERO, ..Settings::default() };
        let service = Service::new(&config, runner, Arc::new(SystemClock), settings).await.unwrap();
        let stop = CancellationToken::new();
        let (control, task) = Control::start(path, publisher, service.scheduler(), stop.clone()).await.unwrap();
        Self { control, stop, service: Some(service), running: vec![task] }
    }

    async fn start(home: &Home) -> Self {
        let mut live = Self::idle(home).await;
        live.run();
        live
    }

    fn run(&mut self) {
        let (service, stop) = (self.service.take().unwrap(), self.stop.clone());
        self.running.push(tokio::spawn(async move {
            service.run(stop).await;
        }));
    }

    fn state(&self) -> State {
        self.control.publisher().state().clone()
    }

    /// The receipt of a publish once it has ended.
    async fn ended(&self, id: Uuid) -> Receipt {
        let state = self.state();
        until("the publish has ended", async || {
            let receipt = state.receipt(id).await.unwrap().unwrap();
            (!matches!(receipt.status, Status::Queued | Status::Running)).then_some(receipt)
        })
        .await
    }

    async fn end(mut self) {
        self.stop.cancel();
        drop(self.service.take());
        for task in self.running {
            task.await.unwrap();
        }
    }
}

fn ops() -> Caller {
    Caller::machine("ops")
}

/// Waits until there is something.
async fn until<T>(what: &str, mut so: impl AsyncFnMut() -> Option<T>) -> T {
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
