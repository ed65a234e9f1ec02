//! The state, as the runner uses it.

use std::{collections::BTreeSet, path::Path};

use chrono::Utc;
use herald::{
    publish::{Failure, PublishKind, Receipt, Status},
    snapshot::{Answers, Range},
    state::{
        ActivationState, Answered, AuditEntry, AuditsOf, DeadLettersOf, Filter, Looked, NewPublish, Purging, Refused,
        SnapshotRow, State,
    },
};
use herald_destinations::contract::{Mode, Op, Ticket};
use serde_json::{Value, json};
use uuid::Uuid;

fn asked(activation: &str) -> NewPublish {
    NewPublish {
        activation: activation.to_owned(),
        segment: "gold_de".to_owned(),
        target: "partner".to_owned(),
        kind: PublishKind::Manual,
        mode: Mode::Incremental,
        queued_at: Utc::now(),
        override_reason: None,
    }
}

async fn ended(state: &State, activation: &str, status: Status) -> Receipt {
    let mut receipt = state.queue(asked(activation)).await.unwrap();
    receipt.status = status;
    receipt.finished_at = Some(Utc::now());
    state.finish(&receipt).await.unwrap();
    receipt
}

fn ticket(publish: Uuid, sealed: bool) -> Ticket {
    Ticket { kind: "local".to_owned(), version: 1, publish, sealed, body: json!({"parts": ["a"]}) }
}

fn snapshot(receipt: &Receipt, rows: u64) -> SnapshotRow {
    SnapshotRow {
        activation: receipt.activation.clone(),
        identity: "local:/out".to_owned(),
        pointer: json!({"layers": [receipt.sequence]}),
        rows,
        publish: receipt.id,
    }
}

async fn open(data_dir: &Path) -> State {
    State::open(data_dir).await.unwrap()
}

#[tokio::test]
async fn a_queued_publish_is_found_by_another_handle() {
    let data_dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(data_dir.path()).await, open(data_dir.path()).await);
    let receipt = one.queue(asked("gold")).await.unwrap();
    assert_eq!((receipt.sequence, receipt.status), (1, Status::Queued));
    assert_eq!(receipt.id.get_version_num(), 7);
    assert_eq!(two.receipt(receipt.id).await.unwrap(), Some(receipt));
    assert_eq!(two.receipt(Uuid::now_v7()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sequences_are_given_out_once_over_all_handles() {
    let data_dir = tempfile::tempdir().unwrap();
    let (one, two) = (open(data_dir.path()).await, open(data_dir.path()).await);
    let asking = (0..40).map(|turn| {
        let state = if turn % 2 == 0 { one.clone() } else { two.clone() };
        let activation = if turn % 4 < 2 { "gold" } else { "silver" };
        tokio::spawn(async move { state.queue(asked(activation)).await })
    });
    let mut given = BTreeSet::new();
    for receipt in futures::future::join_all(asking).await {
        let receipt = receipt.unwrap().unwrap();
        assert!(given.insert((receipt.activation, receipt.sequence)), "a sequence was given out twice");
    }
    let expected = ["gold", "silver"].into_iter().flat_map(|name| (1..=20).map(move |n| (name.to_owned(), n)));
    assert_eq!(given, expected.collect());
}

#[tokio::test]
async fn an_acknowledged_publish_moves_receipt_snapshot_and_ticket_together() {
    let data_dir = tempfile::tempdir().unwrap();
    let state = open(data_dir.path()).await;
    let mut receipt = state.queue(asked("gold")).await.unwrap();
    receipt.status = Status::Running;
    receipt.started_at = Some(Utc::now());
    state.save(&receipt).await.unwrap();
    state.put_ticket(receipt.id, &ticket(receipt.id, false), &Value::Null).await.unwrap();
    let pending = json!({"snapshot": "candidate"});
    state.put_ticket(receipt.id, &ticket(receipt.id, true), &pending).await.unwrap();

    let found = open(data_dir.path()).await.in_flight(Some("gold")).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].receipt, receipt);
    assert_eq!(found[0].ticket, Some(ticket(receipt.id, true)));
    assert_eq!(found[0].pending, Some(pending));

    receipt.status = Status::Succeeded;
    receipt.counts.added = 7;
    receipt.counts.delivered = 7;
    let row = snapshot(&receipt, 7);
    state.acknowledge(&receipt, Some(&row), &Looked::AtAll).await.unwrap();

    assert!(state.in_flight(None).await.unwrap().is_empty());
    assert_eq!(state.snapshot("gold").await.unwrap(), Some(row.clone()));
    assert_eq!(state.receipt(receipt.id).await.unwrap(), Some(receipt.clone()));

    state.acknowledge(&receipt, Some(&row), &Looked::AtAll).await.unwrap();
    let late = Receipt { status: Status::Failed, ..receipt.clone() };
    assert_eq!(state.finish(&late).await.unwrap_err().code(), "internal");
    assert_eq!(state.receipt(receipt.id).await.unwrap(), Some(receipt), "an ended publish stays as it ended");
}

#[tokio::test]
async fn an_acknowledgement_that_breaks_halfway_changes_nothing() {
    let data_dir = tempfile::tempdir().unwrap();
    let state = open(data_dir.path()).await;
    let mut receipt = state.queue(asked("gold")).await.unwrap();
    state.put_ticket(receipt.id, &ticket(receipt.id, true), &Value::Null).await.unwrap();
    receipt.status = Status::Succeeded;
    let dangling = SnapshotRow { publish: Uuid::now_v7(), ..snapshot(&receipt, 1) };

    state.acknowledge(&receipt, Some(&dangling), &Looked::AtAll).await.unwrap_err();

    let found = state.in_flight(None).await.unwrap();
    assert_eq!(found.len(), 1, "the publish is still to be settled");
    assert_eq!(found[0].receipt.status, Status::Queued);
    assert!(found[0].ticket.is_some());
    assert_eq!(state.snapshot("gold").await.unwrap(), None);
}

#[tokio::test]
async fn a_failed_publish_leaves_the_snapshot() {
    let data_dir = tempfile::tempdir().unwrap();
    let state = open(data_dir.path()).await;
    let mut first = state.queue(asked("gold")).await.unwrap();
    first.status = Status::Succeeded;
    let row = snapshot(&first, 3);
    state.acknowledge(&first, Some(&row), &Looked::AtAll).await.unwrap();

    let mut second = state.queue(asked("gold")).await.unwrap();
    state.put_ticket(second.id, &ticket(second.id, false), &Value::Null).await.unwrap();
    second.status = Status::Failed;
    second.error = Some(Failure {
        code: "target_unreachable".to_owned(),
        message: "no answer".to_owned(),
        remedy: "look".to_owned(),
        retryable: true,
    });
    state.finish(&second).await.unwrap();

    assert_eq!(state.snapshot("gold").await.unwrap(), Some(row));
    assert!(state.in_flight(None).await.unwrap().is_empty());
    assert_eq!(state.last("gold").await.unwrap(), Some(second.clone()));
    assert_eq!(state.last_good("gold").await.unwrap(), Some(first));
    let reopened = Receipt { status: Status::Running, ..second };
    state.save(&reopened).await.unwrap_err();

    state.forget_snapshot("gold").await.unwrap();
    assert_eq!(state.snapshot("gold").await.unwrap(), None);
}

#[tokio::test]
async fn a_publish_that_is_not_final_can_not_be_acknowledged() {
    let data_dir = tempfile::tempdir().unwrap();
    let state = open(data_dir.path()).await;
    let receipt = state.queue(asked("gold")).await.unwrap();
    state.acknowledge(&receipt, None, &Looked::AtAll).await.unwrap_err();
    assert_eq!(state.in_flight(None).await.unwrap().len(), 1);
    state.put_ticket(Uuid::now_v7(), &ticket(receipt.id, true), &Value::Null).await.unwrap_err();
}

#[tokio::test]
async fn receipts_come_newest_first_page_by_page() {
    let data_dir = tempfile::tempdir().unwrap();
    let state = open(data_dir.path()).await;
    for turn in 0..5 {
        ended(&state, "gold", if turn == 2 { Status::Failed } else { Status::Succeeded }).await;
        ended(&state, "silver", Status::Blocked).await;
    }
    let of_gold = |before, limit| Filter { activation: Some("gold".to_owned()), limit, before, ..Filter::default() };
    let page = state.receipts(of_gold(None, 3)).await.unwrap();
    assert_eq!(page.iter().map(|receipt| receipt.sequence).collect::<Vec<_>>(), [5, 4, 3]);
    let rest = state.receipts(of_gold(Some(page[2].id), 3)).await.unwrap();
    assert_eq!(rest.iter().map(|receipt| receipt.sequence).collect::<Vec<_>>(), [2, 1]);
    let failed = Filter { status: Some(Status::Failed), ..Filter::default() };
    assert_eq!(state.receipts(failed).await.unwrap().iter().map(|r| r.sequence).collect::<Vec<_>>(), [3]);
    assert_eq!(state.receipts(Filter::default()).await.unwrap().len(), 10);
    assert_eq!(state.last_good("silver").await.unwrap(), None);
}

#[tokio::test]
async fn activations_are_paused_deleted_and_revived() {
    let data_dir = tempfile::tempdir().unwrap();
    let state = open(data_dir.path()).await;
    assert_eq!(state.activation_state("gold").await.unwrap(), ActivationState::Active);
    assert_eq!(state.activation("gold").await.unwrap(), None);

    state.set_paused("gold", true).await.unwrap();
    state.set_definition("gold", Some(&[1, 2, 3])).await.unwrap();
    let why = Failure { code: "deleted".into(), message: "gone".into(), remedy: "none".into(), retryable: false };
    state.set_deleting("gold", Purging::Nowhere, true, &why).await.unwrap();
    state.set_deleting("gold", Purging::Everywhere, false, &why).await.unwrap();
    assert_eq!(state.purging("gold").await.unwrap(), Some(Purging::Nowhere), "nobody asked for anything else");
    assert!(!state.revive("gold").await.unwrap(), "its teardown is not done");
    let row = open(data_dir.path()).await.activation("gold").await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.paused, row.definition.as_deref()),
        (ActivationState::Deleting, true, Some(&[1, 2, 3][..]))
    );

    let mut teardown = state.queue(asked("gold")).await.unwrap();
    teardown.status = Status::Succeeded;
    teardown.finished_at = Some(Utc::now());
    assert!(!state.end_teardown(&teardown, None, Some(Purging::Here)).await.unwrap(), "it was decided otherwise");
    assert_eq!(state.activation_state("gold").await.unwrap(), ActivationState::Deleting);
    assert!(state.end_teardown(&teardown, None, Some(Purging::Nowhere)).await.unwrap());
    ended(&state, "silver", Status::Succeeded).await;
    let all = state.activations().await.unwrap();
    assert_eq!(
        all.iter().map(|row| (row.name.as_str(), row.state)).collect::<Vec<_>>(),
        [("gold", ActivationState::Deleted), ("silver", ActivationState::Active)]
    );
    assert!(state.revive("gold").await.unwrap());
    assert_eq!(state.activation_state("gold").await.unwrap(), ActivationState::Active);
}

#[tokio::test]
async fn the_audit_is_kept_newest_first() {
    let data_dir = tempfile::tempdir().unwrap();
    let state = open(data_dir.path()).await;
    let line = |what: &str| AuditEntry {
        at: Utc::now().date_naive().and_hms_micro_opt(1, 2, 3, 4).unwrap().and_utc(),
        who: "ops".to_owned(),
        what: what.to_owned(),
        activation: Some("gold".to_owned()),
        detail: None,
    };
    for what in ["publish", "pause", "delete"] {
        state.audit(&line(what)).await.unwrap();
    }
    assert_eq!(state.audits(&AuditsOf::default(), 2).await.unwrap(), [line("delete"), line("pause")]);
}

/// Set by the test below in a copy of this very test binary: the writer that gets killed.
const DATA_DIR: &str = "HERALD_TEST_KILLED_WRITER";

#[tokio::test]
#[ignore = "not a test: the process that the next one starts and kills"]
async fn a_writer_to_be_killed() {
    let data_dir = std::env::var_os(DATA_DIR).unwrap();
    let state = open(Path::new(&data_dir)).await;
    loop {
        let mut receipt = state.queue(asked("gold")).await.unwrap();
        state.put_ticket(receipt.id, &ticket(receipt.id, true), &json!(receipt.sequence)).await.unwrap();
        receipt.status = Status::Succeeded;
        state.acknowledge(&receipt, Some(&snapshot(&receipt, receipt.sequence)), &Looked::AtAll).await.unwrap();
    }
}

#[tokio::test]
async fn a_process_killed_while_it_writes_leaves_a_consistent_state() {
    let data_dir = tempfile::tempdir().unwrap();
    let mut reached = 0;
    for round in 0..6_u64 {
        let mut writer = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "state::a_writer_to_be_killed"])
            .env(DATA_DIR, data_dir.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let state = open(data_dir.path()).await;
        let started = std::time::Instant::now();
        while state.last_good("gold").await.unwrap().map_or(0, |receipt| receipt.sequence) < reached + 5 {
            assert!(started.elapsed().as_secs() < 30, "the writer makes no progress");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(round * 7)).await;
        writer.kill().await.unwrap();

        let last = state.last_good("gold").await.unwrap().unwrap();
        let row = state.snapshot("gold").await.unwrap().unwrap();
        assert_eq!((row.publish, row.rows), (last.id, last.sequence), "receipt and snapshot moved apart");
        let left = state.in_flight(None).await.unwrap();
        assert!(left.len() <= 1, "one publish at most was in flight");
        for mut one in left {
            assert_eq!(one.receipt.sequence, last.sequence + 1);
            assert_eq!(one.pending.is_some(), one.ticket.is_some());
            one.receipt.status = Status::Failed;
            state.finish(&one.receipt).await.unwrap();
        }
        reached = last.sequence + 1;
    }
}

fn refused(member: u8, code: &str) -> Refused {
    let sealed = vec![0xff, member];
    Refused { record: 7, member: vec![member], op: Op::Add, code: code.to_owned(), sealed, fingerprint: None }
}

async fn refuse(state: &State, publish: Uuid, refused: &[Refused]) {
    let answered = Answered { op: Op::Add, done: 9, refused: refused.to_vec() };
    state.advance(publish, Some(&answered), None).await.unwrap();
}

async fn letters(state: &State, of: DeadLettersOf<'_>) -> Vec<(u8, String, u64)> {
    let found = state.dead_letters(of, 100, None).await.unwrap();
    found.into_iter().map(|letter| (letter.member[0], letter.code, letter.count)).collect()
}

async fn settled(state: &State, receipt: &Receipt, looked: Looked) {
    state.acknowledge(receipt, None, &looked).await.unwrap();
}

#[tokio::test]
async fn dead_letters_are_counted_up_until_settled() {
    let data_dir = tempfile::tempdir().unwrap();
    let state = open(data_dir.path()).await;
    let first = state.queue(asked("gold")).await.unwrap();
    refuse(&state, first.id, &[refused(1, "too_large"), refused(2, "too_large")]).await;
    refuse(&state, first.id, &[refused(2, "too_large")]).await;
    settled(&state, &Receipt { status: Status::Partial, ..first.clone() }, Looked::AtAll).await;
    let gold = DeadLettersOf::Activation("gold");
    let expected = [(1, "too_large".to_owned(), 1), (2, "too_large".to_owned(), 1)];
    assert_eq!(letters(&state, gold).await, expected, "twice in one publish is once");
    assert_eq!(letters(&state, DeadLettersOf::Publish(first.id)).await, expected);
    assert_eq!(state.refused_by(first.id).await.unwrap(), [("too_large".to_owned(), 2)]);

    let page = state.dead_letters(gold, 1, None).await.unwrap();
    assert_eq!(page[0].member, [1]);
    let rest = state.dead_letters(gold, 10, page.last()).await.unwrap();
    assert_eq!(rest.iter().map(|letter| letter.member[0]).collect::<Vec<_>>(), [2]);

    ended(&state, "gold", Status::Failed).await;
    assert_eq!(state.count_dead_letters("gold").await.unwrap(), 2, "a failed publish settles nothing");

    let second = state.queue(asked("gold")).await.unwrap();
    refuse(&state, second.id, &[refused(2, "invalid_value")]).await;
    settled(&state, &Receipt { status: Status::Partial, ..second }, Looked::AtAll).await;
    assert_eq!(letters(&state, gold).await, [(2, "invalid_value".to_owned(), 2)]);
    let long_ago = Utc::now() - chrono::TimeDelta::hours(1);
    assert_eq!(state.refused_running("gold", 3, long_ago).await.unwrap(), []);
    assert_eq!(state.refused_running("gold", 2, long_ago).await.unwrap()[0].sealed, [0xff, 2]);
    assert_eq!(state.refused_running("gold", 2, Utc::now()).await.unwrap(), [], "it is to be tried again");

    let third = state.queue(asked("gold")).await.unwrap();
    refuse(&state, third.id, &[refused(2, "quarantined"), refused(3, "too_large")]).await;
    settled(&state, &Receipt { status: Status::Partial, ..third }, Looked::AtAll).await;
    let expected = [(2, "invalid_value".to_owned(), 3), (3, "too_large".to_owned(), 1)];
    assert_eq!(letters(&state, gold).await, expected, "one that was not sent keeps its reason");

    let silver = state.queue(asked("silver")).await.unwrap();
    settled(&state, &Receipt { status: Status::Succeeded, ..silver }, Looked::AtAll).await;
    assert_eq!(state.count_dead_letters("gold").await.unwrap(), 2, "another activation settles nothing here");
    let one = state.queue(asked("gold")).await.unwrap();
    settled(&state, &Receipt { status: Status::Succeeded, ..one }, Looked::At(vec![vec![3]])).await;
    assert_eq!(letters(&state, gold).await, [(2, "invalid_value".to_owned(), 3)], "who was not looked at stays");
    let all = state.queue(asked("gold")).await.unwrap();
    settled(&state, &Receipt { status: Status::Succeeded, ..all }, Looked::AtAll).await;
    assert_eq!(state.count_dead_letters("gold").await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_answered_is_on_record_until_the_publish_ends() {
    let data_dir = tempfile::tempdir().unwrap();
    let state = open(data_dir.path()).await;
    let publish = state.queue(asked("gold")).await.unwrap();
    assert_eq!(state.answers(publish.id).await.unwrap(), Answers::default());
    state.advance(publish.id, None, Some((Op::Add, 9))).await.unwrap();
    refuse(&state, publish.id, &[refused(1, "too_large")]).await;
    state.advance(publish.id, None, Some((Op::Add, 12))).await.unwrap();
    state.advance(publish.id, None, Some((Op::Remove, 4))).await.unwrap();
    let answers = state.answers(publish.id).await.unwrap();
    assert_eq!(answers.ranges, [Range { done: 9, begun: 12 }, Range::default(), Range { done: 0, begun: 4 }]);
    assert_eq!(answers.refused[0].iter().copied().collect::<Vec<_>>(), [7]);
    settled(&state, &Receipt { status: Status::Failed, ..publish.clone() }, Looked::AtAll).await;
    assert_eq!(state.answers(publish.id).await.unwrap().ranges, Answers::default().ranges);
}
