//! Connection strings, as the portal and the command line of Azure show them.

use secrecy::SecretString;

/// The account of Azure's emulators, Azurite among them; its key is public (Microsoft, "Use the Azurite emulator").
const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const DEVELOPMENT_HOST: &str = "http://127.0.0.1";
const DEVELOPMENT_PORT: u16 = 10_000;
/// What an address ends in unless the string says otherwise.
const SUFFIX: &str = "core.windows.net";

/// What a connection string says of blobs.
pub(super) struct Connection {
    pub(super) account: Option<String>,
    /// Where the account answers, without a `/` at its end.
    pub(super) endpoint: String,
    pub(super) account_key: Option<SecretString>,
    pub(super) sas: Option<SecretString>,
}

impl Connection {
    /// Reads `Key=value;…`. Keys are told apart without case, and those of other services left out.
    ///
    /// # Errors
    /// What is wrong, without a word of the string itself.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Parts::default();
        for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            // A value may hold `=`, as keys in base64 and signatures do.
            let (key, value) = pair.split_once('=').ok_or("has a part without `=`")?;
            parts.set(&key.trim().to_ascii_lowercase(), value.trim())?;
        }
        parts.connection()
    }
}

#[derive(Default)]
struct Parts<'a> {
    development: bool,
    development_host: Option<&'a str>,
    protocol: Option<&'a str>,
    account: Option<&'a str>,
    key: Option<&'a str>,
    suffix: Option<&'a str>,
    endpoint: Option<&'a str>,
    sas: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn set(&mut self, key: &str, value: &'a str) -> Result<(), String> {
        let given = Some(value).filter(|value| !value.is_empty());
        match key {
            "usedevelopmentstorage" => self.development = value.eq_ignore_ascii_case("true"),
            "developmentstorageproxyuri" => self.development_host = given,
            "defaultendpointsprotocol" => self.protocol = given,
            "accountname" => self.account = given,
            "accountkey" => self.key = given,
            "endpointsuffix" => self.suffix = given,
            "blobendpoint" => self.endpoint = given,
            "sharedaccesssignature" => self.sas = given,
            key if key.ends_with("endpoint") => {}
            _ => return Err("has a part that connection strings of Azure Storage don't have".to_owned()),
        }
        Ok(())
    }

    fn connection(self) -> Result<Connection, String> {
        if self.development {
            let host = self.development_host.unwrap_or(DEVELOPMENT_HOST).trim_end_matches('/');
            return Ok(Connection {
                account: Some(DEVELOPMENT_ACCOUNT.to_owned()),
                endpoint: format!("{host}:{DEVELOPMENT_PORT}/{DEVELOPMENT_ACCOUNT}"),
                account_key: Some(SecretString::from(DEVELOPMENT_KEY)),
                sas: None,
            });
        }
        let endpoint = match (self.endpoint, self.account) {
            (Some(endpoint), _) => endpoint.trim_end_matches('/').to_owned(),
            (None, Some(account)) => {
                let (protocol, suffix) = (self.protocol.unwrap_or("https"), self.suffix.unwrap_or(SUFFIX));
                format!("{protocol}://{account}.blob.{suffix}")
            }
            (None, None) => return Err("names no account: expected `AccountName` or `BlobEndpoint`".to_owned()),
        };
        match (self.key, self.sas) {
            (Some(_), Some(_)) => return Err("holds a key and a signature: leave one out".to_owned()),
            (None, None) => return Err("holds no `AccountKey` and no `SharedAccessSignature`".to_owned()),
            (Some(_), None) if self.account.is_none() => {
                return Err("holds a key without the `AccountName` that it belongs to".to_owned());
            }
            _ => {}
        }
        Ok(Connection {
            account: self.account.map(str::to_owned),
            endpoint,
            account_key: self.key.map(SecretString::from),
            sas: self.sas.map(SecretString::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn parsed(text: &str) -> (Option<String>, String, Option<String>, Option<String>) {
        let connection = Connection::parse(text).unwrap();
        let shown = |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
        (connection.account, connection.endpoint, shown(connection.account_key), shown(connection.sas))
    }

    #[test]
    fn a_key_with_equals_signs_stays_whole() {
        let text = "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a+b/c==;EndpointSuffix=core.windows.net";
        let endpoint = "https://acc.blob.core.windows.net".to_owned();
        assert_eq!(parsed(text), (Some("acc".to_owned()), endpoint, Some("a+b/c==".to_owned()), None));
    }

    #[test]
    fn other_clouds_and_own_addresses_are_taken() {
        let china = parsed("accountname=acc;accountkey=eA==;endpointsuffix=core.chinacloudapi.cn");
        assert_eq!(china.1, "https://acc.blob.core.chinacloudapi.cn");
        let own = parsed(
            "BlobEndpoint=https://blobs.example.com/;QueueEndpoint=https://q/;SharedAccessSignature=sv=1&sig=x%3D",
        );
        assert_eq!(own, (None, "https://blobs.example.com".to_owned(), None, Some("sv=1&sig=x%3D".to_owned())));
    }

    #[test]
    fn the_emulator_is_a_word() {
        let (account, endpoint, key, _) = parsed("UseDevelopmentStorage=true");
        assert_eq!(
            (account.as_deref(), endpoint.as_str()),
            (Some("devstoreaccount1"), "http://127.0.0.1:10000/devstoreaccount1")
        );
        assert!(key.is_some());
        let elsewhere = parsed("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite").1;
        assert_eq!(elsewhere, "http://azurite:10000/devstoreaccount1");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_string() {
        for text in [
            "",
            "canary",
            "AccountName=acc",
            "AccountKey=canary",
            "AccountName=acc;AccountKey=canary;SharedAccessSignature=sig=canary",
            "BlobEndpoint=https://h;AccountKey=canary",
            "AccountName=acc;AccountKey=canary;Canary=canary",
        ] {
            let error = Connection::parse(text).err().unwrap();
            assert!(!error.to_lowercase().contains("canary"), "{error}");
        }
    }
}
