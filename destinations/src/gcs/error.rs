//! What a refusal means: one table from Google's reasons to the contract's kinds.

use std::{fmt, time::Duration};

use crate::contract::{Error, ErrorKind};

/// What came back in place of what was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// How far the request came.
    pub(super) stage: Stage,
    /// HTTP status, once there is an answer.
    pub(super) status: Option<u16>,
    /// Google's word for it, such as `rateLimitExceeded`.
    pub(super) reason: Option<String>,
    /// Its sentence, or what the network said; tokens and addresses blanked out.
    pub(super) message: String,
    /// The pause that was asked for.
    pub(super) retry_after: Option<Duration>,
}

/// How far a request came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// There was an answer.
    #[default]
    Answered,
    /// No credentials were found for it, or they were refused before it was made.
    Credentials,
    /// The connection failed or was cut.
    Network,
    /// No answer in time.
    Deadline,
}

impl Failure {
    /// Whether a precondition did not hold.
    pub(super) fn is_unmet(&self) -> bool {
        self.status == Some(412)
    }

    /// Whether nothing stands where the request pointed.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.status, Some(404 | 410))
    }

    /// Whether what is not there is the bucket. Both are `notFound`; only the sentence tells.
    pub(super) fn lacks_bucket(&self) -> bool {
        self.status == Some(404) && self.message.to_ascii_lowercase().contains("bucket does not exist")
    }

    /// Whether bytes arrived other than they were sent.
    fn is_damage(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        self.status == Some(400) && message.contains("crc32c") && message.contains("match")
    }

    /// What to do about it.
    pub(super) fn kind(&self) -> ErrorKind {
        let by_reason = self.reason.as_deref().and_then(kind_of_reason);
        match self.stage {
            Stage::Deadline => ErrorKind::TimedOut,
            Stage::Network => ErrorKind::Unreachable,
            Stage::Credentials => ErrorKind::Unauthorized,
            Stage::Answered if self.is_damage() => ErrorKind::Unavailable,
            Stage::Answered => by_reason.or(self.status.map(kind_of_status)).unwrap_or(ErrorKind::Unavailable),
        }
    }

    /// As the contract has it; `operation` is a verb phrase, `bucket` and `name` say where.
    pub(super) fn into_error(self, operation: &'static str, bucket: &str, name: &str) -> Error {
        let mut error = Error::new(self.kind(), operation).with("bucket", bucket);
        if !name.is_empty() {
            error = error.with("object", name);
        }
        if self.reason.as_deref() == Some("retentionPolicyNotMet") {
            error =
                error.with("retention", "the bucket keeps every object for a while: publish into one that does not");
        }
        error.after(self.retry_after).caused_by(self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map(|status| status.to_string());
        let head = [status.as_deref(), self.reason.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        match (head.is_empty(), self.message.is_empty()) {
            (true, _) => f.write_str(&self.message),
            (false, true) => f.write_str(&head),
            (false, false) => write!(f, "{head}: {}", self.message),
        }
    }
}

impl std::error::Error for Failure {}

/// Reasons that say more than their status (<https://cloud.google.com/storage/docs/json_api/v1/status-codes>).
fn kind_of_reason(reason: &str) -> Option<ErrorKind> {
    Some(match reason {
        // All of these come as 403, some as 429 too.
        "rateLimitExceeded" | "userRateLimitExceeded" => ErrorKind::Throttled,
        "quotaExceeded" | "dailyLimitExceeded" => ErrorKind::Full,
        "retentionPolicyNotMet" | "objectUnderActiveHold" => ErrorKind::Refused,
        "conditionNotMet" => ErrorKind::Conflict,
        "backendError" | "internalError" => ErrorKind::Unavailable,
        _ => return None,
    })
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        407 => ErrorKind::Unauthorized,
        409 => ErrorKind::Conflict,
        410 => ErrorKind::Missing,
        status => crate::http::kind_of_status(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Retry;

    fn answered(status: u16, reason: &str, message: &str) -> Failure {
        Failure {
            status: Some(status),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            message: message.to_owned(),
            ..Failure::default()
        }
    }

    #[test]
    fn a_reason_says_more_than_its_status() {
        for (status, reason, kind) in [
            (401, "authError", ErrorKind::Unauthorized),
            (401, "required", ErrorKind::Unauthorized),
            (403, "forbidden", ErrorKind::Unauthorized),
            (403, "rateLimitExceeded", ErrorKind::Throttled),
            (403, "userRateLimitExceeded", ErrorKind::Throttled),
            (429, "rateLimitExceeded", ErrorKind::Throttled),
            (403, "quotaExceeded", ErrorKind::Full),
            (403, "retentionPolicyNotMet", ErrorKind::Refused),
            (404, "notFound", ErrorKind::Missing),
            (412, "conditionNotMet", ErrorKind::Conflict),
            (500, "internalError", ErrorKind::Unavailable),
            (503, "backendError", ErrorKind::Unavailable),
            (400, "invalid", ErrorKind::Refused),
        ] {
            assert_eq!(answered(status, reason, "").kind(), kind, "{status} {reason}");
        }
    }

    #[test]
    fn a_status_alone_is_enough() {
        let kinds = [401, 403, 404, 408, 410, 412, 429, 500, 501, 502, 507, 200, 400, 301]
            .map(|status| answered(status, "", "").kind());
        assert_eq!(
            kinds,
            [
                ErrorKind::Unauthorized,
                ErrorKind::Unauthorized,
                ErrorKind::Missing,
                ErrorKind::TimedOut,
                ErrorKind::Missing,
                ErrorKind::Conflict,
                ErrorKind::Throttled,
                ErrorKind::Unavailable,
                ErrorKind::Refused,
                ErrorKind::Unavailable,
                ErrorKind::Full,
                ErrorKind::Unavailable,
                ErrorKind::Refused,
                ErrorKind::Refused,
            ]
        );
    }

    #[test]
    fn what_arrived_damaged_is_sent_again_and_what_is_wrong_is_not() {
        let damaged = "Provided CRC32C \"AAAAAA==\" doesn't match calculated CRC32C \"BBBBBB==\".";
        assert_eq!(answered(400, "invalid", damaged).kind(), ErrorKind::Unavailable);
        assert_eq!(answered(400, "invalid", "Invalid argument.").kind(), ErrorKind::Refused);
    }

    #[test]
    fn a_missing_bucket_is_told_from_a_missing_object() {
        assert!(answered(404, "notFound", "The specified bucket does not exist.").lacks_bucket());
        assert!(!answered(404, "notFound", "No such object: partner/in/a").lacks_bucket());
    }

    #[test]
    fn the_pause_asked_for_is_kept_and_an_error_reads_as_one_line() {
        let failure =
            Failure { retry_after: Some(Duration::from_secs(7)), ..answered(429, "rateLimitExceeded", "slow down") };
        let error = failure.into_error("write a chunk", "partner", "in/a");
        assert_eq!(error.retry(), Retry::After(Duration::from_secs(7)));
        assert_eq!(
            error.to_string(),
            "could not write a chunk (bucket partner, object in/a): 429 rateLimitExceeded: slow down"
        );
    }
}
