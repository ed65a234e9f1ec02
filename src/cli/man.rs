//! `herald man`: manual pages.

use std::{fs, io, path::Path};

use clap::CommandFactory;
use clap_mangen::Man;
use serde_json::json;

use super::{
    args::Arguments,
    exit::{Exit, Stop},
    output::Output,
};

pub(super) fn run(dir: Option<&Path>, output: Output) -> Result<Exit, Stop> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        Man::new(Arguments::command()).render(&mut page)?;
        let page = String::from_utf8_lossy(&page);
        let page = page.trim_end();
        if output.json() {
            output.document(&json!({ "page": page }))?;
        } else {
            output.text(page)?;
        }
        return Ok(Exit::Done);
    };
    let files = write(dir).map_err(|error| {
        Stop::usage(format!("could not write manual pages to {}: {error}", dir.display()), "name another folder")
    })?;
    if output.json() {
        output.document(&json!({ "files": files }))?;
    } else {
        output.text(files.join("\n"))?;
    }
    Ok(Exit::Done)
}

/// Writes `herald.1`, and `herald-COMMAND.1` for every command that help lists; returns the names.
fn write(dir: &Path) -> io::Result<Vec<String>> {
    fs::create_dir_all(dir)?;
    // Filled in first, so that a command's page has its full name and the options of every command.
    let mut herald = Arguments::command().disable_help_subcommand(true);
    herald.build();
    let commands = herald.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut files = Vec::new();
    for command in std::iter::once(herald.clone()).chain(commands) {
        let man = Man::new(command);
        man.generate_to(dir)?;
        files.push(man.get_filename());
    }
    Ok(files)
}
