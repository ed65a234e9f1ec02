//! Accounts with keys, made anew for every run.

use std::{fs, path::Path, sync::LazyLock};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

/// May do all.
pub(crate) const WRITER: &str = "drop@herald.iam.gserviceaccount.com";
/// May only read and list.
pub(crate) const READER: &str = "reader@herald.iam.gserviceaccount.com";

/// The key of all accounts that the server knows.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).expect("a key"));

/// The public half, as the server knows it.
pub(super) fn public() -> &'static [u8] {
    KEY.public_key().as_ref()
}

/// The id of an account's key.
pub(super) fn id_of(account: &str) -> String {
    format!("key-of-{account}")
}

/// Writes the file that Google gives out with an account's key; the key within, as it stands there.
pub(crate) fn key_file(at: &Path, account: &str) -> String {
    write(at, account, &KEY)
}

/// As [`key_file`], with a key that is not the account's.
pub(crate) fn stolen_key_file(at: &Path, account: &str) -> String {
    write(at, account, &KeyPair::generate(KeySize::Rsa2048).expect("a key"))
}

fn write(at: &Path, account: &str, key: &KeyPair) -> String {
    let der: Pkcs8V1Der<'_> = key.as_der().expect("a key");
    let text = BASE64_STANDARD.encode(der.as_ref());
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    let file = json!({
        "type": "service_account", "project_id": "herald", "client_email": account, "private_key_id": id_of(account),
        "private_key": pem, "token_uri": "https://oauth2.googleapis.com/token"
    });
    fs::write(at, file.to_string()).expect("a key file");
    lines[1].to_owned()
}
