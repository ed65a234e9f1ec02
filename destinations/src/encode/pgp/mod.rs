//! OpenPGP: parts that only their recipients can read.
//!
//! The bytes of a part pass through a thread of their own ([`Encryptor`]), between two short queues, so that a part is
//! never held whole. The packets are those that GnuPG 2.2 reads (RFC 4880): AES-256 with a modification detection code,
//! no compression (the part is compressed before), a literal without name or date.

mod error;
mod expiry;
mod file;
mod recipient;
mod signer;
mod stream;
mod validity;

use std::{fmt, sync::Arc};

pub use error::KeyError;
pub use expiry::Expiry;
pub use recipient::Recipient;
pub use signer::Signer;
pub(crate) use stream::Encryptor;

/// Whom parts are encrypted for, and who signs them.
#[derive(Clone)]
pub struct Encryption(Arc<Keys>);

struct Keys {
    recipients: Vec<Recipient>,
    signer: Option<Signer>,
}

/// What the layers of packets add to a part, whatever its size: headers, prefix, detection code.
const FRAME_BYTES: u64 = 128;

impl Encryption {
    /// Every one of the recipients can read what is encrypted. There should be at least one.
    pub fn new(recipients: Vec<Recipient>, signer: Option<Signer>) -> Self {
        Self(Arc::new(Keys { recipients, signer }))
    }

    /// Checks that no key has expired, `now` in seconds since 1970: a service may run for longer than a key is valid.
    ///
    /// # Errors
    /// The first key that has, by its file.
    pub fn check(&self, now: i64) -> Result<(), KeyError> {
        match self.expiries().find(|expiry| expiry.at <= now) {
            Some(expired) => Err(KeyError::new(&expired.file, expired.reason(now))),
            None => Ok(()),
        }
    }

    /// When its keys can serve no longer, of those that ever end.
    pub fn expiries(&self) -> impl Iterator<Item = Expiry> {
        self.0.recipients.iter().filter_map(Recipient::expiry).chain(self.0.signer.as_ref().and_then(Signer::expiry))
    }

    /// About how many bytes encryption adds to a part.
    pub(crate) fn overhead(&self) -> u64 {
        let recipients: u64 = self.0.recipients.iter().map(Recipient::packet_bytes).sum();
        FRAME_BYTES + recipients + self.0.signer.as_ref().map_or(0, Signer::packet_bytes)
    }

    fn recipients(&self) -> &[Recipient] {
        &self.0.recipients
    }

    fn signer(&self) -> Option<&Signer> {
        self.0.signer.as_ref()
    }
}

/// Equal where the same keys serve.
impl PartialEq for Encryption {
    fn eq(&self, other: &Self) -> bool {
        self.0.recipients == other.0.recipients && self.0.signer == other.0.signer
    }
}

impl Eq for Encryption {}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption").field("recipients", &self.0.recipients).field("signer", &self.0.signer).finish()
    }
}
