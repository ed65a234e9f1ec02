//! What a server, or the way to it, says → what anybody can do about it.

use std::fmt;

use crate::contract::{Error, ErrorKind};

/// Longest piece of a server's own words that is passed on.
const LONGEST_WORDS: usize = 200;

/// What came back in place of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    /// The server's status, where it answered: the numbers of SFTP.
    pub(super) status: Option<u32>,
    message: String,
    path: Option<String>,
    /// Whether the connection is of no more use.
    pub(super) breaks: bool,
}

/// Statuses that are told apart.
pub(super) mod status {
    pub(in crate::sftp) const OK: u32 = 0;
    pub(in crate::sftp) const EOF: u32 = 1;
    pub(in crate::sftp) const NO_SUCH_FILE: u32 = 2;
    pub(in crate::sftp) const FAILURE: u32 = 4;
    pub(in crate::sftp) const UNSUPPORTED: u32 = 8;
    pub(in crate::sftp) const NO_SUCH_PATH: u32 = 10;
}

impl Failure {
    pub(super) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, status: None, message: message.into(), path: None, breaks: false }
    }

    /// The server's refusal, in its own words.
    pub(super) fn answered(status: u32, words: &[u8]) -> Self {
        let words = plain(&String::from_utf8_lossy(words));
        let name = name_of(status);
        // Many servers say no more than the name of the status.
        let message = match words.is_empty() || words.eq_ignore_ascii_case(name) {
            true => format!("{name} (SFTP status {status})"),
            false => format!("{words} (SFTP status {status}, {name})"),
        };
        Self { kind: kind_of(status, &words), status: Some(status), message, path: None, breaks: false }
    }

    /// The connection is lost.
    pub(super) fn lost(message: impl Into<String>) -> Self {
        Self { breaks: true, ..Self::new(ErrorKind::Unreachable, message) }
    }

    /// No answer in time. What comes later would be taken for the answer to something else.
    pub(super) fn late() -> Self {
        Self { breaks: true, ..Self::new(ErrorKind::TimedOut, "no answer in time") }
    }

    /// Whoever answers does not speak SFTP, or not well.
    pub(super) fn garbled(what: &str) -> Self {
        let message = format!("the server does not speak SFTP as it should: {what}");
        Self { breaks: true, ..Self::new(ErrorKind::Refused, message) }
    }

    /// Nobody waits for the answer any more.
    pub(super) fn given_up() -> Self {
        Self::new(ErrorKind::Cancelled, "it was given up")
    }

    /// With the path that it is about, as the target's root sees it.
    #[must_use]
    pub(super) fn at(mut self, path: &str) -> Self {
        self.path.get_or_insert_with(|| path.to_owned());
        self
    }

    /// With the connection given up too.
    #[must_use]
    pub(super) fn breaking(mut self) -> Self {
        self.breaks = true;
        self
    }

    /// With another kind, once more is known.
    #[must_use]
    pub(super) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// With more to say.
    #[must_use]
    pub(super) fn adding(mut self, more: &str) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    /// Whether the server said that nothing stands there.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.status, Some(status::NO_SUCH_FILE | status::NO_SUCH_PATH))
    }

    /// Whether the server said that it does not do such a thing at all.
    pub(super) fn is_unsupported(&self) -> bool {
        self.status == Some(status::UNSUPPORTED)
    }

    /// Whether the server only said no, without a reason.
    pub(super) fn is_vague(&self) -> bool {
        self.status == Some(status::FAILURE) && self.kind == ErrorKind::Refused
    }

    /// As the contract has it; `operation` is a verb phrase.
    pub(super) fn into_error(self, operation: &'static str) -> Error {
        let error = Error::new(self.kind, operation);
        let error = match &self.path {
            Some(path) => error.with("path", path),
            None => error,
        };
        error.caused_by(self.message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Others' words on one line, without what could steer a terminal, and not too many of them.
pub(super) fn plain(words: &str) -> String {
    let line: String = words.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    line.trim().chars().take(LONGEST_WORDS).collect()
}

/// Numbers past 8 are of later versions of the protocol; some servers use them all the same.
fn kind_of(status: u32, words: &str) -> ErrorKind {
    match status {
        status::NO_SUCH_FILE | status::NO_SUCH_PATH => ErrorKind::Missing,
        3 | 12 => ErrorKind::Unauthorized,
        status::FAILURE => kind_of_words(words),
        6 | 7 => ErrorKind::Unreachable,
        11 => ErrorKind::Conflict,
        14 | 15 => ErrorKind::Full,
        17 => ErrorKind::Unavailable,
        _ => ErrorKind::Refused,
    }
}

/// A general failure may have its reason in words.
fn kind_of_words(words: &str) -> ErrorKind {
    let words = words.to_ascii_lowercase();
    let has = |list: &[&str]| list.iter().any(|word| words.contains(word));
    if has(&["no space", "quota", "disk full", "disk is full", "storage full", "insufficient storage"]) {
        ErrorKind::Full
    } else if has(&["slow down", "slowdown", "throttl", "too many requests"]) {
        ErrorKind::Throttled
    } else if has(&["unavailable", "try again", "internal error", "timed out", "timeout"]) {
        ErrorKind::Unavailable
    } else if has(&["permission denied", "access denied", "not authorized", "read-only"]) {
        ErrorKind::Unauthorized
    } else if has(&["already exists", "file exists"]) {
        ErrorKind::Conflict
    } else {
        ErrorKind::Refused
    }
}

fn name_of(status: u32) -> &'static str {
    match status {
        status::EOF => "end of file",
        status::NO_SUCH_FILE => "no such file",
        3 => "permission denied",
        status::FAILURE => "failure",
        5 => "bad message",
        6 => "no connection",
        7 => "connection lost",
        status::UNSUPPORTED => "operation unsupported",
        9 => "invalid handle",
        status::NO_SUCH_PATH => "no such path",
        11 => "file already exists",
        12 => "write protected",
        13 => "no media",
        14 => "no space on the file system",
        15 => "quota exceeded",
        17 => "lock conflict",
        _ => "another error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_becomes_what_to_do() {
        for (status, words, kind) in [
            (2, "No such file", ErrorKind::Missing),
            (3, "Permission denied", ErrorKind::Unauthorized),
            (4, "Failure", ErrorKind::Refused),
            (4, "write: No space left on device", ErrorKind::Full),
            (4, "Disk quota exceeded", ErrorKind::Full),
            (4, "Please SlowDown", ErrorKind::Throttled),
            (4, "Service Unavailable, try again", ErrorKind::Unavailable),
            (4, "File already exists", ErrorKind::Conflict),
            (8, "Operation unsupported", ErrorKind::Refused),
            (11, "", ErrorKind::Conflict),
            (14, "", ErrorKind::Full),
            (15, "", ErrorKind::Full),
            (99, "", ErrorKind::Refused),
        ] {
            assert_eq!(Failure::answered(status, words.as_bytes()).kind, kind, "{status} {words}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_server_said_and_where() {
        let error = Failure::answered(3, b"Permission denied").at("in/x").into_error("write a part");
        assert_eq!(error.to_string(), "could not write a part (path in/x): permission denied (SFTP status 3)");
        let error = Failure::answered(4, b"\x1b[31mbucket policy\nsays no").into_error("write a part");
        assert_eq!(error.to_string(), "could not write a part: [31mbucket policy says no (SFTP status 4, failure)");
        let long = Failure::answered(4, &[b'x'; 5_000]);
        assert!(long.to_string().len() < 300);
    }
}
