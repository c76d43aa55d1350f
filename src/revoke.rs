//! Who no longer counts: revoked token ids, subjects and clients.

use std::collections::BTreeSet;

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
    /// Whether a token with these claims, which may name two clients, is revoked.
    pub fn has_token(&self, jti: Option<&str>, sub: Option<&str>, clients: [Option<&str>; 2]) -> bool {
        holds(&self.jti, jti) || holds(&self.sub, sub) || clients.into_iter().any(|client| self.has_client(client))
    }

    /// Whether a client is revoked.
    pub fn has_client(&self, client: Option<&str>) -> bool {
        holds(&self.client, client)
    }
}

fn holds(list: &BTreeSet<String>, value: Option<&str>) -> bool {
    value.is_some_and(|value| list.contains(value))
}
