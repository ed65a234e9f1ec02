//! A recipient of encrypted parts, made anew in each process: reading back is by the `pgp` crate and this key.

use std::sync::OnceLock;

use pgp::{
    composed::{EncryptionCaps, KeyType, Message, SecretKeyParamsBuilder, SignedSecretKey, SubkeyParamsBuilder},
    crypto::ecc_curve::ECCCurve,
    ser::Serialize,
    types::Password,
};
use rand::thread_rng;

use crate::encode::pgp::{Encryption, Recipient};

fn key() -> &'static SignedSecretKey {
    static KEY: OnceLock<SignedSecretKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let mut subkey = SubkeyParamsBuilder::default();
        subkey.key_type(KeyType::ECDH(ECCCurve::Curve25519Legacy)).can_encrypt(EncryptionCaps::All);
        let mut key = SecretKeyParamsBuilder::default();
        key.key_type(KeyType::Ed25519Legacy)
            .can_certify(true)
            .can_sign(true)
            .primary_user_id("conformance".to_owned())
            .subkey(subkey.build().expect("a subkey"));
        key.build().expect("a key").generate(thread_rng()).expect("a key")
    })
}

/// The recipient's public key, in binary.
pub fn public_key() -> Vec<u8> {
    key().to_public_key().to_bytes().expect("a key as bytes")
}

/// Encrypts for the recipient whose key [`decrypted`] has.
pub fn encryption() -> Encryption {
    let recipients =
        Recipient::read("conformance.pgp", &public_key(), chrono::Utc::now().timestamp()).expect("a recipient");
    Encryption::new(recipients, None)
}

/// What the recipient of [`encryption`] reads.
pub fn decrypted(content: &[u8]) -> Vec<u8> {
    let message = Message::from_bytes(content).expect("a message");
    let mut message = message.decrypt(&Password::empty(), key()).expect("a message for this recipient");
    message.as_data_vec().expect("a whole message")
}
