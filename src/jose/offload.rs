//! Signatures that a host may check and make in place of this module, because its machine code is faster, and takes the
//! same time for every private number.

use super::alg::Alg;
use super::rsa_private::RsaPrivate;

/// Somebody else who can check and make signatures, and by itself does neither. What it does not know how to check is
/// checked here.
pub trait Offload {
    /// Whether `signature` of `message` holds, for RSASSA-PKCS1-v1_5 and ECDSA.
    ///
    /// `spki` is the key as a DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7); an ECDSA signature is
    /// in DER (RFC 3279 section 2.2.3). `None` if it cannot tell.
    fn verify(&self, _alg: Alg, _spki: &[u8], _message: &[u8], _signature: &[u8]) -> Option<bool> {
        None
    }

    /// Whether it checks signatures of this algorithm.
    fn knows(&self, _alg: Alg) -> bool {
        false
    }

    /// A signature of `message` by RS256 (RFC 7518 section 3.3), which was seen to be good; `None` if it cannot make one.
    fn sign(&self, _key: &RsaPrivate, _message: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

/// Nobody else: every signature is checked by this module's own code, and none is made by RSA.
pub struct NoOffload;

impl Offload for NoOffload {}
