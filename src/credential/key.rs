//! API keys: found by the digest of what the caller shows, so that the policy holds no key.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::cidr::Cidr;
use crate::deny::Reason;
use crate::json::Json;
use crate::time::Time;

/// The octets a key may have.
pub const LENGTH: std::ops::RangeInclusive<usize> = 16..=256;

/// Somebody who calls with API keys.
#[derive(Debug)]
pub struct Client {
    /// Its name in the policy.
    pub name: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// The blocks of addresses that it calls from; empty for any.
    pub from: Vec<Cidr>,
    /// The routes that it may use, by their labels; empty for any.
    pub routes: Vec<String>,
    /// Its claims, in the shape of a token's.
    pub claims: Json<'static>,
}

impl Client {
    /// A client that is only known by its name.
    pub fn new(name: &str) -> Self {
        Self {
            name: String::from(name),
            roles: Vec::new(),
            scopes: Vec::new(),
            from: Vec::new(),
            routes: Vec::new(),
            claims: Json::Object(Vec::new()),
        }
    }
}

/// The SHA-256 digest of a key.
pub type KeyDigest = [u8; 32];

/// What a policy knows of one key.
#[derive(Clone, Debug)]
pub struct KeyRecord {
    /// The index of its client.
    pub client: usize,
    /// From when it counts.
    pub not_before: Option<Time>,
    /// From when it does not count any more.
    pub expires: Option<Time>,
}

/// All clients of a policy, found by key.
#[derive(Debug, Default)]
pub struct Clients {
    list: Vec<Client>,
    keys: BTreeMap<KeyDigest, KeyRecord>,
}

impl Clients {
    /// Takes clients and their keys.
    pub fn new(list: Vec<Client>, keys: BTreeMap<KeyDigest, KeyRecord>) -> Self {
        Self { list, keys }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The clients in the order of the policy.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.list.iter()
    }

    /// The client that a key belongs to, and its index.
    ///
    /// # Errors
    /// [`Reason::KeyInvalid`] if nobody has it or it does not count yet, [`Reason::KeyExpired`] if it does not
    /// count any more.
    pub fn find(&self, key: &[u8], now: Time) -> Result<(usize, &Client), Reason> {
        // Not worth a hash: no key of ours looks like this.
        if !LENGTH.contains(&key.len()) || !key.iter().all(u8::is_ascii_graphic) {
            return Err(Reason::KeyInvalid);
        }
        let digest = digest(key);
        // The search compares digests, which tell a guesser nothing about keys; the last word is constant in time.
        let (_, record) = self
            .keys
            .get_key_value(&digest)
            .filter(|(known, _)| bool::from(known.as_slice().ct_eq(&digest)))
            .ok_or(Reason::KeyInvalid)?;
        if record.not_before.is_some_and(|not_before| now < not_before) {
            return Err(Reason::KeyInvalid);
        }
        if record.expires.is_some_and(|expires| now >= expires) {
            return Err(Reason::KeyExpired);
        }
        let client = self.list.get(record.client).ok_or(Reason::Internal)?;
        Ok((record.client, client))
    }
}

/// The digest under which a key is kept.
pub fn digest(key: &[u8]) -> KeyDigest {
    Sha256::digest(key).into()
}
