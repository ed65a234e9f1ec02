//! Files in memory, in the suite that every destination passes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use herald_destinations::{
    conformance::{
        Arranged, Canary, FaultyStore, Harness, OCCUPIED, Outcome, Poison, Row, Step, Trouble, Whole, rows_of_objects,
    },
    contract::{Config, Destination, ErrorKind, RetryPolicy},
    files::FilesDestination,
    reference::{MemoryFiles, Mishap, Script},
};

struct FilesHarness(MemoryFiles);

#[async_trait]
impl Harness for FilesHarness {
    async fn fresh() -> Self {
        Self(MemoryFiles::new("suite"))
    }

    async fn destination(&self) -> Arc<dyn Destination> {
        self.0.connect(RetryPolicy::default().into()).await.expect("connect")
    }

    async fn visible(&self) -> Vec<Row> {
        rows_of_objects(&self.0.objects())
    }

    fn reads_json(&self) -> bool {
        false
    }

    async fn residue(&self) -> Vec<String> {
        self.0.staged()
    }

    async fn damage(&self, path: &str) -> bool {
        let mut content = self.0.objects()[path].to_vec();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        self.0.set(path, content);
        true
    }

    async fn arrange(&self, trouble: Trouble) -> Arranged {
        let repeated = Outcome::PassesOnRepeat;
        let (step, mishap, outcome) = match trouble {
            Trouble::WrongCredentials => return self.refusing(ErrorKind::Unauthorized).await,
            Trouble::MissingTarget => return self.refusing(ErrorKind::Missing).await,
            Trouble::FullTarget => (Step::Finish, Mishap::Before(ErrorKind::Full), Outcome::Fails(ErrorKind::Full)),
            Trouble::Occupied => {
                self.0.set(OCCUPIED, "not of this publish");
                let (outcome, means) = (Outcome::Fails(ErrorKind::Conflict), "an object has the first part's name");
                return Arranged { destination: self.destination().await, outcome, at_least: Duration::ZERO, means };
            }
            Trouble::Throttled => {
                (Step::Write, Mishap::Throttled(Duration::from_millis(1)), repeated(ErrorKind::Throttled))
            }
            Trouble::ServerError => {
                (Step::Stage, Mishap::Before(ErrorKind::Unavailable), repeated(ErrorKind::Unavailable))
            }
            Trouble::CutConnection => {
                (Step::Write, Mishap::Cut(ErrorKind::Unreachable), repeated(ErrorKind::Unreachable))
            }
            Trouble::AnswerLost => (Step::Reveal, Mishap::After(ErrorKind::TimedOut), repeated(ErrorKind::TimedOut)),
            Trouble::RightsWithdrawn => {
                (Step::Reveal, Mishap::Before(ErrorKind::Unauthorized), Outcome::Fails(ErrorKind::Unauthorized))
            }
            Trouble::SlowServer | Trouble::WrongClock => {
                let (outcome, means) = (Outcome::Passes, "memory is quick, and asks for no time");
                return Arranged { destination: self.destination().await, outcome, at_least: Duration::ZERO, means };
            }
            Trouble::Deadline => (Step::Put, Mishap::Before(ErrorKind::TimedOut), repeated(ErrorKind::TimedOut)),
        };
        let script = Script::new();
        script.next(step, 1, mishap);
        let destination = Arc::new(FilesDestination::new(FaultyStore::new(self.0.clone(), &script)));
        Arranged { destination, outcome, at_least: Duration::ZERO, means: "injected: memory knows no such trouble" }
    }

    fn poison(&self) -> Poison {
        Poison::None { why: "a file takes any record of its columns" }
    }

    async fn refuse_whole(&self, _: usize) -> Whole {
        Whole::Never { why: "a file takes any record of its columns" }
    }

    fn canary(&self) -> Canary {
        Canary { config: Box::new(self.0.clone()), secrets: Vec::new() }
    }
}

impl FilesHarness {
    async fn refusing(&self, kind: ErrorKind) -> Arranged {
        let script = Script::new();
        script.next(Step::Stage, 2, Mishap::Before(kind)).next(Step::Probe, 1, Mishap::Before(kind));
        let destination = Arc::new(FilesDestination::new(FaultyStore::new(self.0.clone(), &script)));
        let outcome = Outcome::Fails(kind);
        Arranged { destination, outcome, at_least: Duration::ZERO, means: "injected: memory needs no rights" }
    }
}

herald_destinations::conformance_suite!(suite, FilesHarness);
