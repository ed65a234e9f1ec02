//! `herald delete` and `herald recreate`: the end of an activation, and its second life.

use serde_json::json;

use super::{
    account,
    args::{Delete, Global},
    context,
    exit::{Exit, Stop},
    interrupt,
    output::Output,
    progress::Meter,
    text,
};
use crate::config::OnDelete;

pub(super) async fn run(global: &Global, args: &Delete, output: Output) -> Result<Exit, Stop> {
    let (config, publisher) = context::publisher(global).await?;
    let name = args.activation.as_str();
    context::activation(&config, name)?;
    let on_delete = match (args.purge, args.keep) {
        (true, _) => Some(OnDelete::Purge),
        (_, true) => Some(OnDelete::Keep),
        _ => None,
    };
    if args.plan {
        let withdrawal =
            publisher.plan_delete(name, on_delete).await.map_err(|error| context::stopped(&config, error))?;
        if output.json() {
            output.document(&withdrawal)?;
            return Ok(Exit::Done);
        }
        let mut lines = vec![match (withdrawal.paths.len() as u64, withdrawal.members) {
            (0, 0) => format!("{name}: nothing at the target would be removed; delivered data stays"),
            (0, members) => format!("{name}: {} would be removed from the target", text::plural(members, "member")),
            (objects, _) => format!("{name}: {} would be removed from the target", text::plural(objects, "object")),
        }];
        lines.extend(withdrawal.paths.iter().map(|path| format!("  {path}")));
        for place in &withdrawal.elsewhere {
            let (objects, members) = (place.paths.len() as u64, place.members);
            lines.push(format!(
                "at the former place of target {}: {} and {} would be removed",
                place.target,
                text::plural(objects, "object"),
                text::plural(members, "member")
            ));
            lines.extend(place.paths.iter().map(|path| format!("  {path}")));
        }
        output.text(lines.join("\n"))?;
        return Ok(Exit::Done);
    }
    let decided = publisher.on_delete(name, on_delete).await.map_err(|error| context::stopped(&config, error))?;
    let data = match decided {
        OnDelete::Purge => "purge",
        OnDelete::Keep => "keep",
    };
    context::audit(publisher.state(), "delete", name, Some(data.to_owned())).await?;
    let cancel = interrupt::token()?;
    let meter = Meter::new(output.progress());
    let torn_down = publisher.tear_down(name, on_delete, &meter, &cancel).await;
    drop(meter);
    let receipt = torn_down.map_err(|error| context::stopped(&config, error))?;
    if output.json() {
        output.document(&receipt)?;
    } else {
        output.text(account::render(&receipt, output.style()))?;
    }
    Ok(Exit::of(&receipt))
}

pub(super) async fn recreate(global: &Global, name: &str, output: Output) -> Result<Exit, Stop> {
    let (config, publisher) = context::publisher(global).await?;
    context::activation(&config, name)?;
    publisher.may_recreate(name).await.map_err(|error| context::stopped(&config, error))?;
    context::audit(publisher.state(), "recreate", name, None).await?;
    publisher.recreate(name).await.map_err(|error| context::stopped(&config, error))?;
    if output.json() {
        output.document(&json!({ "name": name, "state": "active" }))?;
    } else {
        output.text(format_args!("{name} lives again; its next publish is a first one"))?;
    }
    Ok(Exit::Done)
}
