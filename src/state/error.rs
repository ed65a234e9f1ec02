//! Why the state could not be read or written.

use std::{fmt::Display, io, path::Path};

use crate::publish::Failure;

/// SQLite's primary result codes that an operator can act on; the low byte of an extended code.
/// Source: <https://www.sqlite.org/rescode.html>.
mod sqlite {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READ_ONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANT_OPEN: i32 = 14;
    pub(super) const NOT_A_DATABASE: i32 = 26;
    /// Extended: the shared memory of the log could not grow, which is a full disk too.
    pub(super) const SHARED_MEMORY_SIZE: i32 = 4874;
}

/// Why the state could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StateError {
    kind: StateErrorKind,
    message: String,
}

/// What went wrong, as far as anybody can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateErrorKind {
    /// A newer Herald wrote it.
    Newer,
    /// No space left under `data_dir`.
    DiskFull,
    /// Another process kept it locked for longer than the busy timeout.
    Busy,
    /// No right to read or write `data_dir`.
    Denied,
    /// Root asks for what is another user's.
    Foreign,
    /// The database file is damaged.
    Damaged,
    /// A fault of Herald's own.
    Internal,
}

impl StateError {
    pub(super) fn new(kind: StateErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn internal(message: impl Display) -> Self {
        Self::new(StateErrorKind::Internal, message.to_string())
    }

    /// `doing` is a verb phrase: `create`.
    pub(super) fn io(doing: &str, path: &Path, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StateErrorKind::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StateErrorKind::Denied,
            _ => StateErrorKind::Internal,
        };
        Self::new(kind, format!("could not {doing} {}: {error}", path.display()))
    }

    /// What went wrong.
    pub fn kind(&self) -> StateErrorKind {
        self.kind
    }

    /// The code of the contract.
    pub fn code(&self) -> &'static str {
        match self.kind {
            StateErrorKind::Newer => "state_newer",
            StateErrorKind::DiskFull => "disk_full",
            StateErrorKind::Busy => "busy",
            StateErrorKind::Denied | StateErrorKind::Foreign | StateErrorKind::Damaged | StateErrorKind::Internal => {
                "internal"
            }
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self.kind {
            StateErrorKind::Newer => {
                "run the newer version of herald that wrote it, or point `service.data_dir` elsewhere"
            }
            StateErrorKind::DiskFull => "make space under `service.data_dir`, then publish again",
            StateErrorKind::Busy => "wait for the other herald process on this `service.data_dir`, then try again",
            StateErrorKind::Denied => "give the user that runs herald the right to read and write `service.data_dir`",
            StateErrorKind::Foreign => {
                "run it as that user: what root leaves in `service.data_dir`, the service can't open; under systemd, see Commands beside the service in docs/operations.md"
            }
            StateErrorKind::Damaged => "restore `service.data_dir` from a backup",
            StateErrorKind::Internal => "report this as a bug",
        }
    }

    /// Whether the same call may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self.kind, StateErrorKind::DiskFull | StateErrorKind::Busy)
    }
}

impl From<sqlx::Error> for StateError {
    fn from(error: sqlx::Error) -> Self {
        let kind = match &error {
            sqlx::Error::Database(cause) => {
                kind_of(cause.code().and_then(|code| code.parse().ok()).unwrap_or_default())
            }
            sqlx::Error::PoolTimedOut => StateErrorKind::Busy,
            _ => StateErrorKind::Internal,
        };
        Self::new(kind, format!("could not use the state: {error}"))
    }
}

fn kind_of(code: i32) -> StateErrorKind {
    match (code, code & 0xff) {
        (sqlite::SHARED_MEMORY_SIZE, _) | (_, sqlite::FULL) => StateErrorKind::DiskFull,
        (_, sqlite::BUSY | sqlite::LOCKED) => StateErrorKind::Busy,
        (_, sqlite::READ_ONLY | sqlite::CANT_OPEN) => StateErrorKind::Denied,
        (_, sqlite::CORRUPT | sqlite::NOT_A_DATABASE) => StateErrorKind::Damaged,
        _ => StateErrorKind::Internal,
    }
}

impl From<serde_json::Error> for StateError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(StateErrorKind::Damaged, format!("the state holds JSON that can't be read: {error}"))
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self {
            code: error.code().to_owned(),
            remedy: error.remedy().to_owned(),
            retryable: error.retryable(),
            message: error.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{StateErrorKind, kind_of};

    #[test]
    fn extended_codes_are_read_by_their_low_byte() {
        assert_eq!(kind_of(13), StateErrorKind::DiskFull);
        assert_eq!(kind_of(4874), StateErrorKind::DiskFull, "the log's shared memory could not grow");
        assert_eq!(kind_of(5 | (2 << 8)), StateErrorKind::Busy, "a busy snapshot is busy");
        assert_eq!(kind_of(8 | (1 << 8)), StateErrorKind::Denied);
        assert_eq!(kind_of(26), StateErrorKind::Damaged);
        assert_eq!(kind_of(19), StateErrorKind::Internal, "a broken constraint is a bug");
    }
}
