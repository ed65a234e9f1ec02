//! Lost snapshots and renames, where the target shows members as they arrive.

use std::fs;

use herald::publish::{Adopted, AdoptedFrom, PublishKind, Silent};
use herald_destinations::{contract::Op, reference::Refusal};
use tokio_util::sync::CancellationToken;

use super::{ACTIVATION, World, only, ops, request};
use crate::publishing::config as over_people;
use herald::publish::{Request, Status};

impl World {
    async fn adopt(&self, keys: Option<&str>) -> Result<Adopted, String> {
        let keys = keys.map(|keys| self.home.path(keys));
        let publisher = self.publisher().await;
        let adopted = publisher.adopt("a", keys.as_deref(), &Silent, &CancellationToken::new()).await;
        adopted.map_err(|error| error.to_string())
    }
}

#[tokio::test]
async fn a_file_of_keys_stands_in_for_a_lost_snapshot() {
    let world = World::new(ACTIVATION);
    world.lake(0..30, "v1");
    world.publish().await;
    fs::remove_dir_all(world.home.path("herald-data")).unwrap();
    let refused = world.adopt(None).await.unwrap_err();
    assert!(refused.contains("no manifest"), "{refused}");
    fs::write(world.home.path("keys"), (0..30).map(|number| format!("m{number:03}\n")).collect::<String>()).unwrap();
    let adopted = world.adopt(Some("keys")).await.unwrap();
    assert_eq!((adopted.members, adopted.sequence, adopted.from), (30, None, AdoptedFrom::Keys));

    world.lake(10..35, "v1");
    let sent = world.target.log().len();
    let receipt = world.publish().await;
    assert_eq!((receipt.kind, receipt.sequence), (PublishKind::Manual, 2));
    assert_eq!(ops(&world.since(sent)), [("add", 5), ("remove", 10), ("update", 20)].into());
    let unknown = world.since(sent).into_iter().filter(|one| one.op == Op::Update);
    assert!(
        unknown.into_iter().all(|one| one.changed.unwrap().len() == 2),
        "of an unknown record all fields may differ"
    );
    world.assert_holds(10..35, "v1");
    assert_eq!(world.publish().await.counts.unchanged, 25);
}

#[tokio::test]
async fn a_renamed_activation_remembers_who_was_removed_and_drops_its_dead_letters() {
    let world = World::new(ACTIVATION);
    world.lake(0..10, "v1");
    world.publish().await;
    world.lake(0..9, "v1");
    world.publish().await;
    world.target.refuse(Refusal::named(|_, member| member == "m010"));
    world.lake(0..11, "v1");
    // Who left and returns is told so; the refused one is a dead letter.
    let receipt = world.publish().await;
    assert_eq!((receipt.status, receipt.counts.rejected), (Status::Partial, 1));
    world.lake(0..5, "v1");
    world.publish().await;

    let renamed = over_people(ACTIVATION, "").replace("\n  a:\n", "\n  b:\n    was: a\n");
    world.home.configure(&renamed);
    world.lake(0..11, "v1");
    let sent = world.target.log().len();
    let receipt = world.try_publish(&Request { activation: "b".into(), ..request() }).await.unwrap();
    assert_eq!((receipt.status, receipt.counts.rejected, receipt.counts.unchanged), (Status::Partial, 1, 5));
    let arrived = world.since(sent);
    assert_eq!(only(&arrived, Op::Add), ["m005", "m006", "m007", "m008", "m009"]);
    assert!(arrived.iter().all(|one| one.returning == Some(true)), "{arrived:?}");
    let publisher = world.publisher().await;
    let state = publisher.state();
    assert_eq!(state.count_dead_letters("a").await.unwrap(), 0);
    assert_eq!(state.count_dead_letters("b").await.unwrap(), 1);
}
