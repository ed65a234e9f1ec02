//! Connections that break at bytes that nobody chose.

use std::time::Duration;

use herald_destinations::{
    conformance::{batch, context, rows_of_batch, rows_of_objects},
    contract::{Account, Config, Destination, Error, Mode, Op, PublishContext, RetryPolicy, Ticket},
};
use serde_json::json;

use super::{config, options, tree, with};
use crate::support::{
    relay::{End, Plan, relay},
    sshd::sshd,
};

const ROWS: usize = 4_000;

/// Every connection has another fate; from number twelve on, they are left alone.
fn fate(number: u32) -> Plan {
    let none = Plan::default();
    match number {
        0 => Plan { up: Some((0, End::Reset)), ..none },
        1 => Plan { down: Some((0, End::Close)), ..none },
        2 => Plan { down: Some((30, End::Reset)), ..none },
        3 => Plan { up: Some((1_500, End::Close)), ..none },
        4 => Plan { up: Some((3_000, End::Silence(Duration::from_millis(200)))), ..none },
        5 => Plan { up: Some((6_000, End::Reset)), ..none },
        6 => Plan { up: Some((20_000, End::Close)), ..none },
        7 => Plan { down: Some((3_500, End::Reset)), ..none },
        8 => Plan { down: Some((5_000, End::Close)), ..none },
        9 => Plan { delay: Duration::from_millis(200), up: Some((30_000, End::Reset)), ..none },
        10 => Plan { down: Some((5_600, End::Reset)), ..none },
        11 => Plan { up: Some((60_000, End::Reset)), pace: Some(400_000), ..none },
        _ => none,
    }
}

async fn sealed(destination: &dyn Destination, context: &PublishContext) -> Result<Ticket, Error> {
    let mut publication = destination.begin(context).await?;
    publication.write(batch(Op::Add, 0, ROWS)).await?;
    let rows = ROWS as u64;
    publication.seal(Account { resolved: rows, added: rows, delivered: rows, ..Account::default() }).await
}

#[tokio::test]
async fn a_publish_over_connections_that_break_arrives_whole_and_once() {
    let root = tempfile::tempdir().expect("a folder");
    let relay = relay(sshd().port, fate);
    let config = config(with(options(&sshd(), root.path()), json!({ "port": relay.port })));
    let destination = config.connect(RetryPolicy::default().into()).await.expect("connect");
    let context = context(Mode::Full);
    // As the runner does: what can pass is begun anew, and a commit repeated.
    let mut tries = 0;
    let ticket = loop {
        match sealed(destination.as_ref(), &context).await {
            Ok(ticket) => break ticket,
            Err(error) => assert!(error.kind().passes(), "{error}"),
        }
        tries += 1;
        assert!(tries < 20, "no end");
    };
    for _ in 0..2 {
        while let Err(error) = destination.commit(&ticket).await {
            assert!(error.kind().passes(), "{error}");
        }
    }
    let (files, empty) = tree(root.path());
    assert_eq!(rows_of_objects(&files), rows_of_batch(&batch(Op::Add, 0, ROWS)));
    assert!(files.keys().all(|path| !path.contains(".part-")) && empty.is_empty(), "{:?} {empty:?}", files.keys());
    assert!(relay.ended() >= 6, "only {} of {} connections broke", relay.ended(), relay.connections());
}
