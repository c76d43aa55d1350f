//! A key set as its server sends it (RFC 7517 section 5): the keys that can be used, whatever else is in it.

use std::fmt;

use super::alg::Alg;
use super::jwk::{self, Material};
use super::keyset::{Key, KeySet};
use crate::json::{self, Json, Limits};

/// The most keys of a set.
pub const MAX_KEYS: usize = 100;

/// More than any key set has; hostile ones cost little.
const LIMITS: Limits = Limits { depth: 8, members: 8_192 };

/// Why a document is no key set for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentFault {
    /// It is no JSON object with a list of `keys`.
    Form,
    /// It has more keys than are taken.
    Long,
    /// No key of it can be used.
    Empty,
}

impl fmt::Display for DocumentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DocumentFault::Form => f.write_str("is no JSON object with a list of `keys`"),
            DocumentFault::Long => write!(f, "has more than {MAX_KEYS} keys"),
            DocumentFault::Empty => f.write_str("has no key that can be used for the issuer's algorithms"),
        }
    }
}

impl std::error::Error for DocumentFault {}

/// Reads a document. Keys that cannot be used, or carry no algorithm of `named`, are left out, and secrets
/// always: whoever can read the document could sign.
///
/// # Errors
/// Why there is nothing to take.
pub fn read(text: &[u8], named: Option<&[Alg]>) -> Result<KeySet, DocumentFault> {
    let document = json::read(text, LIMITS).map_err(|_| DocumentFault::Form)?;
    let Some(Json::Array(items)) = document.get("keys") else {
        return Err(DocumentFault::Form);
    };
    if items.len() > MAX_KEYS {
        return Err(DocumentFault::Long);
    }
    let keys: Vec<Key> = items.iter().flat_map(|item| read_key(item, named)).collect();
    if keys.is_empty() {
        return Err(DocumentFault::Empty);
    }
    Ok(KeySet::new(keys))
}

fn read_key(item: &Json<'_>, named: Option<&[Alg]>) -> Vec<Key> {
    match jwk::read(item) {
        Ok(jwk) => match jwk.material {
            Material::Secret(_) => Vec::new(),
            Material::Public(public) => {
                let algorithms = public.algorithms(jwk.alg, named);
                public.bind(jwk.kid, &algorithms)
            }
        },
        Err(_) => Vec::new(),
    }
}
