//! What a route asks of the caller beside a good credential: roles, scopes, claims, clients, addresses.

use std::net::IpAddr;

use crate::cidr::{Cidr, any_contains};
use crate::condition::{ClaimCondition, Facts};
use crate::deny::Reason;
use crate::identity::Identity;

/// Conditions, all of which must be met.
#[derive(Debug, Default)]
pub struct Conditions {
    /// One of these roles, unless empty.
    pub roles: Vec<String>,
    /// All of these scopes.
    pub scopes: Vec<String>,
    /// All of these claim conditions.
    pub claims: Vec<ClaimCondition>,
    /// One of these clients, unless empty.
    pub clients: Vec<String>,
    /// An address in one of these blocks, unless empty.
    pub from: Vec<Cidr>,
}

/// A condition that is not met: why the caller is refused, what is asked for, and the names of the policy in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmet<'p> {
    /// Why the caller is refused.
    pub reason: Reason,
    /// What is asked for, as the beginning of a sentence.
    pub asked: &'static str,
    /// Of these.
    pub names: &'p [String],
}

impl Conditions {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.roles.is_empty()
            && self.scopes.is_empty()
            && self.claims.is_empty()
            && self.clients.is_empty()
            && self.from.is_empty()
    }

    /// The first condition that is not met. One identity must meet a condition whole. The address is asked for only
    /// if it matters.
    pub fn unmet(
        &self,
        identities: &[Identity<'_>],
        facts: &Facts<'_>,
        address: &dyn Fn() -> Option<IpAddr>,
    ) -> Option<Unmet<'_>> {
        let unmet = |reason, asked, names| Some(Unmet { reason, asked, names });
        let one = |meets: &dyn Fn(&Identity<'_>) -> bool| identities.iter().any(meets);
        if !self.from.is_empty() && !any_contains(&self.from, address()) {
            return unmet(Reason::AddressForbidden, "another address", &[]);
        }
        if !self.roles.is_empty() && !one(&|identity| identity.roles().iter().any(|role| self.roles.contains(role))) {
            return unmet(Reason::RoleMissing, "one of the roles", &self.roles);
        }
        if !one(&|identity| self.scopes.iter().all(|scope| identity.scopes().contains(scope))) {
            return unmet(Reason::ScopeMissing, "all of the scopes", &self.scopes);
        }
        let claim = |condition: &ClaimCondition| one(&|identity| condition.holds(identity.claims(), facts));
        if let Some(condition) = self.claims.iter().find(|condition| !claim(condition)) {
            let name = std::slice::from_ref(&condition.name);
            let asked = match one(&|identity| condition.is_number_for_text(identity.claims())) {
                true => "a text in place of the number in the claim",
                false => "another value of the claim",
            };
            return unmet(Reason::ClaimForbidden, asked, name);
        }
        let named = |identity: &Identity<'_>| identity.client().is_some_and(|c| self.clients.iter().any(|w| w == c));
        if !self.clients.is_empty() && !one(&named) {
            return unmet(Reason::ClientForbidden, "one of the clients", &self.clients);
        }
        None
    }
}
