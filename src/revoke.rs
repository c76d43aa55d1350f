//! Who no longer counts: revoked token ids, subjects and clients.

/// The revocation lists of a policy, sorted for look-up.
#[derive(Debug, Default)]
pub struct Revoked {
    jti: Vec<String>,
    sub: Vec<String>,
    client: Vec<String>,
}

impl Revoked {
    /// Takes the lists in any order.
    pub fn new(mut jti: Vec<String>, mut sub: Vec<String>, mut client: Vec<String>) -> Self {
        for list in [&mut jti, &mut sub, &mut client] {
            list.sort_unstable();
            list.dedup();
        }
        Self { jti, sub, client }
    }

    /// Whether a token with these claims is revoked.
    pub fn has_token(&self, jti: Option<&str>, sub: Option<&str>, client: Option<&str>) -> bool {
        holds(&self.jti, jti) || holds(&self.sub, sub) || self.has_client(client)
    }

    /// Whether a client is revoked.
    pub fn has_client(&self, client: Option<&str>) -> bool {
        holds(&self.client, client)
    }
}

fn holds(list: &[String], value: Option<&str>) -> bool {
    value.is_some_and(|value| list.binary_search_by(|entry| entry.as_str().cmp(value)).is_ok())
}
