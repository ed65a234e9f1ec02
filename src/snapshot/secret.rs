//! The one key of a data folder, and what is derived from it.

use std::{
    fs,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use sha2::{Digest, Sha256};

use crate::{
    config::Key,
    publish::{Failure, code},
};

/// Keys for every use, each derived from the one key, so that no two uses share one.
#[derive(Clone)]
pub struct Keys {
    /// Places members in partitions.
    pub(super) partition: (u64, u64),
    /// Fingerprints records.
    pub(super) fingerprint: (u64, u64),
    /// Stands in for members that were removed, and for those of dead letters.
    pub(super) identity: (u64, u64),
    /// Encrypts snapshot files: AES-256.
    pub(super) file: [u8; 32],
    /// Encrypts small values: AES-256.
    pub(super) value: [u8; 32],
    pub(super) check: [u8; 16],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// Name of the key file in the data folder.
const KEY_FILE: &str = "key";

impl Keys {
    /// Derives all keys.
    pub fn derive(key: &Key) -> Self {
        let part = |use_: &str| -> [u8; 32] { Sha256::new().chain_update(key.0).chain_update(use_).finalize().into() };
        let pair = |use_: &str| {
            let bytes = part(use_);
            let half = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| bytes[at + index]));
            (half(0), half(8))
        };
        let check = part("check");
        Self {
            partition: pair("partition"),
            fingerprint: pair("fingerprint"),
            identity: pair("identity"),
            file: part("snapshot file"),
            value: part("value"),
            check: std::array::from_fn(|index| check[index]),
        }
    }

    /// A value that tells keys apart and reveals nothing of them; stored beside what they encrypt.
    pub fn check(&self) -> String {
        self.check.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Encrypts a small value for one use; `about` must be given again to read it, so that no value can stand in
    /// another's place.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn seal(&self, about: &str, value: &[u8]) -> Result<Vec<u8>, Failure> {
        let failed = |_| code::internal("could not encrypt a value");
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.value).map_err(failed)?;
        let mut sealed = value.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(about), &mut sealed).map_err(failed)?;
        sealed.extend_from_slice(nonce.as_ref());
        Ok(sealed)
    }

    /// Decrypts what [`seal`](Self::seal) made of a value.
    ///
    /// # Errors
    /// `snapshot_unreadable` when it was sealed with another key, about something else, or is damaged.
    pub fn unseal(&self, about: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        let unreadable = || lost("a stored value was encrypted with another key, or is damaged");
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.value).map_err(|_| unreadable())?;
        let at = sealed.len().checked_sub(NONCE_LEN).ok_or_else(unreadable)?;
        let nonce = Nonce::try_assume_unique_for_key(&sealed[at..]).map_err(|_| unreadable())?;
        let mut value = sealed[..at].to_vec();
        let length = key.open_in_place(nonce, Aad::from(about), &mut value).map_err(|_| unreadable())?.len();
        value.truncate(length);
        Ok(value)
    }

    /// The configured key, or the key file of the data folder, made at first use with mode 0600.
    ///
    /// # Errors
    /// `snapshot_unreadable` when the key file is damaged, or missing although snapshots stand there.
    pub fn open(data_dir: &Path, configured: Option<&Key>) -> Result<Self, Failure> {
        if let Some(key) = configured {
            return Ok(Self::derive(key));
        }
        let path = data_dir.join(KEY_FILE);
        let key = match fs::read(&path) {
            Ok(bytes) => {
                <[u8; 32]>::try_from(bytes.as_slice()).map(Key).map_err(|_| lost("the key file is damaged"))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if data_dir.join(super::FOLDER).read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
                    return Err(lost("the key file is gone"));
                }
                create(&path).map_err(|error| code::disk(&error, "write the key file"))?
            }
            Err(error) => return Err(lost(&format!("the key file can't be read: {error}"))),
        };
        Ok(Self::derive(&key))
    }
}

/// Draws a key from the system's random numbers and keeps it where only this user can read it.
fn create(path: &Path) -> std::io::Result<Key> {
    let mut key = [0; 32];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut key)?;
    // Written whole under another name first: a key cut short by a crash would lock its owner out.
    let draft = path.with_extension("draft");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(&key)?;
    file.sync_all()?;
    match fs::hard_link(&draft, path) {
        // Another process was first: its key counts.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::io::Read::read_exact(&mut fs::File::open(path)?, &mut key)?;
        }
        other => other?,
    }
    fs::remove_file(&draft)?;
    Ok(Key(key))
}

pub(super) fn lost(what: &str) -> Failure {
    Failure {
        code: code::SNAPSHOT_UNREADABLE.into(),
        message: what.into(),
        remedy:
            "restore the key (`service.encryption_key`, or the file `key` of the data folder) that the snapshot was \
                 written with, or publish with `--full` after moving the data folder away"
                .into(),
        retryable: false,
    }
}
