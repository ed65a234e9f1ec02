//! `herald check`: everything that can be known to be wrong before a publish.

use std::path::{Path, PathBuf};

use herald_destinations::{contract::Mode, encode::pgp::Expiry, files::Format};
use serde::Serialize;

use super::{
    args::{Check, Global},
    context,
    exit::{Exit, Stop},
    output::{Colour, Output},
    text, unseen,
};
use crate::{
    config::{self, Code, Config},
    publish::Failure,
    resolve::Resolver,
};

/// What was checked.
#[derive(Debug, Serialize)]
struct Checked {
    ok: bool,
    tables: usize,
    segments: usize,
    targets: usize,
    activations: usize,
    /// What is valid and yet does not do what it seems to.
    warnings: Vec<Warning>,
    /// With `--connect`: every target, and what came of reaching it.
    connections: Vec<Connection>,
    /// None, or there would be an `error` in place of this document.
    problems: [(); 0],
}

/// Something in the config that has no effect, or not the wanted one, or not for long.
#[derive(Debug, Serialize)]
pub(super) struct Warning {
    pub(super) at: String,
    pub(super) message: String,
}

/// Days before a key's end from which on there is a warning.
const EXPIRES_SOON: i64 = 30;

/// A target, reached for.
#[derive(Debug, Serialize)]
struct Connection {
    target: String,
    kind: &'static str,
    ok: bool,
    error: Option<Failure>,
}

pub(super) async fn run(global: &Global, args: &Check, output: Output) -> Result<Exit, Stop> {
    // Planning spills nothing, but the engine wants a folder, and a check leaves nothing in `data_dir`.
    let spill = Scratch::new();
    let (config, resolver) = sound(global, &spill.0).await?;
    let mut warnings = warnings(&config);
    warnings.extend(unseen::warnings(&config, &resolver).await);
    let mut checked = Checked {
        ok: true,
        tables: config.tables.len(),
        segments: config.segments.len(),
        targets: config.targets.len(),
        activations: config.activations.len(),
        warnings,
        connections: Vec::new(),
        problems: [],
    };
    if args.connect {
        checked.connections = connect(&config).await;
        checked.ok = checked.connections.iter().all(|connection| connection.ok);
    }
    if output.json() {
        output.document(&checked)?;
    } else {
        output.text(render(&checked, output))?;
    }
    Ok(if checked.ok { Exit::Done } else { Exit::Failed })
}

/// The config, if nothing is wrong with it: neither in itself nor with its SQL, planned against the tables' schemas.
async fn sound(global: &Global, spill: &Path) -> Result<(Config, Resolver), Stop> {
    let (config, mut problems) = config::survey(&global.config);
    let Some(config) = config else { return Err(Stop::Config(problems)) };
    let resolver = Resolver::new(config.service.memory, spill)?;
    for fault in resolver.check(&config).await {
        problems.push(fault.problem(&config.places));
    }
    let now = chrono::Utc::now().timestamp();
    for (at, expiry) in expiries(&config).filter(|(_, expiry)| expiry.at <= now) {
        let message = format!("`{}`: {}", expiry.file, expiry.reason(now));
        let remedy = "get a valid one from its owner, or the same key with a later expiry; until then this activation \
                      can't publish";
        problems.push(config.places.problem(&at, Code::InvalidValue, message).remedy(remedy));
    }
    if problems.is_empty() { Ok((config, resolver)) } else { Err(Stop::Config(problems.sorted())) }
}

fn warnings(config: &Config) -> Vec<Warning> {
    let idle = config.activations.values().filter(|activation| {
        activation.keep.is_some() && activation.mode == Mode::Incremental && activation.resync.is_none()
    });
    let idle = idle.map(|activation| Warning {
        at: format!("activations.{}.files.keep", activation.name),
        message: "nothing is ever removed unless somebody publishes with `--full`: whatever followed the newest full \
                  publish stays; add `resync`"
            .to_owned(),
    });
    // An incremental file has the columns of operation and member, too.
    let blank = config.activations.values().filter(|activation| match &activation.attributes[..] {
        [only] => {
            (activation.mode == Mode::Full || activation.resync.is_some())
                && activation.files.format == Format::Csv
                && activation.files.csv.null.is_empty()
                && !activation.require.contains(&only.name)
        }
        _ => false,
    });
    let blank = blank.map(|activation| Warning {
        at: format!("activations.{}.files.csv.null", activation.name),
        message:
            "in a file of one column a null is an empty line, which many readers skip; set `null: \"NULL\"`, or put the \
                  attribute under `require`"
                .to_owned(),
    });
    let now = chrono::Utc::now().timestamp();
    let ending = expiries(config).filter(|(_, expiry)| (now + 1..=now + EXPIRES_SOON * 86_400).contains(&expiry.at));
    let ending = ending.map(|(at, expiry)| Warning {
        at,
        message: format!("`{}`: {}; after that day this activation can't publish", expiry.file, expiry.reason(now)),
    });
    idle.chain(blank).chain(ending).collect()
}

/// Where keys stand that end one day.
fn expiries(config: &Config) -> impl Iterator<Item = (String, Expiry)> {
    config.activations.values().flat_map(|activation| {
        let expiries = activation.files.encrypt.iter().flat_map(|encryption| encryption.expiries());
        expiries.map(move |expiry| (format!("activations.{}.files.encrypt.{}", activation.name, expiry.option), expiry))
    })
}

async fn connect(config: &Config) -> Vec<Connection> {
    let reached = config.targets.values().map(|target| async move {
        let probe = async { target.config.connect(context::patience().into()).await?.probe().await };
        let error = probe.await.err().map(Failure::from);
        Connection { target: target.name.clone(), kind: target.config.kind(), ok: error.is_none(), error }
    });
    futures::future::join_all(reached).await
}

fn render(checked: &Checked, output: Output) -> String {
    let style = output.style();
    let number = |count: usize, one| text::plural(count as u64, one);
    let mut lines = vec![format!(
        "{}  {}, {}, {}, {}",
        style.paint(Colour::Green, "valid"),
        number(checked.tables, "table"),
        number(checked.segments, "segment"),
        number(checked.targets, "target"),
        number(checked.activations, "activation"),
    )];
    lines.extend(
        checked
            .warnings
            .iter()
            .map(|warning| format!("{}  {}: {}", style.paint(Colour::Yellow, "warning"), warning.at, warning.message)),
    );
    lines.extend(checked.connections.iter().map(|connection| match &connection.error {
        None => {
            format!("{}  target {} ({})", style.paint(Colour::Green, "reached"), connection.target, connection.kind)
        }
        Some(error) => format!(
            "{}  target {} ({}): {error}\n  help: {}",
            style.paint(Colour::Red, "refused"),
            connection.target,
            connection.kind,
            error.remedy
        ),
    }));
    lines.join("\n")
}

/// A folder of this process that goes when it does.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("herald-check-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
