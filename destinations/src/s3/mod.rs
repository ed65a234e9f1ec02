//! Amazon S3, and stores that speak its language.
//!
//! An object is staged as a multipart upload, which no reader sees, and becomes visible when the upload is
//! completed. The store is asked to refuse an object that would take another's place (`If-None-Match: *`); where
//! it can't, Herald looks first. Which publish an object belongs to stands in its metadata, so that an answer
//! that was lost can be told from an object of somebody else's.
//!
//! Rights needed: `s3:PutObject`, `s3:GetObject`, `s3:AbortMultipartUpload`, `s3:DeleteObject` below the prefix,
//! `s3:ListBucket` and `s3:ListBucketMultipartUploads` on the bucket; `s3:PutObjectAcl` with `acl`,
//! `kms:GenerateDataKey` and `kms:Decrypt` with a key.

mod client;
mod config;
mod error;
mod options;
mod reveal;
mod store;
mod sweep;
mod upload;

pub use client::Deadlines;
pub use config::{S3, S3Config};
pub use options::{Acl, AssumeRole, Checksum, KmsKey, Managed, Sse};
pub use store::S3Store;
