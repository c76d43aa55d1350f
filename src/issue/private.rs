//! Private keys as text: PEM (RFC 5958 PKCS#8, RFC 5915, RFC 8017 PKCS#1) or JWK (RFC 7517 section 4). No message quotes
//! any of it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::signer::SigningKey;
use crate::jose::compact::decode;
use crate::jose::der::{EC_PUBLIC_KEY, INTEGER, OBJECT, OCTET_STRING, RSA_ENCRYPTION, SEQUENCE};
use crate::jose::ecdsa::Curve;
use crate::jose::fault::KeyFault;
use crate::jose::pem::{Block, Der, ED25519};
use crate::jose::rsa_private::{NUMBERS, RsaFault, RsaPrivate};
use crate::json::{self, Json, Limits};

const LIMITS: Limits = Limits { depth: 4, members: 32 };

/// Why a text is no key that signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateFault {
    /// It is neither PEM nor a JWK.
    Form,
    /// It does not hold what it says.
    Content,
    /// It is a public key.
    Public,
    /// It is locked by a password.
    Encrypted,
    /// It is an RSA key that cannot be trusted.
    Rsa(KeyFault),
    /// It is an RSA key without all of its numbers.
    Numbers,
    /// It is of another kind.
    Kind,
}

impl fmt::Display for PrivateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrivateFault::Form => "is neither a PEM text with a private key nor a private JWK",
            PrivateFault::Content => "does not hold what it says",
            PrivateFault::Public => "is a public key, which cannot sign",
            PrivateFault::Encrypted => "is locked by a password",
            PrivateFault::Rsa(fault) => return write!(f, "is an RSA key that cannot be trusted: {fault}"),
            PrivateFault::Numbers => "is an RSA key without all of n, e, d, p, q, dp, dq and qi",
            PrivateFault::Kind => "is neither a P-256, an Ed25519 nor an RSA key",
        })
    }
}

/// Reads a private key.
///
/// # Errors
/// Why it is none.
pub fn read(text: &str) -> Result<SigningKey, PrivateFault> {
    if text.trim_start().starts_with('{') { jwk(text) } else { pem(text) }
}

fn pem(text: &str) -> Result<SigningKey, PrivateFault> {
    let mut rest = text;
    loop {
        let (block, after) = Block::first(rest).map_err(|_| PrivateFault::Form)?.ok_or(PrivateFault::Form)?;
        rest = after;
        let der = || Ok(Zeroizing::new(STANDARD.decode(block.packed()).map_err(|_| PrivateFault::Content)?));
        return match block.label {
            // openssl puts it before the key.
            "EC PARAMETERS" => continue,
            "PRIVATE KEY" => pkcs8(&der()?),
            "EC PRIVATE KEY" => ec(&der()?),
            "ENCRYPTED PRIVATE KEY" => Err(PrivateFault::Encrypted),
            "RSA PRIVATE KEY" => rsa(RsaPrivate::from_der(&der()?)),
            "PUBLIC KEY" | "CERTIFICATE" | "RSA PUBLIC KEY" => Err(PrivateFault::Public),
            _ => Err(PrivateFault::Form),
        };
    }
}

/// A PrivateKeyInfo (RFC 5958 section 2).
fn pkcs8(der: &[u8]) -> Result<SigningKey, PrivateFault> {
    let wrong = |_| PrivateFault::Content;
    let mut info = Der(Der::whole(der).and_then(|mut outer| outer.take(SEQUENCE)).map_err(wrong)?);
    info.take(INTEGER).map_err(wrong)?;
    let mut algorithm = Der(info.take(SEQUENCE).map_err(wrong)?);
    let identifier = algorithm.take(OBJECT).map_err(wrong)?;
    let key = info.take(OCTET_STRING).map_err(wrong)?;
    match identifier {
        EC_PUBLIC_KEY if algorithm.take(OBJECT).map_err(wrong)? == Curve::P256.identifier() => ec(key),
        EC_PUBLIC_KEY => Err(PrivateFault::Kind),
        ED25519 => {
            let seed = Der::whole(key).and_then(|mut outer| outer.take(OCTET_STRING)).map_err(wrong)?;
            SigningKey::ed25519(seed).ok_or(PrivateFault::Content)
        }
        RSA_ENCRYPTION => rsa(RsaPrivate::from_der(key)),
        _ => Err(PrivateFault::Kind),
    }
}

/// An ECPrivateKey (RFC 5915 section 3). The curve may be named in it; one of another length is another one.
fn ec(der: &[u8]) -> Result<SigningKey, PrivateFault> {
    let wrong = |_| PrivateFault::Content;
    let mut key = Der(Der::whole(der).and_then(|mut outer| outer.take(SEQUENCE)).map_err(wrong)?);
    key.take(INTEGER).map_err(wrong)?;
    let secret = key.take(OCTET_STRING).map_err(wrong)?;
    // The curve, under the tag [0].
    if let Ok(parameters) = key.take(0xa0)
        && Der(parameters).take(OBJECT).map_err(wrong)? != Curve::P256.identifier()
    {
        return Err(PrivateFault::Kind);
    }
    if secret.len() != Curve::P256.coordinate_length() {
        return Err(PrivateFault::Kind);
    }
    SigningKey::p256(secret).ok_or(PrivateFault::Content)
}

fn rsa(key: Result<RsaPrivate, RsaFault>) -> Result<SigningKey, PrivateFault> {
    key.map(SigningKey::rsa).map_err(|fault| match fault {
        RsaFault::Form => PrivateFault::Content,
        RsaFault::Key(fault) => PrivateFault::Rsa(fault),
    })
}

/// The numbers of an RSA key (RFC 7518 section 6.3).
fn rsa_numbers(jwk: &Json<'_>) -> Result<SigningKey, PrivateFault> {
    let mut numbers: [Zeroizing<Vec<u8>>; NUMBERS] = Default::default();
    for (number, name) in numbers.iter_mut().zip(["n", "e", "d", "p", "q", "dp", "dq", "qi"]) {
        let text = jwk.get(name).and_then(Json::as_str).ok_or(PrivateFault::Numbers)?;
        *number = Zeroizing::new(decode(text.as_bytes()).ok_or(PrivateFault::Content)?);
    }
    // More than two primes.
    if jwk.get("oth").is_some() {
        return Err(PrivateFault::Content);
    }
    rsa(RsaPrivate::from_numbers(&numbers.each_ref().map(|number| number.as_slice())))
}

fn jwk(text: &str) -> Result<SigningKey, PrivateFault> {
    let jwk = json::read(text.as_bytes(), LIMITS).map_err(|_| PrivateFault::Form)?;
    let member = |name: &str| jwk.get(name).and_then(Json::as_str);
    let secret = match (member("d"), member("kty")) {
        (Some(secret), _) => Zeroizing::new(decode(secret.as_bytes()).ok_or(PrivateFault::Content)?),
        (None, Some("oct")) => return Err(PrivateFault::Kind),
        (None, Some(_)) => return Err(PrivateFault::Public),
        (None, None) => return Err(PrivateFault::Form),
    };
    let key = match (member("kty"), member("crv")) {
        (Some("EC"), Some("P-256")) => SigningKey::p256(&secret),
        (Some("OKP"), Some("Ed25519")) => SigningKey::ed25519(&secret),
        (Some("RSA"), _) => Some(rsa_numbers(&jwk)?),
        _ => return Err(PrivateFault::Kind),
    };
    let key = key.ok_or(PrivateFault::Content)?;
    // Whoever checks what is signed has the public half that stands here.
    let public = key.jwk().ok_or(PrivateFault::Content)?;
    let agrees = |name: &str| jwk.get(name).is_none_or(|value| public.get(name) == Some(value));
    if !agrees("x") || !agrees("y") {
        return Err(PrivateFault::Content);
    }
    Ok(match member("kid") {
        Some(kid) => key.with_kid(kid),
        None => key,
    })
}
