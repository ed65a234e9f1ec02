//! Connections that break, wait and crawl, at bytes that nobody chose.

use std::{sync::atomic::Ordering, time::Duration};

use herald_destinations::{
    conformance::{batch, context, rows_of_batch, rows_of_objects},
    contract::{Account, Batch, Config, Mode, Op, RetryPolicy},
    s3::S3Config,
};

use super::{fresh_prefix, options};
use crate::support::{
    proxy::{Rule, Spoil, proxy},
    relay::{End, Plan, relay},
    seaweed::{self, client, objects, open_uploads},
};

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

/// A whole publish, committed twice; its rows.
async fn published(config: &S3Config, rows: u64) -> Batch {
    let destination = config.connect(RetryPolicy::default().into()).await.expect("connect");
    let context = context(Mode::Full);
    let batch = batch(Op::Add, 0, rows as usize);
    let mut publication = destination.begin(&context).await.expect("begin");
    publication.write(batch.clone()).await.expect("write");
    let account = Account { resolved: rows, added: rows, delivered: rows, ..Account::default() };
    let ticket = publication.seal(account).await.expect("seal");
    destination.commit(&ticket).await.expect("commit");
    destination.commit(&ticket).await.expect("commit again");
    batch
}

#[tokio::test]
async fn an_upload_whose_beginning_was_not_heard_of_is_not_left_open() {
    let port = seaweed::port().await;
    let rule = Rule { method: "POST ", target: "uploads", spoil: Spoil::LoseAnswer, times: 2 };
    let (behind, spoiled) = proxy(port, rule).await;
    let prefix = fresh_prefix();
    let config = S3Config::parse(options(behind, &prefix)).expect("options");
    let rows = published(&config, 50).await;
    assert_eq!(spoiled.load(Ordering::SeqCst), 2);
    let client = client(port);
    assert_eq!(open_uploads(&client, &prefix).await, [""; 0]);
    assert_eq!(rows_of_objects(&objects(&client, &prefix).await), rows_of_batch(&rows));
}

#[tokio::test]
async fn a_publish_over_connections_that_break_arrives_whole_and_once() {
    let port = seaweed::port().await;
    let relay = relay(port, fate);
    let prefix = fresh_prefix();
    let config = S3Config::parse(options(relay.port, &prefix)).expect("options");
    let rows = published(&config, 4_000).await;
    let client = client(port);
    assert_eq!(rows_of_objects(&objects(&client, &prefix).await), rows_of_batch(&rows));
    assert_eq!(open_uploads(&client, &prefix).await, [""; 0]);
    assert!(relay.ended() >= 6, "only {} of {} connections broke", relay.ended(), relay.connections());
    assert!(relay.up() > 30_000, "only {} bytes went up", relay.up());
}
