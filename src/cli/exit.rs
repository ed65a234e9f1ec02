//! How a command ends: its exit status, and why it did not do what was asked.

use std::io;

use serde_json::{Value, json};

use super::text;
use crate::{
    config::Problems,
    publish::{Failure, Receipt, Status},
    state::StateError,
};

/// An exit status of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Rejected = 3,
    Blocked = 4,
    Interrupted = 130,
}

impl Exit {
    /// How a publish that ended so ends its command.
    pub(super) fn of(receipt: &Receipt) -> Self {
        match receipt.status {
            Status::Succeeded | Status::Queued | Status::Running => Self::Done,
            Status::Partial if receipt.counts.delivered == 0 => Self::Failed,
            Status::Partial => Self::Rejected,
            Status::Failed => receipt.error.as_ref().map_or(Self::Failed, Self::of_failure),
            Status::Blocked => Self::Blocked,
            Status::Cancelled => Self::Interrupted,
        }
    }

    fn of_failure(failure: &Failure) -> Self {
        if failure.code == "interrupted" { Self::Interrupted } else { Self::Failed }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(super) enum Stop {
    /// The config is wrong.
    Config(Problems),
    /// The command names something that isn't there, or can't be done so.
    Usage { message: String, remedy: String },
    /// It was tried, and failed.
    Failure(Failure),
    /// stdout can't be written.
    Output(io::Error),
}

impl Stop {
    pub(super) fn usage(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), remedy: remedy.into() }
    }

    /// As a document for programs: an `error` as in a receipt, and for a config all its `problems`.
    pub(super) fn document(&self) -> Value {
        let error = |code, message: &str, remedy: &str| json!({ "code": code, "message": message, "remedy": remedy, "retryable": false });
        match self {
            Self::Config(problems) => {
                let message = format!("the config has {}", text::plural(problems.len() as u64, "error"));
                let error = error("config_invalid", &message, "correct them, then run `herald check`");
                json!({ "ok": false, "error": error, "problems": problems.to_json() })
            }
            Self::Usage { message, remedy } => json!({ "error": error("usage", message, remedy) }),
            Self::Failure(failure) => json!({ "error": failure }),
            Self::Output(cause) => json!({ "error": error("internal", &cause.to_string(), "") }),
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Usage { .. } => Exit::Usage,
            Self::Failure(failure) => Exit::of_failure(failure),
            // Whoever read stdout has read enough: `herald receipts | head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => Exit::Failed,
        }
    }
}

impl From<Problems> for Stop {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure.shown())
    }
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Self {
        Failure::from(error).into()
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
