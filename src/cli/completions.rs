//! `herald completions`: commands and options, completed by a shell.

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use serde_json::json;

use super::{
    args::Arguments,
    exit::{Exit, Stop},
    output::Output,
};

pub(super) fn run(shell: Shell, output: Output) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    generate(shell, &mut visible(Arguments::command()), "herald", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = script.trim_end();
    if output.json() {
        output.document(&json!({ "shell": shell.to_string(), "script": script }))?;
    } else {
        output.text(script)?;
    }
    Ok(Exit::Done)
}

/// Without the commands that help does not list: nobody types them.
fn visible(herald: Command) -> Command {
    let commands = herald.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect::<Vec<_>>();
    let options = herald.get_arguments().cloned().collect::<Vec<_>>();
    Command::new("herald").version(env!("CARGO_PKG_VERSION")).args(options).subcommands(commands)
}
