//! The section `revoked`: who no longer counts.

use std::collections::BTreeSet;

use super::allow::Parties;
use super::error::quote;
use super::fields::{REVOKED, REVOKED_LATER};
use super::node::Node;
use super::suggest::nearest;
use super::value::texts;
use crate::revoke::Revoked;

/// Reads the revocation lists.
pub(super) fn read(node: Option<&Node<'_>>, parties: &Parties) -> Revoked {
    let Some(fields) = node.and_then(|node| node.fields(REVOKED)) else {
        return Revoked::default();
    };
    fields.later(REVOKED_LATER);
    let items = |name: &str| fields.get(name).map(|node| node.items()).unwrap_or_default();
    let clients = items("client");
    warn_unknown(&clients, parties);
    if parties.issuers.is_empty() {
        for name in ["jti", "sub"] {
            if let Some(node) = fields.get(name) {
                node.warn("has no effect: there are no issuers, and keys have no such thing", None);
            }
        }
    }
    Revoked { jti: set(&items("jti")), sub: set(&items("sub")), client: set(&clients) }
}

fn set(items: &[Node<'_>]) -> BTreeSet<String> {
    texts(items).into_iter().collect()
}

/// A client may be one of ours, or the `client_id` of tokens, which the policy cannot know.
fn warn_unknown(items: &[Node<'_>], parties: &Parties) {
    let known: BTreeSet<&str> = parties.clients.iter().map(String::as_str).collect();
    for item in items {
        let Some(name) = item.value().as_str().filter(|name| !known.contains(name)) else {
            continue;
        };
        let meant = nearest(name, known.iter().copied()).map(|meant| format!("did you mean {}?", quote(meant)));
        if parties.issuers.is_empty() || meant.is_some() {
            item.warn(format!("{} is no client of this policy", quote(name)), meant.as_deref());
        }
    }
}
