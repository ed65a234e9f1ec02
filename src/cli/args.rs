//! The command line as clap reads it. Doc comments here are the help text.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use uuid::Uuid;

use crate::telemetry::LogFormat;

/// Publishes customer segments from a lake to the places that act on them, and proves it.
#[derive(Debug, Parser)]
#[command(name = "herald", version, max_term_width = 110, propagate_version = false, after_help = EXIT_STATUS)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_STATUS: &str = "\
Exit status: 0 done · 1 failed, a connection refused, a difference found, every record rejected · \
2 usage or config error, unknown name or id · 3 done, with rejected records · 4 blocked by a guard · 130 interrupted.
Set HERALD_LOG to a level such as `debug`, or to directives such as `info,herald::publish=trace`, to see more or less.";

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// The config: a YAML file, or a folder of them
    #[arg(
        long,
        global = true,
        env = "HERALD_CONFIG",
        hide_env_values = true,
        default_value = "config",
        value_name = "PATH"
    )]
    pub(super) config: PathBuf,
    /// How log lines on stderr look: `text` or `json`
    #[arg(long, global = true, value_enum, default_value_t, hide_possible_values = true, value_name = "FORMAT")]
    pub(super) log: LogFormat,
    /// No progress, and of the log only warnings
    #[arg(long, global = true)]
    pub(super) quiet: bool,
    /// One JSON document on stdout (for lists: one a line) and nothing else there
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Writes a sample that runs: a config and a small lake
    Init(Init),
    /// Validates the config
    Check(Check),
    /// Resolves an activation and takes the delta, but sends nothing
    Plan(Plan),
    /// Publishes an activation now
    Publish(Publish),
    /// Runs the service: publishes every activation when it is due, until it is stopped
    Run,
    /// Shows how activations stand
    Status(Named),
    /// Lists receipts, newest first
    Receipts(Receipts),
    /// Shows one receipt
    Receipt(One),
    /// Lists records that were refused for good, with the reason
    Rejects(Rejects),
    /// Says why a member is, or is not, at the target
    Explain(Explain),
    /// Publishes the members of a publish's dead letters anew
    Retry(One),
    /// Reads back what targets hold and compares it with the receipts
    Verify(Verify),
    /// Stops an activation's schedule; what it delivered stays
    Pause(Name),
    /// Starts an activation's schedule again
    Resume(Name),
    /// Tears an activation down now
    Delete(Delete),
    /// Lets a deleted activation that is still in the config live again
    Recreate(Name),
    /// Rebuilds a lost snapshot from what stands at the target
    Adopt(Adopt),
    /// Shows who published, overrode, paused and deleted
    Audit(Audit),
    /// Prints the config's JSON Schema
    Schema,
    /// Prints a script that completes commands and options in a shell
    Completions(Completions),
    /// Prints the manual page, or writes one a command to a folder
    Man(Man),
    /// Asks the running service whether it lives: exit status 0 or 1
    #[command(hide = true)]
    Healthcheck(Healthcheck),
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder to write to
    #[arg(default_value = ".")]
    pub(super) dir: PathBuf,
    /// Rewrites the sample's lake as it stands in a later generation
    #[arg(long, hide = true)]
    pub(super) generation: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Also reaches each source and target, leaving nothing behind
    #[arg(long)]
    pub(super) connect: bool,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    /// Name of the activation
    pub(super) activation: String,
    /// Plans a full publish, whatever the activation's mode
    #[arg(long)]
    pub(super) full: bool,
    /// Shows so many records, their values masked
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=1000))]
    pub(super) sample: u16,
    /// Shows personal values of the sample as they are
    #[arg(long, requires = "sample")]
    pub(super) reveal: bool,
}

#[derive(Debug, Args)]
pub(super) struct Publish {
    /// Name of the activation
    pub(super) activation: String,
    /// Publishes the whole membership, whatever the activation's mode
    #[arg(long)]
    pub(super) full: bool,
    /// Publishes what changed since the last publish, out of turn
    #[arg(long, conflicts_with = "full")]
    pub(super) rapid: bool,
    /// Publishes only the member with this key; may be given many times
    #[arg(long = "member", value_name = "KEY", conflicts_with = "full")]
    pub(super) members: Vec<String>,
    /// Goes on where a guard would stop, and puts this reason on record
    #[arg(long = "override", value_name = "REASON", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(super) override_reason: Option<String>,
    /// Fails at once, code `busy`, if the activation is being published
    #[arg(long)]
    pub(super) no_wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Name of the activation; default: all
    pub(super) activation: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// Name of the activation
    pub(super) activation: String,
}

#[derive(Debug, Args)]
pub(super) struct Receipts {
    /// Name of the activation; default: all
    pub(super) activation: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// Id of the publish
    pub(super) id: Uuid,
}

#[derive(Debug, Args)]
pub(super) struct Rejects {
    /// Id of a publish, or name of an activation
    #[arg(value_name = "ID|ACTIVATION")]
    pub(super) of: String,
}

#[derive(Args)]
pub(super) struct Explain {
    /// Name of the activation
    pub(super) activation: String,
    /// Key of the member in the segment's table; the parts of a composite one joined by `|`
    #[arg(allow_hyphen_values = true)]
    pub(super) key: String,
}

impl std::fmt::Debug for Explain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explain").field("activation", &self.activation).finish_non_exhaustive()
    }
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Name of an activation, or id of a publish; default: all activations
    #[arg(value_name = "ACTIVATION|ID")]
    pub(super) of: Option<String>,
    /// Compares sizes and what checksums the server offers, without reading every byte
    #[arg(long)]
    pub(super) quick: bool,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// Name of the activation
    pub(super) activation: String,
    /// Takes back what the activation delivered
    #[arg(long, conflicts_with = "keep")]
    pub(super) purge: bool,
    /// Leaves what the activation delivered
    #[arg(long)]
    pub(super) keep: bool,
    /// Only shows what would be taken back
    #[arg(long)]
    pub(super) plan: bool,
}

#[derive(Debug, Args)]
pub(super) struct Adopt {
    /// Name of the activation
    pub(super) activation: String,
    /// Takes the members from this file, a key a line, and not from the target's manifests
    #[arg(long, value_name = "FILE")]
    pub(super) keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Audit {
    /// At most so many lines
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) limit: u32,
    /// Only lines about this activation
    #[arg(long, value_name = "NAME")]
    pub(super) activation: Option<String>,
    /// Only lines since then: a duration such as `7d`, or a time such as `2026-03-01` or `2026-03-01T10:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = super::audit::since)]
    pub(super) since: Option<DateTime<Utc>>,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder to write to; made if it is missing
    pub(super) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// Base address of the service; default: `service.http.listen` of the config
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Arguments, Command};

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_or_after_the_command() {
        for line in [
            ["herald", "--json", "--config", "x.yaml", "publish", "gold"],
            ["herald", "publish", "gold", "--config", "x.yaml", "--json"],
        ] {
            let read = Arguments::try_parse_from(line).unwrap();
            assert!(read.global.json);
            assert_eq!(read.global.config.to_str(), Some("x.yaml"));
            assert!(matches!(read.command, Command::Publish(publish) if publish.activation == "gold"));
        }
    }

    #[test]
    fn a_key_may_look_like_an_option() {
        for line in
            ["herald explain gold -7 --json", "herald --json explain gold -- -7", "herald explain --json gold -7"]
        {
            let read = Arguments::try_parse_from(line.split(' ')).unwrap();
            assert!(read.global.json, "{line}");
            assert!(matches!(read.command, Command::Explain(explain) if explain.key == "-7"), "{line}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_a_usage_error() {
        for line in [
            "herald plan gold --sample 1001",
            "herald delete gold --purge --keep",
            "herald publish gold --override=",
            "herald receipt not-an-id",
            "herald audit --since yesterday",
            "herald completions tcsh",
            "herald frobnicate",
            "herald publish",
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn asking_for_help_or_version_is_no_error() {
        for line in ["herald --help", "herald --version", "herald publish --help"] {
            assert_eq!(Arguments::try_parse_from(line.split(' ')).unwrap_err().exit_code(), 0, "{line}");
        }
    }
}
