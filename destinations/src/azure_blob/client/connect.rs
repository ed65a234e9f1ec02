//! From checked options to an SDK client. Asks nobody.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::ErrorKind as SdkErrorKind,
    http::{ClientOptions, HttpClient, RetryOptions, Transport, Url},
};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use azure_storage_blob::{BlobContainerClient, BlobContainerClientOptions};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::ExposeSecret;

use super::{
    Client, Deadlines,
    failure::{Nobody, failure, is_network},
    shared_key::SharedKey,
};
use crate::{
    azure_blob::config::{AzureBlobConfig, Credentials},
    contract::{Error, ErrorKind},
};

/// What a pod with workload identity is told by; all three are set there.
const WORKLOAD: [&str; 3] = ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"];
/// A machine's identity answers within milliseconds, or nobody does: the SDK would try for more than a minute.
const IDENTITY_DEADLINE: Duration = Duration::from_secs(20);

impl Client {
    /// Builds a client. Tokens are fetched with the first request.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorized`] when the credentials can't be used, [`ErrorKind::Internal`] for the rest.
    pub(in crate::azure_blob) fn connect(config: &AzureBlobConfig) -> Result<Self, Error> {
        let http = match &config.http {
            Some(http) => http.clone(),
            None => client(config.deadlines)?,
        };
        let mut options = options(http.clone());
        let mut url = container(config)?;
        let credential = match &config.credentials {
            Credentials::Key { account, key } => {
                let key = BASE64_STANDARD.decode(key.expose_secret()).map_err(|_| unusable("it is not base64"))?;
                options.per_try_policies.push(Arc::new(SharedKey::new(account, &key)));
                None
            }
            Credentials::Sas(sas) => {
                url.set_query(Some(sas.expose_secret()));
                None
            }
            entra => Some(token(entra, http)?),
        };
        let options = BlobContainerClientOptions { client_options: options, ..BlobContainerClientOptions::default() };
        let secrets = config.credentials.secrets();
        let sdk = BlobContainerClient::new(url, credential, Some(options))
            .map_err(|error| Error::new(ErrorKind::Internal, "make a client").caused_by(failure(&error, &secrets)))?;
        Ok(Self { sdk, container: config.container.clone(), deadlines: config.deadlines, secrets })
    }
}

/// What sends requests. No redirects are followed, as the SDK has it, and content arrives as it was written.
fn client(deadlines: Deadlines) -> Result<Arc<dyn HttpClient>, Error> {
    let client = reqwest::Client::builder()
        .connect_timeout(deadlines.connect)
        .redirect(reqwest::redirect::Policy::none())
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .build()
        .map_err(|error| Error::new(ErrorKind::Internal, "make a client").caused_by(error.without_url()))?;
    Ok(Arc::new(client))
}

/// SDK retries are off: the runner's policy is the only one.
fn options(http: Arc<dyn HttpClient>) -> ClientOptions {
    ClientOptions { transport: Some(Transport::new(http)), retry: RetryOptions::none(), ..ClientOptions::default() }
}

fn container(config: &AzureBlobConfig) -> Result<Url, Error> {
    let mut url = config.endpoint.clone();
    match url.path_segments_mut() {
        Ok(mut segments) => drop(segments.pop_if_empty().push(&config.container)),
        Err(()) => return Err(Error::new(ErrorKind::Internal, "make the container's address")),
    }
    Ok(url)
}

/// An application's token, a pod's, or the machine's.
fn token(credentials: &Credentials, http: Arc<dyn HttpClient>) -> Result<Arc<dyn TokenCredential>, Error> {
    let refused = |error: azure_core::Error| unusable(failure(&error, &credentials.secrets()).message);
    match credentials {
        Credentials::Application { tenant_id, client_id, secret } => {
            let secret = Secret::new(secret.expose_secret().to_owned());
            let options = ClientSecretCredentialOptions { client_options: options(http) };
            let credential = ClientSecretCredential::new(tenant_id, client_id.clone(), secret, Some(options));
            Ok(credential.map_err(refused)?)
        }
        Credentials::Identity { client_id } => {
            let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
            if let [Some(_), own, Some(file)] = WORKLOAD.map(set)
                && (own.is_some() || client_id.is_some())
            {
                let options = WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options: options(http) },
                    client_id: client_id.clone(),
                    token_file_path: Some(PathBuf::from(file)),
                    ..WorkloadIdentityCredentialOptions::default()
                };
                return Ok(WorkloadIdentityCredential::new(Some(options)).map_err(refused)?);
            }
            let options = ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                client_options: options(http),
            };
            let credential = ManagedIdentityCredential::new(Some(options)).map_err(refused)?;
            Ok(Arc::new(Machine(credential)))
        }
        Credentials::Key { .. } | Credentials::Sas(_) => Err(unusable("it is no identity")),
    }
}

fn unusable(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unauthorized, "use the target's credentials").caused_by(why.into())
}

/// A machine's identity, asked within bounds. Where nobody answers, the service may be away for a moment, or the machine
/// has none: that is told, and counts as a network that may recover.
#[derive(Debug)]
struct Machine(Arc<ManagedIdentityCredential>);

#[async_trait]
impl TokenCredential for Machine {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let nobody = |late| azure_core::Error::with_error(SdkErrorKind::Connection, Nobody { late }, "no answer");
        match tokio::time::timeout(IDENTITY_DEADLINE, self.0.get_token(scopes, options)).await {
            Ok(Err(error)) if is_network(&error) => Err(nobody(false)),
            Ok(answer) => answer,
            Err(_) => Err(nobody(true)),
        }
    }
}
