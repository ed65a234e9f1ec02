//! Record batches → bytes: Parquet, CSV, NDJSON, their compression, and encryption.
//!
//! A [`PartEncoder`] cuts what it is given into chunks (text: about 16 k rows; Parquet: one row group), encodes
//! as many of them at once as the machine has cores, and puts them together in order:
//!
//! ```text
//! batches ─▶ chunk │ chunk │ chunk ─▶ blocking threads ─▶ in order ─▶ bytes of one part
//! ```
//!
//! So one part is written at the speed of all cores, in memory bounded by the chunks in flight, and on one machine
//! the same rows and options give the same bytes.

mod compress;
mod csv;
mod error;
mod parquet;
mod part;
pub mod pgp;
mod plain;
mod text;

pub use csv::csv_row;
pub use error::EncodeError;
pub use part::PartEncoder;
pub use plain::plain_schema;
