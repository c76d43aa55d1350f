//! The section `revoked`: who no longer counts.

use std::collections::BTreeSet;

use super::allow::Parties;
use super::error::quote;
use super::fields::{REVOKED, REVOKED_BEFORE, REVOKED_ITEM};
use super::lists;
use super::node::{Fields, Node};
use super::suggest::{are_few, nearest};
use super::value::time;
use crate::jose::issuer::Issuers;
use crate::json::Json;
use crate::list::fault::Fault;
use crate::list::revoked::{Builder, Kind, RevokedList};
use crate::list::source::ListSource;
use crate::ordered;

/// Reads the entries that stand in the policy, and where others are fetched from.
pub(super) fn read(node: Option<&Node<'_>>, parties: &Parties, issuers: &Issuers) -> (RevokedList, Vec<ListSource>) {
    // Callers cannot choose what falls together with an entry and gain by it, so the seed may be known.
    let mut list = Builder::new(0);
    let Some(fields) = node.and_then(|node| node.fields(REVOKED)) else {
        return (list.finish(), Vec::new());
    };
    for (kind, name) in Kind::ALL {
        let items = fields.get(name).map(|node| node.items()).unwrap_or_default();
        match kind {
            // A client may be one of ours, or the `client_id` of tokens, which the policy cannot know.
            Kind::Client => {
                warn_unknown(&items, "client", &parties.clients, parties.issuers.is_empty() && !parties.store)
            }
            Kind::User => warn_unknown(&items, "user", &parties.users, true),
            Kind::Jti | Kind::Sub | Kind::Key => {}
        }
        items.iter().for_each(|item| read_item(item, kind, &mut list));
    }
    let before = fields.get("issued_before");
    before.iter().flat_map(Node::items).for_each(|item| read_before(&item, &mut list));
    warn_strangers(&fields, issuers);
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

/// Warns about names that nobody has, where `all_known` of them are in the policy; else only where one is near.
fn warn_unknown(items: &[Node<'_>], what: &str, names: &[String], all_known: bool) {
    let known = ordered::set(names.iter().map(String::as_str));
    let near = if are_few(items.len(), known.len()) { known.clone() } else { BTreeSet::new() };
    for item in items {
        let Some(name) = item.value().as_str().filter(|name| !known.contains(name)) else {
            continue;
        };
        let meant = nearest(name, near.iter().copied()).map(|meant| format!("did you mean {}?", quote(meant)));
        if all_known || meant.is_some() {
            item.warn(format!("{} is no {what} of this policy", quote(name)), meant.as_deref());
        }
    }
}

/// Warns about entries whose `iss` no token that is taken can have, each such `iss` once: they revoke nothing, and
/// whoever wrote them thinks that they do.
fn warn_strangers(fields: &Fields<'_>, issuers: &Issuers) {
    // Without issuers that is told of the whole field.
    if issuers.is_empty() {
        return;
    }
    let mut told = BTreeSet::new();
    for node in ["jti", "sub", "client", "issued_before"].iter().filter_map(|name| fields.get(name)) {
        for entry in node.items().iter().filter_map(members) {
            let Some(node) = entry.scalar("iss") else {
                continue;
            };
            let Some(iss) = node.value().as_str().filter(|iss| issuers.find(Some(iss)).is_none()) else {
                continue;
            };
            if told.insert(iss) {
                let message = format!("no issuer has the `issuer` {}, so this revokes nothing", quote(iss));
                let cure = if are_few(told.len(), issuers.iter().count()) { whose(iss, issuers) } else { None };
                node.warn(message, cure.as_deref());
            }
        }
    }
}

/// The members of an entry that is more than a value.
fn members<'j>(item: &Node<'j>) -> Option<Fields<'j>> {
    matches!(item.value(), Json::Object(_)).then(|| item.open_fields()).flatten()
}

/// What may be meant by an `iss` that nobody has.
fn whose(iss: &str, issuers: &Issuers) -> Option<String> {
    if issuers.iter().any(|issuer| issuer.name == iss) {
        return Some(String::from("that is the issuer's name here, `iss` is its address"));
    }
    let known = issuers.iter().filter_map(|issuer| issuer.iss.exactly());
    nearest(iss, known).map(|meant| format!("did you mean {}?", quote(meant)))
}
