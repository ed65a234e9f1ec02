//! The keys in `files.encrypt`, read and judged: a key that can never serve is an error of the config. One that has
//! expired since is for `check` and for the publish that needs it: a day must not stop every other activation.

use herald_destinations::encode::pgp::{Encryption, KeyError, Recipient, Signer};

use secrecy::ExposeSecret;

use super::Lowering;
use crate::config::{Code, raw};

impl Lowering<'_> {
    /// `None` where a key is at fault, which is reported.
    pub(super) fn encrypt(&mut self, at: &str, raw: raw::Encrypt) -> Option<Encryption> {
        let now = chrono::Utc::now().timestamp();
        let mut recipients = Vec::new();
        let mut whole = true;
        for (index, file) in raw.pgp.iter().enumerate() {
            let at = format!("{at}.pgp[{index}]");
            match self.key_file(&at, file, |content| Recipient::read(file, content, now)) {
                Some(keys) => recipients.extend(keys),
                None => whole = false,
            }
        }
        // An empty one is none, as of every secret that a variable may leave out.
        let passphrase = raw.passphrase.map(|secret| secret.0).filter(|secret| !secret.expose_secret().is_empty());
        let signer = match &raw.sign {
            Some(file) => {
                let at = format!("{at}.sign");
                let signer = self.key_file(&at, file, |content| Signer::read(file, content, passphrase, now));
                whole &= signer.is_some();
                signer
            }
            None => {
                if passphrase.is_some() {
                    let message = "it opens the key of `sign`, which is not given";
                    self.fault_with(&format!("{at}.passphrase"), Code::Conflict, message, "add `sign`, or remove it");
                }
                None
            }
        };
        (whole && !recipients.is_empty()).then(|| Encryption::new(recipients, signer))
    }

    fn key_file<T>(&mut self, at: &str, file: &str, read: impl FnOnce(&[u8]) -> Result<T, KeyError>) -> Option<T> {
        let path = self.local_path(at, file);
        let content = match std::fs::read(&path) {
            Ok(content) => content,
            Err(error) => {
                self.fault(at, Code::MissingFile, format!("`{}` can't be read: {error}", path.display()));
                return None;
            }
        };
        match read(&content) {
            Ok(keys) => Some(keys),
            Err(error) => {
                self.fault(at, Code::InvalidValue, format!("`{file}`: {}", error.reason));
                None
            }
        }
    }
}
