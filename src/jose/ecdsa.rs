//! ES256, ES384 and ES512 (RFC 7518 section 3.4): the curve fixes the hash, and a signature is `r` and `s`
//! in octets of exactly the curve's length.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::alg::{Alg, Verifier};
use super::der;
use super::fault::KeyFault;
use super::offload::Offload;

/// A curve of RFC 7518 section 6.2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    /// Every curve.
    pub const ALL: &'static [Curve] = &[Curve::P256, Curve::P384, Curve::P521];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
            Curve::P521 => "P-521",
        }
    }

    /// The curve of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|curve| curve.name() == name)
    }

    /// The algorithm that goes with it.
    pub const fn alg(self) -> Alg {
        match self {
            Curve::P256 => Alg::Es256,
            Curve::P384 => Alg::Es384,
            Curve::P521 => Alg::Es512,
        }
    }

    /// The length of a coordinate, and of `r` and `s`, in octets.
    pub const fn coordinate_length(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => 66,
        }
    }

    /// Its object identifier (RFC 5480 section 2.1.1.1), encoded.
    pub const fn identifier(self) -> &'static [u8] {
        match self {
            Curve::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Curve::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
            Curve::P521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
        }
    }
}

enum Point {
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    P521(Box<p521::ecdsa::VerifyingKey>),
}

/// An elliptic curve key.
pub struct EcKey {
    curve: Curve,
    point: Point,
    spki: Vec<u8>,
}

impl EcKey {
    /// Takes the coordinates of a point, each of exactly the curve's length.
    ///
    /// # Errors
    /// Why the key is none that can be trusted.
    pub fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyFault> {
        let length = curve.coordinate_length();
        if x.len() != length || y.len() != length {
            return Err(KeyFault::Length(length));
        }
        Self::from_sec1(curve, &[&[0x04], x, y].concat())
    }

    /// Takes an uncompressed point (SEC 1 section 2.3.3).
    ///
    /// # Errors
    /// Why the key is none that can be trusted; also for any other form of a point.
    pub fn from_sec1(curve: Curve, point: &[u8]) -> Result<Self, KeyFault> {
        let length = curve.coordinate_length();
        if point.first() != Some(&0x04) || point.len() != 1 + 2 * length {
            return Err(KeyFault::Length(length));
        }
        let spki = der::ec_public_key(curve.identifier(), point);
        let point = match curve {
            Curve::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Point::P256(Box::new(key))),
            Curve::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Point::P384(Box::new(key))),
            Curve::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map(|key| Point::P521(Box::new(key))),
        };
        Ok(Self { curve, point: point.map_err(|_| KeyFault::Point)?, spki })
    }
}

impl Verifier for EcKey {
    fn alg(&self) -> Alg {
        self.curve.alg()
    }

    fn verify(&self, message: &[u8], signature: &[u8], offload: &dyn Offload) -> bool {
        let length = self.curve.coordinate_length();
        if signature.len() != 2 * length {
            return false;
        }
        // The types of signatures take no number that is zero or beyond the order of the curve.
        match &self.point {
            Point::P256(key) => p256::ecdsa::Signature::from_slice(signature).is_ok_and(|parsed| {
                self.ask(message, signature, offload)
                    .unwrap_or_else(|| key.verify_prehash(&Sha256::digest(message), &parsed).is_ok())
            }),
            Point::P384(key) => p384::ecdsa::Signature::from_slice(signature).is_ok_and(|parsed| {
                self.ask(message, signature, offload)
                    .unwrap_or_else(|| key.verify_prehash(&Sha384::digest(message), &parsed).is_ok())
            }),
            Point::P521(key) => p521::ecdsa::Signature::from_slice(signature).is_ok_and(|parsed| {
                self.ask(message, signature, offload)
                    .unwrap_or_else(|| key.verify_prehash(&Sha512::digest(message), &parsed).is_ok())
            }),
        }
    }
}

impl EcKey {
    /// What somebody faster says, if there is anybody.
    fn ask(&self, message: &[u8], signature: &[u8], offload: &dyn Offload) -> Option<bool> {
        if !offload.knows(self.alg()) {
            return None;
        }
        let (r, s) = signature.split_at_checked(self.curve.coordinate_length())?;
        offload.verify(self.alg(), &self.spki, message, &der::ecdsa_signature(r, s))
    }
}
