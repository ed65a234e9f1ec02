//! `herald pause` and `herald resume`.

use serde_json::json;

use super::{
    args::Global,
    context,
    exit::{Exit, Stop},
    output::Output,
};

pub(super) async fn run(global: &Global, name: &str, pause: bool, output: Output) -> Result<Exit, Stop> {
    let (config, state) = context::open(global).await?;
    let activation = context::activation(&config, name)?;
    if !pause && activation.paused {
        return Err(Stop::usage(
            format!("`{name}` is paused by the config"),
            format!("set `activations.{name}.paused: false`"),
        ));
    }
    // Before the change: a crash in between leaves a line too many, never a change without one.
    context::audit(&state, if pause { "pause" } else { "resume" }, name, None).await?;
    state.set_paused(name, pause).await?;
    let word = if pause { "paused" } else { "active" };
    if output.json() {
        output.document(&json!({ "name": name, "state": word }))?;
    } else {
        output.text(format_args!("{name} is {word}"))?;
    }
    Ok(Exit::Done)
}
