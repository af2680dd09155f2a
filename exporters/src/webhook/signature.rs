//! Signatures by Standard Webhooks 1.0 (HMAC-SHA256, version `v1`).
//!
//! In: a secret in its text form, a message's id, time and body. Out: the value of `webhook-signature`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A signing key. It is never printed.
#[derive(Clone)]
pub(super) struct Key(Vec<u8>);

impl Key {
    /// Decodes `whsec_` and base64.
    ///
    /// # Errors
    /// If it is not that, in words that do not quote it.
    pub(super) fn new(secret: &str) -> Result<Self, &'static str> {
        let encoded = secret.strip_prefix("whsec_").ok_or("must begin with `whsec_`")?;
        let key = STANDARD.decode(encoded).map_err(|_| "must be base64 after `whsec_`")?;
        if (24..=64).contains(&key.len()) { Ok(Self(key)) } else { Err("must hold 24 to 64 bytes") }
    }

    fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        // HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length will do");
        mac.update(id.as_bytes());
        mac.update(format!(".{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The signatures of all `keys`, separated by spaces: while a secret is being replaced, both are good.
pub(super) fn header(keys: &[Key], id: &str, timestamp: u64, body: &[u8]) -> String {
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(id, timestamp, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the implementations of Standard Webhooks share.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn signs_as_the_specification_does() {
        let keys = [Key::new(SECRET).unwrap()];
        let body = br#"{"test": 2432232314}"#;
        let signed = header(&keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_secret_signs_while_one_is_being_replaced() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let keys = [Key::new(SECRET).unwrap(), Key::new(&other).unwrap()];
        let signed = header(&keys, "a", 1, b"x");
        let signatures: Vec<_> = signed.split(' ').collect();
        assert_eq!(signatures.len(), 2);
        assert_eq!(signatures[0], header(&keys[..1], "a", 1, b"x"));
        assert_ne!(signatures[0], signatures[1]);
    }

    #[test]
    fn a_malformed_secret_is_refused_without_quoting_it() {
        let short = format!("whsec_{}", STANDARD.encode([1; 8]));
        for secret in ["", "hunter2", "whsec_***", short.as_str()] {
            let Err(reason) = Key::new(secret) else { panic!("{secret} was accepted") };
            assert!(!reason.contains("hunter2") && !reason.contains("***"));
        }
    }
}
