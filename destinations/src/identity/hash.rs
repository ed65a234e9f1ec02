//! SHA-256 as hex.

use std::fmt;

use arrow::array::StringArray;
use sha2::{Digest, Sha256};

use super::error::IdentityError;
use super::text::Text;

/// Hashes text after text into one buffer. The digest picks the CPU's SHA instructions by itself.
pub(super) struct Hasher {
    hex: [u8; Self::HEX],
}

impl Hasher {
    /// Hex digits of a digest.
    pub(super) const HEX: usize = 64;

    pub(super) fn new() -> Self {
        Self { hex: [b'0'; Self::HEX] }
    }

    /// 64 lower-case hex digits.
    pub(super) fn hex(&mut self, text: &str) -> &str {
        match faster_hex::hex_encode(&Sha256::digest(text.as_bytes()), &mut self.hex) {
            Ok(hex) => hex,
            Err(_) => unreachable!("32 bytes are 64 hex digits"),
        }
    }
}

/// Never what was hashed.
impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// SHA-256 of each text's UTF-8, as it stands, as 64 lower-case hex digits; null where the text is null.
///
/// # Errors
/// `TooLarge` when the result exceeds 2 GiB.
pub fn sha256_hex(text: Text<'_>) -> Result<StringArray, IdentityError> {
    let mut hasher = Hasher::new();
    text.map(Hasher::HEX, |_, text, row| row.set(hasher.hex(text)))
}
