//! Bucket by bucket: shares are made in parallel, and taken in order by the snapshot's new file and the target.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use herald_destinations::contract::Publication;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::{
    Failure, Ledger, Progress, code, crash, guards,
    work::{Share, Work},
};
use crate::{
    config::Guards,
    resolve::Spooled,
    snapshot::{EncodedPartition, LayerWriter, PartitionEncoder},
    telemetry::spans,
};

/// Bytes of batches that may wait for the guards; past them they are made again when the guards let go.
const HELD_BACK: usize = 64 << 20;

/// All that the buckets' walk needs.
pub(super) struct Walk<'a> {
    pub(super) work: Arc<Work>,
    pub(super) guards: &'a Guards,
    /// Whether a limit among them came by `${file:}`.
    pub(super) hides_guards: bool,
    /// Members of the snapshot; `None` for a first publish.
    pub(super) held: Option<u64>,
    /// Whether a tripped guard stops the publish: not where it is overridden or only planned.
    pub(super) enforce: bool,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a CancellationToken,
    pub(super) threads: usize,
}

/// What the walk found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) ledger: Ledger,
    /// How many members more the snapshot holds after it.
    pub(super) gained: i64,
}

impl Walked {
    /// Nothing yet, but for what the reading of the members says.
    pub(super) fn over(spooled: &Spooled) -> Self {
        let mut walked = Self::default();
        walked.ledger.counts.resolved = spooled.null_keys();
        walked.ledger.suppress("null_key", spooled.null_keys());
        walked
    }
}

impl Walked {
    /// Some members are all that was looked at: the membership is what was held, with what changed of them. Those who
    /// were `asked_for` and are neither members nor held any more are accounted for, too.
    fn named(&mut self, asked_for: u64, held: u64) {
        let truth = &mut self.ledger.truth;
        truth.members = (held + truth.added).saturating_sub(truth.again + truth.removed);
        let dropped = asked_for.saturating_sub(self.ledger.counts.resolved + truth.removed);
        self.ledger.counts.resolved += dropped;
        self.ledger.suppress("no_member", dropped);
    }
}

/// How delivery ended, when not well.
#[derive(Debug)]
pub(super) enum Stopped {
    /// A guard tripped; the ledger is whole.
    Blocked(Failure),
    /// An error.
    Failed(Failure),
    /// Sealed and perhaps committed in part, or staged and not removed: the next publish settles it before anything
    /// else.
    Unsettled(Failure),
}

impl Stopped {
    /// Says in the span of what stopped why it did, by the code alone.
    pub(super) fn tell(&self, span: &Span) {
        let (Self::Blocked(failure) | Self::Failed(failure) | Self::Unsettled(failure)) = self;
        spans::failed(span, &failure.code);
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Walk<'_> {
    /// Compares every bucket, writes the snapshot's new file and delivers what differs. Nothing is delivered before
    /// no guard can trip any more. Without a publication it only compares; `look` sees every share.
    pub(super) async fn run(
        &self,
        mut layer: Option<&mut LayerWriter>,
        mut publication: Option<&mut dyn Publication>,
        mut look: impl FnMut(&Share),
        walked: &mut Walked,
    ) -> Result<(), Stopped> {
        let buckets = self.work.spooled.buckets() as usize;
        let encoder = layer.as_ref().map(|layer| layer.encoder());
        let mut shares = stream::iter(0..buckets)
            .map(|bucket| share(Arc::clone(&self.work), encoder.clone(), bucket))
            .buffered(self.threads);
        let mut waiting = Waiting::default();
        let mut open = publication.is_none();
        let unseen = self.work.spooled.rows();
        let mut seen = 0;
        for bucket in 0..buckets {
            let (share, encoded) =
                self.or_cancelled(shares.try_next()).await?.ok_or_else(|| code::internal("a bucket is missing"))?;
            if let (Some(layer), Some(encoded)) = (layer.as_deref_mut(), encoded) {
                layer.append(encoded)?;
            }
            seen += share.ledger.counts.resolved + share.ledger.duplicates;
            self.progress.advance(share.ledger.counts.resolved);
            walked.gained += share.gained;
            walked.ledger.add(&share.ledger);
            look(&share);
            if !open {
                let unseen = unseen.saturating_sub(seen);
                // Of named members alone nothing can be said before the end.
                open = !self.enforce
                    || self.work.named.is_none()
                        && guards::settled(self.guards, &walked.ledger.truth, self.held, unseen);
                if open && let Some(publication) = publication.as_deref_mut() {
                    self.release(&mut waiting, bucket, publication).await?;
                }
            }
            match publication.as_deref_mut() {
                Some(publication) if open => self.deliver(share, publication).await?,
                Some(_) => waiting.push(share),
                None => {}
            }
        }
        if let Some(named) = &self.work.named {
            walked.named(named.asked_for(), self.held.unwrap_or(0));
        }
        if self.enforce {
            let judged = guards::judge(self.guards, &walked.ledger.truth, self.held);
            if let Some(tripped) = judged.iter().find(|judgement| judgement.trips) {
                return Err(Stopped::Blocked(guards::blocked(tripped, self.hides_guards)));
            }
        }
        if !open && let Some(publication) = publication {
            self.release(&mut waiting, buckets, publication).await?;
        }
        Ok(())
    }

    /// Delivers what waited for the guards: buckets before `until`.
    async fn release(
        &self,
        waiting: &mut Waiting,
        until: usize,
        publication: &mut dyn Publication,
    ) -> Result<(), Failure> {
        for bucket in 0..until {
            let share = match waiting.shares.get_mut(bucket).and_then(Option::take) {
                Some(share) => share,
                None => self.or_cancelled(share(Arc::clone(&self.work), None, bucket)).await?.0,
            };
            self.deliver(share, publication).await?;
        }
        Ok(())
    }

    async fn deliver(&self, share: Share, publication: &mut dyn Publication) -> Result<(), Failure> {
        for outgoing in share.batches {
            let write = async { publication.write(outgoing.batch).await.map_err(Failure::from) };
            let rejected = self.or_cancelled(write).await?;
            crash::point(crash::WRITTEN).await;
            if !rejected.is_empty() {
                return Err(code::internal("a target that takes whole files refused single records"));
            }
        }
        Ok(())
    }

    pub(super) async fn or_cancelled<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(code::interrupted()),
            done = work => done,
        }
    }
}

/// Shares that wait for the guards; `None`: too large to keep, to be made again.
#[derive(Debug, Default)]
struct Waiting {
    shares: Vec<Option<Share>>,
    bytes: usize,
}

impl Waiting {
    fn push(&mut self, share: Share) {
        self.bytes += share.bytes();
        self.shares.push((self.bytes <= HELD_BACK).then_some(share));
    }
}

/// The share of a bucket, made again.
pub(super) async fn share_again(work: &Arc<Work>, bucket: usize) -> Result<Share, Failure> {
    Ok(share(Arc::clone(work), None, bucket).await?.0)
}

/// Makes a share, and its rows of the snapshot's new file, away from the threads that serve I/O. Where nobody is looked
/// at, there is nothing to make, and the cost follows those who are.
async fn share(
    work: Arc<Work>,
    encoder: Option<Arc<PartitionEncoder>>,
    bucket: usize,
) -> Result<(Share, Option<EncodedPartition>), Failure> {
    if work.idle(bucket) {
        let share = work.idle_share()?;
        let encoded = encoder.map(|encoder| encoder.encode(bucket, &share.rows)).transpose()?;
        return Ok((share, encoded));
    }
    let runtime = tokio::runtime::Handle::current();
    let making = tokio::task::spawn_blocking(move || {
        let share = runtime.block_on(work.share(bucket))?;
        let encoded = encoder.map(|encoder| encoder.encode(bucket, &share.rows)).transpose()?;
        Ok((share, encoded))
    });
    making.await.map_err(|error| code::internal(format!("bucket {bucket} stopped: {error}")))?
}
