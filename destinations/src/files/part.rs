//! A part while it is written.

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{FileOptions, Upload, sealed::SealedPart};
use crate::{
    contract::{Error, ErrorKind},
    encode::{PartEncoder, pgp::Encryptor},
};

/// Rows → encoded → encrypted → hashed → uploaded, unseen.
pub(super) struct OpenPart {
    encoder: PartEncoder,
    /// `None`: parts are not encrypted.
    encryptor: Option<Encryptor>,
    output: Output,
    rows: u64,
}

/// A part that has all of its rows; what is left is the target's work.
pub(super) struct FullPart {
    output: Output,
    /// Its last bytes.
    end: Vec<Bytes>,
    rows: u64,
}

struct Output {
    upload: Box<dyn Upload>,
    hash: Sha256,
    bytes: u64,
}

impl OpenPart {
    /// `width`: bytes a row of the part before.
    pub(super) fn new(
        options: &FileOptions,
        schema: SchemaRef,
        width: Option<f64>,
        upload: Box<dyn Upload>,
    ) -> Result<Self, Error> {
        Ok(Self {
            encoder: PartEncoder::new(options, schema, width)?,
            encryptor: options.encrypt.as_ref().map(Encryptor::new),
            output: Output { upload, hash: Sha256::new(), bytes: 0 },
            rows: 0,
        })
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that may be written next, by size; 0: it is full. `wide`: bytes a row in memory.
    pub(super) async fn room(&mut self, wide: f64) -> Result<u64, Error> {
        Ok(self.encoder.room(wide).await?)
    }

    /// Takes rows, and sends on what is encoded.
    pub(super) async fn write(&mut self, rows: RecordBatch) -> Result<(), Error> {
        self.rows += rows.num_rows() as u64;
        self.encoder.write(rows).await?;
        for bytes in self.encoder.take() {
            for bytes in seal(&mut self.encryptor, bytes).await? {
                self.output.send(bytes).await?;
            }
        }
        Ok(())
    }

    /// Encodes what is left. Returns the part, and the bytes a row that it took.
    pub(super) async fn finish(mut self) -> Result<(FullPart, Option<f64>), Error> {
        let mut end = Vec::new();
        for bytes in self.encoder.finish().await? {
            end.extend(seal(&mut self.encryptor, bytes).await?);
        }
        if let Some(encryptor) = self.encryptor {
            end.extend(encryptor.finish().await?);
        }
        Ok((FullPart { output: self.output, end, rows: self.rows }, self.encoder.width()))
    }
}

async fn seal(encryptor: &mut Option<Encryptor>, bytes: Bytes) -> Result<Vec<Bytes>, Error> {
    match encryptor {
        Some(encryptor) => Ok(encryptor.push(bytes).await?),
        None => Ok(vec![bytes]),
    }
}

impl FullPart {
    /// Uploads what is left, until all of it is durable at the target, unseen.
    pub(super) async fn close(mut self) -> Result<SealedPart, Error> {
        for bytes in self.end {
            self.output.send(bytes).await?;
        }
        let Output { upload, hash, bytes } = self.output;
        let staged = upload.finish().await?;
        if staged.bytes != bytes {
            return Err(Error::new(ErrorKind::Internal, "stage a part whole")
                .with("path", &staged.object.path)
                .with("sent", bytes)
                .with("staged", staged.bytes));
        }
        let sha256 = faster_hex::hex_string(&hash.finalize());
        tracing::debug!(path = %staged.object.path, rows = self.rows, bytes, "a part is staged");
        Ok(SealedPart { staged, rows: self.rows, sha256 })
    }
}

impl Output {
    async fn send(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.hash.update(&bytes);
        self.bytes += bytes.len() as u64;
        self.upload.write(bytes).await
    }
}
