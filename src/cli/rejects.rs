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
use crate::{publish::DeadLetter, state::DeadLettersOf};

/// Read and printed at a time: there may be millions.
const PAGE: u32 = 1_000;

pub(super) async fn run(global: &Global, of: &str, output: Output) -> Result<Exit, Stop> {
    let (config, publisher) = context::publisher(global).await?;
    let state = publisher.state();
    let whose = match of.parse::<Uuid>() {
        Ok(id) => {
            state.receipt(id).await?.ok_or_else(|| no_such_publish(id))?;
            DeadLettersOf::Publish(id)
        }
        Err(_) => {
            context::known(&config, state, of).await?;
            DeadLettersOf::Activation(of)
        }
    };
    let mut after = None;
    let mut any = false;
    loop {
        let (page, last) = publisher.dead_letters(whose, PAGE, after.as_ref()).await?;
        if output.json() {
            output.lines(&page)?;
        } else if !page.is_empty() {
            output.text(table(&page).render(output.style()))?;
        } else if !any {
            output.text("no dead letters")?;
        }
        any |= !page.is_empty();
        match last {
            Some(_) => after = last,
            None => return Ok(Exit::Done),
        }
    }
}

fn table(letters: &[DeadLetter]) -> Table {
    let mut table = Table::new(&["MEMBER", "OP", "CODE", ">COUNT", "SINCE", "PUBLISH", "MESSAGE"]);
    for letter in letters {
        let quarantined = if letter.quarantined { " (quarantined)" } else { "" };
        table.row(vec![
            letter.member.clone(),
            letter.op.clone(),
            letter.code.clone(),
            format!("{}{quarantined}", text::count(letter.count)),
            text::time(letter.since),
            letter.publish.to_string(),
            letter.message.clone(),
        ]);
    }
    table
}
