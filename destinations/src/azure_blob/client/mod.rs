//! The only place that touches the SDK: plain values in, plain values or a [`Failure`](super::error::Failure) out.
//! Every call is one request, never repeated here.

mod connect;
mod failure;
mod requests;
mod shared_key;

use std::time::Duration;

use azure_storage_blob::BlobContainerClient;
use secrecy::SecretString;
use uuid::Uuid;

/// How long requests may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Reaching the service.
    pub connect: Duration,
    /// A request without a body of any size; a token that it needs is included.
    pub request: Duration,
    /// Bytes a second below which a body counts as stuck; added to `request`.
    pub slowest: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), request: Duration::from_secs(60), slowest: 64 << 10 }
    }
}

impl Deadlines {
    /// For a request that carries a body, either way.
    fn body(&self, bytes: u64) -> Duration {
        self.request + Duration::from_secs(bytes / self.slowest.max(1))
    }
}

/// A container.
pub(super) struct Client {
    sdk: BlobContainerClient,
    container: String,
    deadlines: Deadlines,
    /// Blanked out of whatever the service says.
    secrets: Vec<SecretString>,
}

/// What is known of a blob without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) bytes: u64,
    /// Changes with every write of the blob.
    pub(super) etag: Option<String>,
    /// The publish that wrote it, where Herald did.
    pub(super) publish: Option<String>,
}

/// A block that was staged and not committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Staged {
    pub(super) id: Vec<u8>,
    pub(super) bytes: u64,
}

/// A blob as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// The publish that wrote it, where Herald did.
    pub(super) publish: Option<String>,
    /// It stands for a folder, as accounts with a hierarchical namespace show them.
    pub(super) folder: bool,
}

/// What a blob is written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing<'a> {
    pub(super) name: &'a str,
    pub(super) content_type: &'a str,
    pub(super) publish: Uuid,
    /// Unless a blob stands there.
    pub(super) create_only: bool,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("container", &self.container).finish_non_exhaustive()
    }
}
