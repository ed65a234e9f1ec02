use std::{collections::VecDeque, thread::available_parallelism};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{
    EncodeError,
    parquet::{ParquetPart, RowGroup},
    pgp::Encryption,
    text::{TextChunk, TextPart},
};
use crate::files::{FileOptions, Format};

/// Rows of a text chunk: large enough that compression loses nothing by starting anew, small enough that a few
/// of them in flight weigh little.
const TEXT_CHUNK_ROWS: u64 = 16_384;
/// Rows of a Parquet row group.
const ROW_GROUP_ROWS: u64 = 122_880;
/// Bytes in memory that the rows of a chunk should take at most, and fewest rows of a chunk all the same: wide rows make
/// short row groups, not large ones.
const ROW_GROUP_BYTES: f64 = 64e6;
/// The same of a text chunk.
const TEXT_CHUNK_BYTES: f64 = 16e6;
const FEWEST_ROWS: f64 = 16.0;
/// A guess at the bytes a row of a part, from their bytes in memory, is no larger: what is wide is packed well.
const WIDEST_GUESS: f64 = 4_096.0;
/// Most row groups in flight, however many cores there are: each weighs tens of megabytes.
const ROW_GROUPS_IN_FLIGHT: usize = 4;
/// Most text chunks in flight; each weighs a few megabytes.
const TEXT_CHUNKS_IN_FLIGHT: usize = 16;
/// Text chunks of a part that is full, at least.
const FEWEST_CHUNKS: f64 = 4.0;
/// What is left of a part is filled by one chunk only where it is a smaller share of the limit than this; else a chunk
/// comes nearer by so much of it.
const FINAL_SHARE: f64 = 0.08;
const NEARER: f64 = 0.75;
/// The smallest chunk near a size limit, as a share of the limit: it keeps the overshoot below 5 %.
const LAST_CHUNK_SHARE: f64 = 0.02;

/// Encodes one part. Ask for [`room`](Self::room), [`write`](Self::write) no more rows than that,
/// [`take`](Self::take) the bytes so far, repeat; then [`finish`](Self::finish).
#[derive(Debug)]
pub struct PartEncoder {
    form: Form,
    max_size: u64,
    /// Rows of the chunk that is being filled, and what they take in memory.
    pending: Vec<RecordBatch>,
    pending_rows: u64,
    /// Rows at which that chunk is full; 0: not decided yet.
    target_rows: u64,
    flying: VecDeque<(u64, JoinHandle<Result<Chunk, EncodeError>>)>,
    in_flight: usize,
    ready: Vec<Bytes>,
    /// Rows and bytes of the chunks that came back.
    encoded_rows: u64,
    encoded_bytes: u64,
    /// Rows and bytes of late, each chunk counting half as much as the one after it: rows may grow wider as they come.
    recent: (f64, f64),
    /// Bytes a row, as far as known.
    width: Option<f64>,
}

/// Bytes of a part that are left to rows once it is encrypted.
fn room_for_rows(options: &FileOptions) -> u64 {
    let overhead = options.encrypt.as_ref().map_or(0, Encryption::overhead);
    options.max_size.saturating_sub(overhead).max(1)
}

#[derive(Debug)]
enum Form {
    Parquet(Box<ParquetPart>),
    Text(TextPart),
}

/// What an encoding thread gives back.
#[derive(Debug)]
pub(super) enum Chunk {
    RowGroup(RowGroup),
    Text(TextChunk),
}

impl PartEncoder {
    /// A part of these columns. `width` is the bytes a row of a part before it took, if there was one.
    ///
    /// # Errors
    /// When a column's type does not fit the format.
    pub fn new(options: &FileOptions, schema: SchemaRef, width: Option<f64>) -> Result<Self, EncodeError> {
        let (form, most_in_flight) = match options.format {
            Format::Parquet => (Form::Parquet(Box::new(ParquetPart::new(options, schema)?)), ROW_GROUPS_IN_FLIGHT),
            Format::Csv | Format::Ndjson => (Form::Text(TextPart::new(options, schema)), TEXT_CHUNKS_IN_FLIGHT),
        };
        Ok(Self {
            form,
            max_size: if options.overwrite { u64::MAX } else { room_for_rows(options) },
            pending: Vec::new(),
            pending_rows: 0,
            target_rows: 0,
            flying: VecDeque::new(),
            in_flight: available_parallelism().map_or(1, usize::from).min(most_in_flight),
            ready: Vec::new(),
            encoded_rows: 0,
            encoded_bytes: 0,
            recent: (0.0, 0.0),
            width,
        })
    }

    /// Rows that the next [`write`](Self::write) may hold; 0: the part has reached its size. `wide`: bytes in memory that
    /// the next row takes, about.
    ///
    /// # Errors
    /// When a chunk in flight could not be encoded.
    pub async fn room(&mut self, wide: f64) -> Result<u64, EncodeError> {
        if self.target_rows == 0 {
            self.target_rows = self.next_chunk(wide).await?;
        }
        Ok(self.target_rows - self.pending_rows)
    }

    /// Takes at most [`room`](Self::room) rows. Waits when as many chunks are in flight as there are cores.
    ///
    /// # Errors
    /// When a chunk could not be encoded.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<(), EncodeError> {
        self.pending_rows += batch.num_rows() as u64;
        self.pending.push(batch);
        if self.pending_rows >= self.target_rows {
            self.dispatch().await?;
        }
        Ok(())
    }

    /// The bytes that are ready, in order.
    pub fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.ready)
    }

    /// Bytes a row of late, measured; for the part after this one.
    pub fn width(&self) -> Option<f64> {
        self.width
    }

    /// Ends the part and returns its last bytes.
    ///
    /// # Errors
    /// When a chunk could not be encoded.
    pub async fn finish(&mut self) -> Result<Vec<Bytes>, EncodeError> {
        let wants_chunk = matches!(self.form, Form::Text(_)) && self.encoded_rows == 0 && self.flying.is_empty();
        if self.pending_rows > 0 || wants_chunk {
            self.dispatch().await?;
        }
        self.drain(0).await?;
        let end = match &mut self.form {
            Form::Parquet(part) => part.finish()?,
            Form::Text(part) => part.finish()?,
        };
        self.ready.extend(end);
        Ok(self.take())
    }

    /// Rows of the next chunk, so that the part ends just past its size; 0: it has reached it.
    async fn next_chunk(&mut self, wide: f64) -> Result<u64, EncodeError> {
        let (rows, bytes) = match self.form {
            Form::Parquet(_) => (ROW_GROUP_ROWS, ROW_GROUP_BYTES),
            Form::Text(_) => (TEXT_CHUNK_ROWS, TEXT_CHUNK_BYTES),
        };
        let usual = rows.min((bytes / wide.max(1.0)).max(FEWEST_ROWS) as u64);
        let limit = self.max_size as f64;
        // The first chunk of all is cut by a guess: half of what it allows leaves space for a wrong one.
        let width = self.width.unwrap_or(wide.min(WIDEST_GUESS) * 2.0).max(0.1);
        let least = (limit * LAST_CHUNK_SHARE / width).floor().max(1.0);
        let mut left = limit - self.expected_bytes(width);
        if left < usual as f64 * width {
            // Near the limit only what is certain counts.
            self.drain(0).await?;
            left = limit - self.expected_bytes(width);
            if left <= 0.0 {
                return Ok(0);
            }
        }
        let width = self.width.unwrap_or(width).max(0.1);
        // Short chunks take other bytes a row than long ones: the last of a part is a small share of it.
        let wanted = if left > limit * FINAL_SHARE { left * NEARER } else { left };
        // A part of several chunks is one whose rows are known by the time it is nearly full.
        let share = if matches!(self.form, Form::Text(_)) { limit / FEWEST_CHUNKS } else { f64::MAX };
        Ok((wanted.min(share) / width).ceil().max(least).min(usual as f64) as u64)
    }

    fn expected_bytes(&self, width: f64) -> f64 {
        let flying: u64 = self.flying.iter().map(|(rows, _)| rows).sum();
        let footer = match &self.form {
            Form::Parquet(part) => part.footer_bytes(),
            Form::Text(_) => 0,
        };
        (self.encoded_bytes + footer) as f64 + flying as f64 * self.width.unwrap_or(width)
    }

    async fn dispatch(&mut self) -> Result<(), EncodeError> {
        self.drain(self.in_flight.saturating_sub(1)).await?;
        let batches = std::mem::take(&mut self.pending);
        let rows = std::mem::take(&mut self.pending_rows);
        self.target_rows = 0;
        let work = match &mut self.form {
            Form::Parquet(part) => {
                let encode = part.row_group(batches)?;
                tokio::task::spawn_blocking(move || encode.run().map(Chunk::RowGroup))
            }
            Form::Text(part) => {
                let encode = part.chunk(batches);
                tokio::task::spawn_blocking(move || encode.run().map(Chunk::Text))
            }
        };
        self.flying.push_back((rows, work));
        Ok(())
    }

    /// Waits for the oldest chunks until no more than `most` are in flight. What is done early waits its turn: where
    /// chunks are cut must not depend on how fast they were.
    async fn drain(&mut self, most: usize) -> Result<(), EncodeError> {
        while self.flying.len() > most {
            let Some((rows, work)) = self.flying.front_mut() else { break };
            let rows = *rows;
            let chunk = work.await.map_err(|_| EncodeError::Thread)??;
            self.flying.pop_front();
            let bytes = match (&mut self.form, chunk) {
                (Form::Parquet(part), Chunk::RowGroup(group)) => part.append(group)?,
                (Form::Text(part), Chunk::Text(chunk)) => part.append(chunk),
                _ => return Err(EncodeError::Thread),
            };
            let length = bytes.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
            self.encoded_bytes += length;
            self.encoded_rows += rows;
            self.recent = (self.recent.0 / 2.0 + rows as f64, self.recent.1 / 2.0 + length as f64);
            if self.encoded_rows > 0 {
                self.width = Some(self.recent.1 / self.recent.0);
            }
            self.ready.extend(bytes);
        }
        Ok(())
    }
}
