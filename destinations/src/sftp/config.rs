//! Checked options of an SFTP target.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use secrecy::SecretString;

use super::{
    host_key::{Fingerprint, HostKey},
    options::{Options, Rename, TempName},
    paths::Root,
    store::SftpStore,
};
use crate::{
    contract::{Capabilities, Config, ConfigError, Destination, Error, Kind, Retries},
    files::{self, FilesDestination},
};

/// The kind `sftp`.
#[derive(Debug)]
pub(super) struct Sftp;

impl Kind for Sftp {
    fn name(&self) -> &'static str {
        "sftp"
    }

    fn summary(&self) -> &'static str {
        "files on a server that speaks SFTP"
    }

    fn takes_files(&self) -> bool {
        true
    }

    fn schema(&self) -> schemars::Schema {
        schemars::schema_for!(Options)
    }

    fn parse(&self, options: serde_json::Value, folder: &Path) -> Result<Box<dyn Config>, ConfigError> {
        Ok(Box::new(SftpConfig::parse(options, folder)?))
    }
}

/// A folder on a server, and how to reach it. `Debug` shows no credential.
#[derive(Clone)]
pub struct SftpConfig {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) login: Login,
    pub(super) host_key: HostKey,
    pub(super) root: Root,
    pub(super) temp_name: TempName,
    pub(super) rename: Rename,
    pub(super) deadlines: Deadlines,
}

/// How a user proves who they are.
#[derive(Clone)]
pub(super) enum Login {
    Key {
        private: SecretString,
        passphrase: Option<SecretString>,
    },
    Password(SecretString),
    /// `None`: the one that the environment names.
    Agent(Option<PathBuf>),
}

/// How long the server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// To be reached, per address.
    pub connect: Duration,
    /// To answer, or to take more of what is sent.
    pub answer: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(20), answer: Duration::from_secs(60) }
    }
}

impl SftpConfig {
    /// Reads and checks options; `known_hosts` is relative to `folder`.
    ///
    /// # Errors
    /// The first option that is well-formed but wrong.
    pub fn parse(options: serde_json::Value, folder: &Path) -> Result<Self, ConfigError> {
        // Serde's message for a value of a wrong type quotes the value, which may be a secret.
        let options: Options =
            serde_json::from_value(options).map_err(|_| wrong("", "does not fit the options of sftp"))?;
        check_host(&options.host)?;
        if options.port == 0 {
            return Err(wrong("port", "is no port: expected 1 to 65535"));
        }
        if options.user.is_empty() || options.user.contains(char::is_control) {
            return Err(wrong("user", "is no name of a user"));
        }
        let (temp_name, rename) = staging(&options)?;
        Ok(Self {
            login: login(&options)?,
            host_key: host_key(&options, folder)?,
            root: Root::new(&options.path).map_err(|message| wrong("path", message))?,
            host: options.host,
            port: options.port,
            user: options.user,
            temp_name,
            rename,
            deadlines: Deadlines::default(),
        })
    }

    /// Sets how long the server may take; the config file has no key for it.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Takes the keys of an agent at a socket other than the environment's; the config file has no key for it.
    #[must_use]
    pub fn with_agent(mut self, socket: &Path) -> Self {
        self.login = Login::Agent(Some(socket.to_owned()));
        self
    }

    /// The folder as a store for files, for those that need less than a destination.
    pub fn store(&self, retries: impl Into<Retries>) -> SftpStore {
        SftpStore::new(self, retries.into())
    }
}

#[async_trait]
impl Config for SftpConfig {
    fn kind(&self) -> &'static str {
        "sftp"
    }

    /// The user is part of the place: a relative path, and the server's root where users are locked into a folder, mean
    /// another place for another user.
    fn identity(&self) -> String {
        let host = self.host.to_ascii_lowercase();
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        format!("sftp://{}@{host}:{}{}", self.user, self.port, self.root.shown())
    }

    fn capabilities(&self) -> Capabilities {
        files::CAPABILITIES
    }

    async fn connect(&self, retries: Retries) -> Result<Arc<dyn Destination>, Error> {
        Ok(Arc::new(FilesDestination::new(self.store(retries))))
    }
}

impl fmt::Debug for SftpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = match &self.login {
            Login::Key { .. } => "key",
            Login::Password(_) => "password",
            Login::Agent(_) => "agent",
        };
        f.debug_struct("SftpConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("login", &login)
            .field("host_key", &self.host_key)
            .field("root", &self.root)
            .field("temp_name", &self.temp_name)
            .field("rename", &self.rename)
            .finish_non_exhaustive()
    }
}

fn wrong(key: &str, message: impl Into<String>) -> ConfigError {
    ConfigError { key: key.to_owned(), message: message.into() }
}

fn check_host(host: &str) -> Result<(), ConfigError> {
    let fits = |char: char| char.is_ascii_alphanumeric() || ".-_:%".contains(char);
    if !host.is_empty() && host.len() <= 255 && host.chars().all(fits) && host.matches(':').count() != 1 {
        return Ok(());
    }
    Err(wrong("host", "is no host: expected a name or an address alone; the port and the path have keys of their own"))
}

/// Secrets that are empty count as none, so that a variable without a value does not hide another.
fn login(options: &Options) -> Result<Login, ConfigError> {
    let given = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
    let (key, password) = (given(&options.private_key), given(&options.password));
    if key.is_none() && given(&options.passphrase).is_some() {
        return Err(wrong("passphrase", "opens a `private_key`, and there is none"));
    }
    match (key, password, options.agent) {
        (Some(key), None, false) => {
            let private = private_key(key)?;
            Ok(Login::Key { private, passphrase: given(&options.passphrase).map(SecretString::from) })
        }
        (None, Some(password), false) if password.contains('\0') => Err(wrong("password", "holds a zero byte")),
        (None, Some(password), false) => Ok(Login::Password(password.into())),
        (None, None, true) => Ok(Login::Agent(None)),
        (None, None, false) => Err(wrong("", "one of `private_key`, `password` and `agent: true` is needed")),
        _ => Err(wrong("", "only one of `private_key`, `password` and `agent: true` may be set")),
    }
}

fn private_key(key: String) -> Result<SecretString, ConfigError> {
    let key = key.trim().replace("\r\n", "\n");
    if key.starts_with("PuTTY-User-Key-File") {
        let advice = "is a key in PuTTY's format: convert it with `puttygen KEY.ppk -O private-openssh -o KEY`";
        return Err(wrong("private_key", advice));
    }
    if !key.starts_with("-----BEGIN ") || key.contains('\0') {
        let advice = "is no private key: expected its text, `-----BEGIN …`, such as by `${file:id_ed25519}`";
        return Err(wrong("private_key", advice));
    }
    Ok(format!("{key}\n").into())
}

fn host_key(options: &Options, folder: &Path) -> Result<HostKey, ConfigError> {
    let pinned = options.host_key.as_deref().filter(|text| !text.is_empty());
    let file = options.known_hosts.as_deref().filter(|path| !path.as_os_str().is_empty());
    match (pinned, file) {
        (Some(text), None) => Fingerprint::parse(text.trim()).map(HostKey::Pinned).ok_or_else(|| {
            wrong("host_key", "is no fingerprint: expected `SHA256:` and 43 characters, as `ssh-keygen -l` shows it")
        }),
        (None, Some(file)) => Ok(HostKey::Known(folder.join(file))),
        (Some(_), Some(_)) => Err(wrong("known_hosts", "only one of `host_key` and `known_hosts` may be set")),
        (None, None) => Err(wrong(
            "",
            "one of `host_key` and `known_hosts` is needed, so that files go to no server but the one that is meant",
        )),
    }
}

fn staging(options: &Options) -> Result<(TempName, Rename), ConfigError> {
    match (options.temp_name, options.rename) {
        (None | Some(TempName::None), Rename::None) => Ok((TempName::None, Rename::None)),
        (Some(_), Rename::None) => {
            Err(wrong("temp_name", "needs a rename: with `rename: none`, files can only be written in their place"))
        }
        (temp_name, rename) => Ok((temp_name.unwrap_or(TempName::Suffix), rename)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const PIN: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
    const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary-key\n-----END OPENSSH PRIVATE KEY-----";

    fn with(changes: Value) -> Result<SftpConfig, ConfigError> {
        let mut options = json!({ "host": "sftp.example.com", "user": "u", "password": "p", "host_key": PIN });
        for (key, value) in changes.as_object().unwrap() {
            match value.is_null() {
                true => drop(options.as_object_mut().unwrap().remove(key)),
                false => drop(options.as_object_mut().unwrap().insert(key.clone(), value.clone())),
            }
        }
        SftpConfig::parse(options, Path::new("/etc/herald"))
    }

    fn fault(changes: Value) -> String {
        with(changes).expect_err("a wrong option").key
    }

    #[test]
    fn every_option_of_the_reference_is_taken() {
        let config = with(json!({
            "port": 2222, "path": "/in/", "password": null, "private_key": KEY, "passphrase": "x",
            "temp_name": "folder", "rename": "plain"
        }))
        .unwrap();
        assert_eq!(config.identity(), "sftp://u@sftp.example.com:2222/in");
        assert_eq!((config.temp_name, config.rename), (TempName::Folder, Rename::Plain));
        let config = with(json!({ "host_key": null, "known_hosts": "known" })).unwrap();
        assert_eq!(config.host_key, HostKey::Known("/etc/herald/known".into()));
    }

    #[test]
    fn a_place_is_told_by_host_port_user_and_path_and_by_no_credential() {
        let identity = |changes| with(changes).unwrap().identity();
        assert_eq!(identity(json!({})), "sftp://u@sftp.example.com:22/~");
        assert_eq!(identity(json!({ "path": "in" })), "sftp://u@sftp.example.com:22/~/in");
        assert_eq!(identity(json!({ "path": "/" })), "sftp://u@sftp.example.com:22/");
        assert_eq!(identity(json!({ "host": "::1" })), "sftp://u@[::1]:22/~");
        assert_eq!(identity(json!({ "host": "SFTP.example.com" })), identity(json!({ "password": "other" })));
    }

    #[test]
    fn a_server_without_a_known_key_is_refused() {
        assert!(with(json!({ "host_key": null })).unwrap_err().message.contains("host_key"));
        assert_eq!(fault(json!({ "known_hosts": "x" })), "known_hosts");
        assert_eq!(fault(json!({ "host_key": "any" })), "host_key");
        assert_eq!(fault(json!({ "host_key": "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48" })), "host_key");
    }

    #[test]
    fn there_is_one_way_to_log_in() {
        assert_eq!(fault(json!({ "password": null })), "");
        assert_eq!(fault(json!({ "agent": true })), "");
        assert_eq!(fault(json!({ "private_key": KEY })), "");
        assert_eq!(fault(json!({ "passphrase": "x" })), "passphrase");
        assert!(matches!(with(json!({ "password": "", "agent": true })).unwrap().login, Login::Agent(None)));
        assert!(matches!(with(json!({ "private_key": "" })).unwrap().login, Login::Password(_)));
    }

    #[test]
    fn a_key_is_a_key_and_no_path() {
        let key = |key: &str| with(json!({ "password": null, "private_key": key })).unwrap_err();
        assert!(key("~/.ssh/id_ed25519").message.contains("${file:"));
        assert!(key("PuTTY-User-Key-File-3: ssh-ed25519\n").message.contains("puttygen"));
        assert!(!key("canary").to_string().contains("canary"));
    }

    #[test]
    fn a_host_holds_neither_port_nor_path() {
        for host in ["", "sftp.example.com:22", "sftp://host", "host/in", "u@host", "a b"] {
            assert_eq!(fault(json!({ "host": host })), "host", "{host}");
        }
        assert_eq!(fault(json!({ "port": 0 })), "port");
        assert_eq!(fault(json!({ "user": "" })), "user");
        for path in ["../up", "/in/../up", "a//b", "a\\b", "/a/./b", "a\0"] {
            assert_eq!(fault(json!({ "path": path })), "path", "{path}");
        }
    }

    #[test]
    fn without_a_rename_files_are_written_in_their_place() {
        assert_eq!(with(json!({ "rename": "none" })).unwrap().temp_name, TempName::None);
        assert_eq!(fault(json!({ "rename": "none", "temp_name": "suffix" })), "temp_name");
        assert_eq!(with(json!({})).unwrap().temp_name, TempName::Suffix);
    }

    #[test]
    fn secrets_are_write_only_and_unseen() {
        let schema = serde_json::to_value(Sftp.schema()).unwrap();
        for key in ["private_key", "passphrase", "password"] {
            assert_eq!(schema["properties"][key]["writeOnly"], true, "{key}");
        }
        let key = with(json!({ "password": null, "private_key": KEY, "passphrase": "canary-phrase" })).unwrap();
        let password = with(json!({ "password": "canary-password" })).unwrap();
        assert!(!format!("{key:?} {password:?}").contains("canary"));
        let error = with(json!({ "port": "canary" })).unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}
