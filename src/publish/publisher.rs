//! Who publishes: config, state, snapshots and engine of one process.

use std::{path::PathBuf, sync::Arc, time::Duration};

use herald_destinations::contract::{Destination, Mode};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Failure, Phase, Progress, PublishKind, Receipt, Status, Vanished, code,
    observer::Watched,
    run::{Looks, Run},
    scratch::Scratch,
    teardown::Watch,
};
use crate::{
    config::{Activation, Code, Config, Target},
    resolve::{Fault, PublishPlan, Resolver},
    snapshot::{Keys, MemberKeys, SnapshotStore},
    state::{ActivationLock, ActivationState, NewPublish, State},
    telemetry::{publish_span, spans},
};

/// A publish looks so often whether its activation is being deleted.
const LOOK: Duration = Duration::from_secs(1);

/// Publishes the activations of one config from one data folder.
#[derive(Debug)]
pub struct Publisher {
    pub(super) config: Arc<Config>,
    pub(super) state: State,
    /// Or why they can't be opened, which stops only those who need them.
    snapshots: Result<SnapshotStore, Failure>,
    /// Activations that the config names no more, which are torn down.
    vanished: Vanished,
    pub(super) resolver: Resolver,
    pub(super) threads: usize,
    scratch: Arc<Scratch>,
}

/// A publish that is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Name of the activation.
    pub activation: String,
    /// Why.
    pub kind: PublishKind,
    /// Everything anew, whatever the activation's mode.
    pub full: bool,
    /// Who is looked at.
    pub whom: Whom,
    /// Why guards may be passed.
    pub override_reason: Option<String>,
    /// The publish on record that waits for this to run; `None`: a new one.
    pub receipt: Option<uuid::Uuid>,
    /// Whether to wait for another publish of the activation.
    pub wait: bool,
    /// Whether nobody stands by: what does not plan then goes on record as a failed publish.
    pub unattended: bool,
}

/// Who a publish looks at. Anything but everybody goes with incremental publishes alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Whom {
    /// All members.
    #[default]
    Everybody,
    /// These alone, keys as users write them.
    Named(Vec<String>),
    /// Those whose rows were touched since the last publish that looked at everybody or at the touched, and these.
    Touched(Vec<String>),
}

impl std::fmt::Debug for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (word, named) = match self {
            Self::Everybody => ("Everybody", 0),
            Self::Named(members) => ("Named", members.len()),
            Self::Touched(members) => ("Touched", members.len()),
        };
        f.debug_struct(word).field("named", &named).finish_non_exhaustive()
    }
}

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// No such activation.
    #[error("{0}")]
    Unknown(String),
    /// The activation can't be published so.
    #[error("{0}")]
    Unfit(String),
    /// The config does not plan; by place.
    #[error("the config does not plan against its sources")]
    Config(Vec<Fault>),
    /// It could not begin, or could not be put on record.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl Publisher {
    /// Opens the data folder of a config.
    ///
    /// # Errors
    /// `state_newer`, `disk_full`.
    pub async fn open(config: Arc<Config>) -> Result<Self, Failure> {
        let data_dir = &config.service.data_dir;
        let state = State::open(data_dir).await?;
        let keys = Keys::open(data_dir, config.service.encryption_key.as_ref());
        let scratch = Scratch::open(data_dir).map_err(|error| code::disk(&error, "make a folder for scratch"))?;
        let resolver = Resolver::new(config.service.memory, &scratch.path("spill"))?;
        let snapshots = keys.map(|keys| SnapshotStore::new(data_dir, keys));
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let (scratch, vanished) = (Arc::new(scratch), Vanished::new());
        Ok(Self { state, snapshots, vanished, resolver, threads, scratch, config })
    }

    /// One for another config over the same data folder, which goes on with all else as it is.
    #[must_use]
    pub fn with(&self, config: Arc<Config>) -> Self {
        Self {
            config,
            state: self.state.clone(),
            snapshots: self.snapshots.clone(),
            vanished: Vanished::new(),
            resolver: self.resolver.clone(),
            threads: self.threads,
            scratch: Arc::clone(&self.scratch),
        }
    }

    /// Lets activations that the config names no more be torn down.
    #[must_use]
    pub fn tearing_down(self, vanished: Vanished) -> Self {
        Self { vanished, ..self }
    }

    /// Names of activations that the config names no more and that are torn down.
    pub fn vanishing(&self) -> impl Iterator<Item = &str> {
        self.vanished.keys().map(String::as_str)
    }

    /// The config that it publishes by.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The engine, to plan other configs with.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The snapshots.
    ///
    /// # Errors
    /// `snapshot_unreadable` when the key is lost.
    pub(super) fn snapshots(&self) -> Result<&SnapshotStore, Failure> {
        self.snapshots.as_ref().map_err(Clone::clone)
    }

    /// The state, for those who only read.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// One publish. A receipt tells how it went; an error, that there is none.
    ///
    /// # Errors
    /// Unknown activation, a config that does not plan, `busy`, or a state that can't be written.
    pub async fn publish(
        &self,
        request: &Request,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Receipt, PublishError> {
        match (Box::pin(self.begin_and_run(request, progress, cancel)).await, request.receipt) {
            (Err(error), Some(waited)) => self.could_not_begin(waited, error).await,
            (ended, _) => ended,
        }
    }

    async fn begin_and_run(
        &self,
        request: &Request,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Receipt, PublishError> {
        let (activation, target) = self.activation(&request.activation)?;
        let watched = Watched::new(progress, self.state.observers(), &activation.name);
        let progress: &dyn Progress = &watched;
        let queued_at = chrono::Utc::now();
        if self.state.activation_state(&activation.name).await.map_err(Failure::from)? != ActivationState::Active {
            return Err(deleted(&activation.name).into());
        }
        self.snapshots()?;
        let _lock = self.lock(&activation.name, request.wait, cancel, progress).await?;
        // A teardown may have come first.
        match self.state.activation_state(&activation.name).await.map_err(Failure::from)? {
            ActivationState::Active => {}
            ActivationState::Deleting | ActivationState::Deleted => return Err(deleted(&activation.name).into()),
        }
        self.take_over(activation, target, request.wait, cancel, progress).await?;
        self.settle(activation, target).await?;
        let mode = match request.kind {
            _ if request.full => Mode::Full,
            // Of some members, whatever the activation's mode.
            PublishKind::Retry => Mode::Incremental,
            _ => activation.mode,
        };
        let queued = NewPublish {
            activation: activation.name.clone(),
            segment: activation.segment.clone(),
            target: activation.target.clone(),
            kind: request.kind,
            mode,
            queued_at,
            override_reason: request.override_reason.clone(),
        };
        // Planned before it is put on record: what does not plan is an error of the config, and nothing starts.
        let planned_at = chrono::Utc::now();
        let plan = match self.resolver.plan(&self.config, activation).await {
            Ok(plan) => plan,
            Err(faults) if request.unattended => return Ok(self.unplanned(request, queued, &faults).await?),
            Err(faults) => return Err(PublishError::Config(faults)),
        };
        self.enter_place(activation, target, Watch { progress, cancel }).await?;
        progress.phase(Phase::Resolving, None);
        let looks = looks(request, mode, &plan)?;
        let mut receipt = self.put_on_record(request, queued).await?;
        watched.is(receipt.id);
        receipt.status = Status::Running;
        receipt.started_at = Some(chrono::Utc::now());
        receipt.attempts = 1;
        let definition = self.definition(activation, target)?;
        self.state.begin(&receipt, &self.identity(activation, target), &definition).await.map_err(Failure::from)?;
        let (span, traced) = (publish_span(receipt.id, &receipt.activation), spans::publish(&receipt));
        let (retries, of_some) = (activation.retry.into(), !matches!(looks, Looks::Everybody));
        let stop = cancel.child_token();
        let run = Run {
            publisher: self,
            activation,
            target,
            full: request.full,
            plan,
            planned_at,
            looks,
            members: None,
            retries,
            progress,
            cancel: &stop,
        };
        let publish = async {
            let receipt = run.record(receipt).await?;
            if matches!(receipt.status, Status::Succeeded | Status::Partial) {
                self.expire(activation, target, &stop).await;
            }
            Ok::<_, PublishError>(receipt)
        };
        let publish = publish.instrument(span).instrument(traced.clone());
        let publish = Box::pin(async {
            let ended = publish.await;
            match &ended {
                Ok(receipt) => spans::ended(&traced, receipt),
                Err(_) => spans::failed(&traced, code::INTERNAL),
            }
            let receipt = ended?;
            // Some members alone are not yet what was there.
            if matches!(receipt.status, Status::Succeeded | Status::Partial) && !of_some {
                self.leave_former_places(activation, target, Watch { progress, cancel: &stop }).await;
            }
            Ok::<_, PublishError>(receipt)
        });
        tokio::select! {
            biased;
            done = publish => done,
            () = self.stop_when_deleted(&activation.name, &stop) => Err(deleted(&activation.name).into()),
        }
    }

    /// Stops a publish once its activation is being deleted, by whatever process. Never returns.
    async fn stop_when_deleted(&self, activation: &str, stop: &CancellationToken) {
        loop {
            tokio::time::sleep(LOOK).await;
            // A state that can't be read now is asked again.
            if self.state.activation_state(activation).await.is_ok_and(|state| state != ActivationState::Active) {
                stop.cancel();
                return std::future::pending().await;
            }
        }
    }

    /// A publish that failed because its config does not plan against its sources as they are.
    async fn unplanned(&self, request: &Request, queued: NewPublish, faults: &[Fault]) -> Result<Receipt, Failure> {
        let mut receipt = self.put_on_record(request, queued).await?;
        let sources = faults.iter().all(|fault| matches!(fault.code, Code::MissingFile | Code::SourceUnreadable));
        let problems = faults.iter().map(|fault| fault.clone().problem(&self.config.places).to_string());
        receipt.started_at = Some(receipt.queued_at);
        receipt.finished_at = Some(chrono::Utc::now());
        receipt.attempts = 1;
        receipt.status = Status::Failed;
        receipt.fail(Failure {
            code: if sources { code::SOURCE_UNREADABLE } else { code::SCHEMA_CHANGED }.into(),
            message: problems.collect::<Vec<_>>().join("; "),
            remedy: "run `herald check`, and put right what it names in the config or the source".into(),
            retryable: sources,
        });
        self.state.finish(&receipt).await?;
        Ok(receipt)
    }

    /// An activation and its target, by name.
    pub(crate) fn activation(&self, name: &str) -> Result<(&Activation, &Target), PublishError> {
        let unknown = || {
            let hint = crate::config::hint(name, self.config.activations.keys().map(String::as_str));
            PublishError::Unknown(format!("no activation `{name}`{hint}"))
        };
        if let Some((activation, target)) = self.vanished.get(name) {
            return Ok((activation, target));
        }
        let activation = self.config.activations.get(name).ok_or_else(unknown)?;
        let target = self.config.targets.get(&activation.target).ok_or_else(unknown)?;
        Ok((activation, target))
    }

    pub(super) async fn lock(
        &self,
        activation: &str,
        wait: bool,
        cancel: &CancellationToken,
        progress: &dyn Progress,
    ) -> Result<ActivationLock, Failure> {
        let data_dir = self.state.data_dir();
        if let Some(lock) = ActivationLock::acquire(data_dir, activation, false).await? {
            return Ok(lock);
        }
        if !wait {
            return Err(busy(activation));
        }
        progress.phase(Phase::Waiting, None);
        tokio::select! {
            () = cancel.cancelled() => Err(code::interrupted()),
            lock = ActivationLock::acquire(data_dir, activation, true) => lock?.ok_or_else(|| busy(activation)),
        }
    }

    pub(super) async fn connect(
        &self,
        activation: &Activation,
        target: &Target,
    ) -> Result<Arc<dyn Destination>, Failure> {
        Ok(target.config.connect(activation.retry.into()).await?)
    }

    /// Most publishes to a target at once; `None`: any number.
    pub fn parallel(&self, target: &str) -> Option<usize> {
        self.config.targets.get(target).and_then(|target| target.config.capabilities().parallel)
    }

    /// Where the rows of a publish are spooled.
    pub(super) fn spool_dir(&self, publish: uuid::Uuid) -> PathBuf {
        self.scratch.path(&format!("spool-{publish}"))
    }

    /// What a snapshot is bound to: the target's place and the table that identifies members.
    pub(super) fn identity(&self, activation: &Activation, target: &Target) -> String {
        format!("{} {} {}", target.config.kind(), target.config.identity(), activation.table)
    }
}

/// Whom a request is about, by their keys.
fn looks(request: &Request, mode: Mode, plan: &PublishPlan) -> Result<Looks, PublishError> {
    let (Whom::Named(members) | Whom::Touched(members)) = &request.whom else { return Ok(Looks::Everybody) };
    if mode == Mode::Full {
        let what = format!("`{}` is published full: it can't be published for some members only", request.activation);
        return Err(PublishError::Unfit(what));
    }
    let parsed = MemberKeys::parse(plan.codec(), members.iter().map(String::as_str)).map_err(code::internal)?;
    Ok(match &request.whom {
        Whom::Touched(_) => Looks::Touched(parsed),
        _ => Looks::Named(parsed),
    })
}

fn busy(activation: &str) -> Failure {
    Failure {
        code: code::BUSY.into(),
        message: format!("another publish of `{activation}` runs"),
        remedy: "wait for it, or leave out `--no-wait`".into(),
        retryable: true,
    }
}

pub(super) fn deleted(activation: &str) -> Failure {
    Failure {
        code: "deleted".into(),
        message: format!("`{activation}` was deleted"),
        remedy: format!("`herald recreate {activation}` lets it live again"),
        retryable: false,
    }
}
