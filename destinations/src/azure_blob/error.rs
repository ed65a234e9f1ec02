//! What can go wrong with a request, in words that hold no secret, and what each means.

use std::{fmt, time::Duration};

use crate::contract::{Error, ErrorKind};

/// A request that failed.
#[derive(Debug, Default)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) status: Option<u16>,
    /// The service's word for it, such as `ServerBusy`.
    pub(super) code: Option<String>,
    /// The service's sentence, or what the network said; secrets blanked out.
    pub(super) message: String,
    /// What Microsoft's support needs to find the request.
    pub(super) request_id: Option<String>,
    /// The pause that the service asked for.
    pub(super) retry_after: Option<Duration>,
    /// What the service minds about times, if it does.
    pub(super) time: Option<Time>,
}

/// How far a request came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// The service answered.
    #[default]
    Answered,
    /// It could not be made from the options.
    Build,
    /// No token was to be had for it.
    Credentials,
    /// The connection failed or was cut.
    Network,
    /// No answer in time.
    Deadline,
}

/// A time that the service found wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// This machine's clock.
    Clock,
    /// The span in which a signature is good.
    Signature,
}

impl Failure {
    /// Whether the service used this word.
    pub(super) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether a blob stands where none was to stand: 409 where the condition was looked at first, 412 where it was
    /// looked at last, 403 where the signature allows new blobs only.
    pub(super) fn stands_already(&self) -> bool {
        match self.code.as_deref() {
            Some("BlobAlreadyExists" | "ConditionNotMet" | "TargetConditionNotMet" | "UnauthorizedBlobOverwrite") => {
                true
            }
            Some(_) => false,
            None => self.status == Some(412),
        }
    }

    /// Whether the signature allows new blobs only, and one stands there.
    pub(super) fn lacks_overwrite(&self) -> bool {
        self.is("UnauthorizedBlobOverwrite")
    }

    /// Whether the credentials are good, but not for this.
    pub(super) fn lacks_right(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        self.stage == Stage::Answered
            && matches!(code, "AuthorizationPermissionMismatch" | "AuthorizationResourceTypeMismatch")
    }

    /// What to do about it.
    pub(super) fn kind(&self) -> ErrorKind {
        let by_code = self.code.as_deref().and_then(kind_of_code);
        match self.stage {
            Stage::Deadline => ErrorKind::TimedOut,
            Stage::Network => ErrorKind::Unreachable,
            Stage::Credentials => match self.status {
                Some(429) => ErrorKind::Throttled,
                Some(410 | 500..) => ErrorKind::Unavailable,
                _ => ErrorKind::Unauthorized,
            },
            Stage::Build => ErrorKind::Refused,
            Stage::Answered => by_code.or(self.status.map(kind_of_status)).unwrap_or(ErrorKind::Unavailable),
        }
    }

    /// As the contract has it; `operation` is a verb phrase, `container` and `blob` say where.
    pub(super) fn into_error(self, operation: &'static str, container: &str, blob: &str) -> Error {
        let mut error = Error::new(self.kind(), operation).with("container", container);
        if !blob.is_empty() {
            error = error.with("blob", blob);
        }
        error = match (self.time, self.code.as_deref()) {
            (Some(Time::Clock), _) => error.with("clock", "this machine's clock is wrong: set it"),
            (Some(Time::Signature), _) => error.with("sas", "outside the time it is good for: issue a new one"),
            (None, Some("AuthorizationFailure")) => {
                error.with("rights", "the account's firewall may keep this machine out")
            }
            (None, Some("AuthorizationPermissionMismatch")) => {
                error.with("rights", "they need the role Storage Blob Data Contributor, or a SAS with rcwdl")
            }
            (None, Some("KeyBasedAuthenticationNotPermitted")) => {
                error.with("account_key", "the account takes no keys: use Entra ID")
            }
            (None, Some("InvalidBlobOrBlock")) => {
                error.with("there", "unfinished blocks of another writer, which go within a week")
            }
            _ => error,
        };
        let pause = self.retry_after;
        error.after(pause).caused_by(self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map(|status| status.to_string());
        let head = [status.as_deref(), self.code.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        match (head.is_empty(), self.message.is_empty()) {
            (true, _) => f.write_str(&self.message)?,
            (false, true) => f.write_str(&head)?,
            (false, false) => write!(f, "{head}: {}", self.message)?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Codes of Azure Storage (REST reference, "Common REST API error codes" and "Blob service error codes"), and those of
/// accounts with a hierarchical namespace.
fn kind_of_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "AccountIsDisabled"
        | "AuthenticationFailed"
        | "AuthorizationFailure"
        | "AuthorizationPermissionMismatch"
        | "AuthorizationProtocolMismatch"
        | "AuthorizationResourceTypeMismatch"
        | "AuthorizationServiceMismatch"
        | "AuthorizationSourceIPMismatch"
        | "InsufficientAccountPermissions"
        | "InvalidAuthenticationInfo"
        | "KeyBasedAuthenticationNotPermitted"
        | "NoAuthenticationInformation"
        | "PublicAccessNotPermitted" => ErrorKind::Unauthorized,
        "BlobNotFound" | "ContainerNotFound" | "FilesystemNotFound" | "PathNotFound" | "ResourceNotFound" => {
            ErrorKind::Missing
        }
        // The service says so when an account is past its rate.
        "ServerBusy" | "TooManyRequests" => ErrorKind::Throttled,
        "OperationTimedOut" => ErrorKind::TimedOut,
        // States that pass by themselves, within a minute.
        "AccountBeingCreated" | "ContainerBeingDeleted" | "InternalError" | "SystemInUse" => ErrorKind::Unavailable,
        "AccountCapacityExceeded" | "InsufficientStorage" | "QuotaExceeded" => ErrorKind::Full,
        "BlobAlreadyExists"
        | "BlobArchived"
        | "BlobBeingRehydrated"
        | "BlobImmutableDueToPolicy"
        | "ConditionNotMet"
        | "InvalidBlobOrBlock"
        | "InvalidBlobType"
        | "LeaseAlreadyPresent"
        | "LeaseIdMissing"
        | "PathAlreadyExists"
        | "PendingCopyOperation"
        | "ResourceAlreadyExists"
        | "ResourceTypeMismatch"
        | "SnapshotsPresent"
        | "TargetConditionNotMet"
        | "UnauthorizedBlobOverwrite" => ErrorKind::Conflict,
        _ => return None,
    })
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        ..300 => ErrorKind::Refused,
        409 => ErrorKind::Conflict,
        status => crate::http::kind_of_status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Retry;

    fn answered(status: u16, code: &str) -> Failure {
        Failure {
            status: Some(status),
            code: (!code.is_empty()).then(|| code.to_owned()),
            message: "said the service".to_owned(),
            ..Failure::default()
        }
    }

    #[test]
    fn a_code_says_more_than_its_status() {
        for (status, code, kind) in [
            (403, "AuthenticationFailed", ErrorKind::Unauthorized),
            (403, "InsufficientAccountPermissions", ErrorKind::Unauthorized),
            (400, "InvalidAuthenticationInfo", ErrorKind::Unauthorized),
            (409, "PublicAccessNotPermitted", ErrorKind::Unauthorized),
            (404, "ContainerNotFound", ErrorKind::Missing),
            (409, "AccountBeingCreated", ErrorKind::Unavailable),
            (409, "ContainerBeingDeleted", ErrorKind::Unavailable),
            (503, "ServerBusy", ErrorKind::Throttled),
            (500, "OperationTimedOut", ErrorKind::TimedOut),
            (403, "UnauthorizedBlobOverwrite", ErrorKind::Conflict),
            (400, "InvalidBlobOrBlock", ErrorKind::Conflict),
            (400, "InvalidBlockList", ErrorKind::Refused),
        ] {
            assert_eq!(answered(status, code).kind(), kind, "{status} {code}");
        }
    }

    #[test]
    fn a_status_alone_is_enough() {
        for (status, kind) in [
            (401, ErrorKind::Unauthorized),
            (403, ErrorKind::Unauthorized),
            (404, ErrorKind::Missing),
            (408, ErrorKind::TimedOut),
            (412, ErrorKind::Conflict),
            (429, ErrorKind::Throttled),
            (500, ErrorKind::Unavailable),
            (501, ErrorKind::Refused),
            (503, ErrorKind::Unavailable),
            (507, ErrorKind::Full),
            (400, ErrorKind::Refused),
        ] {
            assert_eq!(answered(status, "").kind(), kind, "{status}");
        }
    }

    #[test]
    fn what_stands_already_is_told_from_other_conflicts() {
        assert!(answered(409, "BlobAlreadyExists").stands_already());
        assert!(answered(412, "ConditionNotMet").stands_already());
        assert!(answered(412, "").stands_already());
        assert!(answered(403, "UnauthorizedBlobOverwrite").stands_already());
        assert!(!answered(412, "LeaseIdMissing").stands_already());
        assert!(!answered(409, "ContainerBeingDeleted").stands_already());
    }

    #[test]
    fn the_pause_asked_for_is_kept() {
        let failure = Failure { retry_after: Some(Duration::from_secs(7)), ..answered(503, "ServerBusy") };
        let error = failure.into_error("write a block", "partner", "in/a");
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(7)));
    }

    #[test]
    fn a_token_service_that_is_busy_is_asked_again_and_one_that_says_no_is_not() {
        let refused = |status| Failure { stage: Stage::Credentials, ..answered(status, "7000215") };
        assert_eq!(refused(401).kind(), ErrorKind::Unauthorized);
        assert_eq!(refused(400).kind(), ErrorKind::Unauthorized);
        assert_eq!(refused(503).kind(), ErrorKind::Unavailable);
        assert_eq!(refused(429).kind(), ErrorKind::Throttled);
    }

    #[test]
    fn a_wrong_clock_and_an_expired_signature_are_named() {
        let clock = Failure { time: Some(Time::Clock), ..answered(403, "AuthenticationFailed") };
        let error = clock.into_error("write a block", "partner", "in/a");
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(error.to_string().contains("clock is wrong: set it"), "{error}");
        let sas = Failure { time: Some(Time::Signature), ..answered(403, "AuthenticationFailed") };
        let error = sas.into_error("write a block", "partner", "in/a").to_string();
        assert!(error.contains("issue a new one"), "{error}");
    }

    #[test]
    fn an_error_reads_as_one_line() {
        let failure = Failure { request_id: Some("8F3".to_owned()), ..answered(503, "ServerBusy") };
        let error = failure.into_error("write a block", "partner", "in/a");
        assert_eq!(
            error.to_string(),
            "could not write a block (container partner, blob in/a): 503 ServerBusy: said the service (request 8F3)"
        );
    }
}
