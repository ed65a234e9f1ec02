//! Records that the target refuses: counted with a reason, on record, and sent again by themselves.

use std::collections::BTreeMap;

use herald::{
    config::OnDelete,
    publish::{DeadLetter, Outcome, Presence, PublishKind, Request, Status, Whom},
    state::DeadLettersOf,
};
use herald_destinations::{
    contract::{ErrorKind, Op},
    reference::{Mishap, Operation, Refusal},
};
use tokio_util::sync::CancellationToken;

use super::{ACTIVATION, World, request};

async fn letters(world: &World) -> Vec<DeadLetter> {
    let publisher = world.publisher().await;
    let mut letters = publisher.dead_letters(DeadLettersOf::Activation("a"), 100, None).await.unwrap().0;
    letters.sort_by(|one, other| one.member.cmp(&other.member));
    letters
}

#[tokio::test]
async fn refused_records_are_dead_letters_until_they_are_taken() {
    for whole in [false, true] {
        let world = World::new(ACTIVATION);
        world.lake(0..30, "one");
        let poison = |op: Op, member: &str| op == Op::Add && (member == "m007" || member == "m021");
        world.target.refuse(if whole { Refusal::whole(poison) } else { Refusal::named(poison) });
        let first = world.publish().await;
        assert_eq!((first.status, first.counts.delivered, first.counts.rejected), (Status::Partial, 28, 2), "{whole}");
        assert_eq!(first.rejected_by, [("refused".to_owned(), 2)].into());
        let dead = letters(&world).await;
        let seen: Vec<_> =
            dead.iter().map(|one| (one.member.as_str(), one.op.as_str(), one.count, one.publish)).collect();
        assert_eq!(seen, [("m007", "add", 1, first.id), ("m021", "add", 1, first.id)]);
        assert!(!world.held().contains_key("m007"));

        let second = world.publish().await;
        assert_eq!((second.status, second.counts.added, second.counts.unchanged), (Status::Partial, 2, 28));
        assert_eq!(letters(&world).await[0].count, 2);

        world.target.refuse(Refusal::Nobody);
        let third = world.publish().await;
        assert_eq!((third.status, third.counts.delivered), (Status::Succeeded, 2));
        assert_eq!(letters(&world).await, []);
        world.assert_holds(0..30, "one");
    }
}

#[tokio::test]
async fn a_refused_update_keeps_the_last_record_and_a_refused_removal_the_member() {
    let world = World::new(ACTIVATION);
    world.lake(0..10, "one");
    world.publish().await;
    world.lake(1..10, "two");
    world.target.refuse(Refusal::named(|_, member| member == "m000" || member == "m005"));
    let refused = world.publish().await;
    assert_eq!((refused.status, refused.counts.rejected, refused.counts.delivered), (Status::Partial, 2, 8));
    let held = world.held();
    assert_eq!((held["m000"].as_str(), held["m005"].as_str()), ("one", "one"));
    // The record goes back to what the target has: there is nothing left to update.
    let mut people: Vec<(String, String)> = (1..10).map(|n| (format!("m{n:03}"), "two".to_owned())).collect();
    people[4].1 = "one".into();
    world.people(&people);
    world.target.refuse(Refusal::Nobody);
    let next = world.publish().await;
    assert_eq!((next.status, next.counts.removed, next.counts.unchanged), (Status::Succeeded, 1, 9));
    assert_eq!(letters(&world).await, []);
}

#[tokio::test]
async fn a_record_refused_again_and_again_is_held_back_until_it_changes_or_is_asked_for() {
    let world = World::new(ACTIVATION);
    world.lake(0..5, "one");
    world.target.refuse(Refusal::named(|_, member| member == "m003"));
    for count in 1..=10 {
        let receipt = world.publish().await;
        assert_eq!((receipt.status, receipt.rejected_by["refused"]), (Status::Partial, 1));
        assert_eq!(letters(&world).await[0].count, count);
    }
    let quarantined = world.publish().await;
    assert_eq!((quarantined.status, quarantined.counts.rejected), (Status::Partial, 1));
    assert_eq!(quarantined.rejected_by, [("quarantined".to_owned(), 1)].into());
    let letter = &letters(&world).await[0];
    assert!(letter.quarantined);
    assert_eq!((letter.code.as_str(), letter.count), ("refused", 11), "the reason that it was refused for stays");
    world.target.refuse(Refusal::Nobody);
    assert_eq!(world.publish().await.counts.rejected, 1, "the same record is still held back");
    let retry = world.publisher().await.retry(letters(&world).await[0].publish).await.unwrap();
    world.target.refuse(Refusal::named(|_, member| member == "m003"));
    assert_eq!(world.try_publish(&retry).await.unwrap().rejected_by, [("refused".to_owned(), 1)].into());
    world.target.refuse(Refusal::Nobody);
    world.lake(0..5, "two");
    assert_eq!(world.publish().await.status, Status::Succeeded);
    world.assert_holds(0..5, "two");
    assert_eq!(letters(&world).await, []);
}

#[tokio::test]
async fn a_target_that_refuses_every_record_alone_is_not_asked_for_each() {
    let world = World::new(ACTIVATION);
    world.lake(0..200, "one");
    world.target.refuse(Refusal::whole(|_, _| true));
    let receipt = world.publish().await;
    assert_eq!((receipt.status, receipt.counts.delivered, receipt.counts.rejected), (Status::Failed, 0, 15));
    assert_eq!(receipt.error.unwrap().code, "target_refused");
}

#[tokio::test]
async fn no_member_stands_in_the_state_in_readable_form() {
    let world = World::new(ACTIVATION);
    world.people(&[("canary@example.com".to_owned(), "x".to_owned())]);
    world.target.refuse(Refusal::named(|_, _| true));
    let receipt = world.publish().await;
    assert_eq!(receipt.counts.rejected, 1);
    assert_eq!(letters(&world).await[0].member, "canary@example.com");
    for path in crate::support::files(&world.home.path("herald-data")) {
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(6).any(|window| window == b"canary");
        assert!(!found, "a member's key stands in {}", path.display());
    }
}

#[tokio::test]
async fn dead_letters_can_be_tried_again_by_name_and_those_who_left_are_dropped() {
    let world = World::new(ACTIVATION);
    world.lake(0..30, "one");
    world.target.refuse(Refusal::named(|_, member| ["m003", "m004", "m005"].contains(&member)));
    let first = world.publish().await;
    assert_eq!(first.counts.rejected, 3);
    world.target.refuse(Refusal::named(|_, member| member == "m003"));
    // One of them left, everybody else changed.
    world.lake(0..5, "two");
    let before = world.target.log().len();
    let request = world.publisher().await.retry(first.id).await.unwrap();
    let retried = world.try_publish(&request).await.unwrap();
    assert_eq!((retried.kind, retried.status), (PublishKind::Retry, Status::Partial));
    assert_eq!((retried.counts.resolved, retried.counts.added, retried.counts.delivered), (3, 2, 1));
    assert_eq!(retried.suppressed_by, [("no_member".to_owned(), 1)].into());
    assert_eq!(world.since(before).len(), 1, "nobody else is touched");
    let dead = letters(&world).await;
    assert_eq!(dead.iter().map(|one| (one.member.as_str(), one.count)).collect::<Vec<_>>(), [("m003", 2)]);
    assert!(world.publisher().await.retry(first.id).await.is_err(), "a later publish settled the rest");
    let snapshot = world.publisher().await.state().snapshot("a").await.unwrap().unwrap();
    assert_eq!(snapshot.rows, 28);
}

#[tokio::test]
async fn a_publish_of_named_members_touches_nobody_else() {
    let world = World::new(ACTIVATION);
    world.lake(0..20, "one");
    world.publish().await;
    world.lake(5..25, "two");
    let named = Request {
        whom: Whom::Named(["m002", "m010", "m022", "m099"].map(str::to_owned).into()),
        kind: PublishKind::Rapid,
        ..request()
    };
    let before = world.target.log().len();
    let receipt = world.try_publish(&named).await.unwrap();
    assert_eq!((receipt.counts.added, receipt.counts.updated, receipt.counts.removed), (1, 1, 1));
    assert_eq!(world.since(before).len(), 3);
    let snapshot = world.publisher().await.state().snapshot("a").await.unwrap().unwrap();
    assert_eq!(snapshot.rows, 20);
    let rest = world.publish().await;
    assert_eq!((rest.counts.added, rest.counts.updated, rest.counts.removed, rest.counts.unchanged), (4, 14, 4, 2));
    world.assert_holds(5..25, "two");
    let full = Request { full: true, ..named };
    assert!(world.try_publish(&full).await.is_err(), "a full publish of some members would drop all others");
}

#[tokio::test]
async fn a_member_who_is_perhaps_there_counts_once_when_it_is_named() {
    let world = World::new(&ACTIVATION.replace("min_members: 0", "min_members: 0, max_members: 5"));
    world.lake(0..5, "one");
    world.script.at(Operation::Write, 1, Mishap::After(ErrorKind::TimedOut));
    assert_eq!(world.publish().await.counts.owed, 5);
    let named = Request { whom: Whom::Named(vec!["m002".to_owned()]), ..request() };
    let receipt = world.try_publish(&named).await.unwrap();
    assert_eq!((receipt.status, receipt.counts.added), (Status::Succeeded, 1), "{:?}", receipt.error);
}

#[tokio::test]
async fn an_explanation_says_who_is_refused_and_who_is_perhaps_there() {
    let world = World::new(ACTIVATION);
    world.lake(0..20, "one");
    world.target.refuse(Refusal::named(|_, member| member == "m003"));
    world.script.at(Operation::Write, 2, Mishap::After(ErrorKind::TimedOut));
    let receipt = world.publish().await;
    assert_eq!((receipt.counts.owed, receipt.counts.delivered + receipt.counts.rejected), (10, 10));
    let publisher = world.publisher().await;
    let never = CancellationToken::new();
    let mut held = BTreeMap::new();
    for number in 0..20 {
        let key = format!("m{number:03}");
        let explained = publisher.explain("a", &key, &never).await.unwrap();
        let last = explained.steps.last().unwrap();
        if last.outcome == Outcome::Rejected {
            assert_eq!((key.as_str(), explained.held), ("m003", Presence::No));
            assert!(last.detail.starts_with("its `add` was refused once since 20"), "{}", last.detail);
            assert!(last.detail.contains(&format!("last in publish {}: refused: ", receipt.id)), "{}", last.detail);
        }
        *held.entry(format!("{:?}", explained.held)).or_insert(0) += 1;
    }
    let refused = receipt.counts.rejected as i32;
    let expected = [("No", refused), ("Perhaps", 10), ("Yes", 10 - refused)];
    assert_eq!(
        held,
        expected.map(|(word, count)| (word.to_owned(), count)).into_iter().filter(|(_, n)| *n > 0).collect()
    );
}

#[tokio::test]
async fn a_purge_finds_the_members_that_a_target_refuses_without_naming_them() {
    let world = World::new(ACTIVATION);
    world.lake(0..40, "one");
    world.publish().await;
    world.target.refuse(Refusal::whole(|_, member| member == "m013"));
    let stopped = world.publisher().await.delete("a", Some(OnDelete::Purge)).await.unwrap();
    assert_eq!((stopped.counts.delivered, stopped.counts.rejected, stopped.counts.owed), (39, 1, 0));
    assert_eq!(world.held().into_keys().collect::<Vec<_>>(), ["m013"]);
    world.target.refuse(Refusal::Nobody);
    let done = world.publisher().await.delete("a", Some(OnDelete::Purge)).await.unwrap();
    assert_eq!(done.status, Status::Succeeded);
    assert_eq!(world.held(), [].into());
}

#[tokio::test]
async fn many_records_that_are_known_to_be_refused_do_not_fail_a_publish() {
    let world = World::new(ACTIVATION);
    world.lake(0..100, "one");
    world.target.refuse(Refusal::whole(|_, member| member < "m030"));
    let first = world.publish().await;
    if first.status == Status::Failed {
        // The first records sent happened to be those: it is tried again with others before them.
        assert_eq!(first.error.as_ref().unwrap().code, "target_refused");
    }
    world.target.refuse(Refusal::whole(|_, member| member < "m010"));
    world.publish().await;
    world.target.refuse(Refusal::whole(|_, member| member < "m030"));
    world.lake(0..130, "one");
    let more = world.publish().await;
    assert_eq!((more.status, more.counts.delivered), (Status::Partial, 30));
    world.target.refuse(Refusal::whole(|_, _| true));
    let rest = world.publish().await;
    assert_eq!((rest.status, rest.counts.rejected, rest.counts.delivered), (Status::Partial, 10, 0));
}
