use std::{fmt, sync::Arc};

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::{config::LiveRampConfig, files::Purpose, ticket::Body};
use crate::contract::{
    Account, Batch, Destination, Error, ErrorKind, Mode, Op, Publication, PublishContext, Rejection, Ticket,
};

/// Most rows of a file. France and the United Kingdom allow fewer, which only LiveRamp can tell.
const MOST_ROWS: u64 = 500_000_000;
/// Most bytes of a file before compression: 50 GB.
const MOST_BYTES: u64 = 50_000_000_000;

/// Writes one publish: its changes to audience files, its removals to deletion files.
pub(super) struct LiveRampPublication {
    settings: Arc<LiveRampConfig>,
    context: PublishContext,
    audience: Stream,
    deletions: Option<Stream>,
}

/// Files of one sort. The carrier's publication begins with the first row: there is no file without any.
struct Stream {
    carrier: Arc<dyn Destination>,
    purpose: Purpose,
    context: PublishContext,
    open: Option<Box<dyn Publication>>,
    rows: u64,
    /// About as many as the text of the rows will have.
    bytes: u64,
}

impl LiveRampPublication {
    pub(super) fn new(
        carrier: &Arc<dyn Destination>,
        settings: &Arc<LiveRampConfig>,
        context: &PublishContext,
    ) -> Result<Self, Error> {
        let stream = |purpose| {
            let context = settings.publish(purpose, context)?;
            Some(Stream { carrier: Arc::clone(carrier), purpose, context, open: None, rows: 0, bytes: 0 })
        };
        let audience =
            stream(Purpose::Audience).ok_or_else(|| Error::new(ErrorKind::Internal, "name the audience's files"))?;
        Ok(Self {
            audience,
            deletions: stream(Purpose::Deletions),
            settings: Arc::clone(settings),
            context: context.clone(),
        })
    }
}

#[async_trait]
impl Publication for LiveRampPublication {
    async fn write(&mut self, batch: Batch) -> Result<Vec<Rejection>, Error> {
        if self.context.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "go on writing"));
        }
        let stream = match batch.op {
            Op::Add | Op::Update => &mut self.audience,
            Op::Remove => self.deletions.as_mut().ok_or_else(|| {
                Error::new(ErrorKind::Refused, "remove members")
                    .caused_by("the target names no folder for deletion files, and LiveRamp removes by nothing else")
            })?,
        };
        if batch.rows.num_rows() > 0 {
            let rows = self.settings.rows(stream.purpose, &batch.members, &batch.rows)?;
            stream.write(Batch { op: Op::Add, members: batch.members, rows, changes: None }).await?;
            stream.fits()?;
        }
        // What LiveRamp would not take was withheld before.
        Ok(Vec::new())
    }

    async fn seal(self: Box<Self>, _: Account) -> Result<Ticket, Error> {
        if self.context.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "seal"));
        }
        let Self { settings, context, audience, deletions } = *self;
        let nothing = audience.rows == 0 && deletions.as_ref().is_none_or(|deletions| deletions.rows == 0);
        if nothing && context.mode == Mode::Full {
            return Err(too_few(&audience, settings.min_rows));
        }
        for stream in std::iter::once(&audience).chain(&deletions) {
            if stream.rows > 0 && stream.rows < settings.min_rows {
                return Err(too_few(stream, settings.min_rows));
            }
        }
        let deletions = match deletions {
            Some(deletions) => deletions.seal().await?,
            None => None,
        };
        Ok(Body { audience: audience.seal().await?, deletions }.ticket(context.publish, true))
    }
}

impl Stream {
    async fn write(&mut self, batch: Batch) -> Result<(), Error> {
        self.rows += batch.rows.num_rows() as u64;
        self.bytes += size(&batch.rows);
        let publication = match &mut self.open {
            Some(publication) => publication,
            None => self.open.insert(self.carrier.begin(&self.context).await?),
        };
        match publication.write(batch).await?.as_slice() {
            [] => Ok(()),
            _ => Err(Error::new(ErrorKind::Internal, "write rows").caused_by("a target of files refused single rows")),
        }
    }

    /// Whether the file is within LiveRamp's limits so far.
    fn fits(&self) -> Result<(), Error> {
        if self.rows > MOST_ROWS || self.bytes > MOST_BYTES {
            return Err(Error::new(ErrorKind::Refused, "write one file")
                .with("rows", self.rows)
                .with("bytes", self.bytes)
                .caused_by(format!(
                    "LiveRamp takes at most {MOST_ROWS} rows and {MOST_BYTES} bytes in a file: split the segment"
                )));
        }
        Ok(())
    }

    async fn seal(self) -> Result<Option<Ticket>, Error> {
        match self.open {
            // What the carrier would do with the counts stands in manifests, which it does not write here.
            Some(publication) => publication.seal(Account::default()).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A file that LiveRamp would not take. Nothing of the publish is shown.
fn too_few(stream: &Stream, least: u64) -> Error {
    let what = match stream.purpose {
        Purpose::Audience => "hand over an audience file",
        Purpose::Deletions => "hand over a deletion file",
    };
    Error::new(ErrorKind::Refused, what).with("rows", stream.rows).caused_by(format!(
        "LiveRamp takes no file of fewer than {least} rows; these changes are kept and go with a later publish that has more"
    ))
}

/// Bytes of the rows themselves, not of the buffers that they are a slice of.
fn size(rows: &RecordBatch) -> u64 {
    rows.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0) as u64).sum()
}

impl fmt::Debug for LiveRampPublication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveRampPublication")
            .field("publish", &self.context.publish)
            .field("audience_rows", &self.audience.rows)
            .field("deletion_rows", &self.deletions.as_ref().map(|deletions| deletions.rows))
            .finish_non_exhaustive()
    }
}
