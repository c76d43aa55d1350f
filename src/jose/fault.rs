//! Why key material is refused.

use std::fmt;

/// What is wrong with a public key. It never holds octets of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The RSA modulus has so many bits, fewer than may be.
    ModulusShort(usize),
    /// The RSA modulus has so many bits, more than may be.
    ModulusLong(usize),
    /// The RSA modulus is even, so it is no product of two primes.
    ModulusEven,
    /// The RSA exponent is even, less than 3 or greater than 2^33 - 1.
    Exponent,
    /// A number begins with zero octets (RFC 7518 section 6.3.1.1).
    LeadingZero,
    /// A coordinate or key has another length than this, in octets.
    Length(usize),
    /// The point is not on the curve, or is none that may stand there.
    Point,
    /// The Ed25519 key has a small order, so that it checks whatever it is shown (RFC 8032 section 5.1.7).
    Weak,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFault::ModulusShort(bits) => write!(f, "the modulus has {bits} bits, at least 2048 are needed"),
            KeyFault::ModulusLong(bits) => write!(f, "the modulus has {bits} bits, at most 8192 are taken"),
            KeyFault::ModulusEven => f.write_str("the modulus is even"),
            KeyFault::Exponent => f.write_str("the exponent is not odd and between 3 and 2^33 - 1"),
            KeyFault::LeadingZero => f.write_str("a number begins with a zero octet"),
            KeyFault::Length(octets) => write!(f, "a coordinate does not have {octets} octets"),
            KeyFault::Point => f.write_str("the point is not on the curve"),
            KeyFault::Weak => f.write_str("the key is weak: it has a small order"),
        }
    }
}

impl std::error::Error for KeyFault {}
