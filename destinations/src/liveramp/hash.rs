//! The hashes that LiveRamp matches by, as lower-case hex.

use aws_lc_rs::digest::{Algorithm as Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

/// A hash; how a value stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha256,
    Sha1,
    /// Taken as it is given: what is in use here makes none.
    Md5,
}

impl Algorithm {
    /// Hex digits of a hash.
    pub(super) const fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha1 => 40,
            Self::Md5 => 32,
        }
    }

    /// The hash of the text's UTF-8; `None` where none can be made.
    pub(super) fn of(self, text: &str) -> Option<String> {
        let with: &'static Digest = match self {
            Self::Sha256 => &SHA256,
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Md5 => return None,
        };
        Some(faster_hex::hex_string(digest(with, text.as_bytes()).as_ref()))
    }

    /// A text that is such a hash already, in lower case. One in front of which `0x` stands is none: LiveRamp fails a
    /// file that holds it.
    pub(super) fn ready(self, text: &str) -> Option<String> {
        let fits = text.len() == self.digits() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| text.to_ascii_lowercase())
    }
}

/// Whether a text has the form of any of the hashes.
pub(super) fn is_hash(text: &str) -> bool {
    [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5].iter().any(|algorithm| algorithm.ready(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standards() {
        // FIPS 180-2, "abc".
        assert_eq!(Algorithm::Sha1.of("abc").as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
        assert_eq!(
            Algorithm::Sha256.of("abc").as_deref(),
            Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
        assert_eq!(Algorithm::Md5.of("abc"), None);
    }

    #[test]
    fn what_is_hashed_already_has_just_the_right_length() {
        let digest = "A9993E364706816ABA3E25717850C26C9CD0D89D";
        assert_eq!(Algorithm::Sha1.ready(digest), Some(digest.to_ascii_lowercase()));
        for text in [&digest[1..], &format!("0x{digest}"), &format!("{digest}0"), &digest.replace('A', "G"), ""] {
            assert_eq!(Algorithm::Sha1.ready(text), None, "{text}");
        }
        assert!(is_hash(digest) && is_hash(&"0".repeat(32)) && is_hash(&"f".repeat(64)));
        assert!(!is_hash("Anna") && !is_hash(&"f".repeat(63)));
    }
}
