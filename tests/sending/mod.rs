//! Publishes to targets that show members as they arrive.

mod adoption;
mod crash;
mod guarantees;
mod rejects;
mod touched;

use std::{collections::BTreeMap, sync::Arc};

use herald::{
    config,
    publish::{PublishError, PublishKind, Publisher, Receipt, Request, Silent, Status, Whom},
};
use herald_destinations::{
    contract::{Config, Op},
    reference::{Applied, FaultyTarget, MemoryTarget, Script},
};
use tokio_util::sync::CancellationToken;

use crate::{
    publishing::{config as over_people, integers, words},
    support::Home,
};

const ACTIVATION: &str = "
    segment: everyone
    mode: incremental
    attributes: { name: name, at: at }
    guards: { max_removed: 100%, min_members: 0 }
";

/// A lake, an activation, and a target in memory that can be told to fail.
struct World {
    home: Home,
    target: MemoryTarget,
    script: Script,
}

impl World {
    fn new(activation: &str) -> Self {
        let world = Self {
            home: Home::new(&over_people(activation, "")),
            target: MemoryTarget::new("people"),
            script: Script::new(),
        };
        world.target.want_changes();
        world.target.limit_batches(10);
        world
    }

    /// Members `m000` and so on, each with a name that ends in `version`.
    fn lake(&self, members: std::ops::Range<usize>, version: &str) {
        self.people(&members.map(|number| (format!("m{number:03}"), version.to_owned())).collect::<Vec<_>>());
    }

    fn people(&self, people: &[(String, String)]) {
        let ids: Vec<&str> = people.iter().map(|(id, _)| id.as_str()).collect();
        let names: Vec<String> = people.iter().map(|(id, version)| format!("{id} {version}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.home
            .table("person", vec![("id", words(&ids)), ("name", words(&names)), ("at", integers(&vec![1; ids.len()]))]);
        self.home.table("contact", vec![("cid", words(&[])), ("person", words(&[]))]);
    }

    /// A process: opened anew for each publish, as the command is.
    async fn publisher(&self) -> Publisher {
        let mut config = config::load(&self.home.path("herald.yaml")).unwrap();
        let target: Box<dyn Config> = Box::new(FaultyTarget::new(self.target.clone(), &self.script));
        config.targets.get_mut("out").unwrap().config = target;
        Publisher::open(Arc::new(config)).await.unwrap()
    }

    async fn publish(&self) -> Receipt {
        self.try_publish(&request()).await.unwrap()
    }

    async fn try_publish(&self, request: &Request) -> Result<Receipt, PublishError> {
        let publisher = self.publisher().await;
        let receipt = publisher.publish(request, &Silent, &CancellationToken::new()).await?;
        assert_conserved(&receipt);
        Ok(receipt)
    }

    /// Member → the version that its record ends in.
    fn held(&self) -> BTreeMap<String, String> {
        let version = |name: &Option<String>| name.as_ref().unwrap().rsplit(' ').next().unwrap().to_owned();
        self.target.records().into_iter().map(|(member, record)| (member, version(&record["name"]))).collect()
    }

    fn assert_holds(&self, members: std::ops::Range<usize>, version: &str) {
        let expected = members.map(|number| (format!("m{number:03}"), version.to_owned())).collect();
        assert_eq!(self.held(), expected);
    }

    /// What arrived since the log was this long.
    fn since(&self, length: usize) -> Vec<Applied> {
        self.target.log().split_off(length)
    }
}

fn request() -> Request {
    Request {
        activation: "a".into(),
        kind: PublishKind::Manual,
        full: false,
        whom: Whom::Everybody,
        override_reason: None,
        receipt: None,
        wait: true,
        unattended: false,
    }
}

fn ops(applied: &[Applied]) -> BTreeMap<&'static str, usize> {
    let mut ops = BTreeMap::new();
    applied.iter().for_each(|one| *ops.entry(one.op.as_str()).or_default() += 1);
    ops
}

fn only(applied: &[Applied], op: Op) -> Vec<&str> {
    applied.iter().filter(|one| one.op == op).map(|one| one.member.as_str()).collect()
}

/// The laws of a receipt.
fn assert_conserved(receipt: &Receipt) {
    let counts = receipt.counts;
    let sent = counts.added + counts.updated + counts.removed;
    assert_eq!(counts.resolved, counts.suppressed + counts.unchanged + counts.added + counts.updated, "{receipt:?}");
    assert_eq!(sent, counts.delivered + counts.rejected + counts.owed, "{receipt:?}");
    if matches!(receipt.status, Status::Succeeded | Status::Partial) {
        assert_eq!(counts.owed, 0, "{receipt:?}");
    }
    assert_eq!(receipt.rejected_by.values().sum::<u64>(), counts.rejected, "{receipt:?}");
}
