//! A fleet with a past.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use herald::{
    publish::{Failure, PublishKind, Receipt, Status},
    state::{Looked, NewPublish, SnapshotRow, State},
};
use herald_destinations::contract::{DeliveredFile, Extra, Mode};

use crate::{
    publishing::{integers, words},
    support::Home,
};

pub(super) const CONFIG: &str = "
sources:
  lake:
    type: files
    tables:
      person: { path: lake/person.parquet, key: id }
segments:
  everyone: { from: person, where: 'true' }
  gold_de: { from: person, where: \"country = 'DE' AND tier IN ('gold', 'platinum')\" }
  lapsed: { from: person, where: \"tier = 'none'\" }
targets:
  partner: { type: local, path: ./out }
  dwh: { type: local, path: ./dwh }
activations:
  gold_to_partner:
    segment: gold_de
    target: partner
    attributes: { id: id, name: name, country: \"upper(country)\" }
    refresh: { every: 12h }
    freshness: 26h
    on_delete: purge
  newsletter:
    segment: everyone
    target: dwh
    attributes: { id: id, name: name }
    refresh: { cron: '0 6 * * *', timezone: Europe/Berlin }
    freshness: 26h
  winback_audience:
    segment: lapsed
    target: partner
    attributes: { id: id }
    refresh: { every: 6h }
    freshness: 8h
  daily_export:
    segment: everyone
    target: dwh
    mode: full
    attributes: { id: id, name: name }
    refresh: { every: 24h }
  churn_scores:
    segment: everyone
    target: partner
    attributes: { id: id }
    refresh: { every: 1h }
    freshness: 4h
  loyalty_sync:
    segment: gold_de
    target: partner
    attributes: { id: id, name: name }
    refresh: { every: 1h }
    rapid: { every: 5m, overlap: 10m }
    freshness: 3h
  summer_campaign:
    segment: lapsed
    target: dwh
    paused: true
    attributes: { id: id }
    refresh: { every: 12h }
  store_visitors:
    segment: everyone
    target: dwh
    attributes: { id: id }
    refresh: { manual: true }
";

/// A config with so many activations.
pub(super) fn many(number: usize) -> String {
    let head = CONFIG.split("activations:").next().unwrap();
    let mut config = format!("{head}activations:\n");
    for index in 0..number {
        let _ = write!(
            config,
            "  activation_{index:04}:\n    segment: everyone\n    target: partner\n    attributes: {{ id: id }}\n    refresh: {{ every: 12h }}\n    freshness: 26h\n"
        );
    }
    config
}

pub(super) fn lake(home: &Home) {
    let ids: Vec<i64> = (0..200).collect();
    let names: Vec<String> = ids.iter().map(|id| format!("person {id}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let pick = |words: [&'static str; 3]| ids.iter().map(|id| words[(*id % 3) as usize]).collect::<Vec<_>>();
    let (countries, tiers) = (pick(["DE", "FR", "DE"]), pick(["gold", "none", "platinum"]));
    home.table(
        "person",
        vec![("id", integers(&ids)), ("name", words(&names)), ("country", words(&countries)), ("tier", words(&tiers))],
    );
}

/// Publishes of an activation, so many hours apart, the last one so many minutes ago; `change` gives each its story.
async fn past(
    state: &State,
    name: &str,
    number: u64,
    (hours, minutes): (i64, i64),
    members: u64,
    change: impl Fn(u64, &mut Receipt),
) {
    for index in 0..number {
        let ago = TimeDelta::hours(hours * i64::try_from(number - 1 - index).unwrap()) + TimeDelta::minutes(minutes);
        let at: DateTime<Utc> = Utc::now() - ago;
        let new = NewPublish {
            activation: name.to_owned(),
            segment: "gold_de".to_owned(),
            target: "partner".to_owned(),
            kind: PublishKind::Scheduled,
            mode: Mode::Incremental,
            queued_at: at,
            override_reason: None,
        };
        let mut receipt = state.queue(new).await.unwrap();
        let wave = (index * 37 + 11) % 23;
        (receipt.started_at, receipt.attempts) = (Some(at + TimeDelta::milliseconds(400)), 1);
        let took = TimeDelta::milliseconds(3_200 + i64::try_from(wave * 310).unwrap());
        receipt.finished_at = Some(at + took);
        receipt.status = Status::Succeeded;
        let counts = &mut receipt.counts;
        counts.suppressed = members / 14 + wave;
        counts.added = if index == 0 { members } else { members / 180 + wave * members / 6_000 };
        counts.updated = if index == 0 { 0 } else { members / 90 + (wave * wave) * members / 40_000 };
        counts.removed = if index == 0 { 0 } else { members / 260 + wave * members / 9_000 };
        counts.unchanged = members.saturating_sub(counts.added + counts.updated);
        let (suppressed, changes) = (counts.suppressed, counts.added + counts.updated + counts.removed);
        counts.delivered = changes;
        receipt.suppressed_by = [("filter".to_owned(), suppressed - suppressed / 4), ("missing:email".to_owned(), suppressed / 4)].into();
        let folder = format!("{name}/{}/{}", at.format("%Y-%m-%d"), receipt.id);
        receipt.files = vec![DeliveredFile {
            path: format!("{folder}/part-00000.parquet"),
            rows: changes,
            bytes: changes * 87,
            sha256: format!("{:064x}", receipt.id.as_u128()),
            checksum: None,
        }];
        receipt.extras = vec![Extra { path: format!("{folder}/manifest.json"), bytes: 1_204 }];
        receipt.bytes = changes * 87;
        change(index, &mut receipt);
        let counts = &mut receipt.counts;
        counts.resolved = counts.suppressed + counts.unchanged + counts.added + counts.updated;
        let row = SnapshotRow {
            activation: name.to_owned(),
            identity: "a place".to_owned(),
            pointer: serde_json::json!({}),
            rows: members,
            publish: receipt.id,
        };
        match receipt.status {
            Status::Running => state.save(&receipt).await.unwrap(),
            Status::Succeeded | Status::Partial => {
                state.acknowledge(&receipt, Some(&row), &Looked::At(Vec::new())).await.unwrap();
            }
            _ => state.finish(&receipt).await.unwrap(),
        }
    }
}

fn fail(receipt: &mut Receipt, status: Status, code: &str, message: &str, remedy: &str) {
    receipt.status = status;
    (receipt.files, receipt.extras, receipt.bytes) = (Vec::new(), Vec::new(), 0);
    let counts = &mut receipt.counts;
    (counts.delivered, counts.owed) = (0, counts.added + counts.updated + counts.removed);
    receipt.error =
        Some(Failure { code: code.into(), message: message.into(), remedy: remedy.into(), retryable: status == Status::Failed });
}

/// One of each kind of trouble, and some that are well.
pub(super) async fn fleet(state: &State) {
    past(state, "newsletter", 28, (24, 340), 48_210, |_, _| {}).await;
    past(state, "winback_audience", 24, (6, 260), 9_820, |index, one| {
        if index == 9 || index >= 21 {
            let remedy = "check that the host is reachable from here and that its firewall lets this machine in";
            fail(one, Status::Failed, "target_unreachable", "sftp.partner.example did not answer within 30 s", remedy);
        }
    })
    .await;
    past(state, "daily_export", 20, (24, 610), 131_400, |_, one| {
        one.mode = Mode::Full;
        let counts = &mut one.counts;
        (counts.added, counts.updated, counts.removed, counts.unchanged) = (131_400, 0, 0, 0);
        counts.delivered = 131_400;
    })
    .await;
    past(state, "churn_scores", 22, (1, 430), 22_940, |_, _| {}).await;
    past(state, "loyalty_sync", 30, (1, 12), 17_305, |index, one| {
        if index % 7 == 3 {
            one.status = Status::Partial;
            one.counts.rejected = 14;
            one.counts.delivered -= 14;
            one.rejected_by = [("invalid_email".to_owned(), 11), ("too_long".to_owned(), 3)].into();
        }
        if index == 29 {
            (one.status, one.finished_at) = (Status::Running, None);
            (one.counts.delivered, one.counts.owed) = (0, 0);
            one.files.clear();
            one.extras.clear();
        }
    })
    .await;
    past(state, "summer_campaign", 12, (12, 4_000), 5_511, |_, _| {}).await;
    past(state, "gold_to_partner", 30, (12, 95), 64_020, |index, one| {
        if index == 14 {
            let remedy = "look at what changed in the segment; `--override` passes the guard once";
            fail(one, Status::Blocked, "guard_max_removed", "61.2% of the members would be removed, more than 50%", remedy);
        }
    })
    .await;
}

/// Twenty publishes for each of a thousand.
pub(super) async fn crowd(state: &State) {
    for index in 0..1000_u64 {
        past(state, &format!("activation_{index:04}"), 3, (12, 30), 4_000 + index, |number, one| {
            if index % 97 == 5 && number == 2 {
                fail(one, Status::Failed, "target_unreachable", "no answer", "check the host");
            }
        })
        .await;
    }
}
