//! `herald init`: a sample that runs.

use serde_json::json;

use super::{
    args::Init,
    exit::{Exit, Stop},
    output::Output,
};
use crate::sample;

pub(super) fn run(args: &Init, output: Output) -> Result<Exit, Stop> {
    let refused = |error: sample::SampleError| Stop::usage(error.to_string(), "give another folder: `herald init DIR`");
    if let Some(generation) = args.generation {
        let changes = sample::change(&args.dir, generation).map_err(refused)?;
        if output.json() {
            output.document(&json!({ "dir": args.dir, "generation": generation, "changes": changes }))?;
        } else {
            let sample::Changes { added, updated, removed } = changes;
            output.text(format_args!(
                "the lake in {} is now that of day {generation}: of its people, {added} are new, {updated} changed, \
                 {removed} are gone",
                args.dir.display()
            ))?;
        }
        return Ok(Exit::Done);
    }
    sample::write(&args.dir).map_err(refused)?;
    if output.json() {
        output.document(&json!({ "dir": args.dir, "files": sample::FILES }))?;
        return Ok(Exit::Done);
    }
    let mut text = format!("wrote into {}:\n", args.dir.display());
    for file in sample::FILES {
        text.push_str(&format!("  {file}\n"));
    }
    text.push_str("\nnext:\n");
    if args.dir.as_os_str() != "." {
        text.push_str(&format!("  cd {}\n", args.dir.display()));
    }
    text.push_str("  herald check\n  herald publish best_to_partner\n  herald verify");
    output.text(text)?;
    Ok(Exit::Done)
}
