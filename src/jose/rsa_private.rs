//! RSA keys that sign with RS256 (RFC 7518 section 3.3). The module computes nothing with them: it has no arithmetic
//! that takes the same time for every private number, so a host with one is asked.

use std::rc::Rc;

use zeroize::Zeroizing;

use super::alg::{Alg, Verifier};
use super::der::{self, INTEGER, SEQUENCE};
use super::fault::KeyFault;
use super::offload::Offload;
use super::pem::{Der, PemFault};
use super::rsa::{RsaKey, RsaPublic};

/// The numbers of a key, big-endian, in the order of RFC 8017 appendix A.1.2: n, e, d, p, q, dP, dQ, qInv.
pub const NUMBERS: usize = 8;

/// A private key.
pub struct RsaPrivate {
    /// A PrivateKeyInfo (RFC 5958 section 2), as hosts take it.
    pkcs8: Zeroizing<Vec<u8>>,
    n: Vec<u8>,
    e: Vec<u8>,
    public: RsaKey,
}

/// Why octets are no private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaFault {
    /// They do not have the form of one.
    Form,
    /// Its public half cannot be trusted.
    Key(KeyFault),
}

impl From<PemFault> for RsaFault {
    fn from(_: PemFault) -> Self {
        Self::Form
    }
}

impl RsaPrivate {
    /// Takes an RSAPrivateKey (RFC 8017 appendix A.1.2) of two primes, in DER. That its numbers belong together shows
    /// when it signs.
    ///
    /// # Errors
    /// Why it is none.
    pub fn from_der(der: &[u8]) -> Result<Self, RsaFault> {
        let mut key = Der(Der::whole(der)?.take(SEQUENCE)?);
        // The version of a key with two primes.
        if key.take(INTEGER)? != [0] {
            return Err(RsaFault::Form);
        }
        let (n, e) = (key.number()?, key.number()?);
        for _ in 2..NUMBERS {
            key.number()?;
        }
        key.end()?;
        let public = RsaPublic::new(n, e).map_err(RsaFault::Key)?;
        let public = RsaKey::new(Alg::Rs256, Rc::new(public)).ok_or(RsaFault::Form)?;
        Ok(Self { pkcs8: Zeroizing::new(der::rsa_private_key(der)), n: n.into(), e: e.into(), public })
    }

    /// Takes the numbers of a JWK (RFC 7518 section 6.3.2).
    ///
    /// # Errors
    /// Why they are none.
    pub fn from_numbers(numbers: &[&[u8]; NUMBERS]) -> Result<Self, RsaFault> {
        let mut content = Zeroizing::new(vec![INTEGER, 1, 0]);
        for number in numbers {
            content.extend_from_slice(&Zeroizing::new(der::integer(number)));
        }
        Self::from_der(&Zeroizing::new(der::element(SEQUENCE, &content)))
    }

    /// The modulus, big-endian.
    pub fn n(&self) -> &[u8] {
        &self.n
    }

    /// The public exponent, big-endian.
    pub fn e(&self) -> &[u8] {
        &self.e
    }

    /// The key as a PrivateKeyInfo in DER.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Whether a signature of a message is good: one that was computed wrongly could tell the key (RFC 8017 section
    /// 8.2.1), so that none goes out unseen.
    pub fn holds(&self, message: &[u8], signature: &[u8], offload: &dyn Offload) -> bool {
        self.public.verify(message, signature, offload)
    }

    /// Whether `offload` signs with this key.
    pub fn is_known_to(&self, offload: &dyn Offload) -> bool {
        offload.sign(self, b"gatekey asks what it signs").is_some()
    }
}
