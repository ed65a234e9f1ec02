//! `herald status`: how activations stand.

use std::time::Duration;

use super::{
    account,
    args::Global,
    context,
    exit::{Exit, Stop},
    output::{Colour, Output},
    text::{self, Table},
};
use crate::fleet::{self, Standing};

pub(super) async fn run(global: &Global, name: Option<&str>, output: Output) -> Result<Exit, Stop> {
    let (config, state) = context::open(global).await?;
    if let Some(name) = name {
        context::known(&config, &state, name).await?;
        let standing = fleet::one(&config, &state, name).await?;
        if output.json() {
            output.document(&standing)?;
        } else {
            let mut text = table(std::slice::from_ref(&standing)).render(output.style());
            if let Some(last) = &standing.last {
                text.push_str("\n\n");
                text.push_str(&account::render(last, output.style()));
            }
            output.text(text)?;
        }
        return Ok(Exit::Done);
    }
    let all = fleet::all(&config, &state).await?;
    if output.json() {
        output.lines(&all)?;
    } else if all.is_empty() {
        output.text("the config holds no activations")?;
    } else {
        output.text(table(&all).render(output.style()))?;
    }
    Ok(Exit::Done)
}

fn table(all: &[Standing]) -> Table {
    let mut table =
        Table::new(&["ACTIVATION", "STATE", "LAST", "FINISHED", "LAG", "NEXT", ">MEMBERS", ">DEAD LETTERS"]);
    for one in all {
        let (word, colour) = one.last.as_ref().map_or(("never", Colour::Dim), |last| account::status(last.status));
        table.coloured(
            vec![
                one.name.clone(),
                one.state.to_owned(),
                word.to_owned(),
                one.last.as_ref().and_then(|last| last.finished_at).map(text::time).unwrap_or_default(),
                lag(one),
                one.next.map(text::time).unwrap_or_default(),
                text::count(one.members),
                text::count(one.dead_letters),
            ],
            Some((2, colour)),
        );
    }
    table
}

fn lag(one: &Standing) -> String {
    let Some(seconds) = one.lag_seconds else { return String::new() };
    let lag = text::duration(Duration::from_secs(seconds));
    if one.late { format!("{lag}, too old") } else { lag }
}
