//! The only place that touches the SDK: plain values in, plain values or a [`Failure`](super::error::Failure) out.
//! Every call is one request, never repeated here.

mod connect;
mod failure;
mod requests;

use std::time::Duration;

use secrecy::SecretString;

use super::options::{Acl, Sse};

/// How long requests may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Reaching the store.
    pub connect: Duration,
    /// A request without a body of any size.
    pub request: Duration,
    /// Completing an upload; a store may take minutes to put a large object together.
    pub complete: Duration,
    /// Bytes a second below which a body counts as stuck; added to `request`.
    pub slowest: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(60),
            complete: Duration::from_secs(600),
            slowest: 64 << 10,
        }
    }
}

impl Deadlines {
    /// For a request that carries a body.
    fn body(&self, bytes: usize) -> Duration {
        self.request + Duration::from_secs(bytes as u64 / self.slowest.max(1))
    }
}

/// A bucket, and what every object written to it gets.
pub(super) struct Client {
    sdk: aws_sdk_s3::Client,
    bucket: String,
    sse: Option<Sse>,
    acl: Option<Acl>,
    requester_pays: bool,
    deadlines: Deadlines,
    /// Blanked out of whatever the store says.
    secrets: Vec<SecretString>,
}

/// A part of an upload, as the store acknowledged it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct PartTag {
    #[serde(rename = "e")]
    pub(super) etag: String,
    /// Base64, where a checksum travelled with the part.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32: Option<String>,
}

/// An upload that was begun and neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenUpload {
    pub(super) key: String,
    pub(super) id: String,
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) bytes: u64,
    /// Of its content, without the quotes; other than the content's MD5 for what came in parts or is encrypted.
    pub(super) etag: Option<String>,
    /// The publish that wrote it, where Herald did.
    pub(super) publish: Option<String>,
}

/// What an object is written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing<'a> {
    pub(super) key: &'a str,
    pub(super) content_type: &'a str,
    pub(super) publish: uuid::Uuid,
    /// Whether a CRC32 travels along.
    pub(super) checked: bool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}
