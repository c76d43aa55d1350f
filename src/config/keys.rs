//! The keys of an issuer: a secret, a key set here or elsewhere, or PEM text.

use super::fields::{JWKS, SECRET};
use super::jwks::{self, Taken};
use super::node::{Fields, Node};
use super::secret::Secrets;
use super::{introspect, remote};
use crate::jose::alg::{Alg, AlgSet};
use crate::jose::hmac::HmacKey;
use crate::jose::iss::Name;
use crate::jose::issuer::Keys;
use crate::jose::keyset::{Key, KeySet, MAX_CANDIDATES};
use crate::jose::pem;
use crate::redact::Secret;

/// Algorithms that exist, and that gatekey does not know (RFC 8812, RFC 9864).
const OTHERS: [&str; 6] = ["ES256K", "Ed448", "ESP256", "ESP384", "ESP512", "ML-DSA-65"];

/// The keys, and the algorithms that they may carry.
pub(super) fn read(node: &Node<'_>, fields: &Fields<'_>, iss: &Name, secrets: &mut Secrets<'_>) -> (Vec<Alg>, Keys) {
    let named = fields.get("algorithms").map(|node| algorithms(&node)).filter(|named| !named.is_empty());
    if let Some(node) = fields.get("introspect") {
        let keys = introspect::read(&node, fields, secrets).map(|endpoint| Keys::Asked(Box::new(endpoint)));
        return (Vec::new(), keys.unwrap_or_else(|| Keys::Fixed(KeySet::default())));
    }
    let given: Vec<(&str, Node<'_>)> =
        ["secret", "jwks", "pem"].into_iter().filter_map(|name| Some((name, fields.get(name)?))).collect();
    if let [(first, _), (second, _), ..] = given.as_slice() {
        node.error_cure(format!("has both {first} and {second}"), "keep one");
        return (Vec::new(), Keys::Fixed(KeySet::default()));
    }
    let taken = match given.first() {
        None => {
            node.error_cure("has no key", "give it `secret`, `jwks`, `pem` or `introspect`");
            Taken::default()
        }
        Some(("secret", list)) => from_secrets(fields, list, named.as_deref(), secrets),
        Some(("pem", list)) => {
            only_public(fields);
            from_pem(list, named.as_deref(), secrets)
        }
        Some((_, set)) => {
            let Some(members) = set.fields(JWKS) else {
                return (Vec::new(), Keys::Fixed(KeySet::default()));
            };
            if remote::is_remote(&members) {
                only_public(fields);
                let source = remote::read(set, &members, iss, named.clone());
                let algorithms = named.unwrap_or_else(|| AlgSet::asymmetric().iter().collect());
                let keys = source.map(|source| Keys::Remote(Box::new(source)));
                return (algorithms, keys.unwrap_or_else(|| Keys::Fixed(KeySet::default())));
            }
            match members.get("keys") {
                Some(list) => {
                    let taken = jwks::read(set, &list, named.as_deref(), secrets);
                    check_kinds(fields, &taken);
                    taken
                }
                None => {
                    set.error_cure("has no keys", "list them under `keys`, or name their `uri`");
                    Taken::default()
                }
            }
        }
    };
    let Taken { keys, carried } = taken;
    let algorithms = named.unwrap_or_else(|| carried.iter().copied().collect::<AlgSet>().iter().collect());
    (algorithms, Keys::Fixed(KeySet::new(keys)))
}

/// A key that checks by a secret.
pub(super) fn hmac_key(kid: Option<&str>, alg: Alg, secret: &Secret) -> Option<Key> {
    Some(Key { kid: kid.map(String::from), verifier: Box::new(HmacKey::new(alg, secret)?) })
}

fn algorithms(node: &Node<'_>) -> Vec<Alg> {
    let mut list: Vec<Alg> = Vec::new();
    for item in node.some_items("name one, or leave it out for what the keys are for") {
        let Some(name) = item.text() else {
            continue;
        };
        match Alg::parse(name) {
            Some(alg) if list.contains(&alg) => item.warn(format!("{name} is named twice"), None),
            Some(alg) => list.push(alg),
            None if OTHERS.contains(&name) => item.error(format!("algorithm {name} is not supported")),
            None if name.eq_ignore_ascii_case("none") => item.error("a token without signature is never taken"),
            None => {
                let cure = "HS, RS, PS and ES with 256, 384 and 512, and EdDSA are known";
                item.unknown("algorithm", name, Alg::ALL.iter().map(|alg| alg.name()), Some(String::from(cure)));
            }
        }
    }
    list
}

fn from_secrets(fields: &Fields<'_>, list: &Node<'_>, named: Option<&[Alg]>, secrets: &mut Secrets<'_>) -> Taken {
    refuse(fields, Alg::is_asymmetric, "needs a public key, not a secret", "give it `jwks` or `pem`");
    let plain = named.unwrap_or(&[Alg::Hs256]);
    let hmac = || plain.iter().copied().filter(|alg| !alg.is_asymmetric());
    let strongest = hmac().max_by_key(|alg| alg.hash_length()).unwrap_or(Alg::Hs256);
    let items = list.some_items("write { env: NAME } or { value: ... }");
    if items.len() > MAX_CANDIDATES {
        list.error(format!("has {} secrets, at most {MAX_CANDIDATES} are tried", items.len()));
    }
    let mut keys = Vec::new();
    for item in items {
        if let Some(secret) = secrets.read(&item, strongest) {
            keys.extend(hmac().filter_map(|alg| hmac_key(None, alg, &secret)));
        }
    }
    Taken { keys, carried: hmac().collect() }
}

/// Reads `pem`: a text, `{ env: NAME }`, or a list of these.
fn from_pem(list: &Node<'_>, named: Option<&[Alg]>, secrets: &Secrets<'_>) -> Taken {
    let mut taken = Taken::default();
    let mut count = 0;
    for item in list.some_items("write the text between -----BEGIN and -----END, both included, or { env: NAME }") {
        let text = match item.value() {
            crate::json::Json::Object(_) => match item.fields(SECRET).and_then(|fields| fields.scalar("env")) {
                Some(at) => secrets.variable(&at),
                None => {
                    item.error_cure("names no key", "write the text itself, or { env: NAME }");
                    None
                }
            },
            _ => item.text().map(String::from),
        };
        let Some(text) = text else {
            continue;
        };
        let keys = match pem::read(&text) {
            Ok(keys) => keys,
            Err(fault) => {
                item.error(fault.to_string());
                continue;
            }
        };
        for public in keys {
            count += 1;
            taken.add(jwks::bind(&item, None, None, public, named));
        }
    }
    if count > MAX_CANDIDATES {
        list.error_cure(
            format!("has {count} keys, at most {MAX_CANDIDATES} are tried"),
            "a `jwks` tells keys apart by kid",
        );
    }
    taken
}

/// Refuses algorithms that do not go with the keys of a set.
fn check_kinds(fields: &Fields<'_>, taken: &Taken) {
    match taken.carried.first() {
        Some(alg) if alg.is_asymmetric() => only_public(fields),
        Some(_) => {
            refuse(fields, Alg::is_asymmetric, "needs a public key, not a secret", "these keys are secrets (oct)")
        }
        None => {}
    }
}

fn only_public(fields: &Fields<'_>) {
    refuse(fields, |alg| !alg.is_asymmetric(), "needs a secret, not a public key", "remove it");
}

/// Refuses algorithms of a kind.
fn refuse(fields: &Fields<'_>, kind: impl Fn(Alg) -> bool, why: &str, cure: &str) {
    for item in fields.get("algorithms").iter().flat_map(Node::items) {
        if let Some(name) = item.value().as_str()
            && Alg::parse(name).is_some_and(&kind)
        {
            item.error_cure(format!("{name} {why}"), cure);
        }
    }
}
