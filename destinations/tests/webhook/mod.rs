//! The kind `webhook`, on receivers in this process.

mod doubt;
mod receiver;
mod requests;
mod suite;

use std::sync::Arc;

use herald_destinations::{
    contract::{Destination, Retries},
    kind,
};
use serde_json::Value;

use crate::support::proxy::{Rule, Spoil, proxy};

async fn connected(options: Value, retries: impl Into<Retries>) -> Arc<dyn Destination> {
    let config = kind("webhook").expect("the kind").parse(options, ".".as_ref()).expect("options");
    config.connect(retries.into()).await.expect("connect")
}

/// Options of a receiver behind a proxy that spoils the first requests.
async fn spoiled(port: u16, spoil: Spoil, times: u32) -> Value {
    let (port, _) = proxy(port, Rule { method: "POST ", target: "/hooks", spoil, times }).await;
    receiver::options(port, "/hooks/in")
}
