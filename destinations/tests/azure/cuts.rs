//! Connections that break, wait and crawl, at bytes that nobody chose.

use std::time::Duration;

use herald_destinations::{
    azure_blob::BlockSizes,
    conformance::{batch, context, rows_of_batch, rows_of_objects},
    contract::{Account, Config, Mode, Op, RetryPolicy},
};

use super::{
    azurite::{self, blobs, client, unfinished},
    config, fresh_prefix, options,
};
use crate::support::relay::{End, Plan, relay};

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
    let port = azurite::port().await;
    let relay = relay(port, fate);
    let prefix = fresh_prefix();
    let config = config(options(relay.port, &prefix)).with_blocks(BlockSizes::starting_at(20_000));
    let destination = config.connect(RetryPolicy::default().into()).await.expect("connect");
    let (context, rows) = (context(Mode::Full), batch(Op::Add, 0, 4_000));
    let mut publication = destination.begin(&context).await.expect("begin");
    publication.write(rows.clone()).await.expect("write");
    let account = Account { resolved: 4_000, added: 4_000, delivered: 4_000, ..Account::default() };
    let ticket = publication.seal(account).await.expect("seal");
    destination.commit(&ticket).await.expect("commit");
    destination.commit(&ticket).await.expect("commit again");
    let client = client(port);
    assert_eq!(rows_of_objects(&blobs(&client, &prefix).await), rows_of_batch(&rows));
    assert_eq!(unfinished(&client, &prefix).await, [""; 0]);
    assert!(relay.ended() >= 6, "only {} of {} connections broke", relay.ended(), relay.connections());
    assert!(relay.up() > 30_000, "only {} bytes went up", relay.up());
}
