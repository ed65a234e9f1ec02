use std::{fmt, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use async_trait::async_trait;

use super::{
    Store,
    closing::Closings,
    names::{Names, beside},
    part::{FullPart, OpenPart},
    rows::{file_rows, file_schema},
    sealed::{Body, SealedManifest, SealedPart, TICKET_VERSION},
};
use crate::{
    contract::{
        Account, Batch, Column, DeliveredFile, Error, ErrorKind, Manifest, Mode, Publication, PublishContext,
        Rejection, Ticket,
    },
    encode::plain_schema,
};

/// What to do about a key that has expired.
const RENEW: &str = "replace the key in `files.encrypt` by one that is valid, or by the same one with a later expiry";

/// Writes one publish as parts, unseen until commit.
pub(super) struct FilesPublication<S> {
    writing: Writing<S>,
    closings: Closings,
}

/// The part that is being written.
struct Writing<S> {
    store: Arc<S>,
    context: PublishContext,
    names: Names,
    schema: SchemaRef,
    open: Option<OpenPart>,
    /// Parts that were begun.
    begun: usize,
    /// Bytes a row in the parts so far.
    width: Option<f64>,
}

impl<S: Store> FilesPublication<S> {
    pub(super) fn new(store: Arc<S>, context: PublishContext, names: Names) -> Result<Self, Error> {
        if context.files.overwrite && context.mode == Mode::Incremental {
            return Err(Error::new(ErrorKind::Internal, "replace a file by changes").with("path", &context.files.path));
        }
        if let Some(encryption) = &context.files.encrypt {
            encryption.check(chrono::Utc::now().timestamp()).map_err(|error| {
                Error::new(ErrorKind::Refused, "encrypt the parts").remedied_by(RENEW).caused_by(error)
            })?;
        }
        let schema = file_schema(&context);
        let writing = Writing { store, context, names, schema, open: None, begun: 0, width: None };
        Ok(Self { writing, closings: Closings::default() })
    }

    /// Adds rows, in as many parts as they need.
    async fn add(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        let wide = width_in_memory(rows);
        let mut done = 0;
        while done < rows.num_rows() {
            let step = self.writing.step(rows, done, wide);
            let (taken, full) = self.closings.beside(step).await?;
            done += taken;
            if let Some(part) = full {
                self.closings.push(part).await?;
            }
        }
        Ok(())
    }
}

impl<S: Store> Writing<S> {
    async fn open(&mut self) -> Result<OpenPart, Error> {
        let object = self.names.part(&self.context, self.begun);
        let upload = self.store.stage(&object, &self.context.cancel).await?;
        self.begun += 1;
        OpenPart::new(&self.context.files, self.schema.clone(), self.width, upload)
    }

    /// Writes rows from `done` on, as many as go in one piece: how many, and the part if that filled it.
    async fn step(&mut self, rows: &RecordBatch, done: usize, wide: f64) -> Result<(usize, Option<FullPart>), Error> {
        let most = if self.context.files.overwrite { u64::MAX } else { self.context.files.max_rows.max(1) };
        let mut part = match self.open.take() {
            Some(part) => part,
            None => self.open().await?,
        };
        let room = part.room(wide).await?.min(most - part.rows());
        let take = usize::try_from(room).unwrap_or(usize::MAX).min(rows.num_rows() - done);
        if take > 0 {
            part.write(rows.slice(done, take)).await?;
        }
        if room > 0 && part.rows() < most {
            self.open = Some(part);
            return Ok((take, None));
        }
        Ok((take, Some(self.fill(part).await?)))
    }

    /// Ends the encoding of a part.
    async fn fill(&mut self, part: OpenPart) -> Result<FullPart, Error> {
        let (part, width) = part.finish().await?;
        self.width = width.or(self.width);
        Ok(part)
    }

    /// The last part, if there is one to be.
    async fn last(&mut self) -> Result<Option<FullPart>, Error> {
        if self.begun == 0 && self.context.mode == Mode::Full {
            // Nobody qualifies: that, too, replaces what was published before.
            self.open = Some(self.open().await?);
        }
        match self.open.take() {
            Some(part) => Ok(Some(self.fill(part).await?)),
            None => Ok(None),
        }
    }

    fn manifest(&self, parts: &[SealedPart], account: Account) -> Result<SealedManifest, Error> {
        let columns = plain_schema(&self.schema);
        let columns = columns
            .fields()
            .iter()
            .map(|field| Column { name: field.name().clone(), data_type: field.data_type().to_string() });
        let files = parts.iter().map(|part| {
            let file = part.delivered();
            DeliveredFile { path: beside(&file.path).to_owned(), ..file }
        });
        let manifest = Manifest {
            id: self.context.publish,
            activation: self.context.activation.clone(),
            mode: self.context.mode,
            sequence: self.context.sequence,
            previous: self.context.previous,
            counts: account,
            columns: columns.collect(),
            files: files.collect(),
            stands_at: None,
        };
        let mut text = serde_json::to_string_pretty(&manifest)
            .map_err(|error| Error::new(ErrorKind::Internal, "write the manifest").caused_by(error))?;
        text.push('\n');
        Ok(SealedManifest { object: self.names.manifest(&self.context), text })
    }

    fn ticket(&self, parts: Vec<SealedPart>, account: Account) -> Result<Ticket, Error> {
        let files = &self.context.files;
        // An incremental publish without a change leaves no trace.
        let any = !parts.is_empty();
        let body = Body {
            prefix: self.names.prefix(&self.context),
            manifest: if any && files.manifest { Some(self.manifest(&parts, account)?) } else { None },
            checksums: files.checksums,
            marker: if any { self.names.marker(&self.context) } else { None },
            parts,
        };
        let body = serde_json::to_value(body)
            .map_err(|error| Error::new(ErrorKind::Internal, "write the ticket").caused_by(error))?;
        Ok(Ticket {
            kind: self.store.kind().to_owned(),
            version: TICKET_VERSION,
            publish: self.context.publish,
            sealed: true,
            body,
        })
    }
}

#[async_trait]
impl<S: Store> Publication for FilesPublication<S> {
    async fn write(&mut self, batch: Batch) -> Result<Vec<Rejection>, Error> {
        if self.writing.context.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "go on writing"));
        }
        let rows = file_rows(&self.writing.schema, self.writing.context.mode, batch)?;
        self.add(&rows).await?;
        // A file takes any record.
        Ok(Vec::new())
    }

    async fn seal(mut self: Box<Self>, account: Account) -> Result<Ticket, Error> {
        if self.writing.context.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "seal"));
        }
        if let Some(part) = self.closings.beside(self.writing.last()).await? {
            self.closings.push(part).await?;
        }
        let parts = self.closings.finish().await?;
        self.writing.ticket(parts, account)
    }
}

/// Bytes a row in memory, of the rows alone, not of the buffers that they are a slice of.
fn width_in_memory(rows: &RecordBatch) -> f64 {
    let bytes: usize = rows.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum();
    (bytes as f64 / rows.num_rows().max(1) as f64).max(1.0)
}

impl<S> fmt::Debug for FilesPublication<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilesPublication")
            .field("publish", &self.writing.context.publish)
            .field("parts", &self.writing.begun)
            .finish_non_exhaustive()
    }
}
