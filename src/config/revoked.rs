//! The section `revoked`: who no longer counts.

use std::collections::BTreeSet;

use super::allow::Parties;
use super::error::quote;
use super::fields::{REVOKED, REVOKED_BEFORE, REVOKED_ITEM};
use super::lists;
use super::node::Node;
use super::suggest::nearest;
use super::value::time;
use crate::json::Json;
use crate::list::fault::Fault;
use crate::list::revoked::{Builder, Kind, RevokedList};
use crate::list::source::ListSource;

/// Reads the entries that stand in the policy, and where others are fetched from.
pub(super) fn read(node: Option<&Node<'_>>, parties: &Parties) -> (RevokedList, Vec<ListSource>) {
    // Callers cannot choose what falls together with an entry and gain by it, so the seed may be known.
    let mut list = Builder::new(0);
    let Some(fields) = node.and_then(|node| node.fields(REVOKED)) else {
        return (list.finish(), Vec::new());
    };
    for (kind, name) in Kind::ALL {
        let items = fields.get(name).map(|node| node.items()).unwrap_or_default();
        if kind == Kind::Client {
            warn_unknown(&items, parties);
        }
        items.iter().for_each(|item| read_item(item, kind, &mut list));
    }
    let before = fields.get("issued_before");
    before.iter().flat_map(Node::items).for_each(|item| read_before(&item, &mut list));
    for name in ["jti", "sub", "issued_before"] {
        if let Some(node) = fields.get(name).filter(|_| parties.issuers.is_empty()) {
            node.warn("has no effect: there are no issuers, and keys have no such thing", None);
        }
    }
    if let Some(node) = fields.get("key").filter(|_| !parties.has_keys()) {
        node.warn("has no effect: there are no clients", None);
    }
    let from = fields.get("from").map(|node| lists::revoked(&node)).unwrap_or_default();
    (list.finish(), from)
}

/// One entry: a value, or a value and the issuer whose it is.
fn read_item(item: &Node<'_>, kind: Kind, list: &mut Builder) {
    let (value, iss) = match item.value() {
        Json::Object(members) if kind.has_issuer() && !members.is_empty() => {
            let Some(fields) = item.fields(REVOKED_ITEM) else {
                return;
            };
            let Some(value) = fields.scalar("value") else {
                item.error_cure("has no value", "write { value: ..., iss: ... }, or the value alone");
                return;
            };
            let iss = fields.scalar("iss").map(|node| node.text());
            if iss == Some(None) {
                return;
            }
            (value.text(), iss.flatten())
        }
        _ => (item.text(), None),
    };
    match value.map(|value| list.add(kind, value, iss)) {
        None | Some(Ok(())) => {}
        Some(Err(Fault::Digest)) => item.error_cure(
            "is no digest of a key, nor the beginning of one",
            "write sha256: and at least 16 of its 64 hexadecimal digits, as `gatekey hash` prints them",
        ),
        Some(Err(fault)) => item.error(fault.sentence()),
    }
}

/// `{ time, iss, sub }`, of which `iss` or `sub` may be left out.
fn read_before(item: &Node<'_>, list: &mut Builder) {
    let Some(fields) = item.fields(REVOKED_BEFORE) else {
        return;
    };
    let Some(from) = fields.scalar("time") else {
        item.error_cure("has no time", "`time` says before when tokens were issued that do not count");
        return;
    };
    let text = |name| fields.scalar(name).map(|node: Node<'_>| node.text());
    let (time, iss, sub) = (time(&from), text("iss"), text("sub"));
    if iss == Some(None) || sub == Some(None) {
        return;
    }
    if let Some(time) = time
        && list.add_before(time, iss.flatten(), sub.flatten()).is_err()
    {
        item.error_cure("names nobody", "say whose tokens: `iss`, `sub` or both");
    }
}

/// A client may be one of ours, or the `client_id` of tokens, which the policy cannot know.
fn warn_unknown(items: &[Node<'_>], parties: &Parties) {
    let known: BTreeSet<&str> = parties.clients.iter().map(String::as_str).collect();
    for item in items {
        let Some(name) = item.value().as_str().filter(|name| !known.contains(name)) else {
            continue;
        };
        let meant = nearest(name, known.iter().copied()).map(|meant| format!("did you mean {}?", quote(meant)));
        if (parties.issuers.is_empty() && !parties.store) || meant.is_some() {
            item.warn(format!("{} is no client of this policy", quote(name)), meant.as_deref());
        }
    }
}
