//! `herald explain`: why a member is, or is not, at the target.

use super::{
    args::{Explain, Global},
    context,
    exit::{Exit, Stop},
    interrupt,
    output::{Colour, Output, Style},
};
use crate::publish::{Explanation, Outcome, Presence};

pub(super) async fn run(global: &Global, args: &Explain, output: Output) -> Result<Exit, Stop> {
    let (config, publisher) = context::publisher(global).await?;
    context::activation(&config, &args.activation)?;
    let cancel = interrupt::token()?;
    let explained = publisher.explain(&args.activation, &args.key, &cancel).await;
    let explained = explained.map_err(|error| context::stopped(&config, error))?;
    if output.json() {
        output.document(&explained)?;
    } else {
        output.text(render(&explained, output.style()))?;
    }
    Ok(Exit::Done)
}

/// A walk from the segment to the target, one step a line.
fn render(explained: &Explanation, style: Style) -> String {
    let held = match explained.held {
        Presence::Yes => style.paint(Colour::Green, "held"),
        Presence::No => style.paint(Colour::Red, "not held"),
        Presence::Perhaps => style.paint(Colour::Yellow, "perhaps held"),
    };
    let (activation, member) = (style.paint(Colour::Bold, &explained.activation), &explained.member);
    let mut out = format!("{activation}  {member}  {held}\n");
    let width = explained.steps.iter().map(|step| step.name.len()).max().unwrap_or_default();
    for step in &explained.steps {
        let (sign, colour) = sign(step.outcome);
        out.push_str(&format!("\n  {} {:<width$}  {}", style.paint(colour, sign), step.name, step.detail));
    }
    out
}

const fn sign(outcome: Outcome) -> (&'static str, Colour) {
    match outcome {
        Outcome::Passed | Outcome::Unchanged | Outcome::Delivered => ("✓", Colour::Green),
        Outcome::Failed | Outcome::Rejected => ("✗", Colour::Red),
        Outcome::Added | Outcome::Updated => ("+", Colour::Yellow),
        Outcome::Removed => ("−", Colour::Yellow),
        Outcome::Unknown => ("?", Colour::Yellow),
        Outcome::Skipped | Outcome::None => ("·", Colour::Dim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Step;

    #[test]
    fn the_walk_has_a_line_a_step_and_says_first_whether_the_member_is_held() {
        let step = |name, outcome, detail: &str| Step { name, outcome, detail: detail.to_owned() };
        let explained = Explanation {
            activation: "gold".into(),
            member: "U7".into(),
            steps: vec![
                step("segment", Outcome::Failed, "does not belong"),
                step("last delivery", Outcome::None, "none"),
            ],
            held: Presence::No,
        };
        assert_eq!(
            render(&explained, Style::PLAIN),
            "gold  U7  not held\n\n  ✗ segment        does not belong\n  · last delivery  none"
        );
        assert!(!format!("{explained:?}").contains("U7"));
    }
}
