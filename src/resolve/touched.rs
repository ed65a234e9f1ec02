//! Whose rows were touched since a publish: told by `updated_at`, table by table.

use std::{sync::Arc, time::Duration};

use arrow::{array::ArrayRef, compute::concat};
use chrono::{DateTime, Utc};
use datafusion::{
    common::{ScalarValue, stats::Precision},
    error::DataFusionError,
    functions_aggregate::expr_fn::max,
    logical_expr::{ident, lit},
    physical_plan::statistics::{StatisticsArgs, StatisticsContext},
};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{
    engine,
    membership::KeySet,
    narrow,
    plan::PublishPlan,
    reads::Watched,
    spool::failure,
    watermark::{Watermark, Watermarks},
};
use crate::{
    publish::{Failure, code},
    snapshot::MemberKeys,
};

/// Of more touched members than these everybody is looked at, which holds no list of them in memory.
const MOST_TOUCHED: usize = 1_000_000;

impl PublishPlan {
    /// Who is named by rows that changed past the watermarks less `overlap`, and `also`. `None`: that can't be told, or
    /// they are so many that it is better to look at everybody.
    ///
    /// # Errors
    /// What the sources or the engine said, or `interrupted`.
    pub async fn touched(
        &self,
        since: &Watermarks,
        overlap: Duration,
        also: &MemberKeys,
        cancel: &CancellationToken,
    ) -> Result<Option<MemberKeys>, Failure> {
        // Who comes in, or changes, puts others out who were not touched.
        if self.key_sets().iter().any(KeySet::is_relative) {
            return Ok(None);
        }
        let Some(watched) = self.watched().filter(|_| since.definition == self.definition()) else { return Ok(None) };
        let mut found = Found { keys: vec![Arc::clone(also.keys())], rows: also.len() };
        for (name, table) in &watched {
            let Some(mark) = since.of(name, &table.data_type) else { return Ok(None) };
            let beyond = mark.beyond(&table.data_type, overlap);
            for member in &table.members {
                if !self.pointed_to(&mut found, (name, table, member), beyond.as_ref(), cancel).await? {
                    return Ok(None);
                }
            }
        }
        let keys = concat(&found.keys.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(failure)?;
        Ok(Some(MemberKeys::new(self.codec(), &keys).map_err(failure)?))
    }

    /// Gathers the keys that changed rows of a table name, each once. False: they are too many.
    async fn pointed_to(
        &self,
        found: &mut Found,
        (name, table, member): (&str, &Watched, &[String]),
        beyond: Option<&ScalarValue>,
        cancel: &CancellationToken,
    ) -> Result<bool, Failure> {
        let updated_at = ident(&table.updated_at);
        let changed = match beyond {
            Some(beyond) => updated_at.gt(lit(beyond.clone())),
            None => updated_at.is_not_null(),
        };
        let stream = async {
            let frame = narrow::selective(self.session()).table(name).await?;
            let frame = frame.filter(changed)?.select(member.iter().map(ident).collect::<Vec<_>>())?;
            frame.distinct()?.execute_stream().await
        };
        let mut stream = stream.await.map_err(|error| engine::failure(&error))?;
        loop {
            let next = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(code::interrupted()),
                next = stream.next() => next,
            };
            let Some(batch) = next else { return Ok(true) };
            let batch = batch.map_err(|error| engine::failure(&error))?;
            found.rows += batch.num_rows();
            if found.rows > MOST_TOUCHED {
                return Ok(false);
            }
            found.keys.push(self.codec().encode(batch.columns()).map_err(failure)?);
        }
    }

    /// How far the tables are read by a publish that looks at everybody, or at the touched, `now`: their files are the
    /// ones that were planned with. `thorough`: where the files themselves do not say, they are read for it.
    ///
    /// # Errors
    /// What the sources or the engine said.
    pub async fn watermarks(&self, thorough: bool, now: DateTime<Utc>) -> Result<Watermarks, Failure> {
        let mut marks = Watermarks { definition: self.definition().to_owned(), ..Watermarks::default() };
        for (name, table) in self.watched().unwrap_or_default() {
            let greatest = async {
                match self.noted_greatest(&name, &table.updated_at).await? {
                    None if thorough => self.read_greatest(&name, &table.updated_at).await.map(Some),
                    noted => Ok::<_, DataFusionError>(noted),
                }
            };
            if let Some(greatest) = greatest.await.map_err(|error| engine::failure(&error))? {
                marks.tables.insert(name, Watermark::new(&table.data_type, &greatest, now));
            }
        }
        Ok(marks)
    }

    /// The greatest value of a column by the files' own statistics.
    async fn noted_greatest(&self, table: &str, column: &str) -> Result<Option<ScalarValue>, DataFusionError> {
        let physical = self.session().table(table).await?.create_physical_plan().await?;
        let statistics = StatisticsContext::new().compute(physical.as_ref(), &StatisticsArgs::new())?;
        let of_column = physical.schema().index_of(column).ok().and_then(|at| statistics.column_statistics.get(at));
        Ok(match of_column.map(|column| &column.max_value) {
            Some(Precision::Exact(greatest)) if !greatest.is_null() => Some(greatest.clone()),
            _ => None,
        })
    }

    /// The same, by reading it.
    async fn read_greatest(&self, table: &str, column: &str) -> Result<ScalarValue, DataFusionError> {
        let frame = self.session().table(table).await?.aggregate(Vec::new(), vec![max(ident(column))])?;
        let rows = frame.collect().await?;
        let greatest = rows.iter().find(|batch| batch.num_rows() > 0);
        greatest.map_or(Ok(ScalarValue::Null), |batch| ScalarValue::try_from_array(batch.column(0), 0))
    }
}

/// Keys in the stored form, some of them in several pieces.
struct Found {
    keys: Vec<ArrayRef>,
    rows: usize,
}
