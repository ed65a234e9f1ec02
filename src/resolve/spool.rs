//! Rows on disk, in buckets by member key: what joins them can then hold one bucket in memory, and all attempts of
//! a publish read the same rows.

use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array},
    compute::{BatchCoalescer, cast, concat_batches, take_record_batch},
    datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef},
    error::ArrowError,
    ipc::{reader::StreamReader, writer::StreamWriter},
};
use datafusion::{execution::SendableRecordBatchStream, prelude::DataFrame};
use futures::StreamExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{engine, record::published, sieve::Sieve};
use crate::{
    publish::{Failure, code},
    snapshot::{KeyCodec, Keys, hashes, partition},
};

/// Rows on disk, in buckets. The first column is the member's key, never null.
#[derive(Debug, Clone)]
pub(super) struct Spool {
    folder: PathBuf,
    name: String,
    schema: SchemaRef,
    streams: usize,
    /// Rows written.
    pub(super) rows: u64,
    /// Rows left out because their key was null.
    pub(super) null_keys: u64,
}

/// How to spool.
#[derive(Debug, Clone)]
pub(super) struct Spooling {
    /// Where to.
    pub(super) folder: PathBuf,
    /// Buckets; a power of two.
    pub(super) buckets: u32,
    /// Turns the first columns of a row into the member's key.
    pub(super) codec: KeyCodec,
    /// Places keys in buckets.
    pub(super) secret: Keys,
    /// Stops it.
    pub(super) cancel: CancellationToken,
}

/// Rows that a stream gathers over all buckets before it writes them: more buckets have a smaller share each, so that
/// memory does not grow with the lake.
const GATHER: usize = 256 << 10;
/// Most rows that one bucket gathers.
const GATHER_MOST: usize = 4096;
/// Bytes of a file that are gathered before they are written.
const BUFFER: usize = 64 << 10;

impl Spooling {
    /// Runs a query and spools its rows. The query's first `key_columns` columns are the member's key.
    ///
    /// Only rows that pass every sieve in `through` are kept; the keys of those kept go into `into`.
    ///
    /// # Errors
    /// What the engine or the disk said, or `interrupted`.
    pub(super) async fn run(
        &self,
        frame: DataFrame,
        name: &str,
        key_columns: usize,
        through: &[Arc<Sieve>],
        into: Option<&Arc<Sieve>>,
    ) -> Result<Spool, Failure> {
        let plain = plain_schema(frame.schema().as_arrow().fields().iter().skip(key_columns), &self.codec);
        let streams = frame.execute_stream_partitioned().await.map_err(|error| engine::failure(&error))?;
        let count = streams.len();
        let rows = Arc::new(AtomicU64::new(0));
        let null_keys = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for (number, stream) in streams.into_iter().enumerate() {
            let scatter = Scatter {
                number,
                key_columns,
                through: through.to_vec(),
                into: into.cloned(),
                rows: Arc::clone(&rows),
                null_keys: Arc::clone(&null_keys),
                ..self.scatter(name, &plain)
            };
            tasks.spawn(scatter.drain(stream));
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(|error| code::internal(format!("spooling stopped: {error}")))??;
        }
        Ok(Spool {
            folder: self.folder.clone(),
            name: name.to_owned(),
            schema: plain,
            streams: count,
            rows: rows.load(Ordering::Relaxed),
            null_keys: null_keys.load(Ordering::Relaxed),
        })
    }

    /// Begins a spool whose rows are handed over by the caller: keys in the stored form, and columns beside them.
    pub(super) fn fill(&self, name: &str, others: &Fields) -> SpoolFiller {
        let schema = plain_schema(others.iter(), &self.codec);
        let (folder, name) = (self.folder.clone(), name.to_owned());
        SpoolFiller {
            scatter: self.scatter(&name, &schema),
            spool: Spool { folder, name, schema, streams: 1, rows: 0, null_keys: 0 },
        }
    }

    /// What cuts the first, or only, stream of rows into buckets.
    fn scatter(&self, name: &str, schema: &SchemaRef) -> Scatter {
        Scatter {
            spooling: self.clone(),
            path: self.folder.join(name),
            number: 0,
            schema: Arc::clone(schema),
            key_columns: 1,
            through: Vec::new(),
            into: None,
            buckets: (0..self.buckets).map(|_| None).collect(),
            rows: Arc::default(),
            null_keys: Arc::default(),
        }
    }
}

impl Spool {
    /// A spool of batches that are in memory already, bucket by bucket.
    pub(super) fn write(folder: &Path, name: &str, schema: &SchemaRef) -> SpoolWriter {
        SpoolWriter {
            spool: Self {
                folder: folder.to_owned(),
                name: name.to_owned(),
                schema: Arc::clone(schema),
                streams: 1,
                rows: 0,
                null_keys: 0,
            },
        }
    }

    /// All rows of a bucket, in the order in which they were read.
    pub(super) fn read(&self, bucket: usize) -> Result<RecordBatch, Failure> {
        let mut batches = Vec::new();
        for stream in 0..self.streams {
            let file = match File::open(file(&self.folder.join(&self.name), bucket, stream)) {
                Ok(file) => file,
                // No row of the stream fell into the bucket.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(code::disk(&error, "read the spool")),
            };
            let reader = StreamReader::try_new(BufReader::with_capacity(BUFFER * 4, file), None).map_err(failure)?;
            for batch in reader {
                batches.push(batch.map_err(failure)?);
            }
        }
        concat_batches(&self.schema, &batches).map_err(failure)
    }

    /// The columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

/// Writes a spool bucket by bucket.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    spool: Spool,
}

impl SpoolWriter {
    /// Writes one bucket, once.
    pub(super) fn bucket(&mut self, bucket: usize, rows: &RecordBatch) -> Result<(), Failure> {
        if rows.num_rows() > 0 {
            let mut writer = open(&file(&self.spool.folder.join(&self.spool.name), bucket, 0), &self.spool.schema)?;
            writer.write(rows).map_err(failure)?;
            writer.finish().map_err(failure)?;
            self.spool.rows += rows.num_rows() as u64;
        }
        Ok(())
    }

    /// Ends writing.
    pub(super) fn finish(self) -> Spool {
        self.spool
    }
}

/// Takes rows and cuts them into the buckets of one spool.
pub(super) struct SpoolFiller {
    scatter: Scatter,
    spool: Spool,
}

impl SpoolFiller {
    /// Takes rows; one with a null key is counted and left out.
    pub(super) fn push(&mut self, keys: ArrayRef, others: &[ArrayRef]) -> Result<(), Failure> {
        self.scatter.place(keys, others)
    }

    /// Ends writing.
    pub(super) fn finish(self) -> Result<Spool, Failure> {
        let Self { scatter, spool } = self;
        let (rows, null_keys) = (Arc::clone(&scatter.rows), Arc::clone(&scatter.null_keys));
        scatter.finish()?;
        Ok(Spool { rows: rows.load(Ordering::Relaxed), null_keys: null_keys.load(Ordering::Relaxed), ..spool })
    }
}

/// One stream of a query on its way into buckets.
struct Scatter {
    spooling: Spooling,
    path: PathBuf,
    number: usize,
    schema: SchemaRef,
    key_columns: usize,
    through: Vec<Arc<Sieve>>,
    into: Option<Arc<Sieve>>,
    buckets: Vec<Option<Bucket>>,
    rows: Arc<AtomicU64>,
    null_keys: Arc<AtomicU64>,
}

struct Bucket {
    gathered: BatchCoalescer,
    writer: StreamWriter<BufWriter<File>>,
}

impl Scatter {
    async fn drain(mut self, mut stream: SendableRecordBatchStream) -> Result<(), Failure> {
        let cancel = self.spooling.cancel.clone();
        loop {
            let next = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(code::interrupted()),
                next = stream.next() => next,
            };
            match next {
                Some(batch) => self.scatter(&batch.map_err(|error| engine::failure(&error))?)?,
                None => return self.finish(),
            }
        }
    }

    /// Sorts a batch's rows by bucket and hands each bucket its slice.
    fn scatter(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let keys = self.spooling.codec.encode(&batch.columns()[..self.key_columns]).map_err(failure)?;
        self.place(keys, &batch.columns()[self.key_columns..])
    }

    /// As [`scatter`](Self::scatter), for rows whose keys are in the stored form.
    fn place(&mut self, keys: ArrayRef, others: &[ArrayRef]) -> Result<(), Failure> {
        let hashes = hashes(&keys, &self.spooling.secret);
        let (order, ends) = self.order(&keys, &hashes);
        if order.is_empty() {
            return Ok(());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(keys.len()));
        let mut columns: Vec<ArrayRef> = vec![keys];
        columns.extend_from_slice(others);
        let gathered = self.gathered_schema(&columns);
        let whole = RecordBatch::try_new_with_options(Arc::clone(&gathered), columns, &options).map_err(failure)?;
        let sorted = take_record_batch(&whole, &order).map_err(failure)?;
        self.rows.fetch_add(sorted.num_rows() as u64, Ordering::Relaxed);
        let mut start = 0;
        for (bucket, end) in ends.into_iter().enumerate() {
            if end > start {
                self.give(bucket, &gathered, sorted.slice(start, end - start))?;
            }
            start = end;
        }
        Ok(())
    }

    /// Rows to keep, those of the first bucket first, and where each bucket's end.
    fn order(&self, keys: &ArrayRef, hashes: &[u64]) -> (UInt32Array, Vec<usize>) {
        let buckets = self.spooling.buckets;
        let keep = |row: usize| !keys.is_null(row) && self.through.iter().all(|sieve| sieve.lets_through(hashes[row]));
        self.null_keys.fetch_add(keys.null_count() as u64, Ordering::Relaxed);
        let mut counts = vec![0_usize; buckets as usize];
        let kept: Vec<u32> = (0..hashes.len()).filter(|row| keep(*row)).map(|row| row as u32).collect();
        for row in &kept {
            let hash = hashes[*row as usize];
            counts[partition(hash, buckets)] += 1;
            if let Some(into) = &self.into {
                into.add(hash);
            }
        }
        let mut next = Vec::with_capacity(counts.len());
        let mut total = 0;
        for count in counts {
            next.push(total);
            total += count;
        }
        let mut order = vec![0_u32; kept.len()];
        for row in kept {
            let slot = &mut next[partition(hashes[row as usize], buckets)];
            order[*slot] = row;
            *slot += 1;
        }
        (UInt32Array::from(order), next)
    }

    fn give(&mut self, number: usize, gathered: &SchemaRef, rows: RecordBatch) -> Result<(), Failure> {
        if self.buckets[number].is_none() {
            let writer = open(&file(&self.path, number, self.number), &self.schema)?;
            let share = (GATHER / self.spooling.buckets as usize).min(GATHER_MOST);
            let coalescer = BatchCoalescer::new(Arc::clone(gathered), share);
            self.buckets[number] = Some(Bucket { gathered: coalescer, writer });
        }
        if let Some(bucket) = &mut self.buckets[number] {
            bucket.gathered.push_batch(rows).map_err(failure)?;
            bucket.write(&self.schema)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        for bucket in self.buckets.iter_mut().flatten() {
            bucket.gathered.finish_buffered_batch().map_err(failure)?;
            bucket.write(&self.schema)?;
            bucket.writer.finish().map_err(failure)?;
        }
        Ok(())
    }

    /// What is gathered has the engine's own layouts (views); they become plain ones when written.
    fn gathered_schema(&self, columns: &[ArrayRef]) -> SchemaRef {
        let fields = self.schema.fields().iter().zip(columns).map(|(field, column)| {
            field.as_ref().clone().with_data_type(column.data_type().clone()).with_nullable(true)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

impl Bucket {
    fn write(&mut self, schema: &SchemaRef) -> Result<(), Failure> {
        while let Some(batch) = self.gathered.next_completed_batch() {
            let columns = batch
                .columns()
                .iter()
                .zip(schema.fields())
                .map(|(column, field)| cast(column, field.data_type()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(failure)?;
            let batch = RecordBatch::try_new(Arc::clone(schema), columns).map_err(failure)?;
            self.writer.write(&batch).map_err(failure)?;
        }
        Ok(())
    }
}

/// The columns beside the key, in plain layouts, behind the key.
fn plain_schema<'f>(others: impl Iterator<Item = &'f FieldRef>, codec: &KeyCodec) -> SchemaRef {
    let mut fields = vec![Field::new("_key", codec.stored_type(), true)];
    fields.extend(others.map(|field| {
        let data_type: DataType = published(field.data_type());
        Field::new(field.name(), data_type, true)
    }));
    Arc::new(Schema::new(fields))
}

fn file(path: &Path, bucket: usize, stream: usize) -> PathBuf {
    path.with_extension(format!("{bucket}.{stream}"))
}

fn open(path: &Path, schema: &SchemaRef) -> Result<StreamWriter<BufWriter<File>>, Failure> {
    let file = File::create(path).map_err(|error| code::disk(&error, "write the spool"))?;
    StreamWriter::try_new(BufWriter::with_capacity(BUFFER, file), schema).map_err(failure)
}

/// A full disk hides in an Arrow error.
pub(super) fn failure(error: ArrowError) -> Failure {
    match error {
        ArrowError::IoError(_, error) => code::disk(&error, "write the spool"),
        ArrowError::CastError(_) => engine::failure(&error.into()),
        other => code::internal(engine::without_values(&other.to_string())),
    }
}
