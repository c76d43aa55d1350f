//! HS256, HS384 and HS512 (RFC 7518 section 3.2), keyed once per policy.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::alg::{Alg, Verifier};
use super::offload::Offload;
use crate::redact::Secret;

/// An HMAC state with the key already absorbed; every verification starts from a copy.
enum Keyed {
    Hs256(Hmac<Sha256>),
    Hs384(Hmac<Sha384>),
    Hs512(Hmac<Sha512>),
}

/// An HMAC key for one algorithm.
pub struct HmacKey(Keyed);

impl HmacKey {
    /// Prepares a secret. `None` if the algorithm is none of HMAC's.
    pub fn new(alg: Alg, secret: &Secret) -> Option<Self> {
        let secret = secret.expose();
        Some(Self(match alg {
            Alg::Hs256 => Keyed::Hs256(Hmac::new_from_slice(secret).ok()?),
            Alg::Hs384 => Keyed::Hs384(Hmac::new_from_slice(secret).ok()?),
            Alg::Hs512 => Keyed::Hs512(Hmac::new_from_slice(secret).ok()?),
            _ => return None,
        }))
    }

    /// The full-length code for a message; for making test tokens.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Keyed::Hs256(state) => state.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Keyed::Hs384(state) => state.clone().chain_update(message).finalize().into_bytes().to_vec(),
            Keyed::Hs512(state) => state.clone().chain_update(message).finalize().into_bytes().to_vec(),
        }
    }
}

impl Verifier for HmacKey {
    fn alg(&self) -> Alg {
        match self.0 {
            Keyed::Hs256(_) => Alg::Hs256,
            Keyed::Hs384(_) => Alg::Hs384,
            Keyed::Hs512(_) => Alg::Hs512,
        }
    }

    // `verify_slice` wants the full length and takes the same time for every signature.
    fn verify(&self, message: &[u8], signature: &[u8], _offload: &dyn Offload) -> bool {
        match &self.0 {
            Keyed::Hs256(state) => state.clone().chain_update(message).verify_slice(signature).is_ok(),
            Keyed::Hs384(state) => state.clone().chain_update(message).verify_slice(signature).is_ok(),
            Keyed::Hs512(state) => state.clone().chain_update(message).verify_slice(signature).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::offload::NoOffload;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    /// RFC 4231, test case 2.
    #[test]
    fn makes_the_codes_of_rfc_4231() {
        let secret = Secret::new(b"Jefe".to_vec());
        let message = b"what do ya want for nothing?";
        for (alg, code) in [
            (Alg::Hs256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                Alg::Hs384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                Alg::Hs512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let key = HmacKey::new(alg, &secret).unwrap();
            let mut code = hex(code);
            assert_eq!(key.sign(message), code);
            assert!(key.verify(message, &code, &NoOffload));
            assert!(!key.verify(message, &code[..code.len() - 1], &NoOffload));
            for index in 0..code.len() {
                code[index] ^= 1;
                assert!(!key.verify(message, &code, &NoOffload));
                code[index] ^= 1;
            }
        }
    }
}
