//! `explain`: why one member is, or is not, at the target. It reads the few rows about that member, takes no lock and
//! changes nothing.

use std::{fmt, path::Path, sync::Arc};

use arrow::array::{Array, ArrayRef};
use herald_destinations::contract::Mode;
use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Failure, PublishError, Publisher, Silent,
    before::Before,
    code, reasons,
    run::{Looks, Run},
};
use crate::{
    resolve::Examined,
    snapshot::{Holding, Keys, MemberKeys, fingerprints},
};

/// Why a member is, or is not, at the target.
#[derive(Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Explanation {
    /// Name of the activation.
    pub activation: String,
    /// The key as it was given.
    pub member: String,
    /// What is asked of a member on its way to the target, in order.
    pub steps: Vec<Step>,
    /// Whether the target holds it.
    pub held: Presence,
}

impl fmt::Debug for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("activation", &self.activation)
            .field("steps", &self.steps)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

/// One step on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    /// `segment`, `filter`, `requirement`, `delta`, `last delivery`.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, naming the entries of the config; no attribute's value.
    pub detail: String,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The member goes on.
    Passed,
    /// It ends here.
    Failed,
    /// An earlier step ended it.
    Skipped,
    /// The target holds the record as it should be.
    Unchanged,
    /// The next publish adds it.
    Added,
    /// The next publish sends it again.
    Updated,
    /// The next publish removes it.
    Removed,
    /// There is nothing to do, or nothing was done.
    None,
    /// It can't be told.
    Unknown,
    /// The target acknowledged the record.
    Delivered,
    /// The target, or validation, refused it.
    Rejected,
}

/// Whether the target holds a member, as far as it has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// What was sent last is not settled.
    Perhaps,
}

/// What the snapshot says of a member.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) presence: Presence,
    /// Of the record that the target acknowledged; `None`: nobody knows which it holds.
    pub(super) fingerprint: Option<Vec<u8>>,
    /// The publish that it acknowledged it in.
    pub(super) sequence: u64,
}

/// All that is known of the member.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The member's key as stored, alone; `None`: the text can be no key.
    pub(super) key: Option<ArrayRef>,
    /// `None`: the text can be no key.
    pub(super) examined: Option<Examined>,
    /// Of the record wanted now; `None`: none is.
    pub(super) wanted: Option<Vec<u8>>,
    pub(super) entry: Option<Entry>,
}

impl Publisher {
    /// Says why a member is, or is not, at the target. A key that nobody has is an answer too.
    ///
    /// # Errors
    /// Unknown activation, a config that does not plan, or what the sources, the engine or the snapshot said.
    pub async fn explain(
        &self,
        name: &str,
        key: &str,
        cancel: &CancellationToken,
    ) -> Result<Explanation, PublishError> {
        let (activation, target) = self.activation(name)?;
        let plan = self.resolver.plan(&self.config, activation).await.map_err(PublishError::Config)?;
        let run = Run {
            publisher: self,
            activation,
            target,
            full: false,
            plan,
            planned_at: chrono::Utc::now(),
            looks: Looks::Everybody,
            members: None,
            retries: activation.retry.into(),
            progress: &Silent,
            cancel,
        };
        // A full publish starts from whatever stands, also where an incremental one could not.
        let before = run.before(Mode::Full).await?;
        let folder = self.spool_dir(Uuid::now_v7());
        let found = self.find(&run, &before, key, &folder).await;
        let _ = std::fs::remove_dir_all(&folder);
        let (steps, held) = reasons::steps(&run, &before, &found?).await?;
        Ok(Explanation { activation: name.to_owned(), member: key.to_owned(), steps, held })
    }

    /// A text may read as several composite keys: the first that anybody has is meant.
    async fn find(&self, run: &Run<'_>, before: &Before, key: &str, folder: &Path) -> Result<Found, Failure> {
        let (plan, secret) = (&run.plan, self.snapshots()?.keys());
        let members = MemberKeys::parse(plan.codec(), [key]).map_err(code::internal)?;
        let mut found = Found::default();
        for reading in 0..members.len() {
            let member = members.only(reading);
            let folder = folder.join(reading.to_string());
            std::fs::create_dir_all(&folder).map_err(|error| code::disk(&error, "make the spool's folder"))?;
            let examined = plan.examine(&member, &folder, before.buckets, secret, run.cancel).await?;
            let records = examined.resolved.as_ref().map(|resolved| &resolved.records);
            let prints = records.map(|records| fingerprints(records, secret)).transpose().map_err(code::internal)?;
            found = Found {
                key: Some(Arc::clone(member.keys())),
                examined: Some(examined),
                wanted: prints.filter(|prints| !prints.is_empty()).map(|prints| prints.value(0).to_vec()),
                entry: entry(before, &member, secret)?,
            };
            if found.entry.is_some() || found.examined.as_ref().is_some_and(|examined| examined.rows > 0) {
                break;
            }
        }
        Ok(found)
    }
}

/// What the snapshot says of a member; `None`: the target does not hold it.
fn entry(before: &Before, member: &MemberKeys, secret: &Keys) -> Result<Option<Entry>, Failure> {
    let Some(snapshot) = &before.snapshot else { return Ok(None) };
    let Some(bucket) = member.partitions(secret, before.buckets).first().copied() else { return Ok(None) };
    let Some(rows) = snapshot.partition(bucket, before.buckets)? else { return Ok(None) };
    let found = member.rows_among(rows.keys()).map_err(code::internal)?;
    Ok(found.values().first().map(|row| {
        let row = *row as usize;
        let holding = rows.holding(row);
        Entry {
            presence: match holding {
                Holding::Held | Holding::Stale => Presence::Yes,
                Holding::Perhaps => Presence::Perhaps,
                Holding::Gone => Presence::No,
            },
            fingerprint: (holding == Holding::Held).then(|| rows.fingerprints().value(row).to_vec()),
            sequence: u64::from(rows.sequences().value(row)),
        }
    }))
}
