//! Who may pass a route: which credentials count, and what their identity must bring.

use std::net::IpAddr;

use crate::condition::{ClaimCondition, Facts};
use crate::conditions::{Conditions, Unmet};
use crate::credential::{Kind, Kinds};
use crate::deny::Reason;
use crate::identity::Identity;

/// What a route asks for.
#[derive(Debug)]
pub enum Rule {
    /// Nothing: anybody may pass.
    Public,
    /// Credentials, and conditions on them.
    Require(Requirement),
}

/// The credentials and conditions of one route.
#[derive(Debug)]
pub struct Requirement {
    /// How the parties combine.
    pub combine: Combine,
    /// Whose credentials count, in the order written.
    pub parties: Vec<Party>,
    /// What is asked of the caller.
    pub conditions: Conditions,
    /// And one of these, unless empty.
    pub either: Vec<Conditions>,
    /// Whether a request without any credential passes, without identity.
    pub optional: bool,
}

/// Whether one party is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// One of the parties; the first named that is present is who the caller is.
    Any,
    /// Every party, in the order named.
    All,
}

/// Somebody whose credential counts. Indexes point into the policy's lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Party {
    /// Tokens of this issuer.
    Issuer(usize),
    /// Tokens of every issuer.
    Issuers,
    /// Keys of this client.
    Client(usize),
    /// Keys of every client, those of the store too.
    Clients,
    /// The password of this user.
    User(usize),
    /// Passwords of every user.
    Users,
}

impl Party {
    /// What this party shows.
    pub fn kind(self) -> Kind {
        match self {
            Party::Issuer(_) | Party::Issuers => Kind::Token,
            Party::Client(_) | Party::Clients => Kind::Key,
            Party::User(_) | Party::Users => Kind::Password,
        }
    }

    /// Whether the identity is one of this party.
    pub fn includes(self, identity: &Identity<'_>) -> bool {
        match self {
            Party::Issuer(index) => identity.issuer_index() == Some(index),
            Party::Issuers => identity.issuer_index().is_some(),
            Party::Client(index) => identity.client_index() == Some(index),
            Party::Clients => identity.kind() == Kind::Key,
            Party::User(index) => identity.user_index() == Some(index),
            Party::Users => identity.user_index().is_some(),
        }
    }
}

impl Rule {
    /// The headers of the request that its conditions look at.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        let requirement = match self {
            Rule::Public => None,
            Rule::Require(requirement) => Some(requirement),
        };
        let groups = requirement.into_iter().flat_map(Requirement::groups);
        groups.flat_map(|group| group.claims.iter().flat_map(ClaimCondition::headers))
    }
}

impl Requirement {
    /// Any one of these parties, without conditions.
    pub fn any(parties: Vec<Party>) -> Self {
        Self { combine: Combine::Any, parties, conditions: Conditions::default(), either: Vec::new(), optional: false }
    }

    /// The kinds of credential that the route looks for.
    pub fn wants(&self) -> Kinds {
        self.parties.iter().fold(Kinds::default(), |kinds, party| kinds.with(party.kind()))
    }

    /// Every group of conditions.
    pub fn groups(&self) -> impl Iterator<Item = &Conditions> {
        std::iter::once(&self.conditions).chain(&self.either)
    }

    /// Puts the verified identities in the order that the route names them, leaving out those that it
    /// does not take.
    ///
    /// # Errors
    /// [`Reason::CredentialNotAccepted`] where no identity, or for `all` not every party, is left, though a
    /// credential of each kind that the route needs was shown; [`Reason::CredentialMissing`] where one was not.
    pub fn admit<'a>(&self, mut shown: Vec<Identity<'a>>) -> Result<Vec<Identity<'a>>, Reason> {
        let mut admitted = Vec::with_capacity(shown.len());
        let mut missing = false;
        for party in &self.parties {
            match shown.iter().position(|identity| party.includes(identity)) {
                Some(index) => admitted.push(shown.swap_remove(index)),
                None if self.combine == Combine::All => {
                    missing = missing || !shown.iter().any(|i| i.kind() == party.kind());
                    admitted.clear();
                    break;
                }
                None => {}
            }
        }
        if self.combine == Combine::Any {
            admitted.truncate(1);
        }
        match (admitted.is_empty(), missing) {
            (false, _) => Ok(admitted),
            (true, true) => Err(Reason::CredentialMissing),
            (true, false) => Err(Reason::CredentialNotAccepted),
        }
    }

    /// The first condition that is not met. Of groups of which one is enough it is that of the first.
    pub fn unmet(
        &self,
        identities: &[Identity<'_>],
        facts: &Facts<'_>,
        address: &dyn Fn() -> Option<IpAddr>,
    ) -> Option<Unmet<'_>> {
        self.conditions.unmet(identities, facts, address).or_else(|| {
            let mut first = None;
            for group in &self.either {
                let unmet = group.unmet(identities, facts, address)?;
                first = first.or(Some(unmet));
            }
            first
        })
    }
}
