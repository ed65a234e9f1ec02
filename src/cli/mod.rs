//! The command line: one file per command, beside what they share.

mod account;
mod adopt;
mod args;
mod audit;
mod check;
mod completions;
mod context;
mod delete;
mod exit;
mod explain;
mod healthcheck;
mod init;
mod interrupt;
mod man;
mod mask;
mod output;
mod pause;
mod plan;
mod progress;
mod publish;
mod receipts;
mod rejects;
mod run;
mod schema;
mod status;
mod text;
mod unseen;
mod verify;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use clap::Parser;

use crate::telemetry;

use self::{
    args::{Arguments, Command, Global},
    exit::{Exit, Stop},
    output::Output,
};

/// Room for the query engine's recursion over deep expressions, in unoptimised builds too.
pub(crate) const STACK: usize = 8 << 20;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let Arguments { global, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let output = Output::new(global.json, global.quiet);
    let exit = telemetry::init(global.log, global.quiet)
        .map_err(|error| Stop::usage(error.to_string(), "correct or unset HERALD_LOG"))
        .and_then(|()| start(&global, command, output))
        .unwrap_or_else(|stop| {
            output.stop(&stop);
            stop.exit()
        });
    ExitCode::from(exit as u8)
}

/// Help and version come this way too, for stdout, and with status 0.
fn refuse(error: &clap::Error) -> ExitCode {
    // Nobody is left to be told when the stream is closed.
    let _ = error.print();
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let _ = Output::new(true, true).document(&Stop::usage(message, "see `herald --help`").document());
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8))
}

/// The runtime starts here and not in `main`, so that help and version need not wait for it.
fn start(global: &Global, command: Command, output: Output) -> Result<Exit, Stop> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build().map_err(|error| {
            Stop::Failure(crate::publish::code::internal(format_args!("could not start threads: {error}")))
        })?;
    // A bug must end in an exit status that scripts know. The panic has been reported on stderr by now; a publish
    // that it cut short is settled by the next one, as after a crash.
    let exit = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(global, command, output))));
    // A read that hangs on a dead mount must not keep the process alive.
    runtime.shutdown_background();
    exit.unwrap_or_else(|_| Err(Stop::Failure(crate::publish::code::internal("a part of herald panicked"))))
}

async fn run(global: &Global, command: Command, output: Output) -> Result<Exit, Stop> {
    match command {
        Command::Init(args) => init::run(&args, output),
        Command::Check(args) => check::run(global, &args, output).await,
        Command::Plan(args) => plan::run(global, &args, output).await,
        Command::Publish(args) => Box::pin(publish::run(global, args, output)).await,
        Command::Delete(args) => delete::run(global, &args, output).await,
        Command::Recreate(args) => delete::recreate(global, &args.activation, output).await,
        Command::Run => run::run(global, output).await,
        Command::Status(args) => status::run(global, args.activation.as_deref(), output).await,
        Command::Receipts(args) => receipts::list(global, args, output).await,
        Command::Receipt(args) => receipts::one(global, args.id, output).await,
        Command::Rejects(args) => rejects::run(global, &args.of, output).await,
        Command::Retry(args) => Box::pin(publish::retry(global, args.id, output)).await,
        Command::Explain(args) => explain::run(global, &args, output).await,
        Command::Verify(args) => verify::run(global, &args, output).await,
        Command::Pause(args) => pause::run(global, &args.activation, true, output).await,
        Command::Resume(args) => pause::run(global, &args.activation, false, output).await,
        Command::Adopt(args) => adopt::run(global, &args, output).await,
        Command::Audit(args) => audit::run(global, args, output).await,
        Command::Schema => schema::run(output),
        Command::Completions(args) => completions::run(args.shell, output),
        Command::Man(args) => man::run(args.dir.as_deref(), output),
        Command::Healthcheck(args) => healthcheck::run(global, args.url.as_deref(), output).await,
    }
}
