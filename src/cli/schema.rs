//! `herald schema`: the config's JSON Schema, for editors and checks elsewhere.

use super::{
    exit::{Exit, Stop},
    output::Output,
};
use crate::config;

pub(super) fn run(output: Output) -> Result<Exit, Stop> {
    if output.json() {
        output.document(&config::schema())?;
    } else {
        let text = serde_json::to_string_pretty(&config::schema()).map_err(std::io::Error::from)?;
        output.text(text)?;
    }
    Ok(Exit::Done)
}
