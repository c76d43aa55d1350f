//! API keys: found by the digest of what the caller shows, so that the policy holds no key.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::cidr::Cidr;
use crate::deny::Reason;
use crate::globs::Globs;
use crate::json::Json;
use crate::time::Time;

/// The octets a key may have.
pub const LENGTH: std::ops::RangeInclusive<usize> = 16..=256;

/// How long before its end it is told that a key ends, in milliseconds.
pub const NOTICE: i64 = 14 * 86_400_000;

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
    /// The models of providers that it may use; `None` for all.
    pub models: Option<Globs>,
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
            models: None,
        }
    }
}

/// What clients that are kept elsewhere have; many share one.
#[derive(Clone, Debug, PartialEq)]
pub struct Grants {
    /// Roles.
    pub roles: Vec<String>,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Claims, in the shape of a token's.
    pub claims: Json<'static>,
}

impl Default for Grants {
    fn default() -> Self {
        Self { roles: Vec::new(), scopes: Vec::new(), claims: Json::Object(Vec::new()) }
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

/// The index of a client, the client, and when the key that was shown ends.
pub type Held<'c> = (usize, &'c Client, Option<Time>);

/// All clients of a policy, found by key.
#[derive(Debug, Default)]
pub struct Clients {
    list: Vec<Client>,
    keys: BTreeMap<KeyDigest, KeyRecord>,
    by_name: HashMap<String, usize, FixedState>,
}

impl Clients {
    /// Takes clients and their keys.
    pub fn new(list: Vec<Client>, keys: BTreeMap<KeyDigest, KeyRecord>) -> Self {
        let by_name = list.iter().enumerate().map(|(index, client)| (client.name.clone(), index)).collect();
        Self { list, keys, by_name }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The clients in the order of the policy.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.list.iter()
    }

    /// What is known of each key.
    pub fn records(&self) -> impl Iterator<Item = &KeyRecord> {
        self.keys.values()
    }

    /// The index of the client that a key belongs to, the client, and when the key ends; `None` if nobody has it.
    ///
    /// # Errors
    /// As [`in_time`].
    pub fn find(&self, digest: &KeyDigest, now: Time) -> Result<Option<Held<'_>>, Reason> {
        // The search compares digests, which tell a guesser nothing about keys; the last word is constant in time.
        let found = self.keys.get_key_value(digest).filter(|(known, _)| bool::from(known.as_slice().ct_eq(digest)));
        let Some((_, record)) = found else {
            return Ok(None);
        };
        in_time(record.not_before, record.expires, now)?;
        let client = self.list.get(record.client).ok_or(Reason::Internal)?;
        Ok(Some((record.client, client, record.expires)))
    }

    /// Whether a client has this name.
    pub fn has_name(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }
}

/// Whether a key counts now.
///
/// # Errors
/// [`Reason::KeyInvalid`] if it does not count yet, [`Reason::KeyExpired`] if it does not count any more.
pub fn in_time(not_before: Option<Time>, expires: Option<Time>, now: Time) -> Result<(), Reason> {
    if not_before.is_some_and(|not_before| now < not_before) {
        return Err(Reason::KeyInvalid);
    }
    if expires.is_some_and(|expires| now >= expires) {
        return Err(Reason::KeyExpired);
    }
    Ok(())
}

/// The digest of what a caller shows; `None` if no key looks like this, which is then not worth a hash.
pub fn shown(key: &[u8]) -> Option<KeyDigest> {
    (LENGTH.contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)).then(|| digest(key))
}

/// The digest under which a key is kept.
pub fn digest(key: &[u8]) -> KeyDigest {
    Sha256::digest(key).into()
}
