//! The section `clients`: who calls with API keys, kept as digests. No message of this file quotes a key.

use std::collections::BTreeMap;

use super::fields::{CLIENT, KEY};
use super::node::{Fields, Node};
use super::providers::models;
use super::secret::from_hex;
use super::value::{blocks, check_name, scopes, texts, time, whole_numbers};
use crate::credential::key::{Client, Clients, KeyRecord, LENGTH, digest};
use crate::json::Json;
use crate::policy::Policy;
use crate::time::Time;

/// How a key is written.
const FORM: &str = "write sha256:<64 hexadecimal digits>, as `gatekey hash` prints it";

/// Reads all clients.
pub(super) fn read(node: &Node<'_>) -> Clients {
    let mut clients = Vec::new();
    let mut keys = BTreeMap::new();
    let mut seen: BTreeMap<[u8; 32], Node<'_>> = BTreeMap::new();
    for (client, (name, node)) in node.entries().into_iter().enumerate() {
        check_name(name, &node);
        let mut found = Vec::new();
        clients.push(if node.value().as_str().is_some() {
            found.extend(read_key(&node, None));
            Client::new(name)
        } else {
            read_one(name, &node, &mut found)
        });
        for key in found {
            if let Some(other) = seen.get(&key.digest) {
                key.node.error(format!("is the same key as {}", other.path()));
            }
            keys.insert(key.digest, KeyRecord { client, not_before: key.not_before, expires: key.expires });
            seen.insert(key.digest, key.node);
        }
    }
    Clients::new(clients, keys)
}

/// Checks that the routes to which clients or users are bound are routes: one bound to none that there is could call
/// nothing.
pub(super) fn check_routes(nodes: &[(&str, Node<'_>)], policy: &Policy) {
    let labels = || policy.all().flat_map(|policy| policy.routes()).map(|route| route.label.as_str());
    for (_, node) in nodes {
        let routes = node.open_fields().and_then(|fields| fields.get("routes"));
        for item in routes.iter().flat_map(Node::items) {
            if let Some(name) = item.value().as_str().filter(|name| !labels().any(|label| label == *name)) {
                item.unknown("route", name, labels(), Some(String::from("give a route this `name`")));
            }
        }
    }
}

/// A key and where it stands.
struct Key<'j> {
    node: Node<'j>,
    digest: [u8; 32],
    not_before: Option<Time>,
    expires: Option<Time>,
}

fn read_one<'j>(name: &str, node: &Node<'j>, found: &mut Vec<Key<'j>>) -> Client {
    let fields = node.fields(CLIENT);
    if let Some(fields) = &fields {
        let expires = fields.scalar("expires").and_then(|node| time(&node));
        for node in key_nodes(node, fields) {
            found.extend(read_key(&node, expires));
        }
    }
    profile(name, fields.as_ref())
}

/// What is known of a client or user beside what it shows.
pub(super) fn profile(name: &str, fields: Option<&Fields<'_>>) -> Client {
    let get = |field: &str| fields.and_then(|fields| fields.get(field));
    let list = |field: &str| get(field).map(|node| node.items()).unwrap_or_default();
    let some = |field: &str, cure: &str| get(field).map(|node| node.some_items(cure)).unwrap_or_default();
    let claims = match get("claims") {
        Some(claims) if matches!(claims.value(), Json::Object(_)) => claims.value().clone().into_owned(),
        Some(claims) => {
            if !matches!(claims.value(), Json::Array(items) if items.is_empty()) {
                claims.expected("an object of claims");
            }
            Json::Object(Vec::new())
        }
        None => Json::Object(Vec::new()),
    };
    Client {
        name: String::from(name),
        roles: texts(&list("roles")),
        scopes: scopes(&list("scopes")),
        claims: whole_numbers(claims),
        from: blocks(&some("from", "leave it out, or name a block of addresses")),
        routes: texts(&some("routes", "leave it out, or name a route")),
        models: get("models").map(|node| models(&node)),
    }
}

fn key_nodes<'j>(node: &Node<'j>, fields: &Fields<'j>) -> Vec<Node<'j>> {
    match (fields.get("keys"), fields.get("key")) {
        (Some(_), Some(_)) => node.error_cure("has both key and keys", "keep one"),
        (None, None) => node.error_cure("has no key", FORM),
        (Some(list), None) => return list.some_items(FORM),
        (None, Some(one)) => return vec![one],
    }
    Vec::new()
}

/// Reads a key, which ends with its client if not before.
fn read_key<'j>(node: &Node<'j>, client_expires: Option<Time>) -> Option<Key<'j>> {
    let key = |digest, not_before, expires| Key { node: node.clone(), digest, not_before, expires };
    if matches!(node.value(), Json::Array(items) if !items.is_empty()) {
        node.error_cure("is a list", "several stand under `keys`");
        return None;
    }
    if let Some(text) = node.value().as_str() {
        if !text.starts_with("sha256:") {
            node.error_cure("is no digest of a key", format!("{FORM}; a key itself goes under {{ plain: ... }}"));
            return None;
        }
        return read_digest(node, text).map(|digest| key(digest, None, client_expires));
    }
    let fields = node.fields(KEY)?;
    let not_before = fields.scalar("not_before").and_then(|node| time(&node));
    let own_expires = fields.scalar("expires").and_then(|node| time(&node));
    let expires = [own_expires, client_expires].into_iter().flatten().min();
    if let (Some(from), Some(until)) = (not_before, expires)
        && until <= from
    {
        node.error("expires before it begins");
    }
    let digest = match (fields.scalar("sha256"), fields.scalar("plain")) {
        (Some(_), Some(_)) => {
            node.error_cure("has both sha256 and plain", "keep sha256");
            return None;
        }
        (None, None) => {
            node.error_cure("has no key", "give it `sha256`");
            return None;
        }
        (Some(node), None) => read_digest(&node, node.text()?)?,
        (None, Some(node)) => read_plain(&node)?,
    };
    Some(key(digest, not_before, expires))
}

fn read_digest(node: &Node<'_>, text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let octets = from_hex(digits.as_bytes()).and_then(|octets| <[u8; 32]>::try_from(octets).ok());
    match octets {
        None if digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
            node.error(format!("a SHA-256 digest has 64 hexadecimal digits, this has {}", digits.len()));
        }
        None => node.error_cure("is no SHA-256 digest", FORM),
        Some(octets) if octets == digest(b"") || octets == digest(b"\n") => {
            node.error("is the digest of nothing");
            return None;
        }
        Some(_) => {}
    }
    octets
}

fn read_plain(node: &Node<'_>) -> Option<[u8; 32]> {
    let key = node.any_text()?.as_bytes();
    if !LENGTH.contains(&key.len()) {
        node.error(format!("is {} octets; a key has {} to {}", key.len(), LENGTH.start(), LENGTH.end()));
        return None;
    }
    if !key.iter().all(u8::is_ascii_graphic) {
        node.error("a key is visible ASCII without spaces");
        return None;
    }
    node.warn("the key stands in the policy, where config dumps show it", Some("`gatekey hash` makes a digest of it"));
    Some(digest(key))
}
