//! What a publish makes of one member, and which clause of the segment's rule decides.

use std::{path::Path, sync::Arc};

use arrow::compute::filter_record_batch;
use tokio_util::sync::CancellationToken;

use super::{
    members::{belonging, collapse},
    membership::Selection,
    plan::{PublishPlan, Reads},
    sets,
    spool::failure,
    spooled::Resolved,
    test::Test,
    verdict::Judge,
};
use crate::{
    publish::{Failure, code},
    snapshot::{Keys, MemberKeys},
};

/// What was found of a member.
#[derive(Debug, Clone)]
pub struct Examined {
    /// Rows of the segment's table that hold its key.
    pub rows: u64,
    /// Those of them that belong to the segment.
    pub belonging: u64,
    /// The entries of the config that let it in, or why each one keeps it out.
    pub because: Vec<String>,
    /// What becomes of it; `None`: it does not belong.
    pub resolved: Option<Resolved>,
}

impl PublishPlan {
    /// Looks at one member, below a folder that exists and is empty. Where the table holds no such key, `rows` is 0.
    ///
    /// # Errors
    /// What the sources, the engine or the disk said.
    pub async fn examine(
        &self,
        member: &MemberKeys,
        folder: &Path,
        buckets: u32,
        secret: &Keys,
        cancel: &CancellationToken,
    ) -> Result<Examined, Failure> {
        let nothing = Examined { rows: 0, belonging: 0, because: Vec::new(), resolved: None };
        let Some(bucket) = member.partitions(secret, buckets).first().copied() else { return Ok(nothing) };
        let plan = self.narrowed(member);
        let spooling = plan.spooling(folder, buckets, secret, cancel);
        let drawn = sets::draw_up(&plan, &spooling).await?;
        let conditions = self.rule().conditions();
        // Nobody is left out, and each condition is noted by itself. Attributes are not read: they are only ever
        // evaluated for those who belong, and may fail for others.
        let laid_open = Selection {
            table: self.table().to_owned(),
            filter: None,
            flags: conditions.iter().map(|(_, expr)| (*expr).clone().is_true()).collect(),
            test: Test::Set(drawn.len() - 1),
        };
        let (frame, layout) = plan.scan(&laid_open, Reads::Ranked(&[]), Some(member)).await?;
        let named: Vec<_> = drawn.last().map(|named| Arc::clone(&named.sieve)).into_iter().collect();
        let rows = spooling.run(frame, "examined", self.key_of(self.table()).len(), &named, None).await?;
        let keys = sets::keys_of(&drawn, bucket)?;
        let rows = belonging(rows.read(bucket)?, &laid_open.test, &layout, &keys).map_err(failure)?;
        if rows.num_rows() == 0 {
            return Ok(nothing);
        }
        let judge = Judge { rows: &rows, layout: &layout, sets: &keys, conditions: &conditions };
        let passed = judge.belonging(self.rule()).map_err(failure)?;
        let count = rows.num_rows() as u64;
        if passed.true_count() == 0 {
            // Of several rows, the one that would count.
            let (counts, _) = collapse(rows.clone(), &layout).map_err(failure)?;
            let judge = Judge { rows: &counts, ..judge };
            let because = judge.why_not(self.rule(), 0).map_err(failure)?;
            return Ok(Examined { rows: count, because, ..nothing });
        }
        let belonging = filter_record_batch(&rows, &passed).map_err(failure)?;
        let judge = Judge { rows: &belonging, ..judge };
        let because = judge.why(self.rule(), 0).map_err(failure)?;
        let resolved = plan.gather(&spooling, drawn).await?.bucket(bucket).await?;
        if resolved.resolved != 1 {
            return Err(code::internal("a publish and its explanation differ in who belongs"));
        }
        Ok(Examined { rows: count, belonging: passed.true_count() as u64, because, resolved: Some(resolved) })
    }
}
