//! What was acknowledged counts, what was not comes again, what nobody knows is treated as perhaps there.

use herald::{
    config::OnDelete,
    publish::{Request, Silent, Status},
};
use herald_destinations::{
    contract::{ErrorKind, Op},
    reference::{Mishap, Operation, Refusal},
};
use tokio_util::sync::CancellationToken;

use super::{ACTIVATION, World, assert_conserved, only, ops, request};

#[tokio::test]
async fn a_target_is_told_who_comes_changes_leaves_and_returns() {
    let world = World::new(ACTIVATION);
    world.lake(0..25, "one");
    let first = world.publish().await;
    assert_eq!((first.status, first.counts.added, first.counts.delivered), (Status::Succeeded, 25, 25));
    world.assert_holds(0..25, "one");
    assert!(world.target.log().iter().all(|one| one.returning == Some(false)));
    let batches = world.target.log().iter().map(|one| one.batch).max();
    assert_eq!(batches, Some(2), "batches are filled over the borders of buckets");

    let before = world.target.log().len();
    let same = world.publish().await;
    assert_eq!((same.status, same.counts.unchanged), (Status::Succeeded, 25));
    assert_eq!(world.since(before), []);

    world.lake(5..25, "two");
    let second = world.publish().await;
    assert_eq!((second.counts.updated, second.counts.removed), (20, 5));
    let news = world.since(before);
    assert_eq!(ops(&news), [("remove", 5), ("update", 20)].into());
    for one in news.iter().filter(|one| one.op == Op::Update) {
        assert_eq!(one.changed.as_deref(), Some(&["name".to_owned()][..]), "only the name changed");
    }

    let before = world.target.log().len();
    world.lake(3..26, "two");
    let third = world.publish().await;
    assert_eq!((third.counts.added, third.counts.unchanged), (3, 20));
    let returning: Vec<(String, bool)> =
        world.since(before).into_iter().map(|one| (one.member, one.returning.unwrap())).collect();
    assert_eq!(returning, [("m003".into(), true), ("m004".into(), true), ("m025".into(), false)]);
    world.assert_holds(3..26, "two");
}

#[tokio::test]
async fn a_full_publish_sends_everybody_again_and_removes_the_leavers() {
    let world = World::new(ACTIVATION);
    world.lake(0..12, "one");
    world.publish().await;
    world.lake(2..14, "one");
    world.target.unset("m005");
    let before = world.target.log().len();
    let full = world.try_publish(&Request { full: true, ..request() }).await.unwrap();
    assert_eq!((full.counts.added, full.counts.updated, full.counts.removed, full.counts.unchanged), (2, 10, 2, 0));
    assert_eq!(ops(&world.since(before)), [("add", 2), ("remove", 2), ("update", 10)].into());
    world.assert_holds(2..14, "one");
}

#[tokio::test]
async fn a_publish_that_stops_halfway_keeps_what_was_acknowledged_and_owes_the_rest() {
    let world = World::new(ACTIVATION);
    world.lake(0..35, "one");
    world.script.at(Operation::Write, 3, Mishap::Before(ErrorKind::Unauthorized));
    let stopped = world.publish().await;
    assert_eq!(stopped.status, Status::Failed);
    assert_eq!((stopped.counts.delivered, stopped.counts.owed), (20, 15));
    assert_eq!(stopped.error.as_ref().unwrap().code, "target_unauthorized");
    let before = world.target.log().len();
    let next = world.publish().await;
    assert_eq!((next.counts.unchanged, next.counts.added, next.counts.delivered), (20, 15, 15));
    assert_eq!(world.since(before).len(), 15, "what was acknowledged is not sent again");
    world.assert_holds(0..35, "one");
}

#[tokio::test]
async fn records_of_unknown_fate_are_sent_or_removed_again() {
    for mishap in [
        Mishap::After(ErrorKind::TimedOut),
        Mishap::Before(ErrorKind::Unreachable),
        Mishap::Cut(ErrorKind::Unreachable),
    ] {
        let world = World::new(ACTIVATION);
        world.lake(0..20, "one");
        world.script.at(Operation::Write, 2, mishap);
        let stopped = world.publish().await;
        assert_eq!((stopped.status, stopped.counts.delivered, stopped.counts.owed), (Status::Failed, 10, 10));
        // All whose fate is not known leave: they must be removed, though nobody ever acknowledged them.
        world.lake(0..10, "one");
        let first: Vec<String> = world.target.log()[..10].iter().map(|one| one.member.clone()).collect();
        let perhaps: Vec<String> =
            (0..20).map(|number| format!("m{number:03}")).filter(|m| !first.contains(m)).collect();
        let kept: Vec<(String, String)> = first.iter().map(|member| (member.clone(), "one".to_owned())).collect();
        world.people(&kept);
        let before = world.target.log().len();
        let next = world.publish().await;
        assert_eq!(
            (next.status, next.counts.removed, next.counts.unchanged),
            (Status::Succeeded, 10, 10),
            "{mishap:?}"
        );
        let mut removed = only(&world.since(before), Op::Remove).iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
        removed.sort();
        assert_eq!(removed, perhaps);
        assert_eq!(world.held().into_keys().collect::<Vec<_>>(), {
            let mut first = first;
            first.sort();
            first
        });
    }
}

#[tokio::test]
async fn updates_and_removals_of_unknown_fate_come_again() {
    let world = World::new(ACTIVATION);
    world.lake(0..10, "one");
    world.publish().await;
    world.lake(0..6, "two");
    // One batch of six updates, then one of four removals.
    world.script.at(Operation::Write, 1, Mishap::After(ErrorKind::Unavailable));
    let stopped = world.publish().await;
    assert_eq!((stopped.status, stopped.counts.owed), (Status::Failed, 10));
    // Back to what was: records that look as they did before must be sent all the same.
    world.lake(0..6, "one");
    world.script.at(Operation::Write, 2, Mishap::After(ErrorKind::Unavailable));
    let again = world.publish().await;
    assert_eq!((again.counts.updated, again.counts.removed, again.counts.delivered), (6, 4, 6));
    world.assert_holds(0..6, "one");
    // The removals arrived, and nobody knows: who returns is added, who does not is removed once more.
    world.lake(0..8, "one");
    let before = world.target.log().len();
    let last = world.publish().await;
    assert_eq!(
        (last.status, last.counts.added, last.counts.removed, last.counts.unchanged),
        (Status::Succeeded, 2, 2, 6)
    );
    assert_eq!(ops(&world.since(before)), [("add", 2), ("remove", 2)].into());
    world.assert_holds(0..8, "one");
    assert_eq!(world.publish().await.counts.unchanged, 8);
}

#[tokio::test]
async fn a_guard_stops_a_publish_before_the_first_byte_leaves() {
    let world = World::new(&ACTIVATION.replace("max_removed: 100%", "max_removed: 20%"));
    world.lake(0..50, "one");
    world.publish().await;
    let before = world.target.log().len();
    world.lake(20..60, "two");
    let blocked = world.publish().await;
    assert_eq!(blocked.status, Status::Blocked);
    assert_eq!(blocked.error.as_ref().unwrap().code, "guard_max_removed");
    assert_eq!(blocked.counts.owed, 40 + 20);
    assert_eq!(world.since(before), []);
    let reason = Some("the list was cleaned".to_owned());
    let passed = world.try_publish(&Request { override_reason: reason.clone(), ..request() }).await.unwrap();
    assert_eq!((passed.status, passed.override_reason), (Status::Succeeded, reason));
    world.assert_holds(20..60, "two");
}

#[tokio::test]
async fn what_send_leaves_out_is_not_sent_and_not_acknowledged() {
    let world = World::new(&format!("{ACTIVATION}    send: [add, remove]\n"));
    world.lake(0..10, "one");
    world.publish().await;
    world.lake(2..12, "two");
    let second = world.publish().await;
    assert_eq!((second.counts.added, second.counts.updated, second.counts.removed), (2, 0, 2));
    assert_eq!(second.withheld, [("update".to_owned(), 8)].into());
    assert_eq!(world.held()["m005"], "one");
}

#[tokio::test]
async fn a_dead_target_leaves_the_snapshot_as_it_was() {
    let world = World::new(ACTIVATION);
    world.lake(0..5, "one");
    world.script.next(Operation::Begin, 3, Mishap::Before(ErrorKind::Unreachable));
    for _ in 0..3 {
        let failed = world.publish().await;
        assert_eq!((failed.status, failed.counts.owed), (Status::Failed, 5));
        assert!(failed.error.unwrap().retryable);
    }
    assert_eq!(world.publisher().await.state().snapshot("a").await.unwrap(), None);
    assert_eq!(world.publish().await.counts.delivered, 5);
}

#[tokio::test]
async fn a_purge_takes_every_member_back_and_goes_on_where_it_stopped() {
    let world = World::new(ACTIVATION);
    world.lake(0..25, "one");
    // The last batch may have arrived: its members are taken back, too.
    world.script.at(Operation::Write, 3, Mishap::After(ErrorKind::TimedOut));
    world.publish().await;
    let plan = world.publisher().await.plan_delete("a", Some(OnDelete::Purge)).await.unwrap();
    assert_eq!((plan.data, plan.members), ("purge", 25));
    world.script.at(Operation::Write, 2, Mishap::Before(ErrorKind::Unreachable));
    let stopped = world.publisher().await.delete("a", Some(OnDelete::Purge)).await.unwrap();
    assert_eq!((stopped.status, stopped.counts.delivered, stopped.counts.owed), (Status::Failed, 10, 15));
    // The source is gone by now: what is held is known without it.
    std::fs::remove_dir_all(world.home.path("lake")).unwrap();
    let done = world.publisher().await.delete("a", Some(OnDelete::Purge)).await.unwrap();
    assert_eq!((done.status, done.counts.removed, done.counts.delivered), (Status::Succeeded, 25, 25));
    assert_eq!(world.held(), [].into());
    assert_eq!(world.publisher().await.state().snapshot("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_keep_leaves_the_members_and_forgets_the_snapshot() {
    let world = World::new(ACTIVATION);
    world.lake(0..5, "one");
    world.publish().await;
    let done = world.publisher().await.delete("a", Some(OnDelete::Keep)).await.unwrap();
    assert_eq!((done.status, done.counts.removed), (Status::Succeeded, 0));
    world.assert_holds(0..5, "one");
    assert_eq!(world.publisher().await.state().snapshot("a").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_not_taken_back_wholly_does_not_live_again() {
    let world = World::new(ACTIVATION);
    world.lake(0..25, "one");
    world.publish().await;
    world.script.at(Operation::Write, 2, Mishap::Before(ErrorKind::Unreachable));
    let stopped = world.publisher().await.delete("a", Some(OnDelete::Purge)).await.unwrap();
    assert_eq!((stopped.status, world.held().len()), (Status::Failed, 15));
    let error = world.publisher().await.recreate("a").await.unwrap_err().to_string();
    assert!(error.starts_with("deleting: `a` is being deleted"), "{error}");
    world.publisher().await.delete("a", Some(OnDelete::Keep)).await.unwrap();
    world.publisher().await.recreate("a").await.unwrap();
    assert_eq!(world.publish().await.counts.added, 25, "all are added, whoever was taken back");
    world.assert_holds(0..25, "one");
}

#[tokio::test]
async fn who_returns_returns_still_after_an_add_without_an_answer() {
    let world = World::new(ACTIVATION);
    world.lake(0..4, "one");
    world.publish().await;
    world.lake(1..4, "one");
    world.publish().await;
    world.lake(0..5, "one");
    world.script.at(Operation::Write, 1, Mishap::Before(ErrorKind::TimedOut));
    assert_eq!(world.publish().await.status, Status::Failed);
    let before = world.target.log().len();
    world.publish().await;
    let told: Vec<(String, Option<bool>)> =
        world.since(before).into_iter().map(|one| (one.member, one.returning)).collect();
    assert_eq!(told, [("m000".into(), Some(true)), ("m004".into(), Some(false))]);
}

#[tokio::test]
async fn a_purge_that_stops_after_refusals_names_their_reason() {
    let world = World::new(ACTIVATION);
    world.lake(0..25, "one");
    world.publish().await;
    world.target.refuse(Refusal::named(|op, _| op == Op::Remove));
    world.script.at(Operation::Write, 2, Mishap::Before(ErrorKind::Unreachable));
    let stopped = world.publisher().await.delete("a", Some(OnDelete::Purge)).await.unwrap();
    assert_eq!((stopped.status, stopped.counts.rejected, stopped.counts.owed), (Status::Failed, 10, 15));
    assert_conserved(&stopped);
}

#[tokio::test]
async fn a_purge_that_is_stopped_sends_no_more_and_goes_on_without_a_word() {
    let world = World::new(ACTIVATION);
    world.lake(0..25, "one");
    world.publish().await;
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = world.publisher().await.tear_down("a", Some(OnDelete::Purge), &Silent, &stop).await.unwrap();
    assert_eq!((stopped.status, stopped.counts.delivered, world.held().len()), (Status::Cancelled, 0, 25));
    assert_conserved(&stopped);
    let done = world.publisher().await.delete("a", None).await.unwrap();
    assert_eq!((done.status, done.counts.delivered, world.held().len()), (Status::Succeeded, 25, 0));
}

#[tokio::test]
async fn a_delete_stops_a_publish_that_runs_and_takes_back_what_it_sent() {
    let world = World::new(ACTIVATION);
    world.lake(0..25, "one");
    world.script.at(Operation::Write, 2, Mishap::Hang);
    let (publishing, deleting) = (world.publisher().await, world.publisher().await);
    let (request, never) = (request(), CancellationToken::new());
    let (published, deleted) = tokio::join!(publishing.publish(&request, &Silent, &never), async {
        while world.held().is_empty() {
            tokio::task::yield_now().await;
        }
        deleting.delete("a", Some(OnDelete::Purge)).await
    });
    assert_eq!(published.unwrap().status, Status::Cancelled);
    assert_eq!(deleted.unwrap().status, Status::Succeeded);
    assert_eq!(world.held(), [].into());
    let error = world.try_publish(&request).await.unwrap_err().to_string();
    assert!(error.contains("deleted"), "{error}");
}
