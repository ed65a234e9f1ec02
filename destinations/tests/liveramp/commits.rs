//! Two sorts of files become visible as one publish, whatever happens between them.

use std::fs;

use herald_destinations::contract::{Depth, ErrorKind, Mode, Op, PartState, Ticket};
use serde_json::json;

use super::{Place, deliver, publish, rows, seal};

#[tokio::test]
async fn nothing_is_seen_before_the_commit_and_a_discard_leaves_nothing() {
    let place = Place::new();
    let target = place.target(json!({})).await;
    for by_sealed in [true, false] {
        let context = publish(Mode::Incremental);
        let first = target.ticket(&context);
        let batches = [rows(Op::Add, &context, 0, 30), rows(Op::Remove, &context, 90, 30)];
        let sealed = seal(&target, &context, &batches).await.expect("seal");
        let visible = |path: &String| path.ends_with(".csv");
        assert_eq!(place.files().keys().filter(|path| visible(path)).count(), 0);
        let other = place.target(json!({})).await;
        for _ in 0..2 {
            other.discard(if by_sealed { &sealed } else { &first }).await.expect("discard");
            assert_eq!(place.files(), [].into());
        }
    }
}

#[tokio::test]
async fn a_stored_ticket_commits_from_another_process_and_twice_gives_the_same_answer() {
    let place = Place::new();
    let context = publish(Mode::Incremental);
    let stored = {
        let target = place.target(json!({})).await;
        let batches = [rows(Op::Add, &context, 0, 30), rows(Op::Remove, &context, 90, 30)];
        serde_json::to_string(&seal(&target, &context, &batches).await.expect("seal")).expect("a ticket as JSON")
    };
    let ticket: Ticket = serde_json::from_str(&stored).expect("a ticket");
    let first = place.target(json!({})).await.commit(&ticket).await.expect("commit");
    let seen = place.files();
    assert_eq!(seen.len(), 2);
    assert_eq!(place.target(json!({})).await.commit(&ticket).await.expect("commit again"), first);
    assert_eq!(place.files(), seen);

    let unsealed = place.target(json!({})).await.ticket(&context);
    let error = place.target(json!({})).await.commit(&unsealed).await.expect_err("not sealed");
    assert_eq!(error.kind(), ErrorKind::Internal);
    let foreign = Ticket { kind: "local".to_owned(), ..ticket };
    place.target(json!({})).await.discard(&foreign).await.expect_err("another kind's ticket");
}

#[tokio::test]
async fn a_commit_that_stopped_between_the_two_files_goes_on() {
    let place = Place::new();
    let target = place.target(json!({})).await;
    let context = publish(Mode::Incremental);
    let batches = [rows(Op::Add, &context, 0, 30), rows(Op::Remove, &context, 90, 30)];
    let ticket = seal(&target, &context, &batches).await.expect("seal");
    // As if the process had died after the deletion file was shown.
    let only_deletions =
        Ticket { body: json!({ "audience": null, "deletions": ticket.body["deletions"] }), ..ticket.clone() };
    target.commit(&only_deletions).await.expect("the first file");
    assert_eq!(place.files().keys().filter(|path| path.ends_with(".csv")).count(), 1);
    let delivered = place.target(json!({})).await.commit(&ticket).await.expect("commit");
    assert_eq!(delivered.files.len(), 2);
    assert_eq!(place.files().len(), 2);
}

#[tokio::test]
async fn a_file_that_can_never_be_shown_takes_the_other_one_back() {
    let place = Place::new();
    let target = place.target(json!({})).await;
    let context = publish(Mode::Incremental);
    let batches = [rows(Op::Add, &context, 0, 30), rows(Op::Remove, &context, 90, 30)];
    let ticket = seal(&target, &context, &batches).await.expect("seal");
    let path = format!("gold/GOLD_PII_2026-11-22_{}_file-part-00000.csv", context.publish);
    fs::write(place.path(&path), "somebody else's").expect("a file in the way");
    let error = target.commit(&ticket).await.expect_err("a file in the way");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    target.discard(&ticket).await.expect("discard");
    assert_eq!(place.files(), [(path, "somebody else's".to_owned())].into());
}

#[tokio::test]
async fn an_attempt_given_up_is_in_the_way_of_nothing() {
    let place = Place::new();
    let target = place.target(json!({})).await;
    let context = publish(Mode::Incremental);
    let mut publication = target.begin(&context).await.expect("begin");
    publication.write(rows(Op::Remove, &context, 90, 30)).await.expect("write");
    drop(publication);
    // The next attempt has no removals any more, so that only `begin` can clear them away.
    deliver(&target, &context, &[rows(Op::Add, &context, 0, 30)]).await.expect("deliver");
    assert_eq!(place.files().len(), 1, "{:?}", place.files().keys());

    let cancelled = publish(Mode::Incremental);
    let mut publication = target.begin(&cancelled).await.expect("begin");
    cancelled.cancel.cancel();
    let error = publication.write(rows(Op::Add, &cancelled, 0, 30)).await.expect_err("a batch after the cancel");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn what_was_handed_over_is_verified_read_and_taken_back() {
    let place = Place::new();
    let target = place.target(json!({})).await;
    target.probe().await.expect("probe");
    assert_eq!(place.files(), [].into(), "a probe leaves nothing");
    let context = publish(Mode::Incremental);
    let batches = [rows(Op::Add, &context, 0, 30), rows(Op::Remove, &context, 90, 30)];
    let delivered = deliver(&target, &context, &batches).await.expect("deliver");
    assert_eq!(target.manifests(&context).await.expect("manifests"), []);
    fs::write(place.path(&delivered.files[0].path), "changed").expect("a changed file");
    let parts = target.verify(&delivered.files, &delivered.extras, Depth::Whole).await.expect("verify");
    assert_eq!(parts.iter().map(|part| part.state).collect::<Vec<_>>(), [PartState::Differs, PartState::Ok]);
    let paths: Vec<String> = delivered.files.iter().map(|file| file.path.clone()).collect();
    for _ in 0..2 {
        assert_eq!(target.remove(&paths).await.expect("remove"), paths);
        assert_eq!(place.files(), [].into());
    }
    assert_eq!(target.read(&paths[0]).await.err().expect("gone").kind(), ErrorKind::Missing);
}
