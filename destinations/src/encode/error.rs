use crate::contract::{Error, ErrorKind};

/// Why rows could not be encoded. Never holds a value of a row.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Parquet can't hold it.
    #[error(transparent)]
    Parquet(#[from] parquet::errors::ParquetError),
    /// A type that has no text form.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    /// A compressor failed, which in memory means a fault in its use.
    #[error("the compressor failed: {0}")]
    Compression(#[from] std::io::Error),
    /// A part could not be encrypted.
    #[error("encryption failed: {0}")]
    Encryption(std::io::Error),
    /// The thread that encoded is gone.
    #[error("the encoding thread ended early")]
    Thread,
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Self::new(ErrorKind::Internal, "encode a part").caused_by(error)
    }
}
