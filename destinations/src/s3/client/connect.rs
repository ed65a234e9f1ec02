//! From checked options to an SDK client. Asks nobody but the default chain.

use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig, sts::AssumeRoleProvider, timeout::TimeoutConfig,
};
use aws_sdk_s3::config::{
    Credentials, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
};
use secrecy::{ExposeSecret, SecretString};

use super::Client;
use crate::{
    contract::{Error, ErrorKind},
    s3::{
        config::{Keys, S3Config},
        options::{AssumeRole, Checksum},
    },
};

/// Where a store that is not Amazon's is told to be, unless the config says more.
const REGION_ELSEWHERE: &str = "us-east-1";
const SESSION_NAME: &str = "herald";

impl Client {
    /// Builds a client. Credentials of the default chain and of a role are fetched with the first request.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when no region is known.
    pub(in crate::s3) async fn connect(config: &S3Config) -> Result<Self, Error> {
        let base = base(config).await;
        if base.region().is_none() {
            return Err(Error::new(ErrorKind::Refused, "find the bucket's region")
                .with("bucket", &config.bucket)
                .with("region", "set `region` in the target, or AWS_REGION"));
        }
        let mut builder = aws_sdk_s3::config::Builder::from(&base)
            .force_path_style(config.path_style)
            .request_checksum_calculation(match config.checksum {
                Checksum::Auto | Checksum::Required => RequestChecksumCalculation::WhenSupported,
                Checksum::Off => RequestChecksumCalculation::WhenRequired,
            })
            .response_checksum_validation(match config.checksum {
                Checksum::Auto | Checksum::Required => ResponseChecksumValidation::WhenSupported,
                Checksum::Off => ResponseChecksumValidation::WhenRequired,
            });
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        if let Some(role) = &config.assume_role {
            builder = builder.credentials_provider(assume(role, &base).await);
        }
        Ok(Self {
            sdk: aws_sdk_s3::Client::from_conf(builder.build()),
            bucket: config.bucket.clone(),
            sse: config.sse.clone(),
            acl: config.acl,
            requester_pays: config.requester_pays,
            deadlines: config.deadlines,
            secrets: config.keys.iter().flat_map(Keys::secrets).map(SecretString::from).collect(),
        })
    }
}

/// Credentials, region and timeouts. SDK retries are off: the runner's policy is the only one.
async fn base(config: &S3Config) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(config.deadlines.connect).build());
    if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    } else if config.endpoint.is_some() {
        loader = loader.region(Region::from_static(REGION_ELSEWHERE));
    }
    if let Some(keys) = &config.keys {
        loader = loader.credentials_provider(Credentials::new(
            keys.access_key_id.expose_secret(),
            keys.secret_access_key.expose_secret(),
            keys.session_token.as_ref().map(|token| token.expose_secret().to_owned()),
            None,
            "herald",
        ));
    }
    loader.load().await
}

async fn assume(role: &AssumeRole, base: &SdkConfig) -> SharedCredentialsProvider {
    let mut own = base.clone().into_builder();
    if let Some(endpoint) = &role.endpoint {
        own = own.endpoint_url(endpoint);
    }
    let mut provider = AssumeRoleProvider::builder(&role.arn)
        .session_name(role.session_name.as_deref().unwrap_or(SESSION_NAME))
        .configure(&own.build());
    if let Some(id) = &role.external_id {
        provider = provider.external_id(id);
    }
    SharedCredentialsProvider::new(provider.build().await)
}
