//! What most commands begin with: the config, the state, an activation by name.

use std::{env, fs, os::unix::fs::MetadataExt, sync::Arc, time::Duration};

use chrono::Utc;
use herald_destinations::contract::RetryPolicy;

use super::{args::Global, exit::Stop};
use crate::{
    config::{self, Activation, Config, Problems},
    publish::{PublishError, Publisher},
    resolve::Fault,
    state::{AuditEntry, State},
    telemetry::traces::TraceError,
};

/// A name this close to another is taken for a slip.
const LIKENESS: f64 = 0.75;

/// Reads the config.
pub(super) fn load(global: &Global) -> Result<Config, Stop> {
    Ok(config::load(&global.config)?)
}

/// Reads the config and opens the state.
pub(super) async fn open(global: &Global) -> Result<(Config, State), Stop> {
    let config = load(global)?;
    let state = State::open(&config.service.data_dir).await?;
    Ok((config, state))
}

/// An activation of the config.
pub(super) fn activation<'a>(config: &'a Config, name: &str) -> Result<&'a Activation, Stop> {
    config.activations.get(name).ok_or_else(|| unknown(config, name))
}

/// Refuses a name that is neither in the config nor on record.
pub(super) async fn known(config: &Config, state: &State, name: &str) -> Result<(), Stop> {
    if config.activations.contains_key(name) || state.activation(name).await?.is_some() {
        return Ok(());
    }
    Err(unknown(config, name))
}

pub(super) fn unknown(config: &Config, name: &str) -> Stop {
    let nearest = config
        .activations
        .keys()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let remedy = match nearest {
        Some((_, nearest)) => format!("did you mean `{nearest}`?"),
        None if config.activations.is_empty() => "the config holds no activations".to_owned(),
        None => {
            let names: Vec<&str> = config.activations.keys().map(String::as_str).take(20).collect();
            format!("the config holds {}", names.join(", "))
        }
    };
    Stop::usage(format!("no activation is named `{name}`"), remedy)
}

/// Puts on record what the user of this command does.
pub(super) async fn audit(state: &State, what: &str, activation: &str, detail: Option<String>) -> Result<(), Stop> {
    let entry = AuditEntry {
        at: Utc::now(),
        who: user(),
        what: what.to_owned(),
        activation: Some(activation.to_owned()),
        detail,
    };
    Ok(state.audit(&entry).await?)
}

/// The user of the machine. The one that the process runs as, whatever its environment says; only one whom the machine has
/// no name for, as in a container, is named by the environment, or by number.
fn user() -> String {
    let number = fs::metadata("/proc/self").map(|process| process.uid()).ok();
    let known = || named(&fs::read_to_string("/etc/passwd").ok()?, number?).map(str::to_owned);
    let said = || ["USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok().filter(|who| !who.is_empty()));
    known().or_else(said).or_else(|| Some(format!("uid {}", number?))).unwrap_or_else(|| "unknown".to_owned())
}

/// The name of a user, in lines of `name:password:number:…`.
fn named(passwd: &str, number: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(number)).then_some(name)
    })
}

/// Reads the config and opens all that publishing needs.
pub(super) async fn publisher(global: &Global) -> Result<(Arc<Config>, Publisher), Stop> {
    publisher_of(load(global)?).await
}

/// Opens all that publishing needs.
pub(super) async fn publisher_of(config: Config) -> Result<(Arc<Config>, Publisher), Stop> {
    let config = Arc::new(config);
    let publisher = Publisher::open(Arc::clone(&config)).await?;
    Ok((config, publisher))
}

/// An environment that names no address of a collector.
pub(super) fn untraced(error: TraceError) -> Stop {
    Stop::usage(error.to_string(), "correct or unset OTEL_EXPORTER_OTLP_ENDPOINT")
}

/// Why a publish has no receipt.
pub(super) fn stopped(config: &Config, error: PublishError) -> Stop {
    match error {
        PublishError::Unknown(message) => {
            Stop::usage(message, "list what there is with `herald status` and `herald receipts`")
        }
        PublishError::Unfit(message) => Stop::usage(message, "set `mode: incremental`, or publish everybody"),
        PublishError::Config(faults) => Stop::Config(problems(config, faults)),
        PublishError::Failed(failure) => failure.into(),
    }
}

/// Faults at the places where their values stand.
pub(super) fn problems(config: &Config, faults: Vec<Fault>) -> Problems {
    let problem = |fault: Fault| fault.problem(&config.places);
    faults.into_iter().map(problem).collect::<Problems>().sorted()
}

/// How long to keep trying a target while somebody waits at the command line: a few tries, within a minute.
pub(super) fn patience() -> RetryPolicy {
    RetryPolicy { attempts: 3, max_elapsed: Duration::from_secs(60) }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_user_is_found_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\n:x:7:7::/:\nbroken\nann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\n";
        assert_eq!(named(passwd, 0), Some("root"));
        assert_eq!(named(passwd, 1000), Some("ann"));
        assert_eq!(named(passwd, 100), None);
        assert_eq!(named(passwd, 7), None);
    }
}
