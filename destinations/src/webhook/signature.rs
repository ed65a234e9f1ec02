//! Signatures by which a receiver knows that a request is Herald's, and whole.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

/// Marks a secret whose key stands in base64, as the Standard Webhooks specification has it.
pub(super) const ENCODED: &str = "whsec_";

/// A secret, ready to sign with.
#[derive(Clone)]
pub(super) struct Signer(hmac::Key);

impl Signer {
    /// The key of a secret: what follows `whsec_`, decoded, or else the text's own bytes.
    ///
    /// # Errors
    /// What is wrong with it, in words without it.
    pub(super) fn new(secret: &str) -> Result<Self, &'static str> {
        let key = match secret.strip_prefix(ENCODED) {
            None => secret.as_bytes().to_vec(),
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| "is no base64 after `whsec_`")?,
        };
        if key.is_empty() {
            return Err("is empty: the receiver could not tell these requests from anybody's");
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// `sha256=` and the body's HMAC-SHA256 in hex, for receivers that look at the body alone.
    pub(super) fn plain(&self, body: &[u8]) -> String {
        format!("sha256={}", faster_hex::hex_string(hmac::sign(&self.0, body).as_ref()))
    }

    /// `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64: Standard Webhooks. `timestamp` is in seconds.
    pub(super) fn standard(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign().as_ref()))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_vector_of_standard_webhooks_comes_out() {
        let signer = Signer::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = signer.standard("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_plain_secret_signs_as_rfc_4231_has_it() {
        let signer = Signer::new("Jefe").unwrap();
        let signature = signer.plain(b"what do ya want for nothing?");
        assert_eq!(signature, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_secret_without_a_key_is_refused() {
        for secret in ["", "whsec_", "whsec_not base64"] {
            Signer::new(secret).unwrap_err();
        }
    }
}
