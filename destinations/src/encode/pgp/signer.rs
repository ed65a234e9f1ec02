use std::fmt;

use pgp::{
    composed::SignedSecretKey,
    packet::{SecretKey, SecretSubkey},
    types::{KeyDetails, Password, SigningKey},
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Expiry, KeyError,
    file::secret_key,
    validity::{Purpose, Usable, chosen},
};

/// Who signs what is encrypted.
#[derive(Clone)]
pub struct Signer {
    file: String,
    key: SignedSecretKey,
    chosen: Usable,
    passphrase: SecretString,
}

impl Signer {
    /// The one private key of a file, armoured or binary, and what unlocks it; also one that has expired, which
    /// [`Encryption::check`](super::Encryption::check) refuses. `file`: its name, for messages; `now`: seconds since 1970.
    ///
    /// # Errors
    /// When the content is not one private key, when it is revoked or not for signing, or the passphrase is wrong.
    pub fn read(file: &str, content: &[u8], passphrase: Option<SecretString>, now: i64) -> Result<Self, KeyError> {
        let key = secret_key(file, content)?;
        let chosen = chosen(&key.to_public_key(), Purpose::Sign, now).map_err(|reason| KeyError::new(file, reason))?;
        let given = passphrase.is_some();
        let signer = Self { file: file.to_owned(), key, chosen, passphrase: passphrase.unwrap_or_default() };
        let id = signer.key.legacy_key_id();
        let opened = match signer.signing() {
            Some(Signing::Primary(key)) => key.unlock(&signer.password(), |_, _| Ok(())),
            Some(Signing::Sub(key)) => key.unlock(&signer.password(), |_, _| Ok(())),
            None => {
                return Err(KeyError::new(file, format!("the private part of the key {id} is not in it")));
            }
        };
        match opened {
            Ok(Ok(())) => Ok(signer),
            _ if given => Err(KeyError::new(file, format!("the passphrase does not open the key {id}"))),
            _ => Err(KeyError::new(file, format!("the key {id} needs a passphrase"))),
        }
    }

    /// When it can serve no longer, if it ever ends.
    pub(super) fn expiry(&self) -> Option<Expiry> {
        let key = self.key.legacy_key_id().to_string();
        self.chosen.expires.map(|at| Expiry { option: "sign", file: self.file.clone(), key, at })
    }

    pub(super) fn password(&self) -> Password {
        Password::from(self.passphrase.expose_secret())
    }

    /// The key that signs: a subkey, or the primary key.
    pub(super) fn key(&self) -> Option<&dyn SigningKey> {
        self.signing().map(|signing| match signing {
            Signing::Primary(key) => key as &dyn SigningKey,
            Signing::Sub(key) => key,
        })
    }

    /// Size of the packets that announce and hold the signature.
    pub(super) fn packet_bytes(&self) -> u64 {
        600
    }

    fn signing(&self) -> Option<Signing<'_>> {
        if self.key.primary_key.fingerprint() == self.chosen.fingerprint {
            return Some(Signing::Primary(&self.key.primary_key));
        }
        let mut subkeys = self.key.secret_subkeys.iter().map(|subkey| &subkey.key);
        subkeys.find(|subkey| subkey.fingerprint() == self.chosen.fingerprint).map(Signing::Sub)
    }
}

enum Signing<'a> {
    Primary(&'a SecretKey),
    Sub(&'a SecretSubkey),
}

impl PartialEq for Signer {
    fn eq(&self, other: &Self) -> bool {
        self.chosen == other.chosen
    }
}

impl Eq for Signer {}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("file", &self.file).field("key", &self.key.legacy_key_id()).finish()
    }
}
