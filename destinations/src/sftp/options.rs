//! What stands below `type: sftp`, as written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Options of an SFTP target as they stand in a config. Holds secrets in the clear, hence no `Debug`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// Name or address of the server.
    #[schemars(length(min = 1))]
    pub(super) host: String,
    /// Its port.
    #[serde(default = "port")]
    #[schemars(range(min = 1))]
    pub(super) port: u16,
    /// Who logs in.
    #[schemars(length(min = 1))]
    pub(super) user: String,
    /// The folder that files are published into. It must be there. Without a `/` in front it is relative to the folder that
    /// the user logs into; empty means that one.
    #[serde(default)]
    pub(super) path: String,
    /// The private key itself, as OpenSSH or PEM have it, such as `${file:id_ed25519}`.
    #[schemars(extend("writeOnly" = true))]
    pub(super) private_key: Option<String>,
    /// Opens `private_key` where that is encrypted.
    #[schemars(extend("writeOnly" = true))]
    pub(super) passphrase: Option<String>,
    /// In place of a key. It also answers a server that asks for it as keyboard-interactive prompts.
    #[schemars(extend("writeOnly" = true))]
    pub(super) password: Option<String>,
    /// Whether the keys are those of the SSH agent at `SSH_AUTH_SOCK`.
    #[serde(default)]
    pub(super) agent: bool,
    /// The fingerprint of the server's key: `SHA256:…`. This or `known_hosts` is needed.
    pub(super) host_key: Option<String>,
    /// A file of known hosts as OpenSSH has it, relative to the config file.
    pub(super) known_hosts: Option<PathBuf>,
    /// Where a file stands until it is whole. Default: `suffix`; with `rename: none`, `none`.
    pub(super) temp_name: Option<TempName>,
    /// How a file gets its name once it is whole.
    #[serde(default)]
    pub(super) rename: Rename,
}

const fn port() -> u16 {
    22
}

/// Where a file stands until it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TempName {
    /// Beside its place, with `.part-` and the publish's id behind its name.
    Suffix,
    /// In the folder `herald-tmp` of the target, for readers that take whatever stands in the others.
    Folder,
    /// In its place: it can be seen while it is written. For servers that can't rename.
    None,
}

/// How a file gets its name once it is whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rename {
    /// By the protocol's own rename, or, to replace a file, by OpenSSH's, where the server has it.
    #[default]
    Auto,
    /// By the protocol's own rename alone; no file can be replaced.
    Plain,
    /// Not at all.
    None,
}
