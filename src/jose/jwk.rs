//! One JSON Web Key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).

use std::fmt;

use super::alg::Alg;
use super::compact::decode;
use super::ecdsa::{Curve, EcKey};
use super::ed25519::EdKey;
use super::fault::KeyFault;
use super::material::Public;
use super::rsa::RsaPublic;
use crate::json::Json;
use crate::redact::Secret;

/// The longest key id, in octets.
pub const MAX_KID: usize = 256;
/// The longest member with key material, in characters: twice what the longest RSA modulus takes.
const LONGEST: usize = 4096;

/// A key that can verify.
pub struct Jwk<'j> {
    /// Its id.
    pub kid: Option<&'j str>,
    /// Its algorithm, if it names one.
    pub alg: Option<Alg>,
    /// What it is.
    pub material: Material,
}

/// Secret or public.
pub enum Material {
    /// An HMAC secret.
    Secret(Secret),
    /// A public key.
    Public(Box<Public>),
}

/// Why a key is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is none for us: keys of other kinds and for other uses may stand in a set. The reason, which goes
    /// after `it is left out:`.
    LeftOut(Reason),
    /// Something is wrong with it.
    Mistake(Mistake),
}

/// Why a key is none for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A type that is not known.
    Type(String),
    /// A curve that is not known.
    Curve(String),
    /// An algorithm that is not known.
    Algorithm(String),
    /// It is not for signatures.
    Use,
    /// It is not for checking signatures.
    Operations,
}

/// What is wrong with a key, and with which member of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// It is no object.
    Object,
    /// The member is not there.
    Missing(&'static str),
    /// The member is not text, or, for `key_ops`, no list of texts.
    Type(&'static str),
    /// The member is no base64url without padding.
    Encoding(&'static str),
    /// The id is too long.
    KidLong,
    /// The algorithm does not go with the key.
    Algorithm,
    /// The name differs from one that is known in case only.
    Case(&'static str),
    /// The member is private.
    Private(&'static str),
    /// The numbers make no key that can be trusted.
    Key(KeyFault),
}

impl Mistake {
    /// The member that the mistake is in, if it is in one that is there.
    pub fn member(&self) -> Option<&'static str> {
        match self {
            Mistake::Type(member) | Mistake::Encoding(member) | Mistake::Case(member) | Mistake::Private(member) => {
                Some(member)
            }
            Mistake::KidLong => Some("kid"),
            Mistake::Algorithm => Some("alg"),
            Mistake::Object | Mistake::Missing(_) | Mistake::Key(_) => None,
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::Object => f.write_str("is no JWK: it is no object (RFC 7517)"),
            Mistake::Missing(member) => write!(f, "is no JWK: it has no {member} (RFC 7517)"),
            Mistake::Type("key_ops") => f.write_str("is no list of texts"),
            Mistake::Type(_) => f.write_str("is no text"),
            Mistake::Encoding(_) => f.write_str("is not base64url without padding (RFC 7518 section 2)"),
            Mistake::KidLong => write!(f, "is longer than {MAX_KID} octets"),
            Mistake::Algorithm => f.write_str("does not go with this key"),
            Mistake::Case(_) => f.write_str("is written in another case"),
            Mistake::Private(_) => f.write_str("is a private key, which has no place in a policy"),
            Mistake::Key(fault) => write!(f, "cannot be trusted: {fault}"),
        }
    }
}

/// Members of private keys (RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// Key types that are known.
const TYPES: [&str; 4] = ["oct", "RSA", "EC", "OKP"];

/// Reads a key.
///
/// # Errors
/// Why it is not taken.
pub fn read<'j>(jwk: &'j Json<'_>) -> Result<Jwk<'j>, Flaw> {
    let Json::Object(_) = jwk else {
        return Err(Flaw::Mistake(Mistake::Object));
    };
    let kty = required(jwk, "kty")?;
    if !TYPES.contains(&kty) {
        return Err(match TYPES.iter().find(|known| known.eq_ignore_ascii_case(kty)) {
            Some(_) => Flaw::Mistake(Mistake::Case("kty")),
            None => Flaw::LeftOut(Reason::Type(String::from(kty))),
        });
    }
    if kty != "oct"
        && let Some(private) = PRIVATE.into_iter().find(|name| jwk.get(name).is_some())
    {
        return Err(Flaw::Mistake(Mistake::Private(private)));
    }
    let kid = optional(jwk, "kid")?;
    if kid.is_some_and(|kid| kid.len() > MAX_KID) {
        return Err(Flaw::Mistake(Mistake::KidLong));
    }
    let alg = algorithm(jwk)?;
    check_use(jwk)?;
    let material = match kty {
        "oct" => Material::Secret(Secret::new(octets(jwk, "k")?)),
        "RSA" => Material::Public(Box::new(Public::Rsa(fit(RsaPublic::new(&octets(jwk, "n")?, &octets(jwk, "e")?))?))),
        "EC" => {
            let name = required(jwk, "crv")?;
            let curve = Curve::parse(name).ok_or_else(|| unknown_curve(name))?;
            Material::Public(Box::new(Public::Ec(fit(EcKey::new(curve, &octets(jwk, "x")?, &octets(jwk, "y")?))?)))
        }
        _ => match required(jwk, "crv")? {
            "Ed25519" => Material::Public(Box::new(Public::Ed(fit(EdKey::new(&octets(jwk, "x")?))?))),
            name => return Err(unknown_curve(name)),
        },
    };
    let fits = alg.is_none_or(|alg| match &material {
        Material::Secret(_) => !alg.is_asymmetric(),
        Material::Public(public) => public.fits(alg),
    });
    if !fits {
        return Err(Flaw::Mistake(Mistake::Algorithm));
    }
    Ok(Jwk { kid, alg, material })
}

fn unknown_curve(name: &str) -> Flaw {
    let known = Curve::ALL.iter().map(|curve| curve.name()).chain(["Ed25519"]);
    match known.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(_) => Flaw::Mistake(Mistake::Case("crv")),
        None => Flaw::LeftOut(Reason::Curve(String::from(name))),
    }
}

/// The algorithm that the key names. One that we do not know makes it a key for somebody else.
fn algorithm(jwk: &Json<'_>) -> Result<Option<Alg>, Flaw> {
    let Some(name) = optional(jwk, "alg")? else {
        return Ok(None);
    };
    match Alg::parse(name) {
        Some(alg) => Ok(Some(alg)),
        None if Alg::ALL.iter().any(|known| known.name().eq_ignore_ascii_case(name)) => {
            Err(Flaw::Mistake(Mistake::Case("alg")))
        }
        None => Err(Flaw::LeftOut(Reason::Algorithm(String::from(name)))),
    }
}

/// Whether `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3) let the key verify.
fn check_use(jwk: &Json<'_>) -> Result<(), Flaw> {
    if optional(jwk, "use")?.is_some_and(|usage| usage != "sig") {
        return Err(Flaw::LeftOut(Reason::Use));
    }
    match jwk.get("key_ops") {
        None | Some(Json::Null) => Ok(()),
        Some(Json::Array(items)) => {
            let names: Option<Vec<&str>> = items.iter().map(Json::as_str).collect();
            let names = names.ok_or(Flaw::Mistake(Mistake::Type("key_ops")))?;
            if names.contains(&"verify") { Ok(()) } else { Err(Flaw::LeftOut(Reason::Operations)) }
        }
        Some(_) => Err(Flaw::Mistake(Mistake::Type("key_ops"))),
    }
}

fn fit<T>(key: Result<T, KeyFault>) -> Result<T, Flaw> {
    key.map_err(|fault| Flaw::Mistake(Mistake::Key(fault)))
}

fn optional<'j>(jwk: &'j Json<'_>, name: &'static str) -> Result<Option<&'j str>, Flaw> {
    match jwk.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => match value.as_str() {
            Some(text) => Ok(Some(text)),
            None => Err(Flaw::Mistake(Mistake::Type(name))),
        },
    }
}

fn required<'j>(jwk: &'j Json<'_>, name: &'static str) -> Result<&'j str, Flaw> {
    optional(jwk, name)?.ok_or(Flaw::Mistake(Mistake::Missing(name)))
}

fn octets(jwk: &Json<'_>, name: &'static str) -> Result<Vec<u8>, Flaw> {
    let text = required(jwk, name)?;
    decode(text.as_bytes()).filter(|_| text.len() <= LONGEST).ok_or(Flaw::Mistake(Mistake::Encoding(name)))
}
