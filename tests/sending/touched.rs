//! Publishes of the touched members to a target that shows them as they arrive.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampSecondArray};
use herald::publish::{PublishKind, Request, Status, Whom};
use herald_destinations::{
    contract::ErrorKind,
    reference::{Mishap, Operation},
};

use super::{World, request};
use crate::publishing::words;

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { name: name }
    guards: { max_removed: 100% }
";

/// All members in a version, and at which second each changed.
fn write(world: &World, version: &str, changed: impl Fn(usize) -> i64) {
    let ids: Vec<String> = (0..40).map(|number| format!("m{number:03}")).collect();
    let names: Vec<String> = ids.iter().map(|id| format!("{id} {version}")).collect();
    let text = |texts: &[String]| words(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let at: ArrayRef =
        Arc::new((0..40).map(|number| Some(1_700_000_000 + changed(number))).collect::<TimestampSecondArray>());
    world.home.table("person", vec![("id", text(&ids)), ("name", text(&names)), ("at", at)]);
    world.home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
}

#[tokio::test]
async fn what_a_stopped_one_owes_is_looked_at_by_the_next() {
    let world = World::new(ACTIVATION);
    write(&world, "one", |_| 0);
    assert_eq!(world.publish().await.status, Status::Succeeded);
    // One of them long after the others.
    write(&world, "two", |number| if number == 39 { 90_000 } else { 9_000 });
    world.script.at(Operation::Write, 2, Mishap::Before(ErrorKind::Unauthorized));
    let touched = Request { kind: PublishKind::Rapid, whom: Whom::Touched(Vec::new()), ..request() };
    let stopped = world.try_publish(&touched).await.unwrap();
    assert_eq!((stopped.status, stopped.counts.delivered, stopped.counts.owed), (Status::Failed, 10, 30));
    let next = world.try_publish(&touched).await.unwrap();
    assert_eq!((next.status, next.counts.unchanged, next.counts.updated), (Status::Succeeded, 10, 30));
    world.assert_holds(0..40, "two");
    let last = world.try_publish(&touched).await.unwrap();
    assert_eq!((last.status, last.counts.resolved, last.counts.unchanged), (Status::Succeeded, 1, 1));
}
