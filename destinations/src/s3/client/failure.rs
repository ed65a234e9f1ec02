//! The SDK's errors, told apart and stripped of anything secret.

use std::error::Error;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ConnectorError, ErrorMetadata, ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    http::pause,
    s3::error::{Failure, Stage},
};

/// What stands in place of a secret.
const BLANK: &str = "…";

/// Reads an error of the SDK. Its `Debug` and its sources' are never used: they hold headers.
pub(super) fn failure<E>(error: &SdkError<E, HttpResponse>, secrets: &[SecretString]) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let mut failure = match error {
        SdkError::ServiceError(context) => answered(context.err().meta(), context.raw()),
        SdkError::TimeoutError(_) => broken(Stage::Deadline, error),
        SdkError::DispatchFailure(dispatch) => {
            undelivered(error, dispatch.is_timeout(), dispatch.is_io(), dispatch.is_user())
        }
        SdkError::ResponseError(_) => broken(Stage::Network, error),
        _ => undelivered(error, false, false, true),
    };
    for secret in secrets {
        failure.message = failure.message.replace(secret.expose_secret(), BLANK);
    }
    failure
}

fn answered(meta: &ErrorMetadata, raw: &HttpResponse) -> Failure {
    let header = |name: &str| raw.headers().get(name).map(str::to_owned);
    Failure {
        stage: Stage::Answered,
        status: Some(raw.status().as_u16()),
        code: meta.code().map(str::to_owned),
        message: meta.message().unwrap_or_default().to_owned(),
        request_id: meta.request_id().map(str::to_owned),
        retry_after: header("retry-after").as_deref().and_then(pause),
        // A bucket elsewhere is named by a header or in the body, depending on the operation.
        region: header("x-amz-bucket-region").or_else(|| region_in(raw.body().bytes()?)).filter(|_| {
            raw.status().as_u16() / 100 == 3
                || matches!(meta.code(), Some("AuthorizationHeaderMalformed" | "PermanentRedirect"))
        }),
    }
}

fn region_in(body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let region = body.split_once("<Region>")?.1.split_once("</Region>")?.0;
    let fits = !region.is_empty() && region.chars().all(|char| char.is_ascii_alphanumeric() || char == '-');
    fits.then(|| region.to_owned())
}

/// A request that never left, or whose connection failed. Credentials are fetched on the way, so a refusal by
/// the token service hides among the causes.
fn undelivered(error: &(dyn Error + 'static), timeout: bool, io: bool, user: bool) -> Failure {
    let chain = || causes(error);
    if let Some(meta) = chain().find_map(|cause| cause.downcast_ref::<ErrorMetadata>()) {
        return Failure {
            stage: Stage::Credentials,
            code: meta.code().map(str::to_owned),
            message: format!("the credentials were refused: {}", meta.message().unwrap_or_default()),
            request_id: meta.request_id().map(str::to_owned),
            ..Failure::default()
        };
    }
    // The innermost connector knows best; the outer ones wrap whatever went wrong before.
    let inner = chain().filter_map(|cause| cause.downcast_ref::<ConnectorError>()).last();
    let stage = match inner {
        _ if timeout => Stage::Deadline,
        _ if io => Stage::Network,
        Some(connector) if connector.is_timeout() => Stage::Deadline,
        Some(connector) if connector.is_io() => Stage::Network,
        _ if chain().any(|cause| cause.to_string().contains("credential")) => Stage::Credentials,
        _ if user => Stage::Build,
        _ => Stage::Network,
    };
    broken(stage, error)
}

/// An error and what caused it, outermost first.
pub(super) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (**error).source())
}

/// A failure in the words of its causes; the outermost says nothing that the stage does not.
fn broken(stage: Stage, error: &(dyn Error + 'static)) -> Failure {
    let mut words: Vec<String> = Vec::new();
    for cause in causes(error).skip(1) {
        let word = cause.to_string();
        // Wrappers like to repeat what they wrap.
        if !words.last().is_some_and(|last| last.contains(&word)) {
            words.push(word);
        }
    }
    let message = if words.is_empty() { error.to_string() } else { words.join(": ") };
    Failure { stage, message, ..Failure::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_read_out_of_an_answer() {
        assert_eq!(region_in(b"<Error><Region>eu-west-1</Region></Error>").as_deref(), Some("eu-west-1"));
        assert_eq!(region_in(b"<Error><Region>no region</Region></Error>"), None);
        assert_eq!(region_in(b"<Error/>"), None);
    }
}
