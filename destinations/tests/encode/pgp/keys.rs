use herald_destinations::encode::pgp::{Encryption, Recipient, Signer};
use secrecy::SecretString;

use super::{
    csv, now, part,
    programs::{Gpg, Sequoia},
};

const DAY: i64 = 86_400;

fn refusal(content: &[u8], now: i64) -> String {
    Recipient::read("keys/partner.asc", content, now).expect_err("a key that can't serve").to_string()
}

/// Why a key that was read may not be encrypted for.
fn lapsed(content: &[u8], now: i64) -> String {
    let recipients = Recipient::read("keys/partner.asc", content, now).expect("a key that served once");
    Encryption::new(recipients, None).check(now).expect_err("a key that can't serve any more").to_string()
}

#[tokio::test]
async fn a_key_that_is_revoked_or_not_for_encryption_is_refused_by_its_file_and_reason_and_an_expired_one_when_it_is_used()
 {
    let gpg = Gpg::new();
    let brief = gpg.key("brief", "future-default", "2d", "");
    assert!(Recipient::read("x", &gpg.public("brief", true), now()).is_ok());
    let said = lapsed(&gpg.public("brief", true), now() + 3 * DAY);
    assert!(
        said.starts_with(&format!("keys/partner.asc: the key {} expired on 20", &brief[24..].to_lowercase())),
        "{said}"
    );

    let gone = gpg.key("gone", "future-default", "never", "");
    gpg.revoke(&gone);
    let said = refusal(&gpg.public("gone", false), now());
    assert!(said.ends_with("is revoked"), "{said}");
    gpg.revoke(&brief);
    let said = refusal(&gpg.public("brief", false), now() + 3 * DAY);
    assert!(said.ends_with("is revoked"), "expired and revoked: {said}");

    gpg.key("writer", "ed25519", "never", "");
    let said = refusal(&gpg.public("writer", true), now());
    assert!(said.ends_with("it has no encryption key"), "{said}");

    let said = refusal(&gpg.private("brief", ""), now());
    assert_eq!(said, "keys/partner.asc: it holds a private key; a recipient's public key is wanted");
    for rubbish in
        [&b""[..], b"no key", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n", &[0xff; 40], &[0x99, 1, 0, 4]]
    {
        assert_eq!(refusal(rubbish, now()), "keys/partner.asc: it is no file of OpenPGP keys, or a damaged one");
    }
    let mut cut = gpg.public("brief", true);
    cut.truncate(cut.len() / 2);
    assert!(Recipient::read("x", &cut, now()).is_err());
}

#[tokio::test]
async fn a_valid_subkey_is_taken_in_place_of_one_that_expired() {
    let gpg = Gpg::new();
    let key = gpg.key("partner", "ed25519", "never", "");
    gpg.subkey(&key, "cv25519", "2d");
    let later = now() + 3 * DAY;
    let said = lapsed(&gpg.public("partner", true), later);
    assert!(said.contains(" expired on 20"), "{said}");
    gpg.subkey(&key, "rsa2048", "never");
    let recipients = Recipient::read("x", &gpg.public("partner", true), later).expect("the other subkey");
    let rows = herald_destinations::conformance::batch(herald_destinations::contract::Op::Add, 0, 9).rows;
    let (_, sealed) = part(csv(Some(Encryption::new(recipients, None))), rows).await;
    assert!(gpg.packets(&sealed).contains(":pubkey enc packet: version 3, algo 1"), "it is RSA");
    // An expiry may be moved: what was signed last counts.
    let subkeys = gpg.fingerprints("partner");
    gpg.expire(&key, &subkeys[1], "10y");
    gpg.expire(&key, &subkeys[2], "1d");
    assert!(Recipient::read("x", &gpg.public("partner", true), later).is_ok());
}

#[tokio::test]
async fn a_file_may_hold_several_keys_in_one_block_or_in_several_or_in_binary() {
    let gpg = Gpg::new();
    gpg.key("one", "future-default", "never", "");
    gpg.key("two", "future-default", "never", "");
    let sequoia = Sequoia::new("cv25519");
    let count = |content: &[u8]| Recipient::read("x", content, now()).expect("keys").len();
    assert_eq!(count(&gpg.public("one", false)), 1);
    assert_eq!(count(&gpg.public("o", false)), 2);
    assert_eq!(count(&gpg.public("o", true)), 2);
    let blocks = [gpg.public("one", true), b"a note\n".to_vec(), sequoia.public(), gpg.public("two", true)].concat();
    assert_eq!(count(&blocks), 3);
}

#[tokio::test]
async fn a_signer_needs_its_passphrase_and_a_key_that_signs() {
    let gpg = Gpg::new();
    gpg.key("ours", "future-default", "5d", "right");
    let private = gpg.private("ours", "right");
    let read = |content: &[u8], passphrase: Option<&str>, now| {
        Signer::read("ours.asc", content, passphrase.map(SecretString::from), now)
    };
    let signer = read(&private, Some("right"), now()).expect("our key");
    assert!(!format!("{signer:?}").contains("right"), "the passphrase is shown");
    let said =
        |answer: Result<Signer, _>| answer.map_err(|error: herald_destinations::encode::pgp::KeyError| error.reason);
    assert!(said(read(&private, None, now())).expect_err("no passphrase").ends_with("needs a passphrase"));
    let wrong = said(read(&private, Some("wrong"), now())).expect_err("a wrong one");
    assert!(wrong.starts_with("the passphrase does not open the key"), "{wrong}");
    let late = read(&private, Some("right"), now() + 9 * DAY).expect("our key, expired");
    let expired = Encryption::new(Vec::new(), Some(late)).check(now() + 9 * DAY).expect_err("expired");
    assert!(expired.reason.contains("expired on"), "{expired}");
    assert!(said(read(&gpg.public("ours", true), None, now())).expect_err("public").contains("it holds a public key"));
    // A service may run for longer than a key is valid.
    let recipients = Recipient::read("ours", &gpg.public("ours", true), now()).expect("a key");
    let encryption = Encryption::new(recipients, Some(signer));
    assert_eq!(encryption.check(now()), Ok(()));
    assert!(encryption.check(now() + 9 * DAY).is_err());
}
