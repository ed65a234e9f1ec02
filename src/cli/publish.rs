//! `herald publish` and `herald retry`: one publish in the foreground.

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    account,
    args::{Global, Publish},
    context,
    exit::{Exit, Stop},
    interrupt,
    output::Output,
    progress::Meter,
};
use crate::{
    config::Config,
    publish::{PublishKind, Publisher, Request, Whom},
    telemetry::traces,
};

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
        // One of named members does not stand in for a publish of all.
        kind: if args.rapid || !args.members.is_empty() { PublishKind::Rapid } else { PublishKind::Manual },
        full: args.full,
        whom: match (args.rapid, args.members) {
            (true, none) if none.is_empty() => Whom::Touched(none),
            (false, none) if none.is_empty() => Whom::Everybody,
            (_, members) => Whom::Named(members),
        },
        override_reason: args.override_reason,
        receipt: None,
        wait: !args.no_wait,
        unattended: false,
    };
    foreground(&config, &publisher, &request, &cancel, output).await
}

/// `herald retry`: the members of a publish's dead letters anew.
pub(super) async fn retry(global: &Global, id: Uuid, output: Output) -> Result<Exit, Stop> {
    let (config, publisher) = context::publisher(global).await?;
    let cancel = interrupt::token()?;
    let request = publisher.retry(id).await.map_err(|error| context::stopped(&config, error))?;
    context::audit(publisher.state(), "retry", &request.activation, Some(id.to_string())).await?;
    foreground(&config, &publisher, &request, &cancel, output).await
}

async fn foreground(
    config: &Config,
    publisher: &Publisher,
    request: &Request,
    cancel: &CancellationToken,
    output: Output,
) -> Result<Exit, Stop> {
    let meter = Meter::new(output.progress());
    let traces = traces::start(config.service.traces.as_ref()).map_err(context::untraced)?;
    let published = publisher.publish(request, &meter, cancel).await;
    drop(meter);
    traces.stop().await;
    let receipt = published.map_err(|error| context::stopped(config, error))?;
    if output.json() {
        output.document(&receipt)?;
    } else {
        output.text(account::render(&receipt, output.style()))?;
    }
    Ok(Exit::of(&receipt))
}
