//! What somebody asked for, when the process that was to do it dies.

use herald::{
    control::Trigger,
    publish::{PublishKind, Receipt, Request, Silent, Status, Whom, crash},
    state::{Filter, NewPublish},
};
use herald_destinations::contract::Mode;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Live, home, ops, people, until, with};

fn rapid(members: &[&str]) -> Trigger {
    Trigger { rapid: true, members: members.iter().map(|member| (*member).to_owned()).collect(), ..Trigger::default() }
}

fn named(members: &[&str], receipt: Option<Uuid>) -> Request {
    Request {
        activation: "a".into(),
        kind: PublishKind::Rapid,
        full: false,
        whom: Whom::Named(members.iter().map(|member| (*member).to_owned()).collect()),
        override_reason: None,
        receipt,
        wait: true,
        unattended: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_up_and_not_begun_waits_again_after_a_start() {
    let home = home(&[("a", "")]);
    let idle = Live::idle(&home).await;
    let asked = idle.control.trigger(&ops(), "a", rapid(&["3"]), None).await.unwrap();
    assert!(idle.state().take(asked.id).await.unwrap().is_some());
    assert_eq!(idle.state().waiting().await.unwrap().len(), 0);
    assert!(idle.state().take(asked.id).await.unwrap().is_none(), "two would have run it");
    idle.end().await;

    let live = Live::start(&home).await;
    let ran = live.ended(asked.id).await;
    assert_eq!((ran.status, ran.counts.added), (Status::Succeeded, 1), "{ran:?}");
    live.end().await;
    assert_eq!(home.held().into_keys().collect::<Vec<_>>(), ["3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_died_while_it_ran_waits_again_with_the_same_members() {
    for moment in ["queued", "spooled", "sealed"] {
        let home = home(&[("a", "")]);
        let idle = Live::idle(&home).await;
        let asked = idle.control.trigger(&ops(), "a", rapid(&["3", "4"]), None).await.unwrap();
        assert!(idle.state().take(asked.id).await.unwrap().is_some());
        let (publisher, request) = (idle.control.publisher(), named(&["3", "4"], Some(asked.id)));
        let never = CancellationToken::new();
        let ran = crash::cut(moment, 1, Box::pin(publisher.publish(&request, &Silent, &never))).await;
        assert!(ran.is_none(), "{moment} was not reached");
        idle.end().await;

        let live = Live::start(&home).await;
        let died = live.ended(asked.id).await;
        assert_eq!(died.status, Status::Failed, "{moment}: {died:?}");
        let state = live.state();
        let again = until("it is asked for again", async || {
            let all = Filter { activation: Some("a".to_owned()), limit: 9, ..Filter::default() };
            let is_new = |one: &Receipt| one.kind == PublishKind::Rapid && one.id != asked.id;
            state.receipts(all).await.unwrap().into_iter().find(is_new)
        })
        .await;
        let again = live.ended(again.id).await;
        assert_eq!((again.status, again.kind), (Status::Succeeded, PublishKind::Rapid), "{moment}: {again:?}");
        assert!(again.sequence > died.sequence, "{moment}");
        live.end().await;
        assert_eq!(home.held().into_keys().collect::<Vec<_>>(), ["3", "4"], "{moment}");
    }
}

/// A trigger puts the new name on record before its first publish: that must not look like a past of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_that_waits_does_not_keep_a_renamed_activation_from_its_former_snapshot() {
    let home = home(&[("a", "")]);
    home.publish(&["a"]);
    people(&home, 20, 1);
    home.configure(&with("watch: false", &[("b", "was: a")]));
    let mut live = Live::idle(&home).await;
    let asked = live.control.trigger(&ops(), "b", rapid(&["7"]), None).await.unwrap();
    live.run();
    let ran = live.ended(asked.id).await;
    assert_eq!((ran.status, ran.counts.updated, ran.counts.added), (Status::Succeeded, 1, 0), "{ran:?}");
    assert_eq!(ran.sequence, 2, "sequences go on");
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_that_wait_move_past_a_sequence_that_was_given_out_before_the_state_was_lost() {
    let home = home(&[("a", "")]);
    let live = Live::idle(&home).await;
    let state = live.state();
    let waits = live.control.trigger(&ops(), "a", rapid(&["7"]), None).await.unwrap();
    let new = NewPublish {
        activation: "a".to_owned(),
        segment: "everyone".to_owned(),
        target: "out".to_owned(),
        kind: PublishKind::Manual,
        mode: Mode::Incremental,
        queued_at: chrono::Utc::now(),
        override_reason: None,
    };
    let mut runs = state.queue(new.clone()).await.unwrap();
    assert_eq!(runs.sequence, 1);
    state.renumber(&mut runs, 10).await.unwrap();
    assert_eq!(runs.sequence, 11);
    assert_eq!(state.receipt(runs.id).await.unwrap().unwrap().sequence, 11);
    assert_eq!(state.receipt(waits.id).await.unwrap().unwrap().sequence, 12);
    runs.status = Status::Succeeded;
    state.finish(&runs).await.unwrap();
    let begun = state.begin_waiting(waits.id, &new).await.unwrap().unwrap();
    assert_eq!((begun.sequence, begun.mode), (12, Mode::Incremental));
    live.end().await;
}
