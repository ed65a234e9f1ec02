//! What stands below `type: s3`, as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// Options of an S3 target as they stand in a config. Holds secrets in the clear, hence no `Debug`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Name of the bucket, or the ARN of an access point.
    pub(super) bucket: String,
    /// Folder below which everything is written; a missing `/` at its end is added.
    #[serde(default)]
    pub(super) prefix: String,
    /// Region of the bucket. None: `us-east-1` where `endpoint` is set, else the SDK's default chain.
    pub(super) region: Option<String>,
    /// Base address in place of Amazon's: `https://host[:port]`.
    pub(super) endpoint: Option<String>,
    /// Puts the bucket into the path of a request instead of its host name.
    #[serde(default)]
    pub(super) path_style: bool,
    /// Needs `secret_access_key`. None: the SDK's default chain (environment, profile, container, instance).
    #[schemars(extend("writeOnly" = true))]
    pub(super) access_key_id: Option<String>,
    /// Needs `access_key_id`.
    #[schemars(extend("writeOnly" = true))]
    pub(super) secret_access_key: Option<String>,
    /// For temporary credentials; needs both keys.
    #[schemars(extend("writeOnly" = true))]
    pub(super) session_token: Option<String>,
    /// A role to take on with the credentials above.
    pub(super) assume_role: Option<AssumeRole>,
    /// Encryption that the store applies. None: the bucket's default.
    pub(super) sse: Option<Sse>,
    /// Canned ACL of every object written. None: no ACL is sent, as buckets with ACLs turned off demand.
    pub(super) acl: Option<Acl>,
    /// Agrees to pay for the requests to a bucket of somebody else's.
    #[serde(default)]
    pub(super) requester_pays: bool,
    /// Checksums that travel with what is written.
    #[serde(default)]
    pub(super) checksum: Checksum,
}

/// A role in another account, or of other rights.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssumeRole {
    /// `arn:aws:iam::ACCOUNT:role/NAME`.
    pub arn: String,
    /// What the role's owner asks for in its trust policy.
    pub external_id: Option<String>,
    /// Shows in the owner's audit log; default `herald`.
    pub session_name: Option<String>,
    /// Base address of the token service in place of Amazon's.
    pub endpoint: Option<String>,
}

/// Encryption at rest, done by the store.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Sse {
    /// With keys that the store keeps.
    Managed(Managed),
    /// With a key of the key management service.
    Kms(KmsKey),
}

/// Encryption that needs no key named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Managed {
    /// SSE-S3.
    #[serde(rename = "AES256")]
    Aes256,
    /// SSE-KMS with the account's own key for S3.
    #[serde(rename = "aws:kms")]
    Kms,
}

/// SSE-KMS with a named key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KmsKey {
    /// Id, ARN or alias of the key.
    pub kms_key: String,
    /// Whether the store may use a key of the bucket's, which saves requests to the key service.
    #[serde(default)]
    pub bucket_key: bool,
}

/// Canned ACLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Acl {
    /// The writer alone.
    Private,
    /// Everybody reads.
    PublicRead,
    /// Everybody reads and writes.
    PublicReadWrite,
    /// Every account reads.
    AuthenticatedRead,
    /// EC2 reads, for machine images.
    AwsExecRead,
    /// The bucket's owner reads.
    BucketOwnerRead,
    /// The bucket's owner may do all: what a bucket in another account usually wants.
    BucketOwnerFullControl,
}

impl Acl {
    /// The word of the `x-amz-acl` header.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::PublicRead => "public-read",
            Self::PublicReadWrite => "public-read-write",
            Self::AuthenticatedRead => "authenticated-read",
            Self::AwsExecRead => "aws-exec-read",
            Self::BucketOwnerRead => "bucket-owner-read",
            Self::BucketOwnerFullControl => "bucket-owner-full-control",
        }
    }
}

/// Whether a CRC32 travels with what is written, for the store to check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// Yes, unless the store turns out not to know of it.
    #[default]
    Auto,
    /// Yes; a store that does not know of it is an error.
    Required,
    /// No.
    Off,
}
