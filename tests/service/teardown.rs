//! Deleting an activation of a running service.

use std::fs;

use herald::{
    config::OnDelete,
    control::{Refused, Trigger},
    publish::{PublishKind, Status},
    state::ActivationState,
};

use super::{Live, audit, home, ops, until, with};
use crate::support::files;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_activation_stays_deleted_until_somebody_recreates_it() {
    let home = home(&[("a", "on_delete: keep")]);
    let live = Live::start(&home).await;
    let receipt = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    live.ended(receipt.id).await;
    let torn = live.control.delete(&ops(), "a", Some(OnDelete::Purge)).await.unwrap();
    assert_eq!((torn.kind, torn.status), (PublishKind::Teardown, Status::Queued));
    let torn = live.ended(torn.id).await;
    assert_eq!((torn.status, torn.taken_back.unwrap().removed), (Status::Succeeded, 2));
    assert!(files(&home.path("out")).is_empty());
    for refused in [
        live.control.trigger(&ops(), "a", Trigger::default(), None).await.map(|_| ()),
        live.control.delete(&ops(), "a", None).await.map(|_| ()),
        live.control.pause(&ops(), "a", true).await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.refused, refused.code.as_str()), (Refused::Conflict, "deleted"));
    }
    // Still in the config, it stays so over a reload and a restart.
    live.control.reload(&ops()).await.unwrap();
    assert_eq!(live.state().activation_state("a").await.unwrap(), ActivationState::Deleted);
    live.end().await;
    let live = Live::start(&home).await;
    assert_eq!(live.state().activation_state("a").await.unwrap(), ActivationState::Deleted);
    assert_eq!(home.json(&["status", "a"]).1["state"], "deleted");
    live.control.recreate(&ops(), "a").await.unwrap();
    let receipt = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    assert_eq!(live.ended(receipt.id).await.counts.added, 20);
    let audit = audit(&live).await;
    for what in ["delete", "recreate"] {
        assert!(audit.contains(&("ops".into(), what.into(), Some("a".into()))), "{audit:?}");
    }
    live.end().await;
}

/// The target does not let go of anything for a while, and the process is another one by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_teardown_that_fails_is_tried_again_over_a_restart_as_what_it_began() {
    let home = home(&[("a", "on_delete: purge")]);
    let live = Live::start(&home).await;
    let receipt = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    live.ended(receipt.id).await;
    // A folder stands where the part was.
    let part = files(&home.path("out")).into_iter().find(|path| path.extension().is_some_and(|it| it == "parquet"));
    let part = part.unwrap();
    fs::remove_file(&part).unwrap();
    fs::create_dir_all(part.join("in the way")).unwrap();
    let waits = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap();
    let torn = live.control.delete(&ops(), "a", None).await.unwrap();
    let torn = live.ended(torn.id).await;
    assert_eq!(torn.status, Status::Failed, "{torn:?}");
    assert_ne!(live.ended(waits.id).await.status, Status::Queued, "what waited does not wait for ever");
    assert_eq!(live.state().activation_state("a").await.unwrap(), ActivationState::Deleting);
    let again = live.control.delete(&ops(), "a", None).await.unwrap();
    assert_eq!(again.kind, PublishKind::Teardown, "asked again, the one under way is shown");
    live.end().await;

    fs::remove_dir_all(&part).unwrap();
    // Out of the config by now.
    home.configure(&with("watch: false", &[("b", "")]));
    let live = Live::start(&home).await;
    until("it is torn down", async || {
        (live.state().activation_state("a").await.unwrap() == ActivationState::Deleted).then_some(())
    })
    .await;
    assert!(files(&home.path("out")).is_empty());
    live.end().await;
}
