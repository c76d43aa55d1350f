//! Key material before it is bound to algorithms.

use std::rc::Rc;

use super::alg::{Alg, Family, Verifier};
use super::ecdsa::EcKey;
use super::ed25519::EdKey;
use super::keyset::Key;
use super::rsa::{RsaKey, RsaPublic};

/// The public part of a key pair.
pub enum Public {
    /// RSA.
    Rsa(RsaPublic),
    /// RSA, for RSASSA-PSS only (RFC 4055 section 1.2).
    RsaPss(RsaPublic),
    /// An elliptic curve.
    Ec(EcKey),
    /// Ed25519.
    Ed(EdKey),
}

impl Public {
    /// Whether a key of this kind can carry an algorithm.
    pub fn fits(&self, alg: Alg) -> bool {
        match self {
            Public::Rsa(_) => matches!(alg.family(), Family::RsaPkcs1 | Family::RsaPss),
            Public::RsaPss(_) => alg.family() == Family::RsaPss,
            Public::Ec(key) => key.alg() == alg,
            Public::Ed(key) => key.alg() == alg,
        }
    }

    /// What it is, with an article.
    pub fn kind(&self) -> &'static str {
        match self {
            Public::Rsa(_) => "an RSA key",
            Public::RsaPss(_) => "an RSA key for PSS",
            Public::Ec(key) => match key.alg() {
                Alg::Es256 => "a P-256 key",
                Alg::Es384 => "a P-384 key",
                _ => "a P-521 key",
            },
            Public::Ed(_) => "an Ed25519 key",
        }
    }

    /// The algorithms that the key carries, all of one family. `own` is the one that it names itself; `named`
    /// are those that the policy names, in its order. None where the two do not agree.
    ///
    /// A key that names none carries what the policy names for its kind, of the family named first, and
    /// without a policy's word what nearly all such keys are for.
    pub fn algorithms(&self, own: Option<Alg>, named: Option<&[Alg]>) -> Vec<Alg> {
        let fits = |alg: &Alg| self.fits(*alg) && named.is_none_or(|named| named.contains(alg));
        let Some(named) = named.filter(|_| own.is_none()) else {
            let usual = match self {
                Public::Rsa(_) => Alg::Rs256,
                Public::RsaPss(_) => Alg::Ps256,
                Public::Ec(key) => key.alg(),
                Public::Ed(key) => key.alg(),
            };
            return Some(own.unwrap_or(usual)).filter(fits).into_iter().collect();
        };
        let family = named.iter().copied().find(|alg| self.fits(*alg)).map(Alg::family);
        named.iter().copied().filter(|alg| Some(alg.family()) == family && self.fits(*alg)).collect()
    }

    /// The key, once for each algorithm.
    pub fn bind(self, kid: Option<&str>, algorithms: &[Alg]) -> Vec<Key> {
        let key = |verifier: Box<dyn Verifier>| Key { kid: kid.map(String::from), verifier };
        match self {
            Public::Rsa(public) | Public::RsaPss(public) => {
                let public = Rc::new(public);
                let bound = |alg: &Alg| RsaKey::new(*alg, Rc::clone(&public));
                algorithms.iter().filter_map(bound).map(|bound| key(Box::new(bound))).collect()
            }
            Public::Ec(ec) if algorithms.contains(&ec.alg()) => vec![key(Box::new(ec))],
            Public::Ed(ed) if algorithms.contains(&ed.alg()) => vec![key(Box::new(ed))],
            Public::Ec(_) | Public::Ed(_) => Vec::new(),
        }
    }
}
