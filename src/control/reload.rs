//! A config takes the place of another: all of it, or nothing.

use std::{collections::HashMap, sync::Arc};

use super::{Caller, Changes, Control, Refusal, Refused};
use crate::{
    config::{self, Code, Config, Part, Problems, Rule},
    publish::{Failure, Publisher, Vanished},
    resolve::Resolver,
    state::{ActivationState, History, State},
};

/// Keys of `service` that are read at the start alone.
const AT_START: [&str; 5] = ["data_dir", "encryption_key", "state", "engine", "concurrency"];

impl Control {
    /// Reads the config again and takes it in force: all of it, or, where anything is wrong, nothing.
    ///
    /// # Errors
    /// [`Refused::Config`] with all that is wrong, or with what would be torn down beyond `max_teardowns_per_reload`.
    pub async fn reload(&self, caller: &Caller) -> Result<Changes, Refusal> {
        let _turn = self.0.turn.lock().await;
        let reloaded = Box::pin(self.take_in(caller)).await;
        match &reloaded {
            Ok(changes) => log(changes, &caller.name),
            Err(refusal) => log_refusal(refusal, &caller.name),
        }
        self.0.reloads.send_modify(|reloads| {
            reloads.last_refused = reloaded.is_err();
            if reloads.last_refused {
                reloads.refused += 1;
            } else {
                reloads.done += 1;
            }
        });
        reloaded
    }

    async fn take_in(&self, caller: &Caller) -> Result<Changes, Refusal> {
        let before = self.publisher();
        let config = Arc::new(read(&self.0.path, before.resolver()).await?);
        if config.service.http.tokens.is_empty() && !config::is_loopback(&self.0.listen) {
            let message = format!(
                "without tokens everybody who reaches {} could do everything: nothing was changed",
                self.0.listen
            );
            let remedy = "leave a token in `service.http.tokens`, or restart the service with another `listen`";
            return Err(Refusal::new(Refused::Config, message).code("tokens_needed").remedy(remedy));
        }
        let changes = changes(before.config(), &config);
        let publisher = before.with(Arc::clone(&config));
        let Departures { vanished } = Departures::of(&publisher).await?;
        let histories = histories(publisher.state(), &changes.added).await?;
        let detail = format!(
            "{} added, {} changed, {} removed",
            changes.added.len(),
            changes.changed.len(),
            changes.removed.len()
        );
        self.audit(caller, "reload", None, Some(detail)).await?;
        publisher.in_force().await?;
        self.0.publisher.store(Arc::new(publisher.tearing_down(vanished)));
        self.0.scheduler.reload(config, histories).await;
        self.resume_teardowns(caller).await?;
        Ok(changes)
    }
}

/// All that is wrong with a config, but for sources that can't be read now: those stop only the activations that need them.
pub(crate) async fn faults(resolver: &Resolver, config: &Config) -> Problems {
    let unreadable = [Code::MissingFile, Code::SourceUnreadable];
    let faults = resolver.check(config).await.into_iter().filter(|fault| !unreadable.contains(&fault.code));
    faults.map(|fault| fault.problem(&config.places)).collect::<Problems>().sorted()
}

/// What is to be torn down by a config, if it may be.
#[derive(Debug)]
pub(crate) struct Departures {
    /// Activations that the config names no more.
    pub(crate) vanished: Vanished,
}

impl Departures {
    /// Looks for them.
    ///
    /// # Errors
    /// When they are more than `max_teardowns_per_reload`, or the state can't be read.
    pub(crate) async fn of(publisher: &Publisher) -> Result<Self, Refusal> {
        let vanished = publisher.vanished().await?;
        let mut new = Vec::new();
        for name in vanished.keys() {
            if publisher.state().activation_state(name).await? == ActivationState::Active {
                new.push(format!("`{name}`"));
            }
        }
        let most = publisher.config().service.max_teardowns_per_reload as usize;
        if new.len() > most {
            let message = format!(
                "{} activations are gone from the config and would be torn down ({}), more than \
                 `service.max_teardowns_per_reload: {most}` allows: nothing was changed",
                new.len(),
                new.join(", ")
            );
            let remedy = "put them back into the config; if they are to go, delete them with `herald delete`, or raise \
                          `service.max_teardowns_per_reload` for once";
            return Err(Refusal::new(Refused::Config, message).code("too_many_teardowns").remedy(remedy));
        }
        Ok(Self { vanished })
    }
}

/// What a config says otherwise than the one before.
fn changes(before: &Config, after: &Config) -> Changes {
    let mut changes = Changes::default();
    for name in after.activations.keys() {
        if !before.activations.contains_key(name) {
            changes.added.push(name.clone());
        } else if says(before, name) != says(after, name) {
            changes.changed.push(name.clone());
        }
    }
    let gone = before.activations.keys().filter(|name| !after.activations.contains_key(*name));
    changes.removed = gone.cloned().collect();
    let digest = |config: &Config, key: &str| config.digests.get(&format!("service.{key}")).copied();
    let restart = AT_START.into_iter().filter(|key| digest(before, key) != digest(after, key));
    changes.restart = restart.map(|key| format!("service.{key}")).collect();
    let http = |config: &Config| (config.service.http.listen.clone(), digest(config, "traces"));
    if http(before).0 != http(after).0 {
        changes.restart.push("service.http.listen".to_owned());
    }
    if http(before).1 != http(after).1 {
        changes.restart.push("service.traces".to_owned());
    }
    changes
}

/// Digests of all that an activation is made of.
fn says(config: &Config, name: &str) -> Vec<Option<[u8; 32]>> {
    let mut entries = vec![format!("activations.{name}")];
    if let Some(activation) = config.activations.get(name) {
        entries.push(format!("targets.{}", activation.target));
        segments(config, &activation.segment, &mut entries);
    }
    entries.iter().map(|entry| config.digests.get(entry).copied()).collect()
}

/// A segment, and those that it is made of. Free SQL may name any table.
fn segments(config: &Config, name: &str, entries: &mut Vec<String>) {
    let name = name.split('.').next().unwrap_or_default();
    let entry = format!("segments.{name}");
    if entries.contains(&entry) {
        return;
    }
    entries.push(entry);
    if let Some(segment) = config.segments.get(name) {
        entries.push(format!("tables.{}", segment.from));
        of_rule(config, &segment.rule, entries);
    }
}

fn of_rule(config: &Config, rule: &Rule, entries: &mut Vec<String>) {
    for part in rule.all_of.iter().chain(rule.any_of.iter().flatten()).chain(&rule.none_of) {
        match part {
            Part::Named { name, .. } => segments(config, name, entries),
            Part::Inline(rule) => of_rule(config, rule, entries),
        }
    }
    rule.waterfall.iter().for_each(|name| segments(config, name, entries));
}

/// Reads a config from disk.
async fn read(path: &std::path::Path, resolver: &Resolver) -> Result<Config, Refusal> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || config::load(&path)).await;
    let config = read.map_err(|error| Refusal::from(crate::publish::code::internal(error)))?;
    let config = config.map_err(refused)?;
    if config.activations.is_empty() {
        let message = "the config holds no activations: nothing was changed";
        let remedy = "put them back; delete activations one by one with `herald delete`";
        return Err(Refusal::new(Refused::Config, message).code("no_activations").remedy(remedy));
    }
    let faults = faults(resolver, &config).await;
    if faults.is_empty() { Ok(config) } else { Err(refused(faults)) }
}

fn refused(problems: Problems) -> Refusal {
    let refusal = Refusal::new(Refused::Config, "the config has errors: nothing was changed");
    Refusal { problems: Some(problems), ..refusal }.remedy("correct them; `herald check` shows them with their places")
}

/// What activations that are new did last.
async fn histories(state: &State, added: &[String]) -> Result<HashMap<String, History>, Failure> {
    let mut histories = HashMap::new();
    for name in added {
        histories.insert(name.clone(), state.history(name).await?);
    }
    Ok(histories)
}

/// Logs what a reload changed.
fn log(changes: &Changes, caller: &str) {
    tracing::info!(
        caller,
        added = changes.added.join(" "),
        changed = changes.changed.join(" "),
        removed = changes.removed.join(" "),
        restart = changes.restart.join(" "),
        "the config was read again"
    );
}

/// Logs why a reload changed nothing.
fn log_refusal(refusal: &Refusal, caller: &str) {
    tracing::error!(caller, code = refusal.code, "the config is not taken in force: {}", refusal.message);
    for problem in refusal.problems.iter().flat_map(Problems::iter) {
        tracing::error!("{problem}");
    }
}
