//! `herald publish`: one publish in the foreground.

use super::{
    account,
    args::{Global, Publish},
    context,
    exit::{Exit, Stop},
    interrupt,
    output::Output,
    progress::Meter,
};
use crate::publish::{PublishKind, Request};

pub(super) async fn run(global: &Global, args: Publish, output: Output) -> Result<Exit, Stop> {
    let (config, publisher) = context::publisher(global).await?;
    context::activation(&config, &args.activation)?;
    let cancel = interrupt::token()?;
    let state = publisher.state();
    let mode = args.full.then(|| "full".to_owned());
    context::audit(state, "publish", &args.activation, mode).await?;
    if let Some(reason) = &args.override_reason {
        context::audit(state, "override", &args.activation, Some(reason.clone())).await?;
    }
    let request = Request {
        activation: args.activation,
        kind: PublishKind::Manual,
        full: args.full,
        override_reason: args.override_reason,
        wait: !args.no_wait,
    };
    let meter = Meter::new(output.progress());
    let published = publisher.publish(&request, &meter, &cancel).await;
    drop(meter);
    let receipt = published.map_err(|error| context::stopped(&config, error))?;
    if output.json() {
        output.document(&receipt)?;
    } else {
        output.text(account::render(&receipt, output.style()))?;
    }
    Ok(Exit::of(&receipt))
}
