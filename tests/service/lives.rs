//! What a name stands for over time: renamed, deleted, back again; and what its teardown was asked to do.

use std::{fs, path::PathBuf};

use futures::future::join_all;
use herald::{
    config::OnDelete,
    control::{Refused, Trigger},
    publish::{PublishKind, Status},
    state::{ActivationState, Filter},
};

use super::{Live, home, ops, until, with};
use crate::support::{Home, files};

const PURGE: &str = "on_delete: purge";

async fn publish(live: &Live, name: &str) {
    let receipt = live.control.trigger(&ops(), name, Trigger::default(), None).await.unwrap();
    assert_eq!(live.ended(receipt.id).await.status, Status::Succeeded);
}

async fn reload(live: &Live, home: &Home, activations: &[(&str, &str)]) {
    home.configure(&with("watch: false", activations));
    live.control.reload(&ops()).await.unwrap();
}

async fn is(live: &Live, name: &str, state: ActivationState) {
    until("it is in that state", async || (live.state().activation_state(name).await.unwrap() == state).then_some(()))
        .await;
}

fn held(home: &Home) -> usize {
    files(&home.path("out")).len()
}

/// Puts a folder where a delivered part was, so that it can't be taken back; its path.
fn block(home: &Home) -> PathBuf {
    let part = files(&home.path("out")).into_iter().find(|path| path.extension().is_some_and(|it| it == "parquet"));
    let part = part.unwrap();
    fs::remove_file(&part).unwrap();
    fs::create_dir_all(part.join("in the way")).unwrap();
    part
}

/// Waits until the last try of a teardown has failed.
async fn has_failed(live: &Live, name: &str) {
    until("the teardown has failed", async || {
        let torn = live.state().last_teardown(name).await.unwrap();
        torn.filter(|torn| torn.status == Status::Failed)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_one_that_is_deleted_before_it_published_is_deleted_as_was_asked() {
    let home = home(&[("a", PURGE)]);
    let live = Live::start(&home).await;
    publish(&live, "a").await;
    reload(&live, &home, &[("b", "was: a, on_delete: purge")]).await;
    let torn = live.control.delete(&ops(), "b", Some(OnDelete::Keep)).await.unwrap();
    assert_eq!(live.ended(torn.id).await.status, Status::Succeeded);
    live.control.reload(&ops()).await.unwrap();
    is(&live, "a", ActivationState::Deleted).await;
    assert_eq!(held(&home), 2, "what was to be kept is");
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cancelled_before_it_began_loses_nobody_the_former_name() {
    let home = home(&[("a", PURGE)]);
    home.publish(&["a"]);
    home.configure(&with("watch: false", &[("b", "was: a, on_delete: purge")]));
    let live = Live::idle(&home).await;
    let waits = live.control.trigger(&ops(), "b", Trigger::default(), None).await.unwrap();
    live.control.cancel(&ops(), waits.id).await.unwrap();
    live.end().await;
    let live = Live::start(&home).await;
    assert_eq!(live.state().activation_state("a").await.unwrap(), ActivationState::Active, "it is not torn down");
    live.end().await;
    assert_eq!(home.publish(&["b"])["counts"]["unchanged"], 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_goes_back_and_forth_with_what_it_delivered() {
    let home = home(&[("a", PURGE)]);
    let live = Live::start(&home).await;
    publish(&live, "a").await;
    for (name, was) in [("b", "a"), ("a", "b"), ("b", "a")] {
        reload(&live, &home, &[(name, &format!("was: {was}, on_delete: purge"))]).await;
        let receipt = live.control.trigger(&ops(), name, Trigger::default(), None).await.unwrap();
        let receipt = live.ended(receipt.id).await;
        assert_eq!((receipt.counts.unchanged, receipt.counts.added), (20, 0), "{name} was {was}");
        live.control.reload(&ops()).await.unwrap();
        assert_eq!(held(&home), 2, "{name} was {was}");
    }
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_renamed_and_goes_elsewhere_is_counted_among_the_teardowns() {
    let home = home(&[("a", PURGE)]);
    let live = Live::start(&home).await;
    publish(&live, "a").await;
    let elsewhere = |service: &str| with(service, &[("b", "was: a")]).replace("path: ./out", "path: ./there");
    home.configure(&elsewhere("watch: false, max_teardowns_per_reload: 0"));
    let refusal = live.control.reload(&ops()).await.unwrap_err();
    assert_eq!((refusal.refused, refusal.code.as_str()), (Refused::Config, "too_many_teardowns"));
    home.configure(&elsewhere("watch: false"));
    live.control.reload(&ops()).await.unwrap();
    is(&live, "a", ActivationState::Deleted).await;
    assert_eq!(held(&home), 0);
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_that_does_not_get_on_can_still_be_made_to_keep() {
    let home = home(&[("a", PURGE)]);
    let live = Live::start(&home).await;
    publish(&live, "a").await;
    publish(&live, "a").await;
    block(&home);
    let torn = live.control.delete(&ops(), "a", None).await.unwrap();
    assert_eq!(live.ended(torn.id).await.status, Status::Failed);
    let before = held(&home);
    let kept = live.control.delete(&ops(), "a", Some(OnDelete::Keep)).await.unwrap();
    assert_ne!(kept.id, torn.id);
    assert_eq!(live.ended(kept.id).await.status, Status::Succeeded);
    is(&live, "a", ActivationState::Deleted).await;
    assert_eq!(held(&home), before);
    let asked: Vec<_> = super::audit(&live).await.into_iter().filter(|(_, what, _)| what == "delete").collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_back_while_it_is_torn_down_lives_once_that_is_done() {
    let home = home(&[("a", PURGE), ("b", "")]);
    let live = Live::start(&home).await;
    publish(&live, "a").await;
    let part = block(&home);
    reload(&live, &home, &[("b", "")]).await;
    has_failed(&live, "a").await;
    reload(&live, &home, &[("a", PURGE), ("b", "")]).await;
    let refused = live.control.trigger(&ops(), "a", Trigger::default(), None).await.unwrap_err();
    assert_eq!(refused.code, "deleting");
    fs::remove_dir_all(&part).unwrap();
    is(&live, "a", ActivationState::Active).await;
    publish(&live, "a").await;
    assert_eq!(live.state().last("a").await.unwrap().unwrap().counts.added, 20, "it begins anew");
    // What it is torn down by, the next time, is on record.
    reload(&live, &home, &[("b", "")]).await;
    is(&live, "a", ActivationState::Deleted).await;
    assert_eq!(held(&home), 0);
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_delete_at_once_there_is_one_teardown() {
    let home = home(&[("a", PURGE)]);
    let live = Live::start(&home).await;
    publish(&live, "a").await;
    let deletes = join_all((0..12).map(|_| {
        let control = live.control.clone();
        tokio::spawn(async move { control.delete(&ops(), "a", None).await })
    }));
    for deleted in deletes.await {
        match deleted.unwrap() {
            Ok(torn) => assert_eq!(live.ended(torn.id).await.status, Status::Succeeded),
            Err(refusal) => assert_eq!(refusal.code, "deleted"),
        }
    }
    let all = live.state().receipts(Filter { activation: Some("a".into()), ..Filter::default() }).await.unwrap();
    assert_eq!(all.iter().filter(|receipt| receipt.kind == PublishKind::Teardown).count(), 1);
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_asks_for_the_same_again_is_shown_the_teardown_that_runs() {
    let home = home(&[("a", PURGE)]);
    let live = Live::start(&home).await;
    publish(&live, "a").await;
    let part = block(&home);
    let torn = live.control.delete(&ops(), "a", Some(OnDelete::Purge)).await.unwrap();
    live.ended(torn.id).await;
    // It waits to be tried again: whoever asks has it tried now.
    let mut ids = vec![torn.id];
    for _ in 0..3 {
        let again = live.control.delete(&ops(), "a", Some(OnDelete::Purge)).await.unwrap();
        assert_eq!(live.ended(again.id).await.status, Status::Failed);
        ids.push(again.id);
    }
    fs::remove_dir_all(&part).unwrap();
    for _ in 0..8 {
        match live.control.delete(&ops(), "a", Some(OnDelete::Purge)).await {
            Ok(torn) => ids.push(torn.id),
            Err(refusal) => assert_eq!(refusal.code, "deleted"),
        }
    }
    is(&live, "a", ActivationState::Deleted).await;
    for id in ids {
        // None is left behind.
        live.ended(id).await;
    }
    assert_eq!(held(&home), 0);
    live.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_back_and_that_somebody_deletes_stays_deleted() {
    let home = home(&[("a", PURGE), ("b", "")]);
    let live = Live::start(&home).await;
    publish(&live, "a").await;
    let part = block(&home);
    reload(&live, &home, &[("b", "")]).await;
    has_failed(&live, "a").await;
    reload(&live, &home, &[("a", PURGE), ("b", "")]).await;
    fs::remove_dir_all(&part).unwrap();
    live.control.delete(&ops(), "a", None).await.unwrap();
    is(&live, "a", ActivationState::Deleted).await;
    assert_eq!(held(&home), 0);
    live.end().await;
}
