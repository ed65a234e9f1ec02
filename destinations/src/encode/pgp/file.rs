//! Files of keys: armoured or not, one key or several, one block or several.

use std::io::Read;

use pgp::{
    armor::Dearmor,
    composed::{PublicOrSecret, SignedPublicKey, SignedSecretKey},
};

use super::KeyError;

const BLOCK: &[u8] = b"-----BEGIN PGP ";
/// A file of keys is small; what is larger is none.
const LARGEST: usize = 16 << 20;

/// The public keys of a file.
pub(super) fn public_keys(file: &str, content: &[u8]) -> Result<Vec<SignedPublicKey>, KeyError> {
    keys(file, content)?
        .into_iter()
        .map(|key| match key {
            PublicOrSecret::Public(key) => Ok(key),
            PublicOrSecret::Secret(_) => {
                Err(KeyError::new(file, "it holds a private key; a recipient's public key is wanted"))
            }
        })
        .collect()
}

/// The one private key of a file.
pub(super) fn secret_key(file: &str, content: &[u8]) -> Result<SignedSecretKey, KeyError> {
    let mut keys = keys(file, content)?.into_iter();
    match (keys.next(), keys.next()) {
        (Some(PublicOrSecret::Secret(key)), None) => Ok(key),
        (Some(PublicOrSecret::Public(_)), None) => {
            Err(KeyError::new(file, "it holds a public key; a private key is wanted to sign with"))
        }
        _ => Err(KeyError::new(file, "it holds several keys; one private key is wanted to sign with")),
    }
}

fn keys(file: &str, content: &[u8]) -> Result<Vec<PublicOrSecret>, KeyError> {
    // The words of the parser may quote what the file holds: they stay out.
    let broken = || KeyError::new(file, "it is no file of OpenPGP keys, or a damaged one");
    if content.len() > LARGEST {
        return Err(broken());
    }
    let blocks = match starts(content) {
        starts if starts.is_empty() => vec![content.to_vec()],
        starts => {
            let ends = starts.iter().skip(1).copied().chain([content.len()]);
            let unpacked = starts.iter().zip(ends).map(|(start, end)| {
                let mut bytes = Vec::new();
                Dearmor::new(&content[*start..end]).read_to_end(&mut bytes).map(|_| bytes).map_err(|_| broken())
            });
            unpacked.collect::<Result<_, _>>()?
        }
    };
    let mut found = Vec::new();
    for block in &blocks {
        for key in PublicOrSecret::from_bytes_many(block.as_slice()).map_err(|_| broken())? {
            found.push(key.map_err(|_| broken())?);
        }
    }
    if found.is_empty() { Err(broken()) } else { Ok(found) }
}

/// Where armoured blocks begin: at the start of a line.
fn starts(content: &[u8]) -> Vec<usize> {
    let begins = |at: &usize| content[*at..].starts_with(BLOCK) && (*at == 0 || content[*at - 1] == b'\n');
    (0..content.len()).filter(begins).collect()
}
