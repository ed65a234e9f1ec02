//! Error codes of the contract, and how failures of the machine become them.

use super::Failure;

/// A source's files can't be read.
pub const SOURCE_UNREADABLE: &str = "source_unreadable";
/// A source's files are not there.
pub(crate) const SOURCE_MISSING: &str = "source_missing";
/// A source's files changed while they were read.
pub const SOURCE_CHANGED: &str = "source_changed";
/// A table's columns are not those that were planned with.
pub const SCHEMA_CHANGED: &str = "schema_changed";
/// No space for state, snapshot or spill.
pub const DISK_FULL: &str = "disk_full";
/// The memory limit was reached.
pub const MEMORY_EXCEEDED: &str = "memory_exceeded";
/// The snapshot can't be decrypted or read.
pub const SNAPSHOT_UNREADABLE: &str = "snapshot_unreadable";
/// The target holds publishes of this activation, but no snapshot knows of them.
pub const SNAPSHOT_MISSING: &str = "snapshot_missing";
/// What the target holds can't be told from what stands there, or a snapshot stands already.
pub const NOT_ADOPTABLE: &str = "not_adoptable";
/// A file of keys holds what is no key, or can't be read.
pub(crate) const KEYS_UNREADABLE: &str = "keys_unreadable";
/// Another publish of the activation runs.
pub const BUSY: &str = "busy";
/// Stopped by a signal.
pub const INTERRUPTED: &str = "interrupted";
/// A fault of Herald's own.
pub const INTERNAL: &str = "internal";

/// A failure of the data folder's disk.
pub fn disk(error: &std::io::Error, operation: &str) -> Failure {
    use std::io::ErrorKind;
    let (code, remedy, retryable) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            (DISK_FULL, "make space on the disk of `service.data_dir`, then publish again", true)
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            (INTERNAL, "let this user write to `service.data_dir`", false)
        }
        _ => (INTERNAL, "check the disk of `service.data_dir`, then publish again", true),
    };
    Failure { code: code.into(), message: format!("could not {operation}: {error}"), remedy: remedy.into(), retryable }
}

/// A broken law or a state that should not be: a bug.
pub fn internal(message: impl std::fmt::Display) -> Failure {
    Failure {
        code: INTERNAL.into(),
        message: message.to_string(),
        remedy: "report this as a bug, with the publish id and the log".into(),
        retryable: false,
    }
}

/// A publish that was stopped.
pub(crate) fn interrupted() -> Failure {
    Failure {
        code: INTERRUPTED.into(),
        message: "the publish was stopped".into(),
        remedy: "publish again when ready: what is missing at the target follows then".into(),
        retryable: true,
    }
}

impl From<herald_destinations::contract::Error> for Failure {
    fn from(error: herald_destinations::contract::Error) -> Self {
        Self {
            code: error.kind().code().into(),
            message: error.to_string(),
            remedy: error.remedy().into(),
            retryable: error.kind().passes(),
        }
    }
}
