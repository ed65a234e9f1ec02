//! Publishes of the touched members alone.

mod cost;
mod lake;
mod warnings;
mod watermarks;

use std::sync::Arc;

use herald::{
    config,
    publish::{PublishKind, Publisher, Receipt, Request, Silent, Status, Whom},
};
use tokio_util::sync::CancellationToken;

use self::lake::{Keyed, Lake};
use crate::{
    simulation::Random,
    support::{Home, Records, replay},
};

/// One publish of an activation, as a process of its own.
async fn publish(home: &Home, activation: &str, whom: Whom, overridden: bool) -> Receipt {
    let config =
        config::load(&home.path("herald.yaml")).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let publisher = Publisher::open(Arc::new(config)).await.unwrap();
    let request = Request {
        activation: activation.to_owned(),
        kind: if whom == Whom::Everybody { PublishKind::Scheduled } else { PublishKind::Rapid },
        full: false,
        whom,
        override_reason: overridden.then(|| "tested".to_owned()),
        receipt: None,
        wait: true,
        unattended: false,
    };
    let receipt = publisher.publish(&request, &Silent, &CancellationToken::new()).await.unwrap();
    publisher.state().clone().close().await;
    receipt
}

/// Of those touched; it must go well.
async fn touched(home: &Home, activation: &str) -> Receipt {
    let receipt = publish(home, activation, Whom::Touched(Vec::new()), false).await;
    assert_eq!(receipt.status, Status::Succeeded, "{receipt:?}");
    receipt
}

/// Of everybody; it must go well.
async fn standard(home: &Home, activation: &str) -> Receipt {
    let receipt = publish(home, activation, Whom::Everybody, false).await;
    assert_eq!(receipt.status, Status::Succeeded, "{receipt:?}");
    receipt
}

fn config(keyed: Keyed, segment: &str) -> String {
    let (key, member, query) = match keyed {
        Keyed::Text | Keyed::Integer => ("id", "person", "person"),
        Keyed::Both => ("[id, kq]", "[person, pq]", "person, pq"),
    };
    let id = if keyed == Keyed::Both { "concat(id, '|', CAST(kq AS VARCHAR))" } else { "id" };
    let activation = |name: &str, mode: &str| {
        format!(
            "  {name}:
    segment: {segment}
    target: {name}
    {mode}
    refresh: {{ manual: true }}
    filter: name <> 'bo'
    guards: {{ min_members: 0, max_removed: 100% }}
    attributes:
      id: \"{id}\"
      name: name
      score: score
      mail: {{ from: contact, value: mail, order_by: cid }}
      mails: {{ from: contact, value: \"concat(mail, member.name)\", take: all }}
"
        )
    };
    format!(
        "
sources:
  lake:
    type: files
    tables:
      person: {{ path: lake/person.parquet, key: {key}, updated_at: at }}
      contact: {{ path: lake/contact.parquet, key: cid, member: {member}, updated_at: seen }}
segments:
  everyone: {{ from: person, where: 'true' }}
  high: {{ from: person, where: score > 4 }}
  mailed: {{ from: person, sql: \"SELECT {query} FROM contact WHERE mail <> 'b@x.de'\" }}
  either: {{ from: person, any_of: [high, mailed] }}
  neither: {{ from: person, none_of: [high, mailed] }}
targets:
  a: {{ type: local, path: ./a }}
  b: {{ type: local, path: ./b }}
activations:
{}{}",
        activation("a", "rapid: { every: 1h }"),
        activation("b", "mode: full"),
    )
}

/// What consumers of both targets hold: of rapid publishes, and of what a publish of everybody would hold.
async fn held(home: &Home) -> (Records, Records) {
    standard(home, "b").await;
    (replay(&home.path("a")), replay(&home.path("b")))
}

async fn touched_publishes_hold_what_standard_ones_would(keyed: Keyed, segment: &str, seed: u64) {
    const ROUNDS: usize = 7;
    let home = Home::new(&config(keyed, segment));
    let random = &mut Random::new(seed);
    let mut lake = Lake::new(keyed);
    for _ in 0..40 {
        lake.edit(random);
    }
    lake.unseen.clear();
    lake.write(&home);
    touched(&home, "a").await;
    let mut narrowed = 0;
    for round in 0..ROUNDS {
        for _ in 0..random.pick(&[0, 1, 2, 4]) {
            lake.edit(random);
        }
        lake.write(&home);
        if random.percent(20) {
            standard(&home, "a").await;
            lake.unseen.clear();
        } else {
            narrowed += touched(&home, "a").await.counts.delivered;
        }
        let (mut rapid, mut whole) = held(&home).await;
        rapid.retain(|member, _| !lake.unseen.contains(member));
        whole.retain(|member, _| !lake.unseen.contains(member));
        assert_eq!(rapid, whole, "{segment} of {keyed:?}, seed {seed}, round {round}; unseen {:?}", lake.unseen);
    }
    standard(&home, "a").await;
    let (rapid, whole) = held(&home).await;
    assert_eq!(rapid, whole, "{segment} of {keyed:?}, seed {seed}: what vanished settles");
    assert!(narrowed > 0 && !whole.is_empty(), "{segment} of {keyed:?}, seed {seed} tests nothing");
}

macro_rules! draws {
    ($($name:ident: $keyed:ident, $segment:literal, $seed:literal;)+) => {
        $(#[tokio::test]
        async fn $name() {
            Box::pin(touched_publishes_hold_what_standard_ones_would(Keyed::$keyed, $segment, $seed)).await;
        })+
    };
}

draws! {
    over_drawn_lakes_touched_members_get_what_everybody_would_0: Text, "everyone", 1;
    over_drawn_lakes_touched_members_get_what_everybody_would_1: Integer, "high", 2;
    over_drawn_lakes_touched_members_get_what_everybody_would_2: Both, "mailed", 3;
    over_drawn_lakes_touched_members_get_what_everybody_would_3: Text, "either", 4;
    over_drawn_lakes_touched_members_get_what_everybody_would_4: Both, "neither", 5;
    over_drawn_lakes_touched_members_get_what_everybody_would_5: Integer, "mailed", 6;
}
