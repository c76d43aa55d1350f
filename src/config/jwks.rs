//! Inline key sets (RFC 7517), `oct` keys so far.

use super::error::quote;
use super::fields::{JWK, JWKS, JWKS_LATER};
use super::node::{Fields, Node};
use super::secret::Secrets;
use crate::jose::alg::Alg;
use crate::jose::compact;
use crate::redact::Secret;

/// The most keys of a set.
const MAX_KEYS: usize = 100;
/// The longest key id, in octets.
const MAX_KID: usize = 256;

/// A usable key of a set.
pub(super) struct Jwk<'j> {
    /// Where it stands.
    pub(super) node: Node<'j>,
    /// Its id.
    pub(super) kid: Option<&'j str>,
    /// Its algorithm, if it names one.
    pub(super) alg: Option<Alg>,
    secret: Node<'j>,
    octets: Secret,
}

impl<'j> Jwk<'j> {
    /// The secret, long enough for an algorithm.
    pub(super) fn secret(self, alg: Alg, secrets: &mut Secrets<'_>) -> Option<Secret> {
        secrets.check(&self.secret, self.octets, alg)
    }
}

/// Reads `{ keys: [...] }`. Keys that cannot be used to verify are left out with a warning.
pub(super) fn read<'j>(node: &Node<'j>) -> Vec<Jwk<'j>> {
    let Some(fields) = node.fields(JWKS) else {
        return Vec::new();
    };
    fields.later(JWKS_LATER);
    let Some(list) = fields.get("keys") else {
        if fields.get("uri").is_none() {
            node.error_cure("has no keys", "list them under `keys`");
        }
        return Vec::new();
    };
    let items = list.list();
    if items.len() > MAX_KEYS {
        list.error(format!("has {} keys, at most {MAX_KEYS} are taken", items.len()));
    }
    let mut mistaken = false;
    let keys: Vec<Jwk<'j>> = items
        .iter()
        .filter_map(|item| {
            let jwk = read_one(item);
            mistaken = mistaken || jwk.is_err();
            jwk.ok().flatten()
        })
        .collect();
    if keys.is_empty() && !mistaken {
        list.error("holds no key that can verify a token");
    }
    keys
}

/// A mistake was noted.
struct Noted;

fn read_one<'j>(node: &Node<'j>) -> Result<Option<Jwk<'j>>, Noted> {
    for (name, member) in node.entries() {
        let known = JWK.contains(&name);
        // A copied document may say more than matters here; what looks like a slip is told.
        if !known && super::suggest::nearest(name, JWK.iter().copied()).is_some() {
            member.warn("unknown member is ignored", None);
        }
    }
    let fields = node.open_fields().ok_or(Noted)?;
    let kty = required(node, &fields, "kty")?;
    match kty.text().ok_or(Noted)? {
        "oct" => {}
        name @ ("RSA" | "EC" | "OKP" | "AKP") => {
            kty.error(format!("{name} keys are not supported yet"));
            if let Some(private) = fields.get("d").or_else(|| fields.get("priv")) {
                private.error("is a private key, which has no place in a policy");
            }
            return Err(Noted);
        }
        name => {
            if name.eq_ignore_ascii_case("oct") {
                kty.unknown("key type", name, ["oct"], None);
                return Err(Noted);
            }
            node.warn(format!("is left out: unknown key type {}", quote(name)), None);
            return Ok(None);
        }
    }
    let octets = octets(&required(node, &fields, "k")?)?;
    let alg = match fields.get("alg") {
        Some(alg) => match Alg::parse(alg.text().ok_or(Noted)?).filter(|alg| !alg.is_asymmetric()) {
            Some(known) => Some(known),
            None => return unfit_alg(node, &alg).map(|()| None),
        },
        None => None,
    };
    if !may_verify(node, &fields)? {
        return Ok(None);
    }
    let kid = match fields.get("kid") {
        Some(kid) => {
            let text = kid.text().ok_or(Noted)?;
            if text.len() > MAX_KID {
                kid.error(format!("is longer than {MAX_KID} octets"));
                return Err(Noted);
            }
            Some(text)
        }
        None => None,
    };
    let secret = required(node, &fields, "k")?;
    secret.warn(
        "the secret stands in the policy, where config dumps show it",
        Some("{ env: NAME } under `secret` keeps it out"),
    );
    Ok(Some(Jwk { node: node.clone(), kid, alg, secret, octets }))
}

fn required<'j>(node: &Node<'j>, fields: &Fields<'j>, name: &str) -> Result<Node<'j>, Noted> {
    fields.get(name).ok_or_else(|| {
        node.error(format!("is no JWK: it has no {name} (RFC 7517)"));
        Noted
    })
}

fn octets(k: &Node<'_>) -> Result<Secret, Noted> {
    match compact::decode(k.text().ok_or(Noted)?.as_bytes()) {
        Some(octets) => Ok(Secret::new(octets)),
        None => {
            k.error("is not base64url without padding (RFC 7518 section 6.4.1)");
            Err(Noted)
        }
    }
}

/// An algorithm that is none of ours: another family's is a mistake, an unknown one is left out.
fn unfit_alg(node: &Node<'_>, alg: &Node<'_>) -> Result<(), Noted> {
    let name = alg.text().ok_or(Noted)?;
    if super::issuers::is_asymmetric(name) {
        alg.error(format!("{} does not go with an oct key", quote(name)));
        return Err(Noted);
    }
    let hmac = || Alg::ALL.iter().filter(|alg| !alg.is_asymmetric()).map(|alg| alg.name());
    if hmac().any(|known| known.eq_ignore_ascii_case(name)) {
        alg.unknown("algorithm", name, hmac(), None);
        return Err(Noted);
    }
    node.warn(format!("is left out: unknown algorithm {}", quote(name)), None);
    Ok(())
}

/// Whether `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3) let the key verify.
fn may_verify(node: &Node<'_>, fields: &Fields<'_>) -> Result<bool, Noted> {
    if let Some(usage) = fields.get("use")
        && usage.text().ok_or(Noted)? != "sig"
    {
        node.warn("is left out: its use is not sig", None);
        return Ok(false);
    }
    if let Some(operations) = fields.get("key_ops") {
        let items = operations.list();
        let names: Option<Vec<&str>> = items.iter().map(|item| item.text()).collect();
        if !names.ok_or(Noted)?.contains(&"verify") {
            node.warn("is left out: its key_ops have no verify", None);
            return Ok(false);
        }
    }
    Ok(true)
}
