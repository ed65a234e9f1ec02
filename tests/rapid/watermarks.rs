//! What moves the watermarks, and what does not.

use std::{fs, sync::Arc};

use arrow::array::{ArrayRef, TimestampMillisecondArray};
use herald::publish::{Receipt, Status, Whom};

use super::{lake::MINUTE, publish, standard, touched};
use crate::{
    publishing::{integers, words},
    support::Home,
};

/// When the rows of a test begin to change.
const NOON: i64 = 1_700_000_000_000;

fn minutes(minutes: &[i64]) -> ArrayRef {
    Arc::new(minutes.iter().map(|minute| Some(NOON + minute * MINUTE)).collect::<TimestampMillisecondArray>())
}

fn config(activation: &str) -> String {
    format!(
        "
sources:
  lake:
    type: files
    tables:
      person: {{ path: lake/person.parquet, key: id, updated_at: at }}
segments:
  everyone: {{ from: person, where: score >= 0 }}
targets:
  out: {{ type: local, path: ./out }}
activations:
  a:
    segment: everyone
    target: out
    refresh: {{ manual: true }}
    attributes: {{ id: id, score: score }}
    {activation}
"
    )
}

/// A home whose persons 0, 1, … have these scores, and changed at these minutes.
fn home(activation: &str, scores: &[i64], changed: &[i64]) -> Home {
    let home = Home::new(&config(activation));
    people(&home, scores, minutes(changed));
    home
}

fn people(home: &Home, scores: &[i64], at: ArrayRef) {
    let ids: Vec<i64> = (0..scores.len() as i64).collect();
    home.table("person", vec![("id", integers(&ids)), ("score", integers(scores)), ("at", at)]);
}

/// Looked at, and delivered.
fn counts(receipt: &Receipt) -> (u64, u64) {
    (receipt.counts.resolved, receipt.counts.delivered)
}

#[tokio::test]
async fn the_first_looks_at_everybody_and_the_next_at_the_touched() {
    let home = home("", &[1, 2, 3, 4], &[0, 0, 0, 30]);
    assert_eq!(counts(&touched(&home, "a").await), (4, 4));
    // Within the overlap, and unchanged.
    assert_eq!(counts(&touched(&home, "a").await), (1, 0));
    people(&home, &[1, 20, 3, 4], minutes(&[0, 60, 0, 30]));
    assert_eq!(counts(&touched(&home, "a").await), (2, 1));
    assert_eq!(home.held()["1"]["score"], "20");
}

#[tokio::test]
async fn the_overlap_is_the_configured_one_and_a_row_later_than_that_waits() {
    let home = home("rapid: { every: 1h, overlap: 20m }", &[1, 2, 3], &[0, 0, 60]);
    standard(&home, "a").await;
    people(&home, &[10, 20, 3], minutes(&[39, 41, 60]));
    assert_eq!(counts(&touched(&home, "a").await), (2, 1));
    assert_eq!((home.held()["0"]["score"].as_str(), home.held()["1"]["score"].as_str()), ("1", "20"));
    assert_eq!(counts(&standard(&home, "a").await), (3, 1));
}

#[tokio::test]
async fn members_who_are_named_are_looked_at_beside_the_touched_and_move_no_watermark() {
    let home = home("", &[1, 2, 3], &[0, 0, 30]);
    touched(&home, "a").await;
    people(&home, &[10, 20, 30], minutes(&[0, 60, 90]));
    let named = publish(&home, "a", Whom::Named(vec!["2".into()]), false).await;
    assert_eq!(counts(&named), (1, 1));
    let beside = publish(&home, "a", Whom::Touched(vec!["0".into()]), false).await;
    assert_eq!(counts(&beside), (3, 2));
}

#[tokio::test]
async fn a_publish_that_was_stopped_moves_no_watermark() {
    let home = home("guards: { max_changed: 30% }", &[1, 2, 3], &[0, 0, 30]);
    touched(&home, "a").await;
    people(&home, &[10, 20, 3], minutes(&[60, 60, 0]));
    let stopped = publish(&home, "a", Whom::Touched(Vec::new()), false).await;
    assert_eq!(stopped.status, Status::Blocked, "{stopped:?}");
    let overridden = publish(&home, "a", Whom::Touched(Vec::new()), true).await;
    assert_eq!((overridden.status, counts(&overridden)), (Status::Succeeded, (2, 2)), "{overridden:?}");
}

#[tokio::test]
async fn after_the_definition_changed_everybody_is_looked_at_once() {
    let home = home("", &[1, 2, 3], &[0, 0, 30]);
    touched(&home, "a").await;
    home.configure(&config("").replace("score >= 0", "score >= 2"));
    assert_eq!(counts(&touched(&home, "a").await), (2, 1));
    home.configure(&config("").replace("score >= 0", "score >= 2").replace("score: score", "points: score"));
    assert_eq!(counts(&touched(&home, "a").await), (2, 2));
    assert_eq!(counts(&touched(&home, "a").await), (1, 0));
}

#[tokio::test]
async fn who_is_named_after_the_definition_changed_hides_nobody_else() {
    let home = home("", &[1, 2, 3], &[0, 0, 30]);
    touched(&home, "a").await;
    home.configure(&config("").replace("score: score", "points: score"));
    assert_eq!(counts(&publish(&home, "a", Whom::Named(vec!["0".into()]), false).await), (1, 1));
    assert_eq!(counts(&touched(&home, "a").await), (3, 2), "the others are looked at, and sent");
}

#[tokio::test]
async fn who_comes_in_puts_another_out_of_a_segment_with_a_limit() {
    let limited = |limit: &str| config("guards: { max_removed: 100% }").replace("where: score >= 0", limit);
    for limit in [
        "limit: { members: 2, order_by: score DESC }, where: score >= 0",
        "sql: SELECT id FROM person ORDER BY score DESC LIMIT 2",
        "sql: SELECT id FROM person WHERE score >= (SELECT avg(score) FROM person)",
    ] {
        let home = home("", &[1, 2, 3], &[0, 0, 0]);
        home.configure(&limited(limit));
        touched(&home, "a").await;
        assert_eq!(home.held().keys().collect::<Vec<_>>(), ["1", "2"], "{limit}");
        people(&home, &[9, 2, 3], minutes(&[60, 0, 0]));
        let receipt = touched(&home, "a").await;
        let alone = if limit.contains("avg") { vec!["0"] } else { vec!["0", "2"] };
        assert_eq!(home.held().keys().collect::<Vec<_>>(), alone, "{limit}: {receipt:?}");
    }
}

#[tokio::test]
async fn a_row_from_the_future_hides_none_of_those_that_follow() {
    let home = home("", &[1, 2, 3], &[0, 0, 0]);
    let year_2100 = (4_102_444_800_000 - NOON) / MINUTE;
    people(&home, &[1, 2, 3], minutes(&[0, 0, year_2100]));
    touched(&home, "a").await;
    let now = (chrono::Utc::now().timestamp_millis() - NOON) / MINUTE + 24 * 60;
    people(&home, &[10, 2, 3], minutes(&[now, 0, year_2100]));
    assert_eq!(counts(&touched(&home, "a").await), (2, 1));
}

#[tokio::test]
async fn by_what_is_no_time_nobody_can_be_told_apart() {
    let home = home("", &[1, 2], &[0, 0]);
    people(&home, &[1, 2], integers(&[5, 6]));
    touched(&home, "a").await;
    people(&home, &[1, 20], integers(&[5, 5]));
    assert_eq!(counts(&touched(&home, "a").await), (2, 1));
    people(&home, &[1, 2], words(&["2026-01-01", "2026-01-02"]));
    assert_eq!(counts(&touched(&home, "a").await), (2, 1));
}

#[tokio::test]
async fn a_table_without_rows_has_all_of_them_yet_to_come() {
    let home = home("guards: { min_members: 0 }", &[], &[]);
    assert_eq!(counts(&touched(&home, "a").await), (0, 0));
    people(&home, &[1, 2], minutes(&[0, 60]));
    assert_eq!(counts(&touched(&home, "a").await), (2, 2));
    assert_eq!(counts(&touched(&home, "a").await), (1, 0));
}

#[tokio::test]
async fn of_text_files_the_times_are_read_where_somebody_makes_use_of_them() {
    let with = |rapid: &str| {
        let text = config(rapid).replace(
            "path: lake/person.parquet, key: id,",
            "path: lake/person.csv, key: id, columns: { id: bigint, score: bigint, at: timestamp },",
        );
        let home = Home::new(&text);
        fs::create_dir_all(home.path("lake")).unwrap();
        home
    };
    let write = |home: &Home, score: u32| {
        let rows = format!("id,score,at\n0,1,2026-01-01T00:00:00\n1,{score},2026-01-02T00:00:00\n");
        fs::write(home.path("lake/person.csv"), rows).unwrap();
    };
    let (plain, rapid) = (with(""), with("rapid: { every: 1h }"));
    for (home, looked_at) in [(&plain, 2), (&rapid, 1)] {
        write(home, 7);
        standard(home, "a").await;
        write(home, 80);
        assert_eq!(counts(&touched(home, "a").await), (looked_at, 1));
        // Whoever asks for the touched makes use of them.
        assert_eq!(counts(&touched(home, "a").await), (1, 0));
    }
}

#[tokio::test]
async fn a_table_without_updated_at_waits_for_the_publish_of_everybody() {
    let home = home("", &[1, 2], &[0, 30]);
    home.configure(&config("").replace(", updated_at: at", ""));
    touched(&home, "a").await;
    people(&home, &[10, 20], minutes(&[60, 60]));
    assert_eq!(counts(&touched(&home, "a").await), (0, 0));
    assert_eq!(counts(&publish(&home, "a", Whom::Touched(vec!["1".into()]), false).await), (1, 1));
    assert_eq!(counts(&standard(&home, "a").await), (2, 1));
}

#[tokio::test]
async fn who_is_full_can_not_be_published_for_the_touched() {
    let home = home("mode: full", &[1], &[0]);
    let ran = home.run(&["publish", "a", "--rapid"]);
    assert_ne!(ran.status, 0, "{ran:?}");
    assert!(ran.stderr.contains("can't be published for some members only"), "{ran:?}");
}
