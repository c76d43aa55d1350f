//! Who no longer counts: revoked token ids, subjects and clients.

use std::collections::BTreeSet;

use crate::identity::Identity;

/// The revocation lists of a policy.
#[derive(Debug, Default)]
pub struct Revoked {
    /// Ids of tokens.
    pub jti: BTreeSet<String>,
    /// Subjects of tokens.
    pub sub: BTreeSet<String>,
    /// Clients, of tokens and of keys.
    pub client: BTreeSet<String>,
}

impl Revoked {
    /// Whether the token of an identity, which may name two clients, is revoked. Claims are looked up only where
    /// there is a list for them.
    pub fn has_token(&self, identity: &Identity<'_>) -> bool {
        (!self.jti.is_empty() && holds(&self.jti, identity.jti()))
            || (!self.sub.is_empty() && holds(&self.sub, identity.sub()))
            || (!self.client.is_empty()
                && (self.has_client(identity.client()) || self.has_client(identity.authorized_party())))
    }

    /// Whether a client is revoked.
    pub fn has_client(&self, client: Option<&str>) -> bool {
        holds(&self.client, client)
    }
}

fn holds(list: &BTreeSet<String>, value: Option<&str>) -> bool {
    value.is_some_and(|value| list.contains(value))
}
