//! Issuers: whose tokens are taken, and what their tokens must be like.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::alg::{Alg, AlgSet};
use super::binding::Confirmation;
use super::introspection::Endpoint;
use super::iss::{IssPattern, Name};
use super::keyset::KeySet;
use crate::claims::ClaimPath;
use crate::condition::ClaimCondition;
use crate::jwks::source::Source;

/// One issuer of the policy.
pub struct Issuer {
    /// Its name in the policy.
    pub name: String,
    /// Which `iss` its tokens have.
    pub iss: Name,
    /// Who the tokens must be meant for.
    pub audience: Audience,
    /// The algorithms its keys may carry, in the order of the policy.
    pub algorithms: Vec<Alg>,
    /// Its keys.
    pub keys: Keys,
    /// The `typ` values allowed, lower-case and without `application/`; empty for any.
    pub types: Vec<String>,
    /// The clock difference tolerated, in milliseconds.
    pub leeway: i64,
    /// The greatest age by `iat`, in milliseconds.
    pub max_age: Option<i64>,
    /// Whether a token without `exp` is taken.
    pub optional_exp: bool,
    /// Whether whoever shows a token must be whom it is bound to.
    pub confirmation: Confirmation,
    /// What its claims must be.
    pub require: Vec<ClaimCondition>,
    /// Where roles live.
    pub roles: ClaimPath,
    /// Where scopes live; `None` for `scope`, else `scp`.
    pub scopes: Option<ClaimPath>,
}

/// Where the keys of an issuer come from.
pub enum Keys {
    /// They stand in the policy.
    Fixed(KeySet),
    /// They are fetched.
    Remote(Box<Source>),
    /// There are none: the issuer is asked about each token.
    Asked(Box<Endpoint>),
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

/// All issuers of a policy, found by `iss`: however many there are, a look-up costs the same.
#[derive(Default)]
pub struct Issuers {
    list: Vec<Issuer>,
    by_iss: HashMap<String, usize, FixedState>,
    patterns: Vec<(IssPattern, usize)>,
    catch_all: Option<usize>,
    asked: Option<usize>,
    algorithms: AlgSet,
}

/// The issuer that a token names.
pub struct Found<'i, 't> {
    /// Its index in the list.
    pub index: usize,
    /// The issuer.
    pub issuer: &'i Issuer,
    /// What the captures of its pattern stand for in this token's `iss`.
    pub captures: Vec<(&'i str, Cow<'t, str>)>,
}

impl Issuers {
    /// Takes issuers that differ in `iss`; at most one takes what no other does.
    pub fn new(list: Vec<Issuer>) -> Self {
        let mut issuers = Self::default();
        for (index, issuer) in list.iter().enumerate() {
            match &issuer.iss {
                Name::Exactly(iss) => {
                    issuers.by_iss.insert(iss.clone(), index);
                }
                Name::Like(pattern) => issuers.patterns.push((pattern.clone(), index)),
                Name::Others => issuers.catch_all = Some(index),
            }
            if matches!(issuer.keys, Keys::Asked(_)) {
                issuers.asked = Some(index);
            }
            issuers.algorithms = issuers.algorithms.union(issuer.algorithms.iter().copied().collect());
        }
        Self { list, ..issuers }
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

    /// The one issuer that is asked about tokens, which may have any shape.
    pub fn asked(&self) -> Option<(usize, &Issuer)> {
        self.asked.and_then(|index| Some((index, self.list.get(index)?)))
    }

    /// Whether any issuer's keys may carry this algorithm.
    pub fn knows(&self, alg: Alg) -> bool {
        self.algorithms.contains(alg)
    }

    /// The issuer of tokens with this `iss`: the one that has just this name, else the first whose pattern
    /// fits, else the one that takes all others.
    pub fn find<'i, 't>(&'i self, iss: Option<&'t str>) -> Option<Found<'i, 't>> {
        let found = |index, captures| self.list.get(index).map(|issuer| Found { index, issuer, captures });
        if let Some(iss) = iss {
            if let Some(index) = self.by_iss.get(iss) {
                return found(*index, Vec::new());
            }
            if let Some((captures, index)) =
                self.patterns.iter().find_map(|(pattern, index)| pattern.captures(iss).map(|c| (c, *index)))
            {
                // The pattern in the list is the same, and lives as long as the issuer.
                return found(index, captures);
            }
        }
        found(self.catch_all?, Vec::new())
    }
}
