//! `herald audit`: who did what.

use super::{
    args::Global,
    context,
    exit::{Exit, Stop},
    output::Output,
    text::{self, Table},
};

pub(super) async fn run(global: &Global, limit: u32, output: Output) -> Result<Exit, Stop> {
    let (_, state) = context::open(global).await?;
    let entries = state.audits(limit).await?;
    if output.json() {
        output.lines(&entries)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["WHEN", "WHO", "WHAT", "ACTIVATION", "DETAIL"]);
    for entry in entries {
        table.row(vec![
            text::time(entry.at),
            entry.who,
            entry.what,
            entry.activation.unwrap_or_default(),
            entry.detail.unwrap_or_default(),
        ]);
    }
    if table.is_empty() {
        output.text("nothing on record yet")?;
    } else {
        output.text(table.render(output.style()))?;
    }
    Ok(Exit::Done)
}
