//! The algorithms gatekey knows (RFC 7518 section 3), and the one thing every family can do.

/// A signature algorithm, by its registered name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alg {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Alg {
    /// Every algorithm.
    pub const ALL: &'static [Alg] = &[Alg::Hs256, Alg::Hs384, Alg::Hs512];

    /// The registered name, compared octet by octet.
    pub const fn name(self) -> &'static str {
        match self {
            Alg::Hs256 => "HS256",
            Alg::Hs384 => "HS384",
            Alg::Hs512 => "HS512",
        }
    }

    /// The algorithm of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|alg| alg.name() == name)
    }

    /// The length of its hash in octets: the least an HMAC secret must have (RFC 7518 section 3.2).
    pub const fn hash_length(self) -> usize {
        match self {
            Alg::Hs256 => 32,
            Alg::Hs384 => 48,
            Alg::Hs512 => 64,
        }
    }
}

/// A key that carries its one algorithm. The token's `alg` is only compared with it, never obeyed.
pub trait Verifier {
    /// The algorithm of this key.
    fn alg(&self) -> Alg;

    /// Whether this key made this signature of this message.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;
}
