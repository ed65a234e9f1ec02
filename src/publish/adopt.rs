//! `adopt`: a lost snapshot, rebuilt from what stands at the target or from a list of who does.
//!
//! Who is a member there is known then, and not with which record: each is held as stale, so that the next publish sends
//! an update for every one that is wanted, and removes the others.

use std::{path::Path, sync::Arc};

use herald_destinations::contract::{Destination, Manifest, Mode, PublishContext};
use schemars::JsonSchema;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Failure, Ledger, Phase, Progress, PublishError, Publisher, Status,
    chain::{chain, refused},
    code,
    fetch::fetch,
    key_file,
    pending::Pending,
    publisher::deleted,
    standing::Standing,
};
use crate::{
    config::{Activation, Target},
    resolve::{FetchedPart, PublishPlan, Replay, Replayed, Watermarks},
    snapshot::{Columns, Holding, Pointer, Rows},
    state::{ActivationState, Looked},
};

/// A snapshot that was rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Adopted {
    /// Name of the activation.
    pub activation: String,
    /// Members that it holds now.
    pub members: u64,
    /// Sequence of the last manifest at the target, which the next one follows; null where there is none.
    pub sequence: Option<u64>,
    /// What it was rebuilt from.
    pub from: AdoptedFrom,
}

/// What a snapshot was rebuilt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AdoptedFrom {
    /// The target's manifests.
    Manifests,
    /// A file of keys.
    Keys,
}

impl AdoptedFrom {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifests => "manifests",
            Self::Keys => "keys",
        }
    }
}

/// Bytes of a line in a file of keys, about.
const LINE: u64 = 12;

/// An adoption under way.
struct Adoption<'a> {
    publisher: &'a Publisher,
    activation: &'a Activation,
    plan: &'a PublishPlan,
    cancel: &'a CancellationToken,
    /// Its files' own.
    id: Uuid,
}

impl Publisher {
    /// Rebuilds the snapshot of an activation that has none: from the target's manifests, or from a file of keys.
    ///
    /// # Errors
    /// Unknown activation, a config that does not plan; `not_adoptable` when a snapshot stands, or what the target holds
    /// can't be told; `keys_unreadable`; or what the target, the state or the disk said. Nothing is adopted then.
    pub async fn adopt(
        &self,
        name: &str,
        keys: Option<&Path>,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Adopted, PublishError> {
        let (activation, target) = self.activation(name)?;
        if self.state.activation_state(name).await.map_err(Failure::from)? != ActivationState::Active {
            return Err(deleted(name).into());
        }
        self.snapshots()?;
        let _lock = self.lock(name, true, cancel, progress).await?;
        self.take_over(activation, target, true, cancel, progress).await?;
        self.settle(activation, target).await?;
        let current = self.identity(activation, target);
        // What another place holds stays known, for its teardown; what this one held when it was left is known again.
        self.state.leave_others(name, &current, chrono::Utc::now()).await.map_err(Failure::from)?;
        let row = self.state.snapshot(name).await.map_err(Failure::from)?;
        if let Some(row) = row.filter(|row| row.identity == current) {
            self.is_lost(name, row.pointer)?;
        }
        let places = self.state.places(name).await.map_err(Failure::from)?;
        if places.iter().any(|place| place.identity == current && place.leaving) {
            return Err(leaves(name).into());
        }
        let plan = self.resolver.plan(&self.config, activation).await.map_err(PublishError::Config)?;
        progress.phase(Phase::Resolving, None);
        let adoption = Adoption { publisher: self, activation, plan: &plan, cancel, id: Uuid::now_v7() };
        let folder = self.spool_dir(adoption.id);
        let adopted = adoption.adopt(target, keys, &folder).await;
        let _ = std::fs::remove_dir_all(&folder);
        Ok(adopted?)
    }
}

impl Publisher {
    /// Whether the files of a snapshot that is on record are gone or damaged; with another key they only seem to be.
    fn is_lost(&self, name: &str, pointer: serde_json::Value) -> Result<(), Failure> {
        let standing: Standing = serde_json::from_value(pointer).map_err(code::internal)?;
        let store = self.snapshots()?;
        match store.open(name, &standing.pointer) {
            Ok(_) => Err(stands(name)),
            Err(_) if store.wrote(&standing.pointer) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

impl Adoption<'_> {
    async fn adopt(&self, target: &Target, keys: Option<&Path>, folder: &Path) -> Result<Adopted, Failure> {
        std::fs::create_dir_all(folder).map_err(|error| code::disk(&error, "make the spool's folder"))?;
        let destination = self.publisher.connect(self.activation, target).await?;
        let manifests = self.manifests(&destination).await?;
        let last = manifests.iter().map(|manifest| manifest.sequence).max();
        let (replayed, from) = match keys {
            Some(file) => (self.replay_keys(file, folder).await?, AdoptedFrom::Keys),
            None => {
                let chain = chain(&self.activation.name, manifests.clone())?;
                (self.replay_manifests(&destination, &chain, folder).await?, AdoptedFrom::Manifests)
            }
        };
        let members = self.record(target, &replayed, last, &manifests).await?;
        Ok(Adopted { activation: self.activation.name.clone(), members, sequence: last, from })
    }

    /// The activation's manifests, behind those that it had under its former name and goes on from.
    async fn manifests(&self, destination: &Arc<dyn Destination>) -> Result<Vec<Manifest>, Failure> {
        let own = destination.manifests(&self.context(&self.activation.name)).await?;
        let Some(was) = self.activation.was.as_deref() else { return Ok(own) };
        let follows = match own.first() {
            None => u64::MAX,
            Some(first) if first.mode == Mode::Full => return Ok(own),
            Some(first) => first.previous.unwrap_or(0),
        };
        let mut all = destination.manifests(&self.context(was)).await?;
        all.retain(|manifest| manifest.sequence <= follows);
        all.extend(own);
        Ok(all)
    }

    async fn replay(&self, rows: u64, folder: &Path) -> Result<Replay, Failure> {
        let secret = self.publisher.snapshots()?.keys();
        self.plan.replay(folder, rows, secret, self.cancel).await
    }

    async fn replay_keys(&self, file: &Path, folder: &Path) -> Result<Replayed, Failure> {
        let bytes = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
        let mut replay = self.replay(bytes / LINE, folder).await?;
        let (file, codec) = (file.to_owned(), self.plan.codec().clone());
        blocking(move || {
            key_file::read(&file, &codec, &mut replay)?;
            replay.finish()
        })
        .await
    }

    /// Parts come to this machine one at a time, so that no more than one takes space on the disk.
    async fn replay_manifests(
        &self,
        destination: &Arc<dyn Destination>,
        chain: &[Manifest],
        folder: &Path,
    ) -> Result<Replayed, Failure> {
        let parts = chain.iter().flat_map(|manifest| &manifest.files);
        let mut replay = self.replay(parts.map(|part| part.rows).sum(), folder).await?;
        let file = folder.join("part");
        for manifest in chain {
            let key_fields = match manifest.mode {
                Mode::Incremental => None,
                Mode::Full => Some(self.key_fields(manifest)?),
            };
            for delivered in &manifest.files {
                let part = FetchedPart {
                    file: file.clone(),
                    path: delivered.path.clone(),
                    columns: manifest.columns.iter().map(|column| column.name.clone()).collect(),
                    key_fields: key_fields.clone(),
                    rows: delivered.rows,
                    files: self.activation.files.clone(),
                };
                if part.path.ends_with(".pgp") {
                    return Err(refused(format!("`{}` is encrypted, for others to read", part.path)));
                }
                fetch(destination.as_ref(), delivered, &file, self.cancel).await?;
                replay = blocking(move || {
                    replay.part(&part)?;
                    Ok(replay)
                })
                .await?;
            }
        }
        replay.finish()
    }

    /// The fields that name the members of a full publish, which has no `_member`.
    fn key_fields(&self, manifest: &Manifest) -> Result<Vec<String>, Failure> {
        let mapped = self.plan.key_fields().ok_or_else(|| {
            refused(format!(
                "publish {} is a full one, whose files name members by their attributes alone, and no attribute of `{}` \
                 is just the key",
                manifest.sequence, self.activation.name
            ))
        })?;
        match mapped.iter().find(|field| !manifest.columns.iter().any(|column| column.name == **field)) {
            None => Ok(mapped),
            Some(field) => Err(refused(format!(
                "publish {} is a full one, and did not have the attribute `{field}`, which names members now",
                manifest.sequence
            ))),
        }
    }

    /// Writes the snapshot's file; it is in force once it is on record.
    fn write(&self, replayed: &Replayed, sequence: u64) -> Result<Pointer, Failure> {
        let store = self.publisher.snapshots()?;
        let sequence = u32::try_from(sequence).unwrap_or(u32::MAX);
        let columns = Columns::of(self.plan.codec().stored_type());
        let mut base = store.layer(&self.activation.name, self.id, "adopted", &columns)?;
        let encoder = base.encoder();
        for bucket in 0..replayed.buckets() as usize {
            let keys = replayed.bucket(bucket)?;
            let rows = Rows::unknown(keys, Holding::Stale, sequence, false).map_err(code::internal)?;
            base.append(encoder.encode(bucket, &rows)?)?;
        }
        let base = base.finish()?;
        Ok(Pointer { members: base.rows, layers: vec![base], ..store.empty(replayed.buckets()) })
    }

    /// Writes the snapshot and puts it in force, with a receipt of its own that moves no record. Its sequence, and so that
    /// of every publish after it, is past the last one that consumers have seen. Returns how many members it holds.
    ///
    /// It names the objects of all manifests that it found, so that they can be verified, expire and be taken back.
    async fn record(
        &self,
        target: &Target,
        replayed: &Replayed,
        last: Option<u64>,
        manifests: &[Manifest],
    ) -> Result<u64, Failure> {
        let (publisher, activation) = (self.publisher, self.activation);
        let mut receipt = publisher.queue_recovery(activation).await?;
        if let Some(last) = last.filter(|last| receipt.sequence <= *last) {
            publisher.state.renumber(&mut receipt, last).await?;
        }
        let identity = publisher.identity(activation, target);
        publisher.state.begin(&receipt, &identity, &publisher.definition(activation, target)?).await?;
        let written = self.write(replayed, receipt.sequence);
        receipt.finished_at = Some(chrono::Utc::now());
        let pointer = match written {
            Ok(pointer) => pointer,
            Err(failure) => {
                publisher.fail(&mut receipt, &Ledger::default(), Status::Failed, failure.clone()).await?;
                return Err(failure);
            }
        };
        receipt.status = Status::Succeeded;
        receipt.files = manifests.iter().flat_map(|manifest| manifest.files.iter().cloned()).collect();
        receipt.extras = manifests.iter().filter_map(|manifest| manifest.stands_at.clone()).collect();
        receipt.bytes = receipt.files.iter().map(|file| file.bytes).sum();
        let members = pointer.members;
        let standing = Standing::new(activation, self.plan, pointer, last, Watermarks::default());
        let looked = Looked::At(Vec::new());
        let pending = Pending { receipt: receipt.clone(), identity, standing, sending: None, looked, watermarks: None };
        publisher.acknowledge(&receipt, pending).await?;
        Ok(members)
    }

    /// Enough for the target to find the manifests of an activation.
    fn context(&self, activation: &str) -> PublishContext {
        PublishContext {
            publish: self.id,
            sequence: 0,
            previous: None,
            activation: activation.to_owned(),
            segment: self.activation.segment.clone(),
            mode: self.activation.mode,
            started_at: chrono::Utc::now(),
            schema: Arc::clone(self.plan.schema()),
            member_type: self.plan.member_type(),
            files: self.activation.files.clone(),
            cancel: self.cancel.clone(),
        }
    }
}

/// Runs what waits for the disk on a thread that may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| code::internal(format!("reading stopped: {error}")))?
}

fn leaves(activation: &str) -> Failure {
    Failure {
        code: code::NOT_ADOPTABLE.into(),
        message: format!("what `{activation}` has at this target is being taken back, since it went elsewhere"),
        remedy: format!("`herald publish {activation}` brings that to its end first, and begins anew"),
        retryable: false,
    }
}

fn stands(activation: &str) -> Failure {
    Failure {
        code: code::NOT_ADOPTABLE.into(),
        message: format!("`{activation}` has a snapshot, so there is none to rebuild"),
        remedy: format!(
            "publish as ever; where the target is not what the snapshot says, `herald publish {activation} --full`"
        ),
        retryable: false,
    }
}
