//! Issuers: whose tokens are taken, and what their tokens must be like.

use std::collections::BTreeMap;

use super::alg::Alg;
use super::keyset::KeySet;
use crate::claims::{ClaimCondition, ClaimPath};

/// One issuer of the policy.
pub struct Issuer {
    /// Its name in the policy.
    pub name: String,
    /// The `iss` of its tokens; `None` for the issuer that takes every token nobody else claims.
    pub issuer: Option<String>,
    /// Who the tokens must be meant for.
    pub audience: Audience,
    /// The algorithms its keys carry.
    pub algorithms: Vec<Alg>,
    /// Its keys.
    pub keys: KeySet,
    /// The `typ` values allowed, lower-case and without `application/`; empty for any.
    pub types: Vec<String>,
    /// The clock difference tolerated, in milliseconds.
    pub leeway: i64,
    /// The greatest age by `iat`, in milliseconds.
    pub max_age: Option<i64>,
    /// Whether a token without `exp` is taken.
    pub optional_exp: bool,
    /// What its claims must be.
    pub require: Vec<ClaimCondition>,
    /// Where roles live.
    pub roles: ClaimPath,
    /// Where scopes live; `None` for `scope`, else `scp`.
    pub scopes: Option<ClaimPath>,
}

/// Who a token must be meant for (RFC 7519 section 4.1.3).
#[derive(Debug, PartialEq, Eq)]
pub enum Audience {
    /// One of these, compared octet by octet.
    OneOf(Vec<String>),
    /// Nobody in particular: a token that names an audience names somebody else.
    Unnamed,
    /// Whoever it is.
    Any,
}

/// All issuers of a policy, found by `iss`.
#[derive(Default)]
pub struct Issuers {
    list: Vec<Issuer>,
    by_iss: BTreeMap<String, usize>,
    catch_all: Option<usize>,
}

impl Issuers {
    /// Takes issuers that differ in `issuer`; at most one has none.
    pub fn new(list: Vec<Issuer>) -> Self {
        let named = |(index, issuer): (usize, &Issuer)| issuer.issuer.clone().map(|iss| (iss, index));
        let by_iss = list.iter().enumerate().filter_map(named).collect();
        let catch_all = list.iter().position(|issuer| issuer.issuer.is_none());
        Self { list, by_iss, catch_all }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The issuers in the order of the policy.
    pub fn iter(&self) -> impl Iterator<Item = &Issuer> {
        self.list.iter()
    }

    /// The issuer at this index of the list.
    pub fn get(&self, index: usize) -> Option<&Issuer> {
        self.list.get(index)
    }

    /// Whether any issuer's keys carry this algorithm.
    pub fn knows(&self, alg: Alg) -> bool {
        self.list.iter().any(|issuer| issuer.algorithms.contains(&alg))
    }

    /// The issuer of tokens with this `iss`, and its index.
    pub fn find(&self, iss: Option<&str>) -> Option<(usize, &Issuer)> {
        let index = iss.and_then(|iss| self.by_iss.get(iss).copied()).or(self.catch_all)?;
        self.list.get(index).map(|issuer| (index, issuer))
    }
}
