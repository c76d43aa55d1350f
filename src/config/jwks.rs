//! Inline key sets (RFC 7517): every key with its place, and every mistake in it.

use super::error::quote;
use super::fields::JWK;
use super::node::{Fields, Node};
use super::secret::Secrets;
use crate::jose::alg::Alg;
use crate::jose::document::MAX_KEYS;
use crate::jose::jwk::{self, Flaw, Jwk, Material, Mistake, Reason};
use crate::jose::keyset::{Key, MAX_CANDIDATES};
use crate::jose::material::Public;

use super::keys::hmac_key;

/// The keys of a set, and the algorithms that they carry.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) keys: Vec<Key>,
    pub(super) carried: Vec<Alg>,
}

impl Taken {
    pub(super) fn add(&mut self, keys: Vec<Key>) {
        self.carried.extend(keys.iter().map(|key| key.verifier.alg()));
        self.keys.extend(keys);
    }
}

/// Reads `keys: [...]`. Keys that are none for us are left out with a warning. `named` are the algorithms
/// that the policy names.
pub(super) fn read(node: &Node<'_>, list: &Node<'_>, named: Option<&[Alg]>, secrets: &mut Secrets<'_>) -> Taken {
    let items = list.list();
    if items.len() > MAX_KEYS {
        list.error(format!("has {} keys, at most {MAX_KEYS} are taken", items.len()));
    }
    let (mut jwks, mut left_out, mut mistaken) = (Vec::new(), Vec::new(), false);
    for item in &items {
        match read_one(item) {
            Ok(jwk) => jwks.push((item, jwk)),
            Err(Unread::LeftOut(why)) => left_out.push((item, why)),
            Err(Unread::Mistaken) => mistaken = true,
        }
    }
    let none = jwks.is_empty() && !mistaken;
    if none {
        list.error("holds no key that can verify a token");
    }
    for (item, why) in left_out {
        // Warnings are not shown beside errors, and here they say why there is none.
        if none { item.error(why) } else { item.warn(why, None) }
    }
    let is_secret = |(_, jwk): &&(&Node<'_>, Jwk<'_>)| matches!(jwk.material, Material::Secret(_));
    let secret_keys = jwks.iter().filter(is_secret).count();
    if secret_keys != 0 && secret_keys != jwks.len() {
        list.error_cure(
            "mixes secrets (oct) and public keys: who can check tokens by a secret can also sign",
            "give each an issuer of its own",
        );
    }
    if jwks.iter().filter(|(_, jwk)| jwk.kid.is_none()).count() > MAX_CANDIDATES {
        node.error(format!("has more than {MAX_CANDIDATES} keys without kid"));
    }
    let mut taken = Taken::default();
    for (item, jwk) in jwks {
        take(&mut taken, item, jwk, named, secrets);
    }
    taken
}

/// Binds one key to its algorithms.
fn take(taken: &mut Taken, node: &Node<'_>, jwk: Jwk<'_>, named: Option<&[Alg]>, secrets: &mut Secrets<'_>) {
    let Jwk { kid, alg, material } = jwk;
    let of = |message: String| of_key(message, kid);
    if let (Some(alg), Some(named)) = (alg, named)
        && !named.contains(&alg)
    {
        node.error_cure(of(format!("is a key for {}, which `algorithms` does not name", alg.name())), "add it there");
    }
    let keys: Vec<Key> = match material {
        Material::Secret(secret) => {
            let plain = named.filter(|named| !named.is_empty()).unwrap_or(&[Alg::Hs256]);
            let one = alg.map(|alg| [alg]);
            let algs: &[Alg] = one.as_ref().map_or(plain, |one| one.as_slice());
            let strongest = algs.iter().copied().max_by_key(|alg| alg.hash_length()).unwrap_or(Alg::Hs256);
            let Some(place) = node.open_fields().and_then(|fields: Fields<'_>| fields.get("k")) else {
                return;
            };
            match secrets.check(&place, secret, strongest) {
                Some(secret) => algs.iter().filter_map(|alg| hmac_key(kid, *alg, &secret)).collect(),
                None => return,
            }
        }
        Material::Public(public) => bind(node, kid, alg, *public, named),
    };
    let twice = |key: &Key| {
        let same = |other: &&Key| other.kid.as_deref() == kid && other.verifier.alg() == key.verifier.alg();
        kid.is_some() && taken.keys.iter().find(same).is_some()
    };
    if keys.iter().any(twice) {
        node.error(format!("has the kid {} of a key before it", quote(kid.unwrap_or_default())));
    }
    taken.add(keys);
}

/// A public key for its algorithms, of which there must be some.
pub(super) fn bind(
    node: &Node<'_>,
    kid: Option<&str>,
    alg: Option<Alg>,
    key: Public,
    named: Option<&[Alg]>,
) -> Vec<Key> {
    let algs = key.algorithms(alg, named);
    if algs.is_empty() && alg.is_none() {
        node.error_cure(
            of_key(format!("is {}, and `algorithms` names none that goes with it", key.kind()), kid),
            "add one there, or remove the key",
        );
    }
    key.bind(kid, &algs)
}

/// Why a key of a set was not read.
enum Unread {
    /// It is none for us, and why.
    LeftOut(String),
    /// It is wrong, which was noted.
    Mistaken,
}

fn read_one<'j>(node: &Node<'j>) -> Result<Jwk<'j>, Unread> {
    for (name, member) in node.entries() {
        let known = JWK.contains(&name);
        // A copied document may say more than matters here; what looks like a slip is told.
        if !known && super::suggest::nearest(name, JWK.iter().copied().filter(|known| known.len() > 1)).is_some() {
            member.warn("unknown member is ignored", None);
        }
    }
    match jwk::read(node.value()) {
        Ok(jwk) => {
            if let Material::Secret(_) = jwk.material
                && let Some(place) = node.open_fields().and_then(|fields: Fields<'_>| fields.get("k"))
            {
                place.warn(
                    "the secret stands in the policy, where config dumps show it",
                    Some("{ env: NAME } under `secret` keeps it out"),
                );
            }
            Ok(jwk)
        }
        Err(Flaw::LeftOut(reason)) => {
            let why = match reason {
                Reason::Type(name) => format!("unknown key type {}", quote(&name)),
                Reason::Curve(name) => format!("unknown curve {}", quote(&name)),
                Reason::Algorithm(name) => format!("unknown algorithm {}", quote(&name)),
                Reason::Use => String::from("its use is not sig"),
                Reason::Operations => String::from("its key_ops have no verify"),
            };
            Err(Unread::LeftOut(of_key(format!("is left out: {why}"), kid_of(node))))
        }
        Err(Flaw::Mistake(mistake)) => {
            tell(node, &mistake);
            Err(Unread::Mistaken)
        }
    }
}

/// Tells a mistake at the member that it is in.
fn tell(node: &Node<'_>, mistake: &Mistake) {
    let fields = node.open_fields();
    let place = mistake.member().and_then(|member| fields.as_ref().and_then(|fields| fields.get(member)));
    match (mistake, place) {
        // Says what was expected and what was found.
        (Mistake::Type("key_ops"), Some(place)) => drop(place.list().iter().map(Node::text).collect::<Vec<_>>()),
        (Mistake::Type(_), Some(place)) => drop(place.text()),
        (Mistake::Case(member), Some(place)) => {
            let (what, known): (&str, &[&str]) = match *member {
                "kty" => ("key type", &["oct", "RSA", "EC", "OKP"]),
                "crv" => ("curve", &["P-256", "P-384", "P-521", "Ed25519"]),
                _ => ("algorithm", &[]),
            };
            let word = place.value().as_str().unwrap_or_default();
            let names = known.iter().copied().chain(Alg::ALL.iter().map(|alg| alg.name()).filter(|_| known.is_empty()));
            place.unknown(what, word, names, None);
        }
        (Mistake::KidLong, Some(place)) => place.error(mistake.to_string()),
        (Mistake::Algorithm, Some(place)) => {
            let word = place.value().as_str().unwrap_or_default();
            place.error(of_key(format!("{} does not go with this key", quote(word)), kid_of(node)));
        }
        (mistake, Some(place)) => place.error(of_key(mistake.to_string(), kid_of(node))),
        // Told already, when its members were looked through.
        (Mistake::Object, None) => {}
        (mistake, None) => node.error(of_key(mistake.to_string(), kid_of(node))),
    }
}

fn kid_of<'j>(node: &Node<'j>) -> Option<&'j str> {
    node.value().get("kid").and_then(|kid| kid.as_str())
}

/// A message with the name of the key that it is about.
fn of_key(message: String, kid: Option<&str>) -> String {
    match kid {
        Some(kid) => format!("{message} (kid {})", quote(kid)),
        None => message,
    }
}
