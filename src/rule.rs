//! Who may pass a route: which credentials count, and what their identity must bring.

use std::borrow::Cow;

use crate::claims::ClaimCondition;
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
    /// One of these roles, unless empty.
    pub roles: Vec<String>,
    /// All of these scopes.
    pub scopes: Vec<String>,
    /// All of these claim conditions.
    pub claims: Vec<ClaimCondition>,
    /// One of these clients, unless empty.
    pub clients: Vec<String>,
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
    /// Keys of every client.
    Clients,
}

/// What a condition asks for: how many, and which names of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmet<'p>(pub &'static str, pub &'p [String]);

impl Party {
    /// Whether this party shows tokens; otherwise it shows keys.
    pub fn shows_token(self) -> bool {
        matches!(self, Party::Issuer(_) | Party::Issuers)
    }

    /// Whether the identity is one of this party.
    pub fn includes(self, identity: &Identity<'_>) -> bool {
        match self {
            Party::Issuer(index) => identity.issuer_index() == Some(index),
            Party::Issuers => identity.issuer_index().is_some(),
            Party::Client(index) => identity.client_index() == Some(index),
            Party::Clients => identity.client_index().is_some(),
        }
    }
}

impl Requirement {
    /// Any one of these parties, without conditions.
    pub fn any(parties: Vec<Party>) -> Self {
        Self {
            combine: Combine::Any,
            parties,
            roles: Vec::new(),
            scopes: Vec::new(),
            claims: Vec::new(),
            clients: Vec::new(),
            optional: false,
        }
    }

    /// Whether the route looks where tokens are.
    pub fn wants_token(&self) -> bool {
        self.parties.iter().any(|party| party.shows_token())
    }

    /// Whether the route looks where keys are.
    pub fn wants_key(&self) -> bool {
        self.parties.iter().any(|party| !party.shows_token())
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
                    missing = missing || !shown.iter().any(|i| i.is_token() == party.shows_token());
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

    /// The first condition that no identity meets, and what it asks for. One identity must meet a condition whole.
    pub fn unmet(&self, identities: &[Identity<'_>], captures: &[(&str, Cow<'_, str>)]) -> Option<(Reason, Unmet<'_>)> {
        let one = |meets: &dyn Fn(&Identity<'_>) -> bool| identities.iter().any(meets);
        if !self.roles.is_empty() && !one(&|identity| identity.roles().iter().any(|role| self.roles.contains(role))) {
            return Some((Reason::RoleMissing, Unmet("one of the roles", &self.roles)));
        }
        if !one(&|identity| self.scopes.iter().all(|scope| identity.scopes().contains(scope))) {
            return Some((Reason::ScopeMissing, Unmet("all of the scopes", &self.scopes)));
        }
        let claim = |condition: &ClaimCondition| one(&|identity| condition.holds(identity.claims(), captures));
        if let Some(condition) = self.claims.iter().find(|condition| !claim(condition)) {
            let name = std::slice::from_ref(&condition.name);
            return Some((Reason::ClaimForbidden, Unmet("another value of the claim", name)));
        }
        let named = |identity: &Identity<'_>| identity.client().is_some_and(|c| self.clients.iter().any(|w| w == c));
        if !self.clients.is_empty() && !one(&named) {
            return Some((Reason::ClientForbidden, Unmet("one of the clients", &self.clients)));
        }
        None
    }
}
