//! What a store's refusal means: one table from its codes to the contract's kinds.

use std::{fmt, time::Duration};

use crate::{
    contract::{Error, ErrorKind},
    http,
};

/// What came back in place of what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// How far the request came.
    pub(super) stage: Stage,
    /// HTTP status, once there is an answer.
    pub(super) status: Option<u16>,
    /// The store's word for it, such as `SlowDown`.
    pub(super) code: Option<String>,
    /// The store's sentence, or what the network said; secrets blanked out.
    pub(super) message: String,
    /// What the store's owner needs to find the request.
    pub(super) request_id: Option<String>,
    /// The pause that the store asked for.
    pub(super) retry_after: Option<Duration>,
    /// Where the bucket is, when the store says so.
    pub(super) region: Option<String>,
}

/// How far a request came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// The store answered.
    #[default]
    Answered,
    /// It could not be made from the options.
    Build,
    /// No credentials were found for it.
    Credentials,
    /// The connection failed or was cut.
    Network,
    /// No answer in time.
    Deadline,
}

impl Failure {
    /// Whether the store used this word.
    pub(super) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether the store said that it does not do what a header asked for.
    pub(super) fn unsupported(&self) -> bool {
        self.status == Some(501) || self.is("NotImplemented")
    }

    /// Whether what the store minds may be the checksum that came with a body. A store that checked it and found
    /// it wrong (`BadDigest`) is not meant: those bytes must not be sent unchecked.
    pub(super) fn minds_checksum(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        let worded = || self.message.to_ascii_lowercase().contains("checksum");
        self.unsupported()
            || matches!(code, "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch")
            || (matches!(code, "InvalidArgument" | "InvalidRequest" | "BadRequest") && worded())
    }

    /// What to do about it.
    pub(super) fn kind(&self) -> ErrorKind {
        let by_code = self.code.as_deref().and_then(kind_of_code);
        match self.stage {
            Stage::Deadline => ErrorKind::TimedOut,
            Stage::Network => ErrorKind::Unreachable,
            Stage::Credentials => by_code.unwrap_or(ErrorKind::Unauthorized),
            Stage::Build => ErrorKind::Refused,
            Stage::Answered => by_code.or(self.status.map(http::kind_of_status)).unwrap_or(ErrorKind::Unavailable),
        }
    }

    /// As the contract has it; `operation` is a verb phrase, `bucket` and `key` say where.
    pub(super) fn into_error(self, operation: &'static str, bucket: &str, key: &str) -> Error {
        let mut error = Error::new(self.kind(), operation).with("bucket", bucket);
        if !key.is_empty() {
            error = error.with("key", key);
        }
        if let Some(region) = &self.region {
            error = error.with("region", format_args!("the bucket is in {region}: set `region: {region}`"));
        } else if matches!(self.status, Some(301 | 307)) || self.is("AuthorizationHeaderMalformed") {
            error = error.with("region", "set `region` to the bucket's");
        }
        if self.is("RequestTimeTooSkewed") {
            error = error.with("clock", "this machine's clock is wrong: set it");
        }
        if self.is("AccessControlListNotSupported") {
            error = error.with("acl", "the bucket has ACLs turned off: leave `acl` out");
        }
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

/// Codes of Amazon S3 and its token and key services (S3 API reference, "Error responses"), and those that
/// Ceph, MinIO, SeaweedFS and Garage add.
fn kind_of_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "AccessDenied"
        | "AccountProblem"
        | "AllAccessDisabled"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidIdentityToken"
        | "InvalidSecurity"
        | "InvalidToken"
        | "KMS.AccessDeniedException"
        | "NotSignedUp"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "TokenRefreshRequired"
        | "UnrecognizedClientException" => ErrorKind::Unauthorized,
        "NoSuchBucket" | "NoSuchKey" => ErrorKind::Missing,
        "BandwidthLimitExceeded"
        | "RequestLimitExceeded"
        | "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "TooManyRequestsException" => ErrorKind::Throttled,
        "RequestTimeout" | "RequestTimeoutException" => ErrorKind::TimedOut,
        // Two writers met; the store asks for the request to be made again.
        "ConditionalRequestConflict" | "OperationAborted" => ErrorKind::Unavailable,
        "InternalError" | "InternalFailure" | "ServiceUnavailable" | "ServerBusy" | "XMinioServerNotInitialized" => {
            ErrorKind::Unavailable
        }
        "EntityTooLarge" => ErrorKind::Refused,
        "InsufficientStorage" | "QuotaExceeded" | "XMinioAdminBucketQuotaExceeded" | "XMinioStorageFull" => {
            ErrorKind::Full
        }
        "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" | "PermanentRedirect" => {
            ErrorKind::Refused
        }
        "PreconditionFailed" => ErrorKind::Conflict,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Retry;

    fn answered(status: u16, code: &str) -> Failure {
        Failure {
            status: Some(status),
            code: (!code.is_empty()).then(|| code.to_owned()),
            message: "said the store".to_owned(),
            ..Failure::default()
        }
    }

    #[test]
    fn a_code_says_more_than_its_status() {
        assert_eq!(answered(400, "ExpiredToken").kind(), ErrorKind::Unauthorized);
        assert_eq!(answered(403, "QuotaExceeded").kind(), ErrorKind::Full);
        assert_eq!(answered(400, "RequestTimeout").kind(), ErrorKind::TimedOut);
        assert_eq!(answered(503, "SlowDown").kind(), ErrorKind::Throttled);
        assert_eq!(answered(200, "InternalError").kind(), ErrorKind::Unavailable);
        assert_eq!(answered(409, "ConditionalRequestConflict").kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn a_status_alone_is_enough() {
        let kinds =
            [401, 403, 404, 408, 412, 429, 500, 501, 502, 507, 200, 400].map(|status| answered(status, "").kind());
        assert_eq!(
            kinds,
            [
                ErrorKind::Unauthorized,
                ErrorKind::Unauthorized,
                ErrorKind::Missing,
                ErrorKind::TimedOut,
                ErrorKind::Conflict,
                ErrorKind::Throttled,
                ErrorKind::Unavailable,
                ErrorKind::Refused,
                ErrorKind::Unavailable,
                ErrorKind::Full,
                ErrorKind::Unavailable,
                ErrorKind::Refused,
            ]
        );
    }

    #[test]
    fn the_pause_asked_for_is_kept() {
        let failure = Failure { retry_after: Some(Duration::from_secs(7)), ..answered(503, "SlowDown") };
        let error = failure.into_error("write a part", "partner", "in/a");
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(7)));
    }

    #[test]
    fn a_wrong_region_and_a_wrong_clock_are_named() {
        let failure = Failure { region: Some("eu-west-1".to_owned()), ..answered(301, "PermanentRedirect") };
        let error = failure.into_error("begin the upload", "partner", "in/a");
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("set `region: eu-west-1`"), "{error}");
        let error = answered(403, "RequestTimeTooSkewed").into_error("begin the upload", "partner", "in/a");
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(error.to_string().contains("clock"), "{error}");
    }

    #[test]
    fn an_error_reads_as_one_line() {
        let failure = Failure { request_id: Some("8F3".to_owned()), ..answered(503, "SlowDown") };
        let error = failure.into_error("write a part", "partner", "in/a");
        assert_eq!(
            error.to_string(),
            "could not write a part (bucket partner, key in/a): 503 SlowDown: said the store (request 8F3)"
        );
    }

    #[test]
    fn a_checksum_that_was_found_wrong_is_not_sent_again_without() {
        assert!(!answered(400, "BadDigest").minds_checksum());
        assert!(answered(501, "").minds_checksum());
        let worded =
            Failure { message: "x-amz-checksum-crc32 is unknown".to_owned(), ..answered(400, "InvalidArgument") };
        assert!(worded.minds_checksum());
        assert!(!answered(400, "InvalidArgument").minds_checksum());
    }
}
