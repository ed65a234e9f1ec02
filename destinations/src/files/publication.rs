use std::{fmt, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, StringArray, new_null_array},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::{
    Store, Upload,
    names::{Names, beside},
    sealed::{Body, SealedManifest, SealedPart, TICKET_VERSION},
};
use crate::{
    contract::{
        Account, Batch, Column, DeliveredFile, Error, ErrorKind, Manifest, Mode, Op, Publication, PublishContext,
        Rejection, Ticket,
    },
    encode::{PartEncoder, plain_schema},
};

/// Writes one publish as parts, unseen until commit.
pub(super) struct FilesPublication<S> {
    store: Arc<S>,
    context: PublishContext,
    names: Names,
    /// The columns of a part: those of the record, behind operation and member if it is incremental.
    schema: SchemaRef,
    open: Option<OpenPart>,
    parts: Vec<SealedPart>,
    /// Bytes a row in the parts so far.
    width: Option<f64>,
}

struct OpenPart {
    encoder: PartEncoder,
    upload: Box<dyn Upload>,
    hash: Sha256,
    rows: u64,
    bytes: u64,
}

impl<S: Store> FilesPublication<S> {
    pub(super) fn new(store: Arc<S>, context: PublishContext, names: Names) -> Result<Self, Error> {
        if context.files.overwrite && context.mode == Mode::Incremental {
            return Err(Error::new(ErrorKind::Internal, "replace a file by changes").with("path", &context.files.path));
        }
        let schema = file_schema(&context);
        Ok(Self { store, context, names, schema, open: None, parts: Vec::new(), width: None })
    }

    async fn open(&mut self) -> Result<OpenPart, Error> {
        let object = self.names.part(&self.context, self.parts.len());
        let encoder = PartEncoder::new(&self.context.files, self.schema.clone(), self.width)?;
        let upload = self.store.stage(&object, &self.context.cancel).await?;
        Ok(OpenPart { encoder, upload, hash: Sha256::new(), rows: 0, bytes: 0 })
    }

    /// Adds rows, in as many parts as they need.
    async fn add(&mut self, rows: &RecordBatch) -> Result<(), Error> {
        // Before anything is encoded, the rows' own size is the best guess at the size of their encoding.
        let wide = if self.width.is_some() { 0.0 } else { width_in_memory(rows) };
        let most = if self.context.files.overwrite { u64::MAX } else { self.context.files.max_rows.max(1) };
        let mut done = 0;
        while done < rows.num_rows() {
            let mut part = match self.open.take() {
                Some(part) => part,
                None => self.open().await?,
            };
            let room = part.encoder.room(wide).await?.min(most - part.rows);
            let take = room.min((rows.num_rows() - done) as u64);
            part.rows += take;
            if take > 0 {
                let length = usize::try_from(take).map_err(|_| Error::new(ErrorKind::Internal, "cut a batch"))?;
                part.encoder.write(rows.slice(done, length)).await?;
                done += length;
            }
            part.send().await?;
            if room == 0 || part.rows == most {
                self.close(part).await?;
            } else {
                self.open = Some(part);
            }
        }
        Ok(())
    }

    async fn close(&mut self, mut part: OpenPart) -> Result<(), Error> {
        let end = part.encoder.finish().await?;
        part.send_all(end).await?;
        self.width = part.encoder.width().or(self.width);
        let staged = part.upload.finish().await?;
        if staged.bytes != part.bytes {
            return Err(Error::new(ErrorKind::Internal, "stage a part whole")
                .with("path", &staged.object.path)
                .with("sent", part.bytes)
                .with("staged", staged.bytes));
        }
        let sha256 = faster_hex::hex_string(&part.hash.finalize());
        tracing::debug!(path = %staged.object.path, rows = part.rows, bytes = part.bytes, "a part is staged");
        self.parts.push(SealedPart { staged, rows: part.rows, sha256 });
        Ok(())
    }

    fn manifest(&self, account: Account) -> Result<SealedManifest, Error> {
        let columns = plain_schema(&self.schema);
        let columns = columns
            .fields()
            .iter()
            .map(|field| Column { name: field.name().clone(), data_type: field.data_type().to_string() });
        let files = self.parts.iter().map(|part| {
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
}

#[async_trait]
impl<S: Store> Publication for FilesPublication<S> {
    async fn write(&mut self, batch: Batch) -> Result<Vec<Rejection>, Error> {
        if self.context.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "go on writing"));
        }
        let rows = file_rows(&self.schema, self.context.mode, batch)?;
        if rows.num_rows() > 0 {
            self.add(&rows).await?;
        }
        // A file takes any record.
        Ok(Vec::new())
    }

    async fn seal(mut self: Box<Self>, account: Account) -> Result<Ticket, Error> {
        if self.context.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "seal"));
        }
        if self.open.is_none() && self.parts.is_empty() && self.context.mode == Mode::Full {
            // Nobody qualifies: that, too, replaces what was published before.
            self.open = Some(self.open().await?);
        }
        if let Some(part) = self.open.take() {
            self.close(part).await?;
        }
        let manifest = match self.context.files.manifest && !self.parts.is_empty() {
            true => Some(self.manifest(account)?),
            false => None,
        };
        let prefix = self.names.prefix(&self.context);
        let body = serde_json::to_value(Body { prefix, parts: std::mem::take(&mut self.parts), manifest })
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

impl OpenPart {
    async fn send(&mut self) -> Result<(), Error> {
        let bytes = self.encoder.take();
        self.send_all(bytes).await
    }

    async fn send_all(&mut self, all: Vec<bytes::Bytes>) -> Result<(), Error> {
        for bytes in all {
            self.hash.update(&bytes);
            self.bytes += bytes.len() as u64;
            self.upload.write(bytes).await?;
        }
        Ok(())
    }
}

/// Bytes a row in memory, of the rows alone, not of the buffers that they are a slice of.
fn width_in_memory(rows: &RecordBatch) -> f64 {
    let bytes: usize = rows.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum();
    (bytes as f64 / rows.num_rows().max(1) as f64).clamp(1.0, 4_096.0)
}

/// Column of the operation in incremental files.
const OP: &str = "_op";
/// Column of the member in incremental files.
const MEMBER: &str = "_member";

fn file_schema(context: &PublishContext) -> SchemaRef {
    match context.mode {
        Mode::Full => context.schema.clone(),
        Mode::Incremental => {
            let added = [
                Arc::new(Field::new(OP, DataType::Utf8, false)),
                Arc::new(Field::new(MEMBER, context.member_type.clone(), false)),
            ];
            Arc::new(Schema::new(added.into_iter().chain(context.schema.fields().iter().cloned()).collect::<Vec<_>>()))
        }
    }
}

fn file_rows(schema: &SchemaRef, mode: Mode, batch: Batch) -> Result<RecordBatch, Error> {
    let wrong = |error: arrow::error::ArrowError| {
        // Arrow's text names types and lengths here, never values.
        Error::new(ErrorKind::Internal, "put a batch into the columns of the file").caused_by(error)
    };
    if mode == Mode::Full {
        if batch.op != Op::Add {
            return Err(
                Error::new(ErrorKind::Internal, "write a change into a full publish").with("op", batch.op.as_str())
            );
        }
        return RecordBatch::try_new(schema.clone(), batch.rows.columns().to_vec()).map_err(wrong);
    }
    let rows = batch.rows.num_rows();
    let op: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(batch.op.as_str(), rows)));
    let mut columns = Vec::with_capacity(schema.fields().len());
    columns.push(op);
    columns.push(batch.members);
    for column in batch.rows.columns() {
        // Whoever is removed leaves no attribute behind, whatever the batch holds.
        columns.push(match batch.op == Op::Remove && column.logical_null_count() < rows {
            true => new_null_array(column.data_type(), rows),
            false => column.clone(),
        });
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(wrong)
}

impl<S> fmt::Debug for FilesPublication<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilesPublication")
            .field("publish", &self.context.publish)
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}
