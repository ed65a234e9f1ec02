//! Which of a key's own keys may serve. The `pgp` crate reads and proves signatures; what they mean together is judged
//! here, as RFC 4880 §5.2.3.3 and GnuPG do: the newest self-signature counts, and nothing revoked or expired serves.

use pgp::{
    composed::{SignedPublicKey, SignedPublicSubKey},
    crypto::public_key::PublicKeyAlgorithm,
    packet::{Signature, SignatureType, SubpacketData},
    types::{Fingerprint, KeyDetails, SignedUser, Tag, Timestamp},
};

use super::error::day;

/// What a key is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Encrypt,
    Sign,
}

/// A key that may serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Usable {
    pub(super) fingerprint: Fingerprint,
    /// Seconds since 1970; `None`: never.
    pub(super) expires: Option<i64>,
}

/// The newest of a key's own keys that may serve or, where time alone ended that, the one that served last; its
/// `expires` is then past. Else why none may. `now`: seconds since 1970.
pub(super) fn chosen(key: &SignedPublicKey, purpose: Purpose, now: i64) -> Result<Usable, String> {
    usable(key, purpose, now).or_else(|reason| {
        let mut past: Vec<i64> = moments(key).filter(|end| *end <= now).collect();
        past.sort_unstable();
        let served = |end: &i64| usable(key, purpose, end - 1).ok().map(|found| (found, *end));
        let last = past.iter().rev().find_map(served);
        last.map(|(found, end)| Usable { expires: Some(end), ..found }).ok_or(reason)
    })
}

/// When anything of a key ends by itself: the key, its subkeys, and what vouches for them.
fn moments(key: &SignedPublicKey) -> impl Iterator<Item = i64> {
    let details = &key.details;
    let users = details.users.iter().flat_map(|user| &user.signatures);
    let own = users.chain(&details.direct_signatures).map(|signature| (key.primary_key.created_at(), signature));
    let subkeys = key.public_subkeys.iter().flat_map(|subkey| {
        let made = subkey.created_at();
        subkey.signatures.iter().map(move |signature| (made, signature))
    });
    own.chain(subkeys).flat_map(|(made, signature)| ends(made, signature).into_iter().chain(lapse(signature)))
}

/// The newest of a key's own keys that may serve, or why none may. `now`: seconds since 1970.
fn usable(key: &SignedPublicKey, purpose: Purpose, now: i64) -> Result<Usable, String> {
    let primary = &key.primary_key;
    let id = primary.legacy_key_id();
    if key.details.revocation_signatures.iter().any(|signature| signature.verify_key(primary).is_ok()) {
        return Err(format!("the key {id} is revoked"));
    }
    let users = key.details.users.iter().filter_map(|user| certification(key, user, now));
    let direct = key.details.direct_signatures.iter().filter(|signature| {
        signature.typ() == Some(SignatureType::Key) && stands(signature, now) && signature.verify_key(primary).is_ok()
    });
    let Some(own) = direct.chain(users).max_by_key(|signature| (signature.created(), expiry(signature).is_some()))
    else {
        return Err(format!("the key {id} has no valid signature of its own"));
    };
    let end = ends(primary.created_at(), own);
    if let Some(end) = end.filter(|end| *end <= now) {
        return Err(format!("the key {id} expired on {}", day(end)));
    }
    let mut reasons = Vec::new();
    let mut best: Option<(Timestamp, Usable)> = None;
    for subkey in &key.public_subkeys {
        match judge(key, subkey, purpose, now) {
            Ok(Some(found)) => {
                let made = subkey.created_at();
                if best.as_ref().is_none_or(|(newest, _)| made >= *newest) {
                    best = Some((made, Usable { expires: earlier(found.expires, end), ..found }));
                }
            }
            Ok(None) => {}
            Err(reason) => reasons.push(reason),
        }
    }
    if let Some((_, found)) = best {
        return Ok(found);
    }
    if serves(own, primary.algorithm(), purpose) {
        return Ok(Usable { fingerprint: primary.fingerprint(), expires: end });
    }
    Err(match (reasons.pop(), purpose) {
        (Some(reason), _) => format!("the key {id} can't serve: {reason}"),
        (None, Purpose::Encrypt) => format!("the key {id} is not one to encrypt for: it has no encryption key"),
        (None, Purpose::Sign) => format!("the key {id} is not one to sign with"),
    })
}

/// The self-signature on a user id that counts, unless the user id is revoked.
fn certification<'a>(key: &SignedPublicKey, user: &'a SignedUser, now: i64) -> Option<&'a Signature> {
    let primary = &key.primary_key;
    user.signatures
        .iter()
        .filter(|signature| {
            stands(signature, now) && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        })
        .max_by_key(|signature| (signature.created(), signature.typ() == Some(SignatureType::CertRevocation)))
        .filter(|signature| signature.typ() != Some(SignatureType::CertRevocation))
}

/// `Ok(None)`: it is for other purposes. An error says why it can't serve though it is for this one.
fn judge(
    key: &SignedPublicKey,
    subkey: &SignedPublicSubKey,
    purpose: Purpose,
    now: i64,
) -> Result<Option<Usable>, String> {
    let primary = &key.primary_key;
    let holds = |signature: &&Signature| signature.verify_subkey_binding(primary, &subkey.key).is_ok();
    let of = |typ| subkey.signatures.iter().filter(move |signature| signature.typ() == Some(typ));
    let binding = of(SignatureType::SubkeyBinding)
        .filter(|signature| stands(signature, now))
        .filter(holds)
        .max_by_key(|signature| signature.created());
    let Some(binding) = binding else { return Ok(None) };
    if !serves(binding, subkey.algorithm(), purpose) {
        return Ok(None);
    }
    let id = subkey.legacy_key_id();
    if of(SignatureType::SubkeyRevocation).any(|signature| holds(&signature)) {
        return Err(format!("its subkey {id} is revoked"));
    }
    // Whoever adds another's signing key to theirs can't sign back with it.
    let signs_back = || {
        let back = binding.embedded_signature();
        back.is_some_and(|back| back.verify_primary_key_binding(&subkey.key, primary).is_ok())
    };
    if purpose == Purpose::Sign && !signs_back() {
        return Err(format!("its subkey {id} does not sign back"));
    }
    let expires = ends(subkey.created_at(), binding);
    match expires.filter(|end| *end <= now) {
        Some(end) => Err(format!("its subkey {id} expired on {}", day(end))),
        None => Ok(Some(Usable { fingerprint: subkey.fingerprint(), expires })),
    }
}

/// Whether a signature itself has not expired.
fn stands(signature: &Signature, now: i64) -> bool {
    signature.created().is_some() && lapse(signature).is_none_or(|end| end > now)
}

/// When a signature itself ends.
fn lapse(signature: &Signature) -> Option<i64> {
    let lasts =
        signature.signature_expiration_time().map(|time| i64::from(time.as_secs())).filter(|lasts| *lasts > 0)?;
    signature.created().map(|made| i64::from(made.as_secs()) + lasts)
}

/// Seconds from a key's making that a signature gives it.
fn expiry(signature: &Signature) -> Option<i64> {
    signature.key_expiration_time().map(|time| i64::from(time.as_secs())).filter(|seconds| *seconds > 0)
}

fn ends(made: Timestamp, signature: &Signature) -> Option<i64> {
    expiry(signature).map(|seconds| i64::from(made.as_secs()) + seconds)
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// Whether a key is for a purpose: its algorithm can, and its flags, where it has any, allow it.
fn serves(signature: &Signature, algorithm: PublicKeyAlgorithm, purpose: Purpose) -> bool {
    let flags = signature.key_flags();
    let flagged = signature.config().is_some_and(|config| {
        config.hashed_subpackets().any(|packet| matches!(packet.data, SubpacketData::KeyFlags(_)))
    });
    match purpose {
        Purpose::Encrypt => algorithm.can_encrypt() && (!flagged || flags.encrypt_comms() || flags.encrypt_storage()),
        Purpose::Sign => algorithm.can_sign() && (!flagged || flags.sign()),
    }
}
