//! Segments and attributes → records. Only here and below is the query engine named.
//!
//! ```text
//! Resolver ──plan──▶ PublishPlan ──spool──▶ Spooled ──bucket──▶ Resolved
//! one a process      checked, no data      on disk, by key     one bucket's records, by key
//! ```
//!
//! Everything that is joined to a member (key sets, related rows) is first spooled into buckets by the member's key.
//! A join then holds one bucket in memory, whatever the size of the tables.

mod among;
mod definition;
mod delimited;
mod engine;
mod examine;
mod expression;
mod fault;
pub mod functions;
mod index;
mod listing;
mod members;
mod membership;
mod narrow;
mod part;
mod plan;
mod reads;
mod record;
mod related;
mod replay;
mod rule;
mod sets;
mod sieve;
mod spool;
mod spooled;
mod stores;
mod tables;
mod test;
mod touched;
mod verdict;
mod watermark;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use datafusion::{
    execution::{context::SQLOptions, runtime_env::RuntimeEnv},
    prelude::SessionContext,
};

pub use self::{
    examine::Examined,
    fault::Fault,
    part::FetchedPart,
    plan::PublishPlan,
    reads::Unseen,
    replay::{Replay, Replayed},
    spooled::{Resolved, Spooled},
    watermark::Watermarks,
};
use self::{membership::MembershipPlanner, record::RecordPlanner, tables::TableInfo};
use crate::{
    config::{Activation, AttributeValue, Code, Config, Part, Rule},
    publish::{Failure, code},
};

/// The query engine of a process: plans publishes within one memory limit.
#[derive(Debug, Clone)]
pub struct Resolver {
    runtime: Arc<RuntimeEnv>,
    threads: usize,
    memory: u64,
}

impl Resolver {
    /// An engine that uses about `memory` bytes and spills to the folder.
    ///
    /// # Errors
    /// When the spill folder can't be made.
    pub fn new(memory: u64, spill: &Path) -> Result<Self, Failure> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        Ok(Self { runtime: engine::runtime(memory, spill)?, threads, memory })
    }

    /// Plans every segment and activation of a config against the tables' schemas.
    pub async fn check(&self, config: &Config) -> Vec<Fault> {
        let session = engine::session(&self.runtime, self.threads);
        let (tables, mut faults) = register(&session, config, config.tables.keys().cloned().collect()).await;
        for name in config.segments.keys() {
            let mut planner =
                MembershipPlanner { session: &session, config, tables: &tables, sets: Vec::new(), faults: Vec::new() };
            planner.segment(name).await;
            faults.extend(planner.faults);
        }
        for activation in config.activations.values() {
            if let Some(table) = segment_table(config, activation) {
                let mut planner = RecordPlanner { session: &session, config, tables: &tables, faults: Vec::new() };
                planner.plan(activation, table);
                faults.extend(planner.faults);
            }
        }
        let mut seen = BTreeSet::new();
        faults.retain(|fault| seen.insert((fault.at.clone(), fault.message.clone())));
        faults
    }

    /// Plans one activation.
    ///
    /// # Errors
    /// All that is wrong with it, by place in the config.
    pub async fn plan(&self, config: &Config, activation: &Activation) -> Result<PublishPlan, Vec<Fault>> {
        let session = engine::session(&self.runtime, self.threads);
        let (tables, mut faults) = register(&session, config, tables_of(&session, config, activation)).await;
        let mut membership =
            MembershipPlanner { session: &session, config, tables: &tables, sets: Vec::new(), faults: Vec::new() };
        let segment = membership.segment(&activation.segment).await;
        let sets = std::mem::take(&mut membership.sets);
        faults.append(&mut membership.faults);
        let mut record = RecordPlanner { session: &session, config, tables: &tables, faults: Vec::new() };
        let planned = segment.as_ref().and_then(|(_, selection)| record.plan(activation, &selection.table));
        faults.append(&mut record.faults);
        match (segment, planned) {
            (Some(segment), Some(record)) if faults.is_empty() => {
                let local = engine::session(&self.runtime, 1);
                let definition = definition::digest(config, activation, &tables);
                let defined = (config, definition);
                PublishPlan::new(session, local, defined, tables, segment, sets, record, self.memory).await.map_err(
                    |failure| {
                        vec![Fault::new(
                            format!("activations.{}", activation.name),
                            Code::SourceUnreadable,
                            failure.message,
                        )]
                    },
                )
            }
            _ => Err(faults),
        }
    }
}

/// Only queries: a segment's SQL writes nothing and changes no setting.
fn read_only() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

async fn register(
    session: &SessionContext,
    config: &Config,
    names: BTreeSet<String>,
) -> (BTreeMap<String, TableInfo>, Vec<Fault>) {
    let (mut tables, mut faults) = (BTreeMap::new(), Vec::new());
    for name in names {
        let Some(table) = config.tables.get(&name) else { continue };
        let at = format!("sources.{}.tables.{name}", table.source);
        match tables::register(session, table).await {
            Ok(info) => {
                faults.extend(missing_columns(table, &info, &at));
                tables.insert(name, info);
            }
            Err(failure) => {
                let absent = failure.code == code::SOURCE_MISSING;
                let code = if absent { Code::MissingFile } else { Code::SourceUnreadable };
                faults.push(Fault::new(format!("{at}.path"), code, failure.message));
            }
        }
    }
    (tables, faults)
}

/// Columns that the config names and the table does not have.
fn missing_columns(table: &crate::config::Table, info: &TableInfo, at: &str) -> Vec<Fault> {
    let named = table.key.iter().map(|column| ("key", column));
    let named = named.chain(table.member.iter().map(|column| ("member", column)));
    let named = named.chain(table.updated_at.iter().map(|column| ("updated_at", column)));
    named
        .filter(|(_, column)| info.schema.field_with_name(column).is_err())
        .map(|(key, column)| {
            let known = info.schema.fields().iter().map(|field| field.name().as_str());
            let hint = crate::config::hint(column, known);
            Fault::new(
                format!("{at}.{key}"),
                Code::UnknownColumn,
                format!("table `{}` has no column `{column}`{hint}", table.name),
            )
        })
        .collect()
}

fn segment_table<'c>(config: &'c Config, activation: &Activation) -> Option<&'c str> {
    let name = activation.segment.split('.').next()?;
    config.segments.get(name).map(|segment| segment.from.as_str())
}

/// Tables that a publish may read. Of a segment's SQL that can't be parsed, which planning reports, any.
fn tables_of(session: &SessionContext, config: &Config, activation: &Activation) -> BTreeSet<String> {
    let mut walk = Walk { session, config, seen: BTreeSet::new(), tables: BTreeSet::new(), any: false };
    walk.segment(activation.segment.split('.').next().unwrap_or_default());
    if walk.any {
        return config.tables.keys().cloned().collect();
    }
    walk.tables.extend(activation.attributes.iter().filter_map(|attribute| match &attribute.value {
        AttributeValue::Related { table, .. } => Some(table.clone()),
        AttributeValue::Direct(_) => None,
    }));
    walk.tables
}

/// Tables that a query names; `None`: it can't be parsed.
fn named_in(session: &SessionContext, query: &str) -> Option<BTreeSet<String>> {
    let state = session.state();
    let statement = state.sql_to_statement(query, &state.config_options().sql_parser.dialect).ok()?;
    let references = state.resolve_table_references(&statement).ok()?;
    Some(references.iter().map(|reference| reference.table().to_owned()).collect())
}

/// Follows a segment to all the tables under it.
struct Walk<'c> {
    session: &'c SessionContext,
    config: &'c Config,
    seen: BTreeSet<String>,
    tables: BTreeSet<String>,
    any: bool,
}

impl Walk<'_> {
    fn segment(&mut self, name: &str) {
        let name = name.split('.').next().unwrap_or_default();
        if !self.seen.insert(name.to_owned()) {
            return;
        }
        if let Some(segment) = self.config.segments.get(name) {
            self.tables.insert(segment.from.clone());
            self.rule(&segment.rule);
        }
    }

    fn rule(&mut self, rule: &Rule) {
        if let Some(sql) = &rule.sql {
            match named_in(self.session, &sql.text) {
                Some(tables) => self.tables.extend(tables),
                None => self.any = true,
            }
        }
        for part in rule.all_of.iter().chain(rule.any_of.iter().flatten()).chain(&rule.none_of) {
            match part {
                Part::Named { name, .. } => self.segment(name),
                Part::Inline(rule) => self.rule(rule),
            }
        }
        rule.waterfall.iter().for_each(|name| self.segment(name));
    }
}
