//! The algorithms gatekey knows (RFC 7518 section 3, RFC 8037, RFC 9864), and the one thing every key can do.

use super::offload::Offload;

/// A signature algorithm, by its registered name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alg {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519, under its own name (RFC 9864) or the older `EdDSA` (RFC 8037).
    EdDsa,
}

/// Algorithms that share a kind of key and a way to check signatures. A key serves one family only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// HMAC: whoever can check can also sign.
    Hmac,
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1,
    /// RSASSA-PSS.
    RsaPss,
    /// ECDSA; the curve fixes the algorithm.
    Ecdsa,
    /// Ed25519.
    EdDsa,
}

impl Alg {
    /// Every algorithm.
    pub const ALL: &'static [Alg] = &[
        Alg::Hs256,
        Alg::Hs384,
        Alg::Hs512,
        Alg::Rs256,
        Alg::Rs384,
        Alg::Rs512,
        Alg::Ps256,
        Alg::Ps384,
        Alg::Ps512,
        Alg::Es256,
        Alg::Es384,
        Alg::Es512,
        Alg::EdDsa,
    ];

    /// The registered name, compared octet by octet.
    pub const fn name(self) -> &'static str {
        match self {
            Alg::Hs256 => "HS256",
            Alg::Hs384 => "HS384",
            Alg::Hs512 => "HS512",
            Alg::Rs256 => "RS256",
            Alg::Rs384 => "RS384",
            Alg::Rs512 => "RS512",
            Alg::Ps256 => "PS256",
            Alg::Ps384 => "PS384",
            Alg::Ps512 => "PS512",
            Alg::Es256 => "ES256",
            Alg::Es384 => "ES384",
            Alg::Es512 => "ES512",
            Alg::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of this name. `Ed25519` is another name for [`Alg::EdDsa`].
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "Ed25519" => Some(Alg::EdDsa),
            name => Self::ALL.iter().copied().find(|alg| alg.name() == name),
        }
    }

    /// Its family.
    pub const fn family(self) -> Family {
        match self {
            Alg::Hs256 | Alg::Hs384 | Alg::Hs512 => Family::Hmac,
            Alg::Rs256 | Alg::Rs384 | Alg::Rs512 => Family::RsaPkcs1,
            Alg::Ps256 | Alg::Ps384 | Alg::Ps512 => Family::RsaPss,
            Alg::Es256 | Alg::Es384 | Alg::Es512 => Family::Ecdsa,
            Alg::EdDsa => Family::EdDsa,
        }
    }

    /// Whether it signs with a private key, and is checked with a public one.
    pub fn is_asymmetric(self) -> bool {
        self.family() != Family::Hmac
    }

    /// The length of its hash in octets; for HMAC, the least that a secret must have (RFC 7518 section 3.2).
    pub const fn hash_length(self) -> usize {
        match self {
            Alg::Hs256 | Alg::Rs256 | Alg::Ps256 | Alg::Es256 => 32,
            Alg::Hs384 | Alg::Rs384 | Alg::Ps384 | Alg::Es384 => 48,
            Alg::Hs512 | Alg::Rs512 | Alg::Ps512 | Alg::Es512 | Alg::EdDsa => 64,
        }
    }

    /// Its bit in an [`AlgSet`].
    const fn bit(self) -> u16 {
        match self {
            Alg::Hs256 => 1,
            Alg::Hs384 => 1 << 1,
            Alg::Hs512 => 1 << 2,
            Alg::Rs256 => 1 << 3,
            Alg::Rs384 => 1 << 4,
            Alg::Rs512 => 1 << 5,
            Alg::Ps256 => 1 << 6,
            Alg::Ps384 => 1 << 7,
            Alg::Ps512 => 1 << 8,
            Alg::Es256 => 1 << 9,
            Alg::Es384 => 1 << 10,
            Alg::Es512 => 1 << 11,
            Alg::EdDsa => 1 << 12,
        }
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlgSet(u16);

impl AlgSet {
    /// Every algorithm whose keys are public.
    pub fn asymmetric() -> Self {
        Alg::ALL.iter().copied().filter(|alg| alg.is_asymmetric()).collect()
    }

    /// Whether it holds this algorithm.
    pub const fn contains(self, alg: Alg) -> bool {
        self.0 & alg.bit() != 0
    }

    /// Whether it holds none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What either holds.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both hold.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The algorithms, in the order of [`Alg::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Alg> {
        Alg::ALL.iter().copied().filter(move |alg| self.contains(*alg))
    }
}

impl FromIterator<Alg> for AlgSet {
    fn from_iter<I: IntoIterator<Item = Alg>>(algs: I) -> Self {
        Self(algs.into_iter().fold(0, |set, alg| set | alg.bit()))
    }
}

/// A key that carries its one algorithm. The token's `alg` is only compared with it, never obeyed.
pub trait Verifier {
    /// The algorithm of this key.
    fn alg(&self) -> Alg;

    /// Whether this key made this signature of this message. `offload` may be asked first where it is
    /// faster; the answer is the same.
    fn verify(&self, message: &[u8], signature: &[u8], offload: &dyn Offload) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_has_its_own_bit_and_name() {
        let all: AlgSet = Alg::ALL.iter().copied().collect();
        assert_eq!(all.iter().collect::<Vec<_>>(), Alg::ALL);
        for alg in Alg::ALL {
            assert_eq!(Alg::parse(alg.name()), Some(*alg));
            assert_eq!([*alg].into_iter().collect::<AlgSet>().iter().count(), 1);
        }
        assert_eq!(Alg::parse("Ed25519"), Some(Alg::EdDsa));
        for name in ["", "none", "rs256", "RS256 ", "ES256K", "Ed448", "ESP256"] {
            assert_eq!(Alg::parse(name), None, "{name}");
        }
    }
}
