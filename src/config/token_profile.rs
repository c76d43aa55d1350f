//! How tokens of ours are made: who signs, for whom, for how long, and what they say.

use std::rc::Rc;

use super::error::quote;
use super::fields::{CONSTANT, SIGN};
use super::node::{Fields, Node};
use super::secret::Secrets;
use super::upstream::source;
use super::value::{duration, one_of, texts, whole_numbers};
use crate::issue::claims::{ClaimSource, TokenProfile};
use crate::issue::private::{self, PrivateFault};
use crate::issue::signer::{Signer, SigningKey};
use crate::jose::alg::Alg;
use crate::jose::jwk::MAX_KID;
use crate::json::Json;
use crate::route::Route;

/// The shortest and the longest time that a token counts, and the usual one, in milliseconds.
const SHORTEST: i64 = 10_000;
const LONGEST: i64 = 24 * 3_600_000;
const USUAL: i64 = 300_000;
/// Claims that the profile itself makes.
const OWN: [&str; 10] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "act"];

/// Reads a profile; what it does not say itself is taken from `other`, if there is one. One that is written and has errors
/// of its own is `Some(None)`.
pub(super) fn read(
    node: &Node<'_>,
    fields: &Fields<'_>,
    secrets: &Secrets<'_>,
    routes: &[Route],
    other: Option<Option<&TokenProfile>>,
) -> Option<TokenProfile> {
    let missing = |name: &str, what: &str| node.error_cure(format!("has no `{name}`"), String::from(what));
    let issuer = match (fields.scalar("issuer"), other) {
        (Some(node), _) => node.text().map(String::from),
        (None, Some(other)) => other.map(|other| other.issuer.clone()),
        (None, None) => {
            missing("issuer", "it is the `iss` of its tokens, such as https://gateway.example.com");
            None
        }
    };
    let signer = match (fields.get("sign"), other) {
        (Some(node), _) => signer(&node, secrets).map(Rc::new),
        (None, Some(other)) => other.map(|other| Rc::clone(&other.signer)),
        (None, None) => {
            missing("sign", "write sign: { private_key: { env: NAME } }, or { secret: { env: NAME } }");
            None
        }
    };
    let audience = match fields.get("audience") {
        Some(node) => texts(&node.some_items("name whom the tokens are for")),
        None => {
            missing("audience", "name the services that take the tokens: a token for nobody is one for everybody");
            Vec::new()
        }
    };
    let ttl = fields.scalar("ttl").map_or(Some(USUAL), |node| {
        let ttl = duration(&node)?;
        if !(SHORTEST..=LONGEST).contains(&ttl) {
            node.error("is not between 10s and 24h");
        }
        Some(ttl)
    });
    let claims = fields.get("claims").map(|node| claims(&node, routes)).unwrap_or_default();
    Some(TokenProfile { signer: signer?, issuer: issuer?, audience, ttl: ttl?, claims })
}

fn claims(node: &Node<'_>, routes: &[Route]) -> Vec<(String, ClaimSource)> {
    let mut found = Vec::new();
    for (name, node) in node.entries() {
        if OWN.contains(&name) {
            node.error(format!("the claim {name} is made by the token itself"));
            continue;
        }
        let value = match node.value() {
            Json::Str(text) => {
                source(routes, &node, text, "for fixed text write { value: ... }").map(ClaimSource::Field)
            }
            _ => constant(&node).map(ClaimSource::Constant),
        };
        found.extend(value.map(|value| (String::from(name), value)));
    }
    found
}

fn constant(node: &Node<'_>) -> Option<Json<'static>> {
    if node.value() == &Json::Null {
        node.error_cure("says nothing", "write a source such as claims.tier, or { value: ... }");
        return None;
    }
    match node.fields(CONSTANT)?.get("value") {
        Some(value) => Some(whole_numbers(value.value().clone()).into_owned()),
        None => {
            node.error_cure("has no value", "write a source such as claims.tier, or { value: ... }");
            None
        }
    }
}

/// Reads `sign`: one key, or the one that signs and those that did.
fn signer(node: &Node<'_>, secrets: &Secrets<'_>) -> Option<Signer> {
    if matches!(node.value(), Json::Array(items) if !items.is_empty()) {
        node.error_cure("is a list", "write sign: { keys: [ ... ] }");
        return None;
    }
    let fields = node.fields(SIGN)?;
    let Some(list) = fields.get("keys") else {
        return Signer::new(vec![key(node, &fields, secrets)?]);
    };
    if ["algorithm", "secret", "private_key", "kid"].iter().any(|name| fields.get(name).is_some()) {
        node.error_cure("has a key beside `keys`", "move it into the list; the first of it signs");
    }
    let items = list.some_items("name a key");
    let read = |item: &Node<'_>| key(item, &item.fields(SIGN)?, secrets);
    let keys: Vec<SigningKey> = items.iter().filter_map(read).collect();
    for (key, item) in keys.iter().zip(&items).skip(1) {
        if !key.alg().is_asymmetric() {
            item.warn("has no effect: secrets are not served, give both to whoever checks the tokens", None);
        }
    }
    for (index, key) in keys.iter().enumerate() {
        let same = |other: &SigningKey| key.kid().is_some() && other.kid() == key.kid();
        if keys.iter().take(index).any(same)
            && let Some(item) = items.get(index)
        {
            item.error("has the key id of another");
        }
    }
    Signer::new(keys)
}

fn key(node: &Node<'_>, fields: &Fields<'_>, secrets: &Secrets<'_>) -> Option<SigningKey> {
    let choices = [
        ("HS256", Alg::Hs256),
        ("HS384", Alg::Hs384),
        ("HS512", Alg::Hs512),
        ("ES256", Alg::Es256),
        ("EdDSA", Alg::EdDsa),
        ("RS256", Alg::Rs256),
    ];
    let named = match fields.scalar("algorithm") {
        Some(node) => Some((one_of(&node, "algorithm", &choices)?, node)),
        None => None,
    };
    let key = match (fields.get("secret"), fields.get("private_key")) {
        (Some(secret), None) => {
            let alg = named.as_ref().map_or(Alg::Hs256, |(alg, _)| *alg);
            if let (true, Some((_, node))) = (alg.is_asymmetric(), &named) {
                node.error("a secret goes with HS256, HS384 and HS512");
                return None;
            }
            SigningKey::hmac(alg, &secrets.read_signing(&secret, alg)?)
        }
        (None, Some(key)) => {
            let text = secrets.read_any(&key)?;
            let text = str::from_utf8(text.expose()).unwrap_or_default();
            if let Some((_, node)) = named.as_ref().filter(|(alg, _)| !alg.is_asymmetric()) {
                node.error_cure("is for secrets", "leave it out: a private key has its own");
                return None;
            }
            let read = private::read(text);
            if let Err(fault) = &read {
                let cure = match fault {
                    PrivateFault::Rsa(_) => {
                        "make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`"
                    }
                    _ => "make one with `openssl genpkey -algorithm ed25519`",
                };
                key.error_cure(fault.to_string(), cure);
            }
            Some(read.ok()?)
        }
        (Some(_), Some(_)) => {
            node.error_cure("has both secret and private_key", "keep one");
            return None;
        }
        (None, None) => {
            node.error_cure("has no key", "write { private_key: { env: NAME } } or { secret: { env: NAME } }");
            return None;
        }
    };
    match (&key, &named) {
        (Some(key), Some((alg, node))) if key.alg() != *alg => {
            node.error(format!("the key is for {}", quote(key.alg().name())));
        }
        _ => {}
    }
    let key = key?;
    match fields.scalar("kid").and_then(|node| Some((node.text()?, node))) {
        Some((kid, node)) if kid.len() > MAX_KID => {
            node.error(format!("is longer than {MAX_KID} octets"));
            None
        }
        Some((kid, _)) => Some(key.with_kid(kid)),
        None => Some(key),
    }
}
