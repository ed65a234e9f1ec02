//! The target in memory that shows members as they arrive, alone and in the suite that every destination passes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use arrow::buffer::BooleanBuffer;
use async_trait::async_trait;
use herald_destinations::{
    conformance::{Arranged, Canary, Harness, Outcome, Poison, Row, Trouble, Whole, batch, context, key},
    contract::{Changes, Config, Destination, ErrorKind, Mode, Op, RetryPolicy, Visibility},
    reference::{FaultyTarget, MemoryTarget, Mishap, Operation, Refusal, Script},
};

use super::publish;

fn members(target: &MemoryTarget) -> BTreeSet<String> {
    target.records().into_keys().collect()
}

fn keys(numbers: std::ops::Range<usize>) -> BTreeSet<String> {
    numbers.map(key).collect()
}

#[tokio::test]
async fn members_come_change_and_go_however_often_a_batch_is_repeated() {
    let target = MemoryTarget::new("t");
    let destination = target.connect(RetryPolicy::ONCE.into()).await.unwrap();
    assert_eq!(destination.capabilities().visibility, Visibility::AtWrite);
    let batches = [batch(Op::Add, 0, 40), batch(Op::Add, 30, 20), batch(Op::Remove, 10, 5), batch(Op::Remove, 10, 5)];
    publish(destination.as_ref(), &context(Mode::Incremental), &batches).await.unwrap();
    let held: BTreeSet<_> = keys(0..50).difference(&keys(10..15)).cloned().collect();
    assert_eq!(members(&target), held);
    assert_eq!(target.log().len(), 70);
    assert_eq!(target.records()[&key(3)]["email"].as_deref(), Some("person3@example.com"));
}

#[tokio::test]
async fn refused_rows_are_named_and_their_neighbours_taken() {
    let target = MemoryTarget::new("t");
    target.refuse(Refusal::named(|op, member| op == Op::Add && [key(3), key(7)].contains(&member.to_owned())));
    let destination = target.connect(RetryPolicy::ONCE.into()).await.unwrap();
    assert!(destination.capabilities().names_rejected_rows);
    let batches = [batch(Op::Add, 0, 10)];
    let rejected = publish(destination.as_ref(), &context(Mode::Incremental), &batches).await.unwrap();
    assert_eq!(rejected.iter().map(|rejection| rejection.row).collect::<Vec<_>>(), [3, 7]);
    assert_eq!(members(&target).len(), 8);
    target.refuse(Refusal::Nobody);
    assert_eq!(publish(destination.as_ref(), &context(Mode::Incremental), &batches).await.unwrap(), []);
    assert_eq!(members(&target), keys(0..10));
}

#[tokio::test]
async fn a_batch_refused_whole_leaves_no_trace() {
    let target = MemoryTarget::new("t");
    target.refuse(Refusal::whole(|_, member| member == key(3)));
    let destination = target.connect(RetryPolicy::ONCE.into()).await.unwrap();
    assert!(!destination.capabilities().names_rejected_rows);
    let mut publication = destination.begin(&context(Mode::Incremental)).await.unwrap();
    let error = publication.write(batch(Op::Add, 0, 10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    publication.write(batch(Op::Add, 4, 6)).await.unwrap();
    assert_eq!(members(&target), keys(4..10));
}

#[tokio::test]
async fn the_log_says_what_changed_where_batches_say_it() {
    let target = MemoryTarget::new("t");
    target.want_changes();
    let destination = target.connect(RetryPolicy::ONCE.into()).await.unwrap();
    assert!(destination.capabilities().change_events);
    let (mut added, mut updated) = (batch(Op::Add, 0, 2), batch(Op::Update, 5, 1));
    added.changes = Some(Changes::Returning(BooleanBuffer::from(vec![false, true])));
    let fields = [false, true, true].map(|changed| BooleanBuffer::from(vec![changed]));
    updated.changes = Some(Changes::Fields(fields.to_vec()));
    publish(destination.as_ref(), &context(Mode::Incremental), &[added, updated]).await.unwrap();
    let log = target.log();
    assert_eq!([log[0].returning, log[1].returning, log[2].returning], [Some(false), Some(true), None]);
    assert_eq!(log[2].changed, Some(vec!["email".to_owned(), "score".to_owned()]));
    assert_eq!([log[0].batch, log[2].batch], [0, 1]);
}

struct TargetHarness(MemoryTarget);

impl TargetHarness {
    async fn connected(&self, script: &Script) -> Arc<dyn Destination> {
        FaultyTarget::new(self.0.clone(), script).connect(RetryPolicy::ONCE.into()).await.expect("connect")
    }
}

#[async_trait]
impl Harness for TargetHarness {
    async fn fresh() -> Self {
        Self(MemoryTarget::new("suite"))
    }

    async fn destination(&self) -> Arc<dyn Destination> {
        self.0.connect(RetryPolicy::default().into()).await.expect("connect")
    }

    async fn visible(&self) -> Vec<Row> {
        let held = self.0.records().into_iter();
        held.map(|(member, fields)| Row { op: "add".to_owned(), member, fields }).collect()
    }

    fn reads_json(&self) -> bool {
        false
    }

    async fn residue(&self) -> Vec<String> {
        Vec::new()
    }

    async fn damage(&self, _: &str) -> bool {
        false
    }

    async fn arrange(&self, trouble: Trouble) -> Arranged {
        let repeated = Outcome::PassesOnRepeat;
        let (mishap, outcome) = match trouble {
            Trouble::WrongCredentials | Trouble::RightsWithdrawn => fails(ErrorKind::Unauthorized),
            Trouble::SlowServer | Trouble::WrongClock => {
                let (outcome, means) = (Outcome::Passes, "memory is quick, and asks for no time");
                return Arranged { destination: self.destination().await, outcome, at_least: Duration::ZERO, means };
            }
            Trouble::MissingTarget => fails(ErrorKind::Missing),
            Trouble::FullTarget => fails(ErrorKind::Full),
            Trouble::Occupied => fails(ErrorKind::Conflict),
            Trouble::Throttled => (Mishap::Throttled(Duration::from_millis(1)), repeated(ErrorKind::Throttled)),
            Trouble::ServerError => (Mishap::Before(ErrorKind::Unavailable), repeated(ErrorKind::Unavailable)),
            Trouble::CutConnection => (Mishap::Cut(ErrorKind::Unreachable), repeated(ErrorKind::Unreachable)),
            Trouble::AnswerLost => (Mishap::After(ErrorKind::TimedOut), repeated(ErrorKind::TimedOut)),
            Trouble::Deadline => (Mishap::Before(ErrorKind::TimedOut), repeated(ErrorKind::TimedOut)),
        };
        let script = Script::new();
        script.next(Operation::Write, 1, mishap).next(Operation::Probe, 1, mishap);
        let destination = self.connected(&script).await;
        Arranged { destination, outcome, at_least: Duration::ZERO, means: "injected: memory knows no such trouble" }
    }

    fn poison(&self) -> Poison {
        self.0.refuse(Refusal::named(|_, member| [key(3), key(7)].contains(&member.to_owned())));
        Poison::Rows { batch: batch(Op::Add, 0, 12), rejected: vec![3, 7] }
    }

    async fn refuse_whole(&self, member: usize) -> Whole {
        self.0.refuse(Refusal::whole(move |_, found| found == key(member)));
        Whole::Arranged { destination: self.destination().await }
    }

    fn canary(&self) -> Canary {
        Canary { config: Box::new(self.0.clone()), secrets: Vec::new() }
    }
}

fn fails(kind: ErrorKind) -> (Mishap, Outcome) {
    (Mishap::Before(kind), Outcome::Fails(kind))
}

herald_destinations::conformance_suite!(suite, TargetHarness);
