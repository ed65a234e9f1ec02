use std::fmt;

use pgp::{
    composed::{MessageBuilder, SignedPublicKey},
    crypto::sym::SymmetricKeyAlgorithm,
    types::{EncryptionKey, EskType, Fingerprint, KeyDetails, PkeskBytes, PublicParams},
};
use rand::{CryptoRng, Rng, thread_rng};

use super::{
    Expiry, KeyError,
    file::public_keys,
    validity::{Purpose, Usable, chosen},
};

/// Somebody who can read what is encrypted: a public key, and the one of its keys that is for encryption.
#[derive(Clone)]
pub struct Recipient {
    /// The file that the key came from, as the config names it.
    file: String,
    key: SignedPublicKey,
    chosen: Usable,
}

impl Recipient {
    /// All keys of a file, armoured or binary; also those that have expired, which [`Encryption::check`](super::Encryption::check)
    /// refuses. `file`: its name, for messages; `now`: seconds since 1970.
    ///
    /// # Errors
    /// When the content holds no public key, or one that is revoked or has no usable encryption key.
    pub fn read(file: &str, content: &[u8], now: i64) -> Result<Vec<Self>, KeyError> {
        let keys = public_keys(file, content)?;
        keys.into_iter().map(|key| Self::of(file, key, now)).collect()
    }

    fn of(file: &str, key: SignedPublicKey, now: i64) -> Result<Self, KeyError> {
        let chosen = chosen(&key, Purpose::Encrypt, now).map_err(|reason| KeyError::new(file, reason))?;
        let recipient = Self { file: file.to_owned(), key, chosen };
        // Some algorithms and curves are known by name alone: a trial tells.
        let mut trial = MessageBuilder::from_bytes("", "").seipd_v1(thread_rng(), SymmetricKeyAlgorithm::AES256);
        match trial.encrypt_to_key(thread_rng(), &recipient) {
            Ok(_) => Ok(recipient),
            Err(_) => {
                let id = recipient.key.legacy_key_id();
                Err(KeyError::new(file, format!("the key {id} is of an algorithm that herald can't encrypt with")))
            }
        }
    }

    /// When it can serve no longer, if it ever ends.
    pub(super) fn expiry(&self) -> Option<Expiry> {
        let key = self.key.legacy_key_id().to_string();
        self.chosen.expires.map(|at| Expiry { option: "pgp", file: self.file.clone(), key, at })
    }

    /// Size of the packet that holds the session key for this recipient.
    pub(super) fn packet_bytes(&self) -> u64 {
        match self.inner().public_params() {
            PublicParams::RSA(_) | PublicParams::Elgamal(_) => 540,
            _ => 120,
        }
    }

    /// The key that is for encryption: a subkey, or the primary key.
    fn inner(&self) -> &dyn KeyDetails {
        match self.subkey() {
            Some(subkey) => subkey,
            None => &self.key.primary_key,
        }
    }

    fn subkey(&self) -> Option<&pgp::packet::PublicSubkey> {
        let mut subkeys = self.key.public_subkeys.iter().map(|subkey| &subkey.key);
        subkeys.find(|subkey| subkey.fingerprint() == self.chosen.fingerprint)
    }
}

impl KeyDetails for Recipient {
    fn version(&self) -> pgp::types::KeyVersion {
        self.inner().version()
    }

    fn legacy_key_id(&self) -> pgp::types::KeyId {
        self.inner().legacy_key_id()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.inner().fingerprint()
    }

    fn algorithm(&self) -> pgp::crypto::public_key::PublicKeyAlgorithm {
        self.inner().algorithm()
    }

    fn created_at(&self) -> pgp::types::Timestamp {
        self.inner().created_at()
    }

    fn legacy_v3_expiration_days(&self) -> Option<u16> {
        self.inner().legacy_v3_expiration_days()
    }

    fn public_params(&self) -> &PublicParams {
        self.inner().public_params()
    }
}

impl EncryptionKey for Recipient {
    fn encrypt<R: CryptoRng + Rng>(&self, rng: R, plain: &[u8], typ: EskType) -> pgp::errors::Result<PkeskBytes> {
        match self.subkey() {
            Some(subkey) => subkey.encrypt(rng, plain, typ),
            None => self.key.primary_key.encrypt(rng, plain, typ),
        }
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.chosen == other.chosen
    }
}

impl Eq for Recipient {}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipient").field("file", &self.file).field("key", &self.key.legacy_key_id()).finish()
    }
}
