//! One publish, planned: what to read, and how to make records of it.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::{
    error::DataFusionError,
    logical_expr::{Expr, ident},
    physical_plan::statistics::{StatisticsArgs, StatisticsContext},
    prelude::{DataFrame, SessionContext},
};
use tokio_util::sync::CancellationToken;

use super::{
    engine,
    expression::Ordering,
    members::Layout,
    membership::{KeySet, Selection},
    narrow,
    record::RecordPlan,
    rule::Clause,
    sets::{self, DrawnSet},
    sieve::Sieve,
    spool::Spooling,
    spooled::{Shape, Spooled},
    tables::TableInfo,
};
use crate::{
    config::{Config, Table},
    publish::{Failure, code},
    snapshot::{KeyCodec, Keys, MemberKeys},
};

/// One publish, planned. No data has been read.
#[derive(Clone)]
pub struct PublishPlan {
    session: SessionContext,
    /// For a bucket's little queries: one thread each.
    local: SessionContext,
    tables: BTreeMap<String, TableInfo>,
    /// Key columns and `updated_at`, by table.
    definitions: BTreeMap<String, Table>,
    /// Tells the activation's definition from others.
    definition: String,
    /// The segment's rule, which the selection's test is made of.
    rule: Clause,
    selection: Selection,
    sets: Vec<KeySet>,
    /// The only members of interest; `None`: all are.
    members: Option<MemberKeys>,
    record: RecordPlan,
    codec: KeyCodec,
    /// `service.engine.memory`.
    memory: u64,
}

impl std::fmt::Debug for PublishPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublishPlan")
            .field("selection", &self.selection)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

/// What a scan of members is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reads<'a> {
    /// Records: filter, direct expressions, columns that related ones name.
    Records,
    /// A ranking: the columns that members are ordered by, last.
    Ranked(&'a [Ordering]),
}

/// Members of one bucket, about.
const BUCKET_ROWS: u64 = 160_000;
/// Bytes in memory of a byte in a file, about: files are compressed.
const EXPANSION: u64 = 6;
/// A bucket's rows of one table take about this part of the memory: a few are held at once, in several forms.
const BUCKET_SHARE: u64 = 24;
/// Most buckets: each has open files while it is written.
const MOST_BUCKETS: u64 = 256;
/// Bytes of a row in a file whose row count is not known.
const GUESSED_ROW: u64 = 48;

impl PublishPlan {
    #[expect(clippy::too_many_arguments, reason = "the parts of a plan, told apart by type")]
    pub(super) async fn new(
        session: SessionContext,
        local: SessionContext,
        (config, definition): (&Config, String),
        tables: BTreeMap<String, TableInfo>,
        (rule, selection): (Clause, Selection),
        sets: Vec<KeySet>,
        record: RecordPlan,
        memory: u64,
    ) -> Result<Self, Failure> {
        let definitions: BTreeMap<String, Table> = config.tables.clone();
        let codec = codec(&tables, &definitions, &selection.table)?;
        let members = None;
        Ok(Self {
            session,
            local,
            tables,
            definitions,
            definition,
            rule,
            selection,
            sets,
            members,
            record,
            codec,
            memory,
        })
    }

    /// The same publish, resolved for these members alone: what it yields of them is what the whole would. Scans skip
    /// the files' parts that say nothing of them; only who is ranked by a `limit` is still ranked among all.
    ///
    /// The buckets are those of the whole: members fall where [`MemberKeys::partitions`] says, and all other buckets
    /// are empty. Rows without a key are not counted, since they are none of the members.
    #[must_use]
    pub fn narrowed(&self, members: &MemberKeys) -> Self {
        let mut plan = self.clone();
        plan.session = narrow::selective(&self.session);
        plan.sets.push(KeySet::Named(members.clone()));
        plan.selection = plan.selection.within(plan.sets.len() - 1);
        plan.members = Some(members.clone());
        plan
    }

    /// The record's fields, in order.
    pub fn schema(&self) -> &SchemaRef {
        &self.record.schema
    }

    /// Whether the target makes records into what it takes, and may find no use for some.
    pub fn shapes_records(&self) -> bool {
        self.record.shaper.is_some()
    }

    /// How member keys are stored and shown.
    pub fn codec(&self) -> &KeyCodec {
        &self.codec
    }

    /// Type of the `_member` column.
    pub fn member_type(&self) -> DataType {
        self.codec.member_type()
    }

    /// How many buckets suit the tables and the memory.
    ///
    /// # Errors
    /// When the table's files can't be read.
    pub async fn buckets(&self) -> Result<u32, Failure> {
        let mut buckets = self.rows_of(&self.selection.table).await? / BUCKET_ROWS;
        let related = self.record.related.iter().map(|read| &read.table);
        for table in related.chain([&self.selection.table]) {
            let bytes = self.tables.get(table).map_or(0, |table| table.pins.bytes());
            buckets = buckets.max(bytes * EXPANSION / (self.memory / BUCKET_SHARE).max(1));
        }
        Ok(buckets.next_power_of_two().clamp(1, MOST_BUCKETS) as u32)
    }

    /// How many buckets suit so many rows of little more than a key.
    pub(super) fn buckets_of(rows: u64) -> u32 {
        (rows / BUCKET_ROWS).next_power_of_two().clamp(1, MOST_BUCKETS) as u32
    }

    /// Rows of a table, or a guess where its files do not say.
    pub(super) async fn rows_of(&self, table: &str) -> Result<u64, Failure> {
        let rows = async {
            let physical = self.session.table(table).await?.create_physical_plan().await?;
            let statistics = StatisticsContext::new().compute(physical.as_ref(), &StatisticsArgs::new())?;
            Ok::<_, DataFusionError>(statistics.num_rows.get_value().copied())
        };
        let rows = rows.await.map_err(|error| engine::failure(&error))?;
        let guessed = || self.tables.get(table).map_or(0, |table| table.pins.bytes() / GUESSED_ROW);
        Ok(rows.map_or_else(guessed, |rows| rows as u64))
    }

    /// About how many members there are to look at.
    pub(super) async fn expected(&self) -> Result<u64, Failure> {
        match &self.members {
            Some(members) => Ok(members.len() as u64),
            None => self.rows_of(&self.selection.table).await,
        }
    }

    /// Reads every source into buckets, below a folder that exists and is empty.
    ///
    /// # Errors
    /// What the sources, the engine or the disk said.
    pub async fn spool(
        &self,
        folder: &Path,
        buckets: u32,
        secret: &Keys,
        cancel: &CancellationToken,
    ) -> Result<Spooled, Failure> {
        let spooling = self.spooling(folder, buckets, secret, cancel);
        let sets = sets::draw_up(self, &spooling).await?;
        self.gather(&spooling, sets).await
    }

    pub(super) fn spooling(&self, folder: &Path, buckets: u32, secret: &Keys, cancel: &CancellationToken) -> Spooling {
        Spooling {
            folder: folder.to_owned(),
            buckets,
            codec: self.codec.clone(),
            secret: secret.clone(),
            cancel: cancel.clone(),
        }
    }

    /// Spools members and related rows; the sets have been drawn up.
    pub(super) async fn gather(&self, spooling: &Spooling, sets: Vec<DrawnSet>) -> Result<Spooled, Failure> {
        let expected = self.expected().await?;
        let wanted = (!self.record.related.is_empty()).then(|| Arc::new(Sieve::new(expected)));
        let through: Vec<Arc<Sieve>> =
            self.selection.required_sets().into_iter().map(|set| Arc::clone(&sets[set].sieve)).collect();
        let (frame, layout) = self.scan(&self.selection, Reads::Records, self.members.as_ref()).await?;
        let key_columns = self.key_of(&self.selection.table).len();
        let members = spooling.run(frame, "members", key_columns, &through, wanted.as_ref()).await?;
        let mut related = Vec::with_capacity(self.record.related.len());
        for (number, read) in self.record.related.iter().enumerate() {
            let frame = self.related_scan(number).await?;
            let sieves: Vec<_> = wanted.iter().cloned().collect();
            related.push(spooling.run(frame, &format!("related-{number}"), read.member.len(), &sieves, None).await?);
        }
        let (test, record) = (self.selection.test.clone(), self.record.clone());
        let shape = Shape { layout, test, record, codec: self.codec.clone() };
        let sets = sets.into_iter().map(|set| set.spool).collect();
        Ok(Spooled::new(shape, spooling.buckets, members, sets, related, self.local.clone()))
    }

    /// A scan of members: key columns first, then what [`Layout`] says. With `named`, it may leave out all others.
    pub(super) async fn scan(
        &self,
        selection: &Selection,
        reads: Reads<'_>,
        named: Option<&MemberKeys>,
    ) -> Result<(DataFrame, Layout), Failure> {
        let mut columns: Vec<Expr> = self.key_of(&selection.table).iter().map(ident).collect();
        let first = columns.len();
        let mut layout = Layout::default();
        let mut add = |expr: Expr, name: String| {
            columns.push(expr.alias(name));
            columns.len() - first
        };
        if let Some(updated) = self.definitions.get(&selection.table).and_then(|table| table.updated_at.as_ref()) {
            layout.updated = Some(add(ident(updated), "updated".into()));
        }
        let mut next = 1 + usize::from(layout.updated.is_some());
        layout.flags = next;
        for (number, flag) in selection.flags.iter().enumerate() {
            next = add(flag.clone(), format!("f{number}")) + 1;
        }
        if let Reads::Ranked(order) = &reads {
            for (number, order) in order.iter().enumerate() {
                add(order.expression.expr.clone(), format!("o{number}"));
            }
        } else if matches!(reads, Reads::Records) {
            if let Some(filter) = &self.record.filter {
                layout.filter = Some(add(filter.clone(), "filter".into()));
                next += 1;
            }
            layout.direct = next;
            for (number, expr) in self.record.direct.iter().enumerate() {
                next = add(expr.clone(), format!("d{number}")) + 1;
            }
            layout.member_columns = next;
            for (number, column) in self.record.member_columns.iter().enumerate() {
                add(ident(column), format!("m{number}"));
            }
        }
        let key = self.key_of(&selection.table);
        let frame = self.filtered(&selection.table, selection.filter.as_ref(), key, named).await?;
        let frame = frame.select(columns).map_err(|error| engine::failure(&error))?;
        Ok((frame, layout))
    }

    async fn related_scan(&self, number: usize) -> Result<DataFrame, Failure> {
        let read = &self.record.related[number];
        let mut columns: Vec<Expr> =
            read.member.iter().enumerate().map(|(index, column)| ident(column).alias(format!("k{index}"))).collect();
        let scanned = read.raw.is_empty();
        if scanned {
            columns.extend(read.inputs.iter().enumerate().map(|(index, expr)| expr.clone().alias(format!("c{index}"))));
        } else {
            columns.extend(read.raw.iter().map(ident));
        }
        let filter = read.filter.as_ref().filter(|_| scanned);
        let frame = self.filtered(&read.table, filter, &read.member, self.members.as_ref()).await?;
        frame.select(columns).map_err(|error| engine::failure(&error))
    }

    /// A table's rows for which a condition holds and, with `named`, whose `key` columns are one of these members'.
    async fn filtered(
        &self,
        table: &str,
        filter: Option<&Expr>,
        key: &[String],
        named: Option<&MemberKeys>,
    ) -> Result<DataFrame, Failure> {
        let filtered = async {
            let frame = self.session.table(table).await?;
            let pointing = match named {
                None => None,
                Some(members) => {
                    let data_type = |column: &String| frame.schema().field_with_unqualified_name(column);
                    let columns = key
                        .iter()
                        .map(|column| Ok((ident(column), data_type(column)?.data_type().clone())))
                        .collect::<Result<Vec<_>, DataFusionError>>()?;
                    narrow::pointing(&columns, members)?
                }
            };
            pointing.into_iter().chain(filter.cloned()).try_fold(frame, DataFrame::filter)
        };
        filtered.await.map_err(|error| engine::failure(&error))
    }

    pub(super) fn record(&self) -> &RecordPlan {
        &self.record
    }

    pub(super) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Tells the activation's definition from others.
    pub(super) fn definition(&self) -> &str {
        &self.definition
    }

    /// The column that says when a row of a table last changed, and its type.
    pub(super) fn updated_at(&self, table: &str) -> Option<(&str, DataType)> {
        let column = self.definitions.get(table)?.updated_at.as_deref()?;
        let field = self.tables.get(table)?.schema.field_with_name(column).ok()?;
        Some((column, field.data_type().clone()))
    }

    /// Columns of a table that point to a member.
    pub(super) fn member_of(&self, table: &str) -> Option<&[String]> {
        self.definitions.get(table).map(|table| table.member.as_slice()).filter(|member| !member.is_empty())
    }

    pub(super) fn table(&self) -> &str {
        &self.selection.table
    }

    pub(super) fn key_of(&self, table: &str) -> &[String] {
        self.definitions.get(table).map_or(&[], |table| &table.key)
    }

    pub(super) fn key_sets(&self) -> &[KeySet] {
        &self.sets
    }

    pub(super) fn rule(&self) -> &Clause {
        &self.rule
    }

    pub(super) fn members(&self) -> Option<&MemberKeys> {
        self.members.as_ref()
    }

    pub(super) fn session(&self) -> &SessionContext {
        &self.session
    }

    /// Fails if a file is not the one that was planned with.
    ///
    /// # Errors
    /// `source_changed`, or what the place said.
    pub async fn check_sources(&self) -> Result<(), Failure> {
        for table in self.tables.values() {
            table.pins.check(&self.session).await?;
        }
        Ok(())
    }
}

fn codec(
    tables: &BTreeMap<String, TableInfo>,
    definitions: &BTreeMap<String, Table>,
    table: &str,
) -> Result<KeyCodec, Failure> {
    let info = tables.get(table).ok_or_else(|| code::internal(format!("table `{table}` was not planned")))?;
    let key = definitions.get(table).map_or(&[][..], |table| &table.key);
    let types = key
        .iter()
        .map(|column| info.schema.field_with_name(column).map(|field| field.data_type().clone()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(code::internal)?;
    KeyCodec::new(&types).map_err(code::internal)
}
