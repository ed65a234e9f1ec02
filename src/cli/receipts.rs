//! `herald receipts` and `herald receipt`.

use uuid::Uuid;

use super::{
    account,
    args::{Global, Receipts},
    context,
    exit::{Exit, Stop},
    output::Output,
    text::{self, Table},
};
use crate::state::Filter;

pub(super) async fn list(global: &Global, args: Receipts, output: Output) -> Result<Exit, Stop> {
    let (config, state) = context::open(global).await?;
    if let Some(name) = &args.activation {
        context::known(&config, &state, name).await?;
    }
    let filter = Filter { activation: args.activation, limit: args.limit, ..Filter::default() };
    let receipts = state.receipts(filter).await?;
    if output.json() {
        output.lines(&receipts)?;
        return Ok(Exit::Done);
    }
    if receipts.is_empty() {
        output.text("nothing published yet")?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        "ID",
        "ACTIVATION",
        ">#",
        "KIND",
        "MODE",
        "STATUS",
        "FINISHED",
        ">ADDED",
        ">UPDATED",
        ">REMOVED",
        ">DELIVERED",
        ">REJECTED",
        "ERROR",
    ]);
    for receipt in receipts {
        let (word, colour) = account::status(receipt.status);
        table.coloured(
            vec![
                receipt.id.to_string(),
                receipt.activation,
                receipt.sequence.to_string(),
                account::kind(receipt.kind).to_owned(),
                receipt.mode.as_str().to_owned(),
                word.to_owned(),
                receipt.finished_at.map(text::time).unwrap_or_default(),
                text::count(receipt.counts.added),
                text::count(receipt.counts.updated),
                text::count(receipt.counts.removed),
                text::count(receipt.counts.delivered),
                text::count(receipt.counts.rejected),
                receipt.error.map(|error| error.code).unwrap_or_default(),
            ],
            Some((5, colour)),
        );
    }
    output.text(table.render(output.style()))?;
    Ok(Exit::Done)
}

pub(super) async fn one(global: &Global, id: Uuid, output: Output) -> Result<Exit, Stop> {
    let (_, state) = context::open(global).await?;
    let Some(receipt) = state.receipt(id).await? else {
        return Err(no_such_publish(id));
    };
    if output.json() {
        output.document(&receipt)?;
    } else {
        output.text(account::render(&receipt, output.style()))?;
    }
    Ok(Exit::Done)
}

pub(super) fn no_such_publish(id: Uuid) -> Stop {
    Stop::usage(format!("no publish has the id {id}"), "list them with `herald receipts`")
}
