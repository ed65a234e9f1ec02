//! Remote places that tables are read from: `s3://`, `gs://`, `az://`, with credentials from the environment.

use std::sync::Arc;

use datafusion::{execution::object_store::ObjectStoreUrl, prelude::SessionContext};
use object_store::{ObjectStore, aws::AmazonS3Builder, azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder};

/// Connects the session to the bucket or container of a location; local paths need nothing.
///
/// Credentials come from the environment, as each cloud's own tools read them (`AWS_ACCESS_KEY_ID`,
/// `GOOGLE_APPLICATION_CREDENTIALS`, `AZURE_STORAGE_ACCOUNT_NAME`, …).
///
/// # Errors
/// When the scheme is unknown or the environment's settings don't fit together.
pub(super) fn register(session: &SessionContext, location: &str) -> Result<(), object_store::Error> {
    let Some((scheme, rest)) = location.split_once("://") else { return Ok(()) };
    let bucket = rest.split('/').next().unwrap_or_default();
    let store: Arc<dyn ObjectStore> = match scheme {
        "file" => return Ok(()),
        "s3" => Arc::new(AmazonS3Builder::from_env().with_bucket_name(bucket).build()?),
        "gs" => Arc::new(GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).build()?),
        "az" => Arc::new(MicrosoftAzureBuilder::from_env().with_container_name(bucket).build()?),
        other => {
            return Err(object_store::Error::NotSupported {
                source: format!("`{other}://` is not a place that tables can be read from").into(),
            });
        }
    };
    if let Ok(url) = ObjectStoreUrl::parse(format!("{scheme}://{bucket}")) {
        session.register_object_store(url.as_ref(), store);
    }
    Ok(())
}
