//! Cut at every named moment, a publish to a target that shows members as they arrive forgets nobody.

use herald::publish::{PublishKind, Silent, Status, crash};
use herald_destinations::{contract::Op, reference::Refusal};
use tokio_util::sync::CancellationToken;

use super::{ACTIVATION, World, assert_conserved, request};

#[tokio::test]
async fn a_publish_whose_process_died_has_failed_and_was_not_cancelled() {
    for moment in ["spooled", "sending_stored", "batch_begun", "batch_sent"] {
        let world = World::new(ACTIVATION);
        world.lake(0..30, "one");
        assert!(cut(&world, moment, 1).await);
        world.publish().await;
        let publisher = world.publisher().await;
        let receipts = publisher.state().receipts(herald::state::Filter::default()).await.unwrap();
        let died = receipts.iter().find(|receipt| receipt.sequence == 1).unwrap();
        let code = died.error.as_ref().map(|error| error.code.as_str());
        assert_eq!((died.status, code), (Status::Failed, Some("interrupted")), "{moment}");
    }
}

/// Cuts a publish at a moment. Whether it came by.
async fn cut(world: &World, moment: &str, time: u32) -> bool {
    let publisher = world.publisher().await;
    let (request, never) = (request(), CancellationToken::new());
    crash::cut(moment, time, Box::pin(publisher.publish(&request, &Silent, &never))).await.is_none()
}

#[tokio::test]
async fn cut_at_every_moment_everybody_is_delivered_removed_or_owed() {
    let mut cuts = 0;
    for moment in crash::MOMENTS {
        for time in [1, 2, 3] {
            let world = World::new(ACTIVATION);
            world.lake(0..30, "one");
            world.publish().await;
            world.lake(10..45, "two");
            world.target.refuse(Refusal::named(|op, member| op == Op::Update && member == "m011"));
            if !cut(&world, moment, time).await {
                continue;
            }
            cuts += 1;
            // The lake moves on: some who may have arrived leave, some who may be gone return.
            world.lake(5..40, "two");
            world.target.refuse(Refusal::Nobody);
            let next = world.publish().await;
            assert_eq!(next.status, Status::Succeeded, "{moment}:{time}");
            world.assert_holds(5..40, "two");
            let idle = world.publish().await;
            assert_eq!((idle.counts.unchanged, idle.counts.delivered), (35, 0), "{moment}:{time}");
            let publisher = world.publisher().await;
            let receipts = publisher.state().receipts(herald::state::Filter::default()).await.unwrap();
            for receipt in &receipts {
                assert!(!matches!(receipt.status, Status::Queued | Status::Running), "{moment}:{time} {receipt:?}");
                assert_conserved(receipt);
            }
            let recovered = receipts.iter().filter(|receipt| receipt.kind == PublishKind::Recovery).count();
            assert_eq!(recovered, usize::from(moment != crash::MOMENTS[13]), "{moment}:{time}");
        }
    }
    assert!(cuts >= 13, "only {cuts} moments came by");
}

#[tokio::test]
async fn a_settling_that_is_cut_is_settled_by_the_next() {
    for moment in ["settling", "recovered", "acknowledged"] {
        let world = World::new(ACTIVATION);
        world.lake(0..30, "one");
        assert!(cut(&world, "batch_sent", 2).await);
        assert!(cut(&world, moment, 1).await, "{moment}");
        world.lake(3..30, "one");
        assert_eq!(world.publish().await.status, Status::Succeeded);
        world.assert_holds(3..30, "one");
    }
}
