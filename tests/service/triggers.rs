//! Triggers: on record before they are answered, folded while they wait, none lost.

use std::time::Instant;

use herald::{
    control::{Idempotency, Refused, Trigger},
    publish::{PublishKind, Request, Silent, Status, Whom},
};
use tokio_util::sync::CancellationToken;

use super::{Live, audit, home, ops, people};

fn rapid(members: &[&str]) -> Trigger {
    Trigger { rapid: true, members: members.iter().map(|member| (*member).to_owned()).collect(), ..Trigger::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_triggers_at_once_are_few_publishes_and_each_member_arrives() {
    let home = home(&[("a", "")]);
    people(&home, 10_000, 0);
    let live = Live::start(&home).await;
    let first = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    assert_eq!(live.ended(first.id).await.counts.added, 10_000);
    people(&home, 10_000, 1);

    let asked = Instant::now();
    let mut asks = tokio::task::JoinSet::new();
    for number in 0..10_000 {
        let control = live.control.clone();
        asks.spawn(async move {
            let trigger = Trigger { rapid: true, members: vec![number.to_string()], ..Trigger::default() };
            control.trigger(&ops(), "a", trigger, None).await.unwrap().id
        });
    }
    let mut ids: Vec<_> = asks.join_all().await;
    let took = asked.elapsed();
    ids.sort_unstable();
    ids.dedup();
    let mut updated = 0;
    for id in &ids {
        let receipt = live.ended(*id).await;
        assert_eq!((receipt.kind, receipt.status), (PublishKind::Rapid, Status::Succeeded), "{receipt:?}");
        updated += receipt.counts.updated;
    }
    assert_eq!(updated, 10_000);
    assert!(ids.len() <= 100, "{} publishes", ids.len());
    assert!(took.as_secs() < 20, "10,000 triggers took {took:?} to be put on record");
    live.end().await;
    assert!(home.held().values().all(|record| record["name"].ends_with(" 1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_for_outlives_the_process_and_those_that_wait_are_one() {
    let home = home(&[("a", "")]);
    let idle = Live::idle(&home).await;
    let first = idle.control.trigger(&ops(), "a", rapid(&["3"]), None).await.unwrap();
    assert_eq!((first.status, first.kind, first.sequence), (Status::Queued, PublishKind::Rapid, 1));
    let second = idle.control.trigger(&ops(), "a", rapid(&["4", "5"]), None).await.unwrap();
    let by_hand = idle.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    assert_eq!(first.id, second.id, "one stands for both");
    assert_ne!(first.id, by_hand.id, "one of another kind does not");
    idle.end().await;

    let live = Live::start(&home).await;
    let (some, all) = (live.ended(first.id).await, live.ended(by_hand.id).await);
    assert_eq!((some.status, all.status), (Status::Succeeded, Status::Succeeded), "{some:?}");
    assert_eq!(some.counts.added + all.counts.added, 20);
    live.end().await;
    assert_eq!(home.held().len(), 20);
}

/// A publish that somebody else begins meanwhile comes before those that wait: consumers apply manifests by sequence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_are_in_the_order_in_which_publishes_run() {
    let home = home(&[("a", "")]);
    let mut live = Live::idle(&home).await;
    let waits = live.control.trigger(&ops(), "a", rapid(&["7"]), None).await.unwrap();
    assert_eq!(waits.sequence, 1);
    let request = Request {
        activation: "a".into(),
        kind: PublishKind::Manual,
        full: false,
        whom: Whom::Everybody,
        override_reason: None,
        receipt: None,
        wait: true,
        unattended: false,
    };
    let before = live.control.publisher().publish(&request, &Silent, &CancellationToken::new()).await.unwrap();
    assert_eq!((before.sequence, before.status), (1, Status::Succeeded));
    let waits = live.state().receipt(waits.id).await.unwrap().unwrap();
    assert_eq!((waits.sequence, waits.status), (2, Status::Queued));
    people(&home, 20, 1);
    live.run();
    let ran = live.ended(waits.id).await;
    assert_eq!((ran.sequence, ran.counts.updated), (2, 1));
    let newest = live.state().last("a").await.unwrap().unwrap();
    assert_eq!(newest.id, ran.id, "it ran last, whenever it was asked for");
    live.end().await;
    assert_eq!(home.held()["7"]["name"], "7 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_sent_again_gets_the_same_publish_and_stands_for_one_request() {
    let home = home(&[("a", "")]);
    let mut live = Live::idle(&home).await;
    let key = |request| Some(Idempotency { key: "k".to_owned(), request: [request; 32] });
    let caller = ops();
    let ask = |request| live.control.trigger(&caller, "a", rapid(&["1"]), key(request));
    let first = ask(1).await.unwrap();
    assert_eq!(ask(1).await.unwrap().id, first.id);
    assert_eq!(ask(2).await.unwrap_err().code, "idempotency_key_reused");
    let another = herald::control::Caller::machine("somebody else");
    let other = live.control.trigger(&another, "a", rapid(&["2"]), key(2)).await;
    assert!(other.is_ok(), "keys are each caller's own: {other:?}");
    live.run();
    live.ended(first.id).await;
    let live = live;
    let again = live.control.trigger(&ops(), "a", rapid(&["1"]), key(1)).await.unwrap();
    assert_eq!((again.id, again.status), (first.id, Status::Succeeded), "after it ended, too");
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_can_be_cancelled_and_what_has_ended_can_not() {
    let home = home(&[("a", ""), ("whole", "mode: full")]);
    let mut live = Live::idle(&home).await;
    let waits = live.control.trigger(&ops(), "a", rapid(&["1"]), None).await.unwrap();
    let cancelled = live.control.cancel(&ops(), waits.id).await.unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    assert_eq!(live.control.cancel(&ops(), waits.id).await.unwrap(), cancelled, "asked twice is asked once");
    let next = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    live.run();
    assert_eq!(live.ended(next.id).await.counts.added, 20);
    let refused = live.control.cancel(&ops(), next.id).await.unwrap_err();
    assert_eq!((refused.refused, refused.code.as_str()), (Refused::Conflict, "ended"));
    for (activation, trigger, expected) in [
        ("nobody", Trigger::default(), Refused::Unknown),
        ("whole", rapid(&[]), Refused::Unfit),
        ("whole", Trigger { members: vec!["1".to_owned()], ..Trigger::default() }, Refused::Unfit),
        ("a", Trigger { full: true, ..rapid(&[]) }, Refused::Unfit),
    ] {
        let refusal = live.control.trigger(&ops(), activation, trigger, None).await.unwrap_err();
        assert_eq!(refusal.refused, expected, "{refusal:?}");
    }
    let unknown = live.control.cancel(&ops(), uuid::Uuid::nil()).await.unwrap_err();
    assert_eq!(unknown.refused, Refused::Unknown);
    let audit = audit(&live).await;
    let did = |what: &str| audit.iter().filter(|line| line.1 == what && line.0 == "ops").count();
    assert_eq!((did("publish"), did("cancel")), (2, 1), "{audit:?}");
    live.end().await;
}

/// One that runs stops at the next batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_cancelled_and_leaves_nothing() {
    let home = home(&[("a", "")]);
    people(&home, 400_000, 0);
    let live = Live::start(&home).await;
    let asked = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    super::until("it runs", async || {
        let receipt = live.state().receipt(asked.id).await.unwrap().unwrap();
        (receipt.status == Status::Running).then_some(())
    })
    .await;
    live.control.cancel(&ops(), asked.id).await.unwrap();
    let ended = live.ended(asked.id).await;
    assert_eq!((ended.status, ended.counts.delivered), (Status::Cancelled, 0));
    live.end().await;
    assert!(home.held().is_empty());
}
