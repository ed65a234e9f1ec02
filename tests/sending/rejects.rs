//! Records that the target refuses: counted with a reason, on record, and sent again by themselves.

use herald::{
    publish::{DeadLetter, Status},
    state::DeadLettersOf,
};
use herald_destinations::{contract::Op, reference::Refusal};

use super::{ACTIVATION, World};

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
async fn a_record_refused_again_and_again_is_not_sent_until_it_changes() {
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
