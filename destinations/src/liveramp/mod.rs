//! LiveRamp onboarding: CSV files by its rules, handed over by SFTP, S3 or GCS.
//!
//! A preset: another kind carries the files, and this one says what stands in them and how they are called. Adds and
//! updates go to the audience's folder, removals as deletion files to a folder of their own:
//!
//! ```text
//! records ─▶ shape (normalise, hash, judge) ─▶ delta ─▶ audience file  ─┐
//!                                                   └─▶ deletion file ─┴▶ via: sftp | s3 | gcs | local
//! ```
//!
//! LiveRamp takes every file that stands in a folder it was given, each once, by name and time. So nothing else is ever
//! put there: no manifest, no marker, no temporary file. Limits and names are those of its pages on formatting files,
//! as of November 2026; each is beside the constant that holds it.

mod columns;
mod config;
mod destination;
mod files;
mod hash;
mod kernels;
mod options;
mod publication;
mod rules;
mod shape;
mod ticket;

pub use columns::Region;
pub use config::LiveRampConfig;

/// The kind, for [`KINDS`](crate::KINDS).
pub static KIND: &dyn crate::contract::Kind = &config::LiveRamp;
