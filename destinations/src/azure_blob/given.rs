//! Options as they were given: one way to prove oneself, one place to reach.

use azure_core::http::Url;
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};

use super::{config::Credentials, connection::Connection, options::Options};
use crate::contract::ConfigError;

/// Options that are given. What is empty counts as left out, so that a variable without a value falls back to the next.
pub(super) struct Given<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) endpoint: Option<&'a str>,
    account_key: Option<&'a str>,
    sas: Option<&'a str>,
    connection_string: Option<&'a str>,
    tenant_id: Option<&'a str>,
    client_id: Option<&'a str>,
    client_secret: Option<&'a str>,
}

impl<'a> Given<'a> {
    pub(super) fn of(options: &'a Options) -> Self {
        let given = |text: &'a Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        Self {
            account: given(&options.account),
            endpoint: given(&options.endpoint),
            account_key: given(&options.account_key),
            sas: given(&options.sas),
            connection_string: given(&options.connection_string),
            tenant_id: given(&options.tenant_id),
            client_id: given(&options.client_id),
            client_secret: given(&options.client_secret),
        }
    }

    /// One way to prove oneself, and that one whole.
    pub(super) fn check_one(&self) -> Result<(), ConfigError> {
        let application = [
            ("tenant_id", self.tenant_id.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
        ];
        let first = application.iter().find(|(_, given)| *given).map(|(key, _)| *key);
        let ways = [
            self.account_key.map(|_| "account_key"),
            self.sas.map(|_| "sas"),
            self.connection_string.map(|_| "connection_string"),
            first,
        ];
        let mut ways = ways.into_iter().flatten();
        if let (Some(one), Some(other)) = (ways.next(), ways.next()) {
            return Err(wrong(other, format!("excludes `{one}`: leave one of the two out")));
        }
        // A client id alone names an identity of the machine's.
        let Some(first) = first.filter(|first| *first != "client_id" || self.client_secret.is_some()) else {
            return Ok(());
        };
        match application.iter().find(|(_, given)| !given) {
            Some((missing, _)) => Err(wrong(missing, format!("is missing beside `{first}`"))),
            None => Ok(()),
        }
    }

    pub(super) fn connection(&self) -> Result<Option<Connection>, ConfigError> {
        let connection = self.connection_string.map(Connection::parse).transpose();
        connection.map_err(|message| wrong("connection_string", message))
    }

    /// Account and endpoint.
    pub(super) fn place(&self, connection: Option<&Connection>) -> Result<(Option<String>, Url), ConfigError> {
        let named = connection.and_then(|connection| connection.account.as_deref());
        let account = match (self.account, named) {
            (Some(account), Some(named)) if account != named => {
                return Err(wrong("account", "is another than the one of `connection_string`"));
            }
            (account, named) => account.or(named),
        };
        let (key, endpoint) = match (self.endpoint, connection, account) {
            (Some(endpoint), ..) => ("endpoint", endpoint.to_owned()),
            (None, Some(connection), _) => ("connection_string", connection.endpoint.clone()),
            (None, None, Some(account)) => ("account", format!("https://{account}.blob.core.windows.net")),
            (None, None, None) => {
                return Err(wrong("account", "is missing, and neither `endpoint` nor `connection_string` says it"));
            }
        };
        let endpoint = address(&endpoint).ok_or_else(|| {
            wrong(key, "is no address: expected `https://host[:port]`, without credentials or a query")
        })?;
        Ok((account.map(str::to_owned), endpoint))
    }

    pub(super) fn credentials(
        &self,
        connection: Option<Connection>,
        account: Option<&str>,
    ) -> Result<Credentials, ConfigError> {
        let (key, sas, at) = match connection {
            Some(connection) => (connection.account_key, connection.sas, "connection_string"),
            None => (self.account_key.map(SecretString::from), self.sas.map(SecretString::from), ""),
        };
        let at = |own: &'static str| if at.is_empty() { own } else { at };
        if let Some(key) = key {
            let account = account.ok_or_else(|| wrong("account", "is missing beside `account_key`"))?;
            if BASE64_STANDARD.decode(key.expose_secret()).is_err() {
                return Err(wrong(at("account_key"), "is no key of an account: expected base64"));
            }
            return Ok(Credentials::Key { account: account.to_owned(), key });
        }
        if let Some(sas) = sas {
            let query = sas.expose_secret().trim_start_matches('?');
            let whole = query.split('&').any(|pair| pair.strip_prefix("sig=").is_some_and(|sig| !sig.is_empty()));
            // A whole address with its signature, as the portal also offers, would become part of the query.
            if !whole || query.contains("://") || query.contains(|char: char| char.is_whitespace() || char.is_control())
            {
                return Err(wrong(
                    at("sas"),
                    "is no shared access signature: expected `sv=…&…&sig=…`, without the address in front",
                ));
            }
            return Ok(Credentials::Sas(SecretString::from(query)));
        }
        Ok(match (self.tenant_id, self.client_id, self.client_secret) {
            (Some(tenant_id), Some(client_id), Some(secret)) => {
                // What the SDK takes for a tenant; it becomes part of an address.
                if !tenant_id.chars().all(|char| char.is_ascii_alphanumeric() || ".-".contains(char)) {
                    return Err(wrong("tenant_id", "is no tenant: expected its id or a domain of it"));
                }
                Credentials::Application {
                    tenant_id: tenant_id.to_owned(),
                    client_id: client_id.to_owned(),
                    secret: SecretString::from(secret),
                }
            }
            (_, client_id, _) => Credentials::Identity { client_id: client_id.map(str::to_owned) },
        })
    }
}

pub(super) fn wrong(key: &str, message: impl Into<String>) -> ConfigError {
    ConfigError { key: key.to_owned(), message: message.into() }
}

fn address(text: &str) -> Option<Url> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || rest.contains(['@', '?', '#']) || rest.contains(char::is_whitespace) {
        return None;
    }
    text.trim_end_matches('/').parse().ok()
}
