//! Whether a server is the one that is meant. There is no way to take any that comes.

use std::{fmt, fs, path::PathBuf};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use sha2::{Digest, Sha256};

use super::{
    error::Failure,
    known_hosts::{Known, known},
};
use crate::contract::ErrorKind;

/// Types of host keys, each with the methods that prove one, best first. RSA with SHA-1 is left out.
const TYPES: [(&str, &str); 5] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ssh-rsa", "rsa-sha2-512,rsa-sha2-256"),
];

/// SHA-256 of a host key's blob, as `ssh-keygen -l` shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads `SHA256:…`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("SHA256:")?;
        let bytes = STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        bytes.try_into().ok().map(Self)
    }

    fn of(blob: &[u8]) -> Self {
        Self(Sha256::digest(blob).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// By what the server is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostKey {
    /// Its key's fingerprint.
    Pinned(Fingerprint),
    /// A file, read afresh for every connection.
    Known(PathBuf),
}

/// What one connection expects.
#[derive(Debug)]
pub(super) enum Expected {
    Pinned(Fingerprint),
    Known(Known),
}

impl HostKey {
    pub(super) fn expected(&self, host: &str, port: u16) -> Result<Expected, Failure> {
        match self {
            Self::Pinned(fingerprint) => Ok(Expected::Pinned(*fingerprint)),
            Self::Known(path) => {
                // A file may hold names in any encoding; keys are ASCII.
                let file = fs::read(path).map_err(|error| {
                    let message = format!("can't read the file of known hosts {}: {error}", path.display());
                    Failure::new(ErrorKind::Refused, message)
                })?;
                Ok(Expected::Known(known(&String::from_utf8_lossy(&file), host, port)))
            }
        }
    }
}

/// What a look at the server's key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the one.
    Right,
    /// It is not, but the server may have another, of another type.
    Wrong,
    Revoked,
}

impl Expected {
    /// Methods to ask for: of the types whose keys are known first, those `tried` not at all.
    pub(super) fn methods(&self, first: Option<&str>, tried: &[String]) -> String {
        let is_known = |name: &str| match self {
            Self::Pinned(_) => first == Some(name),
            Self::Known(known) => known.keys.iter().any(|(kind, _)| kind == name),
        };
        let mut types: Vec<_> = TYPES.iter().filter(|(name, _)| !tried.iter().any(|tried| tried == name)).collect();
        types.sort_by_key(|(name, _)| !is_known(name));
        types.iter().map(|(_, methods)| *methods).collect::<Vec<_>>().join(",")
    }

    /// Whether a key of another type may still be the one that is meant.
    pub(super) fn may_be_another(&self) -> bool {
        // Of a file, the known types are asked for first: what comes then is what the server has.
        matches!(self, Self::Pinned(_))
    }

    pub(super) fn judge(&self, blob: &[u8]) -> Verdict {
        let right = match self {
            Self::Pinned(fingerprint) => *fingerprint == Fingerprint::of(blob),
            Self::Known(known) if known.revoked.iter().any(|revoked| revoked == blob) => return Verdict::Revoked,
            Self::Known(known) => known.keys.iter().any(|(_, key)| key == blob),
        };
        if right { Verdict::Right } else { Verdict::Wrong }
    }

    /// What to tell an operator of a server that showed these keys.
    pub(super) fn refusal(&self, host: &str, port: u16, seen: &[Vec<u8>], revoked: bool) -> Failure {
        let shown: Vec<_> = seen
            .iter()
            .map(|blob| format!("{} ({})", Fingerprint::of(blob), type_of(blob).unwrap_or("unknown")))
            .collect();
        let shown = shown.join(", ");
        let advice = "ask the server's owner for its fingerprint, and only if it is this one write";
        let pin = seen.first().map(|blob| format!("host_key: \"{}\"", Fingerprint::of(blob))).unwrap_or_default();
        let message = match self {
            _ if revoked => format!("the host key of {host}:{port}, {shown}, is marked as revoked"),
            Self::Pinned(pinned) => format!(
                "the host key of {host}:{port} is not the one in `host_key`: expected {pinned}, seen {shown}; the server was \
                 given a new key, or it is another one: {advice} {pin}"
            ),
            Self::Known(known) if known.keys.is_empty() => {
                let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
                let line = seen.first().map(|blob| line(&name, blob)).unwrap_or_default();
                format!(
                    "the server {host}:{port} is not among the known hosts, seen {shown}; {advice} {pin}, or add the line: {line}"
                )
            }
            Self::Known(_) => format!(
                "the host key of {host}:{port} has changed: seen {shown}, another is known; the server was given a new key, \
                 or it is another one: {advice} it in place of the known one, or {pin}"
            ),
        };
        Failure::new(ErrorKind::Refused, message)
    }
}

/// The type that a blob begins with.
pub(super) fn type_of(blob: &[u8]) -> Option<&str> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

fn line(name: &str, blob: &[u8]) -> String {
    format!("{name} {} {}", type_of(blob).unwrap_or_default(), STANDARD.encode(blob))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(kind: &str, rest: &[u8]) -> Vec<u8> {
        [&u32::try_from(kind.len()).unwrap().to_be_bytes(), kind.as_bytes(), rest].concat()
    }

    #[test]
    fn a_fingerprint_is_written_as_openssh_does() {
        let text = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
        assert_eq!(Fingerprint::of(b"").to_string(), text);
        assert_eq!(Fingerprint::parse(text), Some(Fingerprint::of(b"")));
        assert_eq!(Fingerprint::parse(&format!("{text}=")), Some(Fingerprint::of(b"")));
        for wrong in ["", "SHA256:", "MD5:aa:bb", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "SHA256:47DE"] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_types_that_are_known_are_asked_for_first() {
        let known = Known { keys: vec![("ssh-rsa".to_owned(), vec![1])], revoked: Vec::new() };
        assert!(Expected::Known(known).methods(None, &[]).starts_with("rsa-sha2-512,rsa-sha2-256,ssh-ed25519,"));
        let pinned = Expected::Pinned(Fingerprint([0; 32]));
        assert!(pinned.methods(None, &[]).starts_with("ssh-ed25519,"));
        assert!(pinned.methods(Some("ecdsa-sha2-nistp384"), &[]).starts_with("ecdsa-sha2-nistp384,ssh-ed25519,"));
        assert!(!pinned.methods(None, &["ssh-ed25519".to_owned()]).contains("ed25519"));
        let tried: Vec<_> = TYPES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(pinned.methods(None, &tried), "");
    }

    #[test]
    fn a_revoked_key_is_never_right() {
        let key = blob("ssh-ed25519", b"x");
        let known = Known { keys: vec![("ssh-ed25519".to_owned(), key.clone())], revoked: vec![key.clone()] };
        assert_eq!(Expected::Known(known).judge(&key), Verdict::Revoked);
    }

    #[test]
    fn a_refusal_shows_what_was_seen_and_what_to_write() {
        let key = blob("ssh-ed25519", b"x");
        let seen = Fingerprint::of(&key).to_string();
        let pinned = Expected::Pinned(Fingerprint([0; 32])).refusal("h", 2222, std::slice::from_ref(&key), false);
        assert!(pinned.to_string().contains(&format!("host_key: \"{seen}\"")), "{pinned}");
        let unknown = Expected::Known(Known::default()).refusal("h", 2222, std::slice::from_ref(&key), false);
        assert!(unknown.to_string().ends_with(&format!("[h]:2222 ssh-ed25519 {}", STANDARD.encode(&key))), "{unknown}");
    }
}
