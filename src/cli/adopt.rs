//! `herald adopt`: a lost snapshot, rebuilt.

use super::{
    args::{Adopt, Global},
    context,
    exit::{Exit, Stop},
    interrupt,
    output::Output,
    progress::Meter,
    text,
};
use crate::publish::{Adopted, AdoptedFrom, PublishError, code};

pub(super) async fn run(global: &Global, args: &Adopt, output: Output) -> Result<Exit, Stop> {
    let (config, publisher) = context::publisher(global).await?;
    let name = args.activation.as_str();
    context::activation(&config, name)?;
    let cancel = interrupt::token()?;
    let meter = Meter::new(output.progress());
    let adopted = publisher.adopt(name, args.keys.as_deref(), &meter, &cancel).await;
    drop(meter);
    let adopted = adopted.map_err(|error| match error {
        // What somebody gave to the command is at fault, not what stands anywhere.
        PublishError::Failed(failure) if failure.code == code::KEYS_UNREADABLE => {
            Stop::usage(failure.message, failure.remedy)
        }
        other => context::stopped(&config, other),
    })?;
    context::audit(publisher.state(), "adopt", name, Some(adopted.from.as_str().to_owned())).await?;
    if output.json() {
        output.document(&adopted)?;
    } else {
        output.text(render(&adopted))?;
    }
    Ok(Exit::Done)
}

fn render(adopted: &Adopted) -> String {
    let from = match adopted.from {
        AdoptedFrom::Manifests => "the target's manifests",
        AdoptedFrom::Keys => "the file of keys",
    };
    let members = text::plural(adopted.members, "member");
    let follows = adopted.sequence.map(|last| format!("; the next publish follows number {last}")).unwrap_or_default();
    format!(
        "{}: {members} adopted from {from}{follows}\n\
         their records are not known: the next publish sends each that is wanted once more, and removes the others",
        adopted.activation
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_says_what_comes_next() {
        let adopted =
            Adopted { activation: "gold".into(), members: 1, sequence: Some(7), from: AdoptedFrom::Manifests };
        let text = render(&adopted);
        assert!(
            text.starts_with("gold: 1 member adopted from the target's manifests; the next publish follows number 7\n")
        );
        let none = render(&Adopted { sequence: None, from: AdoptedFrom::Keys, ..adopted });
        assert!(none.starts_with("gold: 1 member adopted from the file of keys\n"), "{none}");
    }
}
