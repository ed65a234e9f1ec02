//! Why something that was asked for is not done.

use crate::{config::Problems, publish::Failure};

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no such activation or publish.
    Unknown,
    /// It is not in a state for that: it is torn down, has ended, or is asked for with a key that was used otherwise.
    Conflict,
    /// It can't be asked for so: a full activation for some members, a key that was used for another request.
    Unfit,
    /// The config is refused.
    Config,
    /// The service stops, or too much waits: ask again later.
    Stopping,
    /// Something failed that the request is not to blame for.
    Failed,
}

/// Why something that was asked for is not done.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind.
    pub refused: Refused,
    /// A code: of the contract where it has one.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub remedy: Option<String>,
    /// All that is wrong with a config.
    pub problems: Option<Problems>,
}

impl Refusal {
    /// A refusal with the code that goes with its kind.
    pub fn new(refused: Refused, message: impl Into<String>) -> Self {
        let code = match refused {
            Refused::Unknown => "unknown",
            Refused::Conflict => "conflict",
            Refused::Unfit => "unfit",
            Refused::Config => "config",
            Refused::Stopping => "stopping",
            Refused::Failed => "internal",
        };
        Self { refused, code: code.to_owned(), message: message.into(), remedy: None, problems: None }
    }

    /// With another code than that of its kind.
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        code.clone_into(&mut self.code);
        self
    }

    /// The same, of something that nobody asked for.
    pub(super) fn into_failure(self) -> Failure {
        let remedy = self.remedy.unwrap_or_default();
        Failure { code: self.code, message: self.message, remedy, retryable: self.refused == Refused::Stopping }
    }

    /// With what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let (refused, failure) = (Refused::Failed, failure.shown());
        Self { refused, code: failure.code, message: failure.message, remedy: Some(failure.remedy), problems: None }
    }
}

impl From<crate::state::StateError> for Refusal {
    fn from(error: crate::state::StateError) -> Self {
        Failure::from(error).into()
    }
}
