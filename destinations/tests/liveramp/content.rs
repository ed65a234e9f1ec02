//! What stands in files, and what they are called.

use std::fmt::Write;

use herald_destinations::contract::{ErrorKind, Mode, Op};
use serde_json::json;

use super::{Place, config, deliver, merged, publish, publish_of, rows};

#[tokio::test]
async fn adds_and_updates_are_the_audiences_file_and_removals_a_deletion_file_of_the_same_headers() {
    let place = Place::new();
    let target = place.target(json!({})).await;
    let context = publish(Mode::Incremental);
    let batches =
        [rows(Op::Add, &context, 0, 30), rows(Op::Update, &context, 30, 10), rows(Op::Remove, &context, 90, 25)];
    let delivered = deliver(&target, &context, &batches).await.expect("deliver");

    let mut audience = "CCID,EMAIL1,TIER,SPEND_90D\n".to_owned();
    for number in 0..40 {
        let tier = if number % 2 == 0 { "\"a,\"\"b\"\"\"" } else { "" };
        writeln!(audience, "m{number},p{number}@example.com,{tier},{number}").expect("text");
    }
    let mut deletions = "CCID,EMAIL1,TIER,SPEND_90D\n".to_owned();
    (90..115).for_each(|number| writeln!(deletions, "m{number},,1,1").expect("text"));
    let id = context.publish;
    let expected = [
        (format!("gold/GOLD_PII_2026-11-22_{id}_file-part-00000.csv"), audience),
        (format!("gold-deletions/GOLD_PII_DELETE_2026-11-22_{id}_file-part-00000.csv"), deletions),
    ];
    assert_eq!(place.files(), expected.clone().into(), "these and nothing else");
    let named: Vec<(&str, u64)> = delivered.files.iter().map(|file| (file.path.as_str(), file.rows)).collect();
    assert_eq!(named, [(expected[1].0.as_str(), 25), (expected[0].0.as_str(), 40)]);
    assert_eq!(delivered.extras, [], "LiveRamp would take a manifest for a file");
}

#[tokio::test]
async fn europe_has_a_key_of_its_own_and_other_separators_other_extensions() {
    let place = Place::new();
    let context = publish_of("SHA256EMAIL1", Mode::Full);
    for (format, separator) in [("psv", '|'), ("tsv", '\t')] {
        let target = place.target(json!({ "region": "eu", "format": format, "deletions": null })).await;
        deliver(&target, &context, &[rows(Op::Add, &context, 1, 25)]).await.expect("deliver");
        let path = format!("gold/GOLD_PII_2026-11-22_{}_file-part-00000.{format}", context.publish);
        let text = place.files().remove(&path).expect("the file");
        let lines: Vec<&str> = text.lines().take(3).collect();
        let expected = [
            "CustomerID,SHA256EMAIL1,TIER,SPEND_90D".replace(',', &separator.to_string()),
            "m1,p1@example.com,,1".replace(',', &separator.to_string()),
            format!("m2{separator}p2@example.com{separator}\"a,\"\"b\"\"\"{separator}2"),
        ];
        assert_eq!(lines, expected);
        assert_eq!(text.lines().count(), 26);
    }
}

#[tokio::test]
async fn files_may_be_compressed_and_the_key_may_be_called_otherwise() {
    use std::io::Read;
    let place = Place::new();
    let target = place.target(json!({ "key": "LOYALTY_ID" })).await;
    let mut context = publish(Mode::Incremental);
    context.files.compression = herald_destinations::files::Compression::Gzip;
    // A limit on parts means nothing here: files that replace an audience would replace each other.
    context.files.max_rows = 10;
    let delivered = deliver(&target, &context, &[rows(Op::Add, &context, 0, 60)]).await.expect("deliver");
    let [file] = &delivered.files[..] else { panic!("one file: {delivered:?}") };
    assert!(file.path.ends_with("_file-part-00000.csv.gz"), "{}", file.path);
    let packed = std::fs::read(place.path(&file.path)).expect("the file");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).expect("gzip");
    assert!(text.starts_with("LOYALTY_ID,EMAIL1,"), "{text}");
    assert_eq!(text.lines().count(), 61);
}

#[tokio::test]
async fn a_file_of_too_few_rows_is_refused_before_anything_is_seen() {
    let place = Place::new();
    let target = place.target(json!({})).await;
    for (added, removed) in [(24, 0), (30, 1), (0, 24), (1, 30)] {
        let context = publish(Mode::Incremental);
        let ticket = target.ticket(&context);
        let batches = [rows(Op::Add, &context, 0, added), rows(Op::Remove, &context, 90, removed)];
        let error = deliver(&target, &context, &batches).await.expect_err("too few rows");
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("fewer than 25 rows"), "{error}");
        target.discard(&ticket).await.expect("discard");
        assert_eq!(place.files(), [].into(), "{added} and {removed}");
    }
    let context = publish(Mode::Incremental);
    let delivered = deliver(&target, &context, &[]).await.expect("nothing changed");
    assert_eq!(delivered.files, []);
    let context = publish(Mode::Full);
    let error = deliver(&target, &context, &[]).await.expect_err("an audience of nobody");
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(place.files(), [].into());

    let lower = place.target(json!({ "min_rows": 1 })).await;
    let context = publish(Mode::Incremental);
    deliver(&lower, &context, &[rows(Op::Add, &context, 0, 1)]).await.expect("where the account allows it");
}

#[tokio::test]
async fn who_left_is_never_forgotten() {
    let place = Place::new();
    let target = place.target(json!({})).await;
    let mut anew = publish(Mode::Full);
    deliver(&target, &anew, &[rows(Op::Add, &anew, 0, 25)]).await.expect("the first publish has nobody to remove");
    (anew.sequence, anew.previous) = (2, Some(1));
    let error = target.begin(&anew).await.expect_err("leavers would stay");
    assert_eq!(error.kind(), ErrorKind::Refused);

    let without = place.target(json!({ "deletions": null })).await;
    without.begin(&anew).await.expect("each file replaces the audience");
    let context = publish(Mode::Incremental);
    let mut publication = without.begin(&context).await.expect("begin");
    let error = publication.write(rows(Op::Remove, &context, 0, 30)).await.expect_err("no place for removals");
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn nothing_shows_a_secret_or_a_value() {
    let place = Place::new();
    let secret = json!({ "via": {
        "type": "s3", "bucket": "bucket", "region": "eu-central-1", "access_key_id": "canary-id", "secret_access_key": "canary-key",
    } });
    let config = config(merged(place.options(), secret));
    let destination = config.connect(Default::default()).await.expect("connect");
    let mut shown = format!("{config:?} {config:#?} {} {destination:?}", config.identity());

    let target = place.target(json!({})).await;
    let context = publish(Mode::Incremental);
    let mut publication = target.begin(&context).await.expect("begin");
    publication.write(rows(Op::Add, &context, 0, 25)).await.expect("write");
    write!(shown, "{publication:?}").expect("text");
    let ticket = publication.seal(Default::default()).await.expect("seal");
    write!(shown, "{}", serde_json::to_string(&ticket).expect("a ticket as JSON")).expect("text");
    for secret in ["canary", "example.com", "m24"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
