//! EdDSA with Ed25519 (RFC 8037 section 3.1, RFC 9864), checked strictly: one key, one message, one signature.

use ed25519_dalek::{Signature, VerifyingKey};

use super::alg::{Alg, Verifier};
use super::fault::KeyFault;
use super::offload::Offload;

/// The length of a key, in octets.
const LENGTH: usize = 32;

/// An Ed25519 key.
pub struct EdKey(VerifyingKey);

impl EdKey {
    /// Takes an encoded point.
    ///
    /// # Errors
    /// Why the key is none that can be trusted.
    pub fn new(x: &[u8]) -> Result<Self, KeyFault> {
        let octets: &[u8; LENGTH] = x.try_into().map_err(|_| KeyFault::Length(LENGTH))?;
        let key = VerifyingKey::from_bytes(octets).map_err(|_| KeyFault::Point)?;
        if key.is_weak() {
            return Err(KeyFault::Weak);
        }
        // A second encoding of a point would be a second spelling of the key.
        if key.to_edwards().compress().as_bytes() != octets {
            return Err(KeyFault::Point);
        }
        Ok(Self(key))
    }
}

impl Verifier for EdKey {
    fn alg(&self) -> Alg {
        Alg::EdDsa
    }

    // No host checks these.
    fn verify(&self, message: &[u8], signature: &[u8], _offload: &dyn Offload) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}
