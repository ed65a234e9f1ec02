//! From checked options to a client.

use super::{Client, credentials};
use crate::{
    contract::{Error, ErrorKind},
    gcs::config::GcsConfig,
};

impl Client {
    /// Builds a client. A token is fetched with the first request.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorized`] when a file of credentials can't be used.
    pub(in crate::gcs) async fn connect(config: &GcsConfig) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("herald/", env!("CARGO_PKG_VERSION")))
            // 308 is how an upload is told to go on, and a token is for nobody else.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(config.deadlines.connect)
            // Over HTTP/2 all uploads would share one connection and its window.
            .http1_only()
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "make an HTTP client").caused_by(error.without_url()))?;
        Ok(Self {
            http,
            base: config.endpoint.clone(),
            bucket: config.bucket.clone(),
            credentials: credentials::find(&config.credentials).await?,
            needs_metadata_server: credentials::needs_metadata_server(&config.credentials),
            deadlines: config.deadlines,
        })
    }
}
