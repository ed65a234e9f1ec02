//! `herald rejects`: records that were refused for good.

use uuid::Uuid;

use super::{
    args::Global,
    context,
    exit::{Exit, Stop},
    output::Output,
    receipts::no_such_publish,
    text::{self, Table},
};
use crate::state::DeadLettersOf;

/// Read and printed at a time: there may be millions.
const PAGE: u32 = 1_000;

pub(super) async fn run(global: &Global, of: &str, output: Output) -> Result<Exit, Stop> {
    let (config, state) = context::open(global).await?;
    let whose = match of.parse::<Uuid>() {
        Ok(id) => {
            state.receipt(id).await?.ok_or_else(|| no_such_publish(id))?;
            DeadLettersOf::Publish(id)
        }
        Err(_) => {
            context::known(&config, &state, of).await?;
            DeadLettersOf::Activation(of)
        }
    };
    let mut last = None;
    loop {
        let mut page = state.dead_letters(whose, PAGE, last.as_ref()).await?;
        if output.json() {
            output.lines(&page)?;
        } else if !page.is_empty() {
            let mut table = Table::new(&["MEMBER", "OP", "CODE", ">COUNT", "SINCE", "PUBLISH", "MESSAGE"]);
            for letter in &page {
                table.row(vec![
                    letter.member.clone(),
                    letter.op.clone(),
                    letter.code.clone(),
                    text::count(letter.count),
                    text::time(letter.since),
                    letter.publish.to_string(),
                    letter.message.clone(),
                ]);
            }
            output.text(table.render(output.style()))?;
        } else if last.is_none() {
            output.text("no dead letters")?;
        }
        match page.pop() {
            Some(letter) => last = Some(letter),
            None => return Ok(Exit::Done),
        }
    }
}
