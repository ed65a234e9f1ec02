//! LiveRamp takes files from a bucket: what it would find there.

use herald_destinations::contract::{Mode, Op};
use serde_json::json;

use super::{Place, connect, deliver, merged, publish, rows};
use crate::{
    s3::{fresh_prefix, options, with},
    support::seaweed::{client, objects, open_uploads, port},
};

#[tokio::test]
async fn a_bucket_holds_the_two_files_and_nothing_else() {
    let port = port().await;
    let (client, prefix) = (client(port), fresh_prefix());
    let via = with(options(port, &prefix), json!({ "type": "s3" }));
    let target = connect(merged(Place::new().options(), json!({ "via": via }))).await;
    target.probe().await.expect("probe");
    let context = publish(Mode::Incremental);
    let batches = [rows(Op::Add, &context, 0, 3_000), rows(Op::Remove, &context, 9_000, 30)];
    let delivered = deliver(&target, &context, &batches).await.expect("deliver");
    let found = objects(&client, &prefix).await;
    let mut paths: Vec<&String> = delivered.files.iter().map(|file| &file.path).collect();
    paths.sort();
    assert_eq!(found.keys().collect::<Vec<_>>(), paths);
    let lines: Vec<usize> = found.values().map(|bytes| bytes.iter().filter(|byte| **byte == b'\n').count()).collect();
    assert_eq!(lines, [31, 3_001], "deletions come first by name");
    assert!(delivered.files.iter().all(|file| file.checksum.is_some()), "what S3 says of them is kept");

    let given_up = publish(Mode::Incremental);
    let ticket = target.ticket(&given_up);
    let mut publication = target.begin(&given_up).await.expect("begin");
    publication.write(rows(Op::Add, &given_up, 0, 30)).await.expect("write");
    drop(publication);
    target.discard(&ticket).await.expect("discard");
    assert_eq!(open_uploads(&client, &prefix).await, Vec::<String>::new());
    assert_eq!(objects(&client, &prefix).await, found);
}
