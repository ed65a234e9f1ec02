//! S3 as target and as source, against a real server.

use super::{config, floats, integers, words};
use crate::{
    servers::seaweed,
    support::{Home, count, files},
};

fn port() -> u16 {
    tokio::runtime::Runtime::new().unwrap().block_on(seaweed::port())
}

fn s3(port: u16, prefix: &str) -> String {
    let (bucket, key, secret) = (seaweed::BUCKET, seaweed::KEY, seaweed::SECRET);
    format!(
        "type: s3, bucket: {bucket}, prefix: {prefix}, region: us-east-1, endpoint: \"http://127.0.0.1:{port}\", \
         path_style: true, access_key_id: {key}, secret_access_key: {secret}"
    )
}

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { id: id, score: score }
    guards: { max_removed: 100% }
";

fn people(home: &Home, ids: &[&str]) {
    let scores: Vec<f64> = (0..ids.len()).map(|row| row as f64).collect();
    home.table("person", vec![("id", words(ids)), ("score", floats(&scores)), ("at", integers(&vec![1; ids.len()]))]);
    home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
}

#[test]
fn what_is_published_to_s3_is_verified_there_read_as_a_source_and_taken_back() {
    let port = port();
    let prefix = format!("remote-{}/", std::process::id());
    let local = "out: { type: local, path: ./out }";
    let upstream = Home::new(&config(ACTIVATION, "").replace(local, &format!("out: {{ {} }}", s3(port, &prefix))));
    people(&upstream, &["a", "b", "c"]);
    let first = upstream.publish(&["a", "--full"]);
    assert_eq!(first["files"].as_array().unwrap().len(), 1);
    people(&upstream, &["a", "c", "d"]);
    let second = upstream.publish(&["a"]);
    assert_eq!((count(&second, "added"), count(&second, "updated"), count(&second, "removed")), (1, 1, 1));
    assert_eq!(upstream.json(&["verify", "a"]).0, 0);
    assert_eq!(upstream.run(&["check", "--connect"]).status, 0);

    // The full publish's part, found by a glob, is another config's table.
    let part = first["files"][0]["path"].as_str().unwrap();
    let glob = format!("s3://{}/{prefix}{}/*.parquet", seaweed::BUCKET, part.rsplit_once('/').unwrap().0);
    let downstream =
        Home::new(&config(ACTIVATION, "").replace("lake/person.parquet", &glob).replace(", updated_at: at", ""));
    people(&downstream, &[]);
    let published = downstream
        .command(&["publish", "a", "--json"])
        .env("AWS_ENDPOINT", format!("http://127.0.0.1:{port}"))
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", seaweed::KEY)
        .env("AWS_SECRET_ACCESS_KEY", seaweed::SECRET)
        .output()
        .unwrap();
    assert!(published.status.success(), "{published:?}");
    assert_eq!(downstream.held().keys().collect::<Vec<_>>(), ["a", "b", "c"]);

    let (status, torn_down) = upstream.json(&["delete", "a", "--purge"]);
    assert_eq!((status, &torn_down["kind"]), (0, &serde_json::json!("teardown")));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let left = runtime.block_on(async { seaweed::objects(&seaweed::client(port), &prefix).await });
    assert!(left.is_empty(), "{:?}", left.keys());
}

#[test]
fn wrong_credentials_and_a_missing_bucket_have_their_own_codes() {
    let port = port();
    let right = s3(port, "x/");
    let wrong_secret = right.replace(seaweed::SECRET, "not-the-secret");
    let no_bucket = right.replace(&format!("bucket: {}", seaweed::BUCKET), "bucket: nowhere");
    let nobody = right.replace(&port.to_string(), "9");
    for (options, code) in
        [(wrong_secret, "target_unauthorized"), (no_bucket, "target_missing"), (nobody, "target_unreachable")]
    {
        let activation = ACTIVATION.to_owned() + "    retry: { attempts: 2, max_elapsed: 2s }\n";
        let text = config(&activation, "").replace("type: local, path: ./out", &options);
        let home = Home::new(&text);
        people(&home, &["a"]);
        let (status, receipt) = home.json(&["publish", "a"]);
        assert_eq!((status, receipt["error"]["code"].as_str()), (1, Some(code)), "{receipt:#}");
        assert_eq!(files(&home.path("herald-data/scratch")).len(), 1, "only the lock of all");
        let repaired = config(&activation, "");
        home.configure(&repaired);
        assert_eq!(count(&home.publish(&["a"]), "added"), 1, "after {code}");
    }
}
