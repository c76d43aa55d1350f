//! The section `issuers`: whose tokens are taken.

use super::claims::{claim_map, claim_path};
use super::error::quote;
use super::fields::{ISSUER, ISSUER_LATER};
use super::jwks::{self, Jwk};
use super::node::{Fields, Node};
use super::secret::Secrets;
use super::value::{check_name, duration, is_token, texts};
use crate::claims::ClaimPath;
use crate::jose::alg::Alg;
use crate::jose::hmac::HmacKey;
use crate::jose::issuer::{Audience, Issuer, Issuers};
use crate::jose::keyset::{Key, KeySet, MAX_CANDIDATES};
use crate::jose::short_type;
use crate::redact::Secret;

/// The clock difference tolerated where the policy says nothing, in milliseconds.
const LEEWAY: i64 = 30_000;
/// The most that may be tolerated, in milliseconds.
const MAX_LEEWAY: i64 = 300_000;
/// Algorithms of the language that this version does not take yet (RFC 7518, RFC 8037, RFC 8812, RFC 9864).
const ASYMMETRIC: [&str; 14] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519",
    "Ed448", "ESP256",
];
/// Types that no bearer token has.
const NEVER: [&str; 3] = ["dpop+jwt", "logout+jwt", "secevent+jwt"];

/// Whether an algorithm signs with a private key.
pub(super) fn is_asymmetric(name: &str) -> bool {
    ASYMMETRIC.contains(&name)
}

/// Reads all issuers.
pub(super) fn read(node: &Node<'_>, secrets: &mut Secrets<'_>) -> Issuers {
    let mut issuers = Vec::new();
    let mut named: Vec<(Option<&str>, String)> = Vec::new();
    for (name, node) in node.entries() {
        check_name(name, &node);
        let Some(fields) = node.fields(ISSUER) else {
            continue;
        };
        fields.later(ISSUER_LATER);
        let iss = fields.scalar("issuer");
        let text = match &iss {
            Some(node) => node.text(),
            None => None,
        };
        if text.is_some() || iss.is_none() {
            match (named.iter().find(|(other, _)| *other == text), &iss) {
                (Some((_, path)), Some(iss)) => iss.error(format!("is the same as {path}.issuer")),
                (Some((_, path)), None) => node.error_cure(
                    format!("is a second issuer without `issuer`: {path} takes every token that names no other"),
                    "give it an `issuer`",
                ),
                (None, _) => named.push((text, node.path())),
            }
        }
        issuers.extend(read_one(name, text.map(String::from), &node, &fields, secrets));
    }
    Issuers::new(issuers)
}

fn read_one(
    name: &str,
    issuer: Option<String>,
    node: &Node<'_>,
    fields: &Fields<'_>,
    secrets: &mut Secrets<'_>,
) -> Option<Issuer> {
    let audience = audience(node, fields);
    let named = fields.get("algorithms").map(|node| algorithms(&node));
    let (algorithms, keys) = keys(node, fields, named, secrets);
    let types = fields.get("type").map(|node| types(&node)).unwrap_or_default();
    let leeway = fields.scalar("leeway").map(|node| leeway(&node));
    let max_age = fields.scalar("max_age").and_then(|node| {
        let age = duration(&node)?;
        if age == 0 {
            node.error("no token is that young");
        }
        Some(age)
    });
    let optional_exp = fields.flag("optional_exp");
    if optional_exp && max_age.is_none() {
        node.warn("a token without exp is taken for ever", Some("max_age ends it"));
    }
    let require = fields.get("require").map(|node| claim_map(&node, None)).unwrap_or_default();
    let roles = fields.scalar("roles").and_then(|node| claim_path(&node)).or_else(|| ClaimPath::parse("roles").ok());
    let scopes = fields.scalar("scopes").and_then(|node| claim_path(&node));
    Some(Issuer {
        name: String::from(name),
        issuer,
        audience,
        algorithms,
        keys,
        types,
        leeway: leeway.unwrap_or(LEEWAY),
        max_age,
        optional_exp,
        require,
        roles: roles?,
        scopes,
    })
}

fn audience(node: &Node<'_>, fields: &Fields<'_>) -> Audience {
    let any = fields.flag("any_audience");
    match fields.get("audience") {
        Some(_) if any => {
            node.error_cure("has both audience and any_audience", "keep one");
            Audience::Unnamed
        }
        Some(audience) => {
            Audience::OneOf(texts(&audience.some_items("leave it out, or name who the tokens are meant for")))
        }
        None if any => Audience::Any,
        None => Audience::Unnamed,
    }
}

fn algorithms(node: &Node<'_>) -> Vec<Alg> {
    let mut list: Vec<Alg> = Vec::new();
    for item in node.some_items("name one, or leave it out for HS256") {
        let Some(name) = item.text() else {
            continue;
        };
        match Alg::parse(name).filter(|alg| !alg.is_asymmetric()) {
            Some(alg) if list.contains(&alg) => item.warn(format!("{name} is named twice"), None),
            Some(alg) => list.push(alg),
            None if is_asymmetric(name) => item.error(format!("algorithm {name} is not supported yet")),
            None if name.eq_ignore_ascii_case("none") => item.error("a token without signature is never taken"),
            None => {
                let known = Alg::ALL.iter().filter(|alg| !alg.is_asymmetric()).map(|alg| alg.name());
                item.unknown("algorithm", name, known, Some(String::from("HS256, HS384 and HS512 are known")));
            }
        }
    }
    list
}

/// The keys of an issuer, and the algorithms they carry.
fn keys(
    node: &Node<'_>,
    fields: &Fields<'_>,
    named: Option<Vec<Alg>>,
    secrets: &mut Secrets<'_>,
) -> (Vec<Alg>, KeySet) {
    let plain = named.clone().filter(|list| !list.is_empty()).unwrap_or_else(|| vec![Alg::Hs256]);
    let strongest = plain.iter().copied().max_by_key(|alg| alg.hash_length()).unwrap_or(Alg::Hs256);
    let mut keys = Vec::new();
    match (fields.get("secret"), fields.get("jwks")) {
        (Some(_), Some(_)) => node.error_cure("has both secret and jwks", "keep one"),
        (None, None) if fields.get("pem").is_none() && fields.get("discovery").is_none() => {
            node.error_cure("has no key", "give it `secret` or `jwks`");
        }
        (None, None) => {}
        (Some(list), None) => {
            let items = list.some_items("write { env: NAME } or { value: ... }");
            if items.len() > MAX_CANDIDATES {
                list.error(format!("has {} secrets, at most {MAX_CANDIDATES} are tried", items.len()));
            }
            for item in items {
                if let Some(secret) = secrets.read(&item, strongest) {
                    keys.extend(plain.iter().filter_map(|alg| key(None, *alg, &secret)));
                }
            }
        }
        (None, Some(set)) => return from_set(&set, named.as_deref(), &plain, strongest, secrets),
    }
    (plain, KeySet::new(keys))
}

fn from_set(
    node: &Node<'_>,
    named: Option<&[Alg]>,
    plain: &[Alg],
    strongest: Alg,
    secrets: &mut Secrets<'_>,
) -> (Vec<Alg>, KeySet) {
    let mut keys: Vec<Key> = Vec::new();
    let mut carried: Vec<Alg> = Vec::new();
    let mut anonymous = 0;
    for jwk in jwks::read(node) {
        let Jwk { kid, alg, .. } = jwk;
        let place = jwk.node.clone();
        if let (Some(alg), Some(named)) = (alg, named)
            && !named.contains(&alg)
        {
            place.error_cure(format!("is a key for {}, which `algorithms` does not name", alg.name()), "add it there");
        }
        anonymous += usize::from(kid.is_none());
        if anonymous == MAX_CANDIDATES + 1 {
            node.error(format!("has more than {MAX_CANDIDATES} keys without kid"));
        }
        let one = alg.map(|alg| vec![alg]);
        let algs = one.as_deref().unwrap_or(plain);
        let same = |key: &&Key| kid.is_some() && key.kid.as_deref() == kid && algs.contains(&key.verifier.alg());
        if keys.iter().find(same).is_some() {
            place.error(format!("has the kid {} of a key before it", quote(kid.unwrap_or_default())));
        }
        let Some(secret) = jwk.secret(alg.unwrap_or(strongest), secrets) else {
            continue;
        };
        keys.extend(algs.iter().filter_map(|alg| key(kid, *alg, &secret)));
        carried.extend(algs);
    }
    let algorithms =
        Alg::ALL.iter().copied().filter(|alg| named.map_or(carried.contains(alg), |named| named.contains(alg)));
    (algorithms.collect(), KeySet::new(keys))
}

fn key(kid: Option<&str>, alg: Alg, secret: &Secret) -> Option<Key> {
    let verifier = Box::new(HmacKey::new(alg, secret)?);
    Some(Key { kid: kid.map(String::from), verifier })
}

fn types(node: &Node<'_>) -> Vec<String> {
    let read = |item: &Node<'_>| {
        let text = item.text()?;
        let short = short_type(text).to_ascii_lowercase();
        if NEVER.contains(&short.as_str()) {
            item.error(format!("{} is never taken as a bearer token", quote(text)));
        } else if !short.split('/').all(is_token) {
            item.error(format!("{} is no media type", quote(text)));
        }
        Some(short)
    };
    node.some_items("leave it out for any type").iter().filter_map(read).collect()
}

fn leeway(node: &Node<'_>) -> i64 {
    let leeway = duration(node).unwrap_or(LEEWAY);
    if leeway > MAX_LEEWAY {
        node.error("is more than 300s: that is no clock difference any more");
    }
    leeway
}
