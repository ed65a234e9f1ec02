//! What the operating system says → what anybody can do about it.

use std::{io, path::Path};

use crate::contract::{Error, ErrorKind};

/// The kind of an I/O error on a target's file system.
pub(super) fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Unauthorized,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::Missing,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => ErrorKind::Full,
        io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => {
            ErrorKind::Conflict
        }
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput | io::ErrorKind::CrossesDevices => {
            ErrorKind::Refused
        }
        io::ErrorKind::TimedOut => ErrorKind::TimedOut,
        // A network file system whose server is away.
        io::ErrorKind::StaleNetworkFileHandle
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::NotConnected
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::ConnectionRefused => ErrorKind::Unreachable,
        io::ErrorKind::ResourceBusy
        | io::ErrorKind::Interrupted
        | io::ErrorKind::WouldBlock
        | io::ErrorKind::OutOfMemory => ErrorKind::Unavailable,
        // A device that fails has no kind of its own.
        _ if error.raw_os_error().is_some() => ErrorKind::Refused,
        _ => ErrorKind::Internal,
    }
}

/// `error` as the destination's own, with the path that it is about.
pub(super) fn failed(operation: &'static str, path: &Path, error: io::Error) -> Error {
    Error::new(kind_of(&error), operation).with("path", path.display()).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_becomes_what_to_do() {
        // By their numbers, as Linux gives them.
        for (number, kind) in [
            (1, ErrorKind::Unauthorized),
            (2, ErrorKind::Missing),
            (5, ErrorKind::Refused),
            (13, ErrorKind::Unauthorized),
            (16, ErrorKind::Unavailable),
            (17, ErrorKind::Conflict),
            (20, ErrorKind::Missing),
            (21, ErrorKind::Conflict),
            (27, ErrorKind::Full),
            (28, ErrorKind::Full),
            (30, ErrorKind::Unauthorized),
            (36, ErrorKind::Refused),
            (110, ErrorKind::TimedOut),
            (116, ErrorKind::Unreachable),
            (122, ErrorKind::Full),
        ] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(kind_of(&error), kind, "{error}");
        }
        assert_eq!(kind_of(&io::Error::other("not from the system")), ErrorKind::Internal);
    }

    #[test]
    fn a_full_disk_says_where_and_what_to_do() {
        let error = failed("write a part", Path::new("/out/x"), io::Error::from_raw_os_error(28));
        assert_eq!(error.kind().code(), "target_full");
        assert!(error.to_string().starts_with("could not write a part (path /out/x): No space left on device"));
    }
}
