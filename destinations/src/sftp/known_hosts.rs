//! Files of known hosts, as OpenSSH writes them.
//!
//! Source: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". Lines for certificate authorities are passed over: host
//! certificates are not asked for.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

/// What a file says of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Types and blobs of its keys.
    pub(super) keys: Vec<(String, Vec<u8>)>,
    /// Blobs that must never be taken.
    pub(super) revoked: Vec<Vec<u8>>,
}

/// The lines of a file that are about a host. Lines that can't be read are passed over, as OpenSSH does.
pub(super) fn known(file: &str, host: &str, port: u16) -> Known {
    let mut known = Known::default();
    let host = host.to_ascii_lowercase();
    let name = if port == 22 { host } else { format!("[{host}]:{port}") };
    for line in file.lines() {
        let mut words = line.split_ascii_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        let (Some(names), Some(kind), Some(blob)) = (words.next(), words.next(), words.next()) else { continue };
        if names.starts_with('#') || !matches(names, &name) {
            continue;
        }
        let Ok(blob) = STANDARD.decode(blob) else { continue };
        match marker {
            None => known.keys.push((kind.to_owned(), blob)),
            Some("@revoked") => known.revoked.push(blob),
            Some(_) => {}
        }
    }
    known
}

/// Whether a line's first field means a host: a hash of its name, or patterns, of which one that begins with `!` and
/// fits outweighs all others.
fn matches(names: &str, name: &str) -> bool {
    if let Some(hashed) = names.strip_prefix("|1|") {
        return hashed.split_once('|').is_some_and(|(salt, hash)| is_hash_of(salt, hash, name));
    }
    let mut fits = false;
    for pattern in names.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if like(pattern, name) => return false,
            Some(_) => {}
            None => fits |= like(pattern, name),
        }
    }
    fits
}

fn is_hash_of(salt: &str, hash: &str, name: &str) -> bool {
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
    hmac::verify(&key, name.as_bytes(), &hash).is_ok()
}

/// Whether a name is like a pattern: `*` is any text, `?` any character.
fn like(pattern: &str, name: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands, and what of the name it takes so far.
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(file: &str, host: &str, port: u16) -> Vec<String> {
        known(file, host, port).keys.into_iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn plain_names_lists_ports_and_patterns_are_found() {
        let file = "# known\n\nsftp.example.com,10.0.0.7 ssh-ed25519 AAAA comment\n[sftp.example.com]:2222 ssh-rsa AAAB\n\
                    *.example.org,!bad.example.org ecdsa-sha2-nistp256 AAAC\nbroken-line\nhost ssh-rsa not*base64\n";
        assert_eq!(kinds(file, "SFTP.example.com", 22), ["ssh-ed25519"]);
        assert_eq!(kinds(file, "10.0.0.7", 22), ["ssh-ed25519"]);
        assert_eq!(kinds(file, "sftp.example.com", 2222), ["ssh-rsa"]);
        assert_eq!(kinds(file, "a.example.org", 22), ["ecdsa-sha2-nistp256"]);
        for (host, port) in [("bad.example.org", 22), ("example.org", 22), ("10.0.0.7", 2222), ("host", 22), ("#", 22)]
        {
            assert_eq!(kinds(file, host, port), [""; 0], "{host}:{port}");
        }
    }

    #[test]
    fn hashed_names_are_found() {
        // `ssh-keygen -H` of a line for this host.
        let salt = STANDARD.encode([7; 20]);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &[7; 20]);
        let hash = STANDARD.encode(hmac::sign(&key, b"[sftp.example.com]:2222"));
        let file = format!("|1|{salt}|{hash} ssh-ed25519 AAAA\n|1|x|y ssh-rsa AAAA\n|1|z ssh-rsa AAAA\n");
        assert_eq!(kinds(&file, "sftp.example.com", 2222), ["ssh-ed25519"]);
        assert_eq!(kinds(&file, "sftp.example.com", 22), [""; 0]);
    }

    #[test]
    fn revoked_keys_are_told_apart_and_authorities_passed_over() {
        let file = "@revoked * ssh-rsa AAAB\n@cert-authority * ssh-ed25519 AAAA\nh ssh-ed25519 AAAA\n";
        let found = known(file, "h", 22);
        assert_eq!(found.keys, [("ssh-ed25519".to_owned(), vec![0, 0, 0])]);
        assert_eq!(found.revoked, [vec![0, 0, 1]]);
    }

    #[test]
    fn patterns_go_back_to_the_last_star() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcdef", false),
            ("?", "", false),
            ("a?c", "abc", true),
            ("*aab", "aaaab", true),
            ("a**", "a", true),
        ] {
            assert_eq!(like(pattern, name), fits, "{pattern} {name}");
        }
    }
}
