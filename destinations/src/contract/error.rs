//! Why a batch could not be delivered. Whether to retry and what to do follow from the kind, in one place.

use std::{fmt, time::Duration};

use super::Retry;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failure of a destination: kind, operation, context, source. Never holds a secret or a member's value.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    context: Vec<(&'static str, String)>,
    retry_after: Option<Duration>,
    doubtful: Option<bool>,
    remedy: Option<&'static str>,
    source: Option<Source>,
}

/// What went wrong, as far as anybody can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// Credentials are missing, wrong, expired or lack a right.
    Unauthorized,
    /// No answer: DNS, refused, reset, cut.
    Unreachable,
    /// The target said that it is busy or broken: 5xx.
    Unavailable,
    /// The target asked for a slower pace: 429, `SlowDown`.
    Throttled,
    /// No answer in time.
    TimedOut,
    /// The bucket, container, folder or audience is not there.
    Missing,
    /// No space or quota left.
    Full,
    /// Something else stands where the publish wants to write: another's object, or a server that speaks otherwise.
    Conflict,
    /// The target understood and said no.
    Refused,
    /// The publish was cancelled.
    Cancelled,
    /// A fault of Herald's own.
    Internal,
}

impl ErrorKind {
    /// The code of the contract that users see.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unauthorized => "target_unauthorized",
            Self::Unreachable | Self::Unavailable | Self::Throttled => "target_unreachable",
            Self::TimedOut => "timed_out",
            Self::Missing => "target_missing",
            Self::Full => "target_full",
            Self::Conflict | Self::Refused => "target_refused",
            Self::Cancelled => "interrupted",
            Self::Internal => "internal",
        }
    }

    /// One word for it: a label of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Unreachable => "unreachable",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed_out",
            Self::Missing => "missing",
            Self::Full => "full",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }

    /// Whether the same request may succeed later.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Unreachable | Self::Unavailable | Self::Throttled | Self::TimedOut)
    }

    /// Whether a request that ended so may have been applied: not where the target looked at it and said no.
    const fn leaves_doubt(self) -> bool {
        !matches!(self, Self::Unauthorized | Self::Throttled | Self::Missing | Self::Full | Self::Refused)
    }

    /// What an operator should do.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Unauthorized => "check the target's credentials and the rights they carry",
            Self::Unreachable => "check the target's address and the network between",
            Self::Unavailable => "wait for the target to recover, then publish again",
            Self::Throttled => "publish less often, or ask the target's owner for a higher limit",
            Self::TimedOut => "publish again; if it repeats, look at the target's load and the network between",
            Self::Missing => "create the bucket, container or folder, or correct its name in the target",
            Self::Full => "make space at the target, or raise its quota",
            Self::Conflict => {
                "see what stands at the target's place: remove or rename it, or correct the target's options or `files.path`"
            }
            Self::Refused => "read the target's answer above and correct the target's options",
            Self::Cancelled => "publish again when ready; nothing was delivered",
            Self::Internal => "report this as a bug, with the publish id",
        }
    }
}

impl Error {
    /// `operation` is a verb phrase in the present: `complete the upload`.
    pub fn new(kind: ErrorKind, operation: &'static str) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            context: Vec::new(),
            retry_after: None,
            doubtful: None,
            remedy: None,
            source: None,
        }))
    }

    /// Adds a fact, such as a path or a bucket; never a secret or a member's value.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Chains the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says what an operator should do, where the kind alone would mislead.
    #[must_use]
    pub fn remedied_by(mut self, remedy: &'static str) -> Self {
        self.0.remedy = Some(remedy);
        self
    }

    /// The pause that the target asked for.
    #[must_use]
    pub fn after(mut self, pause: Option<Duration>) -> Self {
        self.0.retry_after = pause;
        self
    }

    /// Says that the request never left: nobody need fear that it was applied.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.0.doubtful = Some(false);
        self
    }

    /// Says that an earlier try of the same request may have been applied.
    #[must_use]
    pub fn after_doubt(mut self, doubt: bool) -> Self {
        if doubt {
            self.0.doubtful = Some(true);
        }
        self
    }

    /// Whether the request may have been applied all the same: no answer came, or one that says nothing of it.
    pub fn doubtful(&self) -> bool {
        self.0.doubtful.unwrap_or(self.0.kind.leaves_doubt())
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What an operator should do.
    pub fn remedy(&self) -> &'static str {
        self.0.remedy.unwrap_or(self.0.kind.remedy())
    }

    /// Whether and when to try again.
    pub fn retry(&self) -> Retry {
        match (self.0.kind.passes(), self.0.retry_after) {
            (false, _) => Retry::Never,
            (true, None) => Retry::Backoff,
            (true, Some(pause)) => Retry::After(pause),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}", self.0.operation)?;
        for (index, (key, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{key} {value}", if index == 0 { " (" } else { ", " })?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        let mut source = self.0.source.as_ref().map(|source| &**source as &dyn std::error::Error);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}
