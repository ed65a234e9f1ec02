//! Connections that break, servers that forget, bytes that change on the way.

use std::{sync::atomic::Ordering, time::Duration};

use herald_destinations::{
    conformance::{batch, context, rows_of_batch, rows_of_objects},
    contract::{Account, Config, ErrorKind, Mode, Op, RetryPolicy},
    files::Store,
};

use tokio_util::sync::CancellationToken;

use super::{PREFIX, Place, at, content, no, object, read, staged};
use crate::support::{
    proxy::{Rule, Spoil, proxy},
    relay::{End, Plan, relay},
};

const MIB: usize = 1 << 20;

/// A rule for chunks, and for the question how far an upload has come.
fn chunks(spoil: Spoil, times: u32) -> Rule {
    Rule { method: "PUT ", target: "upload_id=", spoil, times }
}

/// Stages and reveals an object behind a proxy; the content, and how often the proxy struck.
async fn through(place: &Place, rule: Rule, bytes: &[u8]) -> u32 {
    let (port, spoiled) = proxy(place.server.port, rule).await;
    let store = place.store_with(at(port), RetryPolicy::default()).await;
    let staged = staged(&store, &object("a.csv"), bytes).await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert!(read(&store, "a.csv").await == bytes, "the content differs");
    assert!(place.server.temporaries(PREFIX).is_empty());
    spoiled.load(Ordering::SeqCst)
}

#[tokio::test]
async fn an_upload_goes_on_after_a_cut() {
    let struck = through(&Place::new(), chunks(Spoil::Cut, 3), &content(17 * MIB)).await;
    assert_eq!(struck, 3);
}

#[tokio::test]
async fn an_upload_goes_on_where_the_server_says_after_an_answer_was_lost() {
    let struck = through(&Place::new(), chunks(Spoil::LoseAnswer, 2), &content(9 * MIB)).await;
    assert_eq!(struck, 2);
}

#[tokio::test]
async fn an_upload_goes_on_after_a_broken_server() {
    let broken = no("502 Bad Gateway", "", "");
    assert_eq!(through(&Place::new(), chunks(broken, 2), b"small").await, 2);
}

#[tokio::test]
async fn what_the_server_did_not_keep_is_sent_again() {
    let place = Place::new();
    place.server.knobs(|knobs| knobs.keeps = [3 * MIB, MIB + 5, 256 << 10].into());
    let store = place.store(RetryPolicy::ONCE).await;
    let content = content(11 * MIB);
    let staged = staged(&store, &object("a.csv"), &content).await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert!(read(&store, "a.csv").await == content, "the content differs");
}

#[tokio::test]
async fn a_server_that_takes_no_byte_is_not_asked_for_ever() {
    let place = Place::new();
    place.server.knobs(|knobs| knobs.keeps = [0, 0, 0].into());
    let once = place.store(RetryPolicy::ONCE).await;
    let error = staged(&once, &object("a.csv"), b"x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn an_upload_that_the_server_forgot_is_to_be_published_anew() {
    let place = Place::new();
    let store = place.store(RetryPolicy::default()).await;
    let mut upload = store.stage(&object("a.csv"), &CancellationToken::new()).await.unwrap();
    upload.write(content(9 * MIB).into()).await.unwrap();
    place.server.forget_uploads();
    let error = upload.finish().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!error.to_string().contains("canary-upload"), "{error}");
}

#[tokio::test]
async fn an_upload_that_ended_before_the_server_forgot_it_has_arrived() {
    let place = Place::new();
    // The first chunk's answer is lost; who asks how far it came meets a server that knows of nothing, as emulators
    // do once an upload has ended.
    let (inner, _) = proxy(place.server.port, chunks(Spoil::LoseAnswer, 1)).await;
    place.server.knobs(|knobs| knobs.forgets = true);
    let store = place.store_with(at(inner), RetryPolicy::default()).await;
    let staged = staged(&store, &object("a.csv"), b"arrived").await.unwrap();
    store.reveal(&staged).await.unwrap();
    assert_eq!(read(&store, "a.csv").await, b"arrived");
}

#[tokio::test]
async fn what_changed_on_the_way_is_never_revealed() {
    let place = Place::new();
    let store = place.store(RetryPolicy::ONCE).await;
    for blind in [false, true] {
        place.server.knobs(|knobs| (knobs.damages, knobs.blind) = (1, blind));
        let error = staged(&store, &object("a.csv"), b"whole").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(place.server.objects().is_empty(), "blind: {blind}");
    }
    // A small object is sent again whole.
    place.server.knobs(|knobs| (knobs.damages, knobs.blind) = (1, false));
    let store = place.store(RetryPolicy::default()).await;
    store.put(&object("manifest.json"), "{}".into()).await.unwrap();
    assert_eq!(read(&store, "manifest.json").await, b"{}");
}

#[tokio::test]
async fn an_upload_goes_on_at_the_target_whatever_the_server_calls_itself() {
    let place = Place::new();
    place.server.knobs(|knobs| knobs.called = Some("https://storage.example.invalid".to_owned()));
    let store = place.store(RetryPolicy::ONCE).await;
    let staged = staged(&store, &object("a.csv"), b"x").await.unwrap();
    store.reveal(&staged).await.unwrap();
}

#[tokio::test]
async fn a_rewrite_that_stops_half_way_goes_on() {
    let place = Place::new();
    place.server.knobs(|knobs| knobs.step = 400);
    let rule = Rule { method: "POST ", target: "rewriteToken=", spoil: no("500 Oops", "", "internalError"), times: 2 };
    let struck = through(&place, rule, &content(1_000)).await;
    assert_eq!(struck, 2);
}

#[tokio::test]
async fn a_rewrite_whose_token_is_not_taken_any_more_begins_anew() {
    let place = Place::new();
    place.server.knobs(|knobs| knobs.step = 400);
    let rule = Rule { method: "POST ", target: "rewriteToken=", spoil: no("400 Bad Request", "", "invalid"), times: 1 };
    assert_eq!(through(&place, rule, &content(1_000)).await, 1);
}

#[tokio::test]
async fn a_temporary_object_whose_removal_was_not_heard_of_is_gone() {
    let rule = Rule { method: "DELETE ", target: "in.herald", spoil: Spoil::LoseAnswer, times: 1 };
    assert_eq!(through(&Place::new(), rule, b"x").await, 1);
}

/// Every connection has another fate; from number eight on, they are left alone.
fn fate(number: u32) -> Plan {
    let none = Plan::default();
    match number {
        0 => Plan { up: Some((0, End::Reset)), ..none },
        1 => Plan { up: Some((200, End::Close)), ..none },
        2 => Plan { down: Some((0, End::Reset)), ..none },
        3 => Plan { down: Some((30, End::Close)), ..none },
        4 => Plan { up: Some((9_000, End::Silence(Duration::from_millis(300)))), ..none },
        5 => Plan { delay: Duration::from_millis(300), up: Some((30_000, End::Reset)), ..none },
        6 => Plan { down: Some((900, End::Reset)), ..none },
        7 => Plan { pace: Some(400_000), ..none },
        _ => none,
    }
}

#[tokio::test]
async fn a_publish_over_connections_that_break_arrives_whole_and_once() {
    let place = Place::new();
    let relay = relay(place.server.port, fate);
    let destination = place.config(at(relay.port)).connect(RetryPolicy::default().into()).await.unwrap();
    let mut context = context(Mode::Full);
    context.files.max_rows = 1_500;
    let rows = batch(Op::Add, 0, 4_000);
    let mut publication = destination.begin(&context).await.unwrap();
    publication.write(rows.clone()).await.unwrap();
    let account = Account { resolved: 4_000, added: 4_000, delivered: 4_000, ..Account::default() };
    let ticket = publication.seal(account).await.unwrap();
    destination.commit(&ticket).await.unwrap();
    destination.commit(&ticket).await.unwrap();
    assert_eq!(rows_of_objects(&place.server.below(PREFIX)), rows_of_batch(&rows));
    assert!(place.server.temporaries(PREFIX).is_empty());
    assert!(relay.ended() >= 6, "only {} of {} connections broke", relay.ended(), relay.connections());
}
