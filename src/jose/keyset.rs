//! The keys of one issuer, found by key id and algorithm; never shared between issuers.

use super::alg::{Alg, Verifier};

/// The most keys that are tried for one token.
pub const MAX_CANDIDATES: usize = 8;

/// A verification key and its id.
pub struct Key {
    /// The key id (RFC 7515 section 4.1.4). A key without one is a candidate whatever the token names.
    pub kid: Option<String>,
    /// The key, bound to its algorithm.
    pub verifier: Box<dyn Verifier>,
}

/// The keys of one issuer.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Takes the keys in the order in which they are to be tried.
    pub fn new(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    /// Whether a key of the set has this id, for whatever algorithm.
    pub fn names(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// The keys that may have signed a token with this header, at most [`MAX_CANDIDATES`], those that it names first.
    pub fn candidates<'k>(&'k self, kid: Option<&'k str>, alg: Alg) -> impl Iterator<Item = &'k dyn Verifier> + 'k {
        let named = move |key: &&Key| kid.is_some() && key.kid.as_deref() == kid;
        let unnamed = move |key: &&Key| kid.is_none() || key.kid.is_none();
        let keys = self.keys.iter().filter(named).chain(self.keys.iter().filter(unnamed));
        keys.map(|key| key.verifier.as_ref()).filter(move |verifier| verifier.alg() == alg).take(MAX_CANDIDATES)
    }
}
