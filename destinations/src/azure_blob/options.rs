//! What stands below `type: azure_blob`, as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// Options of an Azure Blob target as they stand in a config. Holds secrets in the clear, hence no `Debug`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Name of the storage account. May be left out where `endpoint` or `connection_string` says it.
    pub(super) account: Option<String>,
    /// Name of the container, which must be there.
    pub(super) container: String,
    /// Folder below which everything is written; a missing `/` at its end is added.
    #[serde(default)]
    pub(super) prefix: String,
    /// Base address in place of `https://ACCOUNT.blob.core.windows.net`, without the container.
    pub(super) endpoint: Option<String>,
    /// A key of the account. Excludes the other credentials.
    #[schemars(extend("writeOnly" = true))]
    pub(super) account_key: Option<String>,
    /// A shared access signature for the account or the container. Excludes the other credentials.
    #[schemars(extend("writeOnly" = true))]
    pub(super) sas: Option<String>,
    /// A connection string as the portal shows it, with a key or a signature. Excludes the other credentials.
    #[schemars(extend("writeOnly" = true))]
    pub(super) connection_string: Option<String>,
    /// Tenant of an application in Entra ID; needs `client_id` and `client_secret`.
    pub(super) tenant_id: Option<String>,
    /// An application in Entra ID; alone, a user-assigned managed identity.
    pub(super) client_id: Option<String>,
    /// Secret of the application; needs `tenant_id` and `client_id`.
    #[schemars(extend("writeOnly" = true))]
    pub(super) client_secret: Option<String>,
}
