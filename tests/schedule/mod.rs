//! `herald run`, from outside.

mod crowd;
mod life;
mod takeover;

use std::{
    fmt::Write,
    fs,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use herald::{
    publish::{PublishKind, Status},
    state::{NewPublish, State},
};
use herald_destinations::contract::Mode;
use serde_json::Value;

use crate::{
    publishing::{integers, words},
    support::Home,
};

/// A debug build on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A home with a small lake, and activations by name with their `refresh`.
fn home(activations: &[(String, &str)]) -> Home {
    let mut config = "
service: { http: { listen: 127.0.0.1:0 } }
sources:
  lake:
    type: files
    tables:
      person: { path: lake/person.parquet, key: id }
segments:
  everyone: { from: person, where: 'true' }
targets:
  out: { type: local, path: ./out }
activations:
"
    .to_owned();
    for (name, refresh) in activations {
        let _ = write!(
            config,
            "  {name}:
    segment: everyone
    target: out
    attributes: {{ id: id, name: name }}
    refresh: {refresh}
    files: {{ max_rows: 2000 }}
"
        );
    }
    let home = Home::new(&config);
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

fn one(refresh: &str) -> Home {
    home(&[("a".to_owned(), refresh)])
}

/// A running service; killed when dropped.
struct Running {
    child: Child,
    log: std::path::PathBuf,
}

impl Running {
    fn start(home: &Home) -> Self {
        let log = home.path("run.log");
        let file = fs::File::create(&log).unwrap();
        let child = home.command(&["run"]).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let running = Self { child, log };
        until("the service runs", || running.log().contains("the service runs"));
        running
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Asks it to stop; its exit status.
    fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

/// Waits until something is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// All receipts, newest first.
fn receipts(home: &Home) -> Vec<Value> {
    let ran = home.run(&["receipts", "--limit", "100000", "--json"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn status(home: &Home, name: &str) -> Value {
    let (code, status) = home.json(&["status", name]);
    assert_eq!(code, 0, "{status}");
    status
}

fn next(home: &Home, name: &str) -> Option<DateTime<Utc>> {
    status(home, name)["next"].as_str().map(|next| next.parse().unwrap())
}

/// Puts a publish of long ago on record.
fn published_days_ago(home: &Home, names: &[&str], days: i64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let state = State::open(&home.path("herald-data")).await.unwrap();
        let at = Utc::now() - TimeDelta::days(days);
        for name in names {
            let new = NewPublish {
                activation: (*name).to_owned(),
                segment: "everyone".to_owned(),
                target: "out".to_owned(),
                kind: PublishKind::Scheduled,
                mode: Mode::Incremental,
                queued_at: at,
                override_reason: None,
            };
            let mut receipt = state.queue(new).await.unwrap();
            (receipt.started_at, receipt.finished_at, receipt.status) = (Some(at), Some(at), Status::Succeeded);
            state.finish(&receipt).await.unwrap();
        }
        state.close().await;
    });
}
