//! Verifies tokens (RFC 7515, 7519, 8725): the only place where [`Claims`] are made.

pub mod alg;
pub mod compact;
mod header;
pub mod hmac;
pub mod issuer;
pub mod keyset;
pub mod offload;
mod time;

pub use header::short_type;

use std::cell::OnceCell;

use crate::decision::Trace;
use crate::deny::Reason;
use crate::json::{self, Json, Limits};
use crate::time::Time;
use alg::{Alg, Verifier};
use compact::Compact;
use header::Header;
use issuer::{Audience, Issuer, Issuers};
use offload::NoOffload;

const LIMITS: Limits = Limits { depth: 32, members: 2048 };

/// Types that never are access tokens: proofs of possession, logout tokens and security events.
const NEVER_BEARER: [&str; 3] = ["dpop+jwt", "logout+jwt", "secevent+jwt"];

/// Claims of a token whose signature holds and whose issuer's rules are met.
pub struct Claims<'a>(Json<'a>);

impl<'a> Claims<'a> {
    /// The claims as they stand in the token.
    pub fn json(&self) -> &Json<'a> {
        &self.0
    }
}

/// Where the decoded claims of a request stand while its decision is made and used.
#[derive(Default)]
pub struct Memory(OnceCell<Vec<u8>>);

/// A verified token: the index of its issuer, and its claims.
pub struct Verified<'a> {
    /// The index in the policy's list of issuers.
    pub issuer: usize,
    /// Its claims.
    pub claims: Claims<'a>,
}

/// Verifies a token. The cheapest checks come first, and what they read is used for refusal only
/// until the signature holds.
///
/// # Errors
/// The reason why the token does not count.
pub fn verify<'a>(
    token: &[u8],
    issuers: &Issuers,
    now: Time,
    memory: &'a Memory,
    trace: &mut impl Trace,
) -> Result<Verified<'a>, Reason> {
    if token.len() > compact::MAX_TOKEN {
        return Err(Reason::TokenTooLarge);
    }
    let parts = Compact::split(token).ok_or(Reason::TokenMalformed)?;
    let signature = compact::decode(parts.signature).ok_or(Reason::TokenMalformed)?;
    let header = compact::decode(parts.header).ok_or(Reason::TokenMalformed)?;
    let header = Header::read(&header).ok_or(Reason::TokenMalformed)?;
    let alg = Alg::parse(&header.alg).filter(|alg| issuers.knows(*alg)).ok_or(Reason::AlgorithmNotAllowed)?;

    let payload = compact::decode(parts.payload).ok_or(Reason::TokenMalformed)?;
    let payload = memory.0.get_or_init(|| payload);
    let claims = json::read(payload, LIMITS).map_err(|_| Reason::TokenMalformed)?;
    let registered = Registered::read(&claims)?;
    let (index, issuer) = issuers.find(registered.iss).ok_or(Reason::IssuerUnknown)?;
    trace.step(|| format!("the token is judged as one of issuer `{}`", issuer.name));

    check_type(header.typ.as_deref(), issuer)?;
    if !issuer.algorithms.contains(&alg) {
        return Err(Reason::AlgorithmNotAllowed);
    }
    registered.times.check(issuer, now).inspect_err(|reason| {
        if *reason == Reason::ClaimMismatch {
            trace.step(|| format!("the token has no `exp`, which issuer `{}` requires", issuer.name));
        }
    })?;
    check_audience(registered.aud, &issuer.audience).inspect_err(|_| {
        trace.step(|| match &issuer.audience {
            Audience::OneOf(names) => format!("`aud` is none of `{}`", names.join("`, `")),
            _ => format!("the token names an audience, and issuer `{}` has no `audience`", issuer.name),
        });
    })?;
    check_signature(parts.signed, &signature, &mut issuer.keys.candidates(header.kid.as_deref(), alg))?;
    trace.step(|| format!("the {} signature holds", alg.name()));

    if let Some(condition) = issuer.require.iter().find(|condition| !condition.holds(&claims, &[])) {
        trace.step(|| format!("claim `{}` is not what issuer `{}` requires", condition.name, issuer.name));
        return Err(Reason::ClaimMismatch);
    }
    // No proof of possession is checked, so a token that asks for one is somebody else's until proven.
    if registered.bound {
        return Err(Reason::BindingMismatch);
    }
    Ok(Verified { issuer: index, claims: Claims(claims) })
}

/// The registered claims that are checked here, each of its right type.
#[derive(Default)]
struct Registered<'j> {
    iss: Option<&'j str>,
    aud: Option<&'j Json<'j>>,
    times: time::Times,
    bound: bool,
}

impl<'j> Registered<'j> {
    /// A claim that is present with the wrong type makes the token malformed; it is never taken for absent.
    fn read(claims: &'j Json<'j>) -> Result<Self, Reason> {
        let Json::Object(members) = claims else {
            return Err(Reason::TokenMalformed);
        };
        let mut registered = Self::default();
        for (name, value) in members {
            match name.as_ref() {
                "iss" => registered.iss = Some(value.as_str().ok_or(Reason::TokenMalformed)?),
                "sub" | "jti" | "client_id" | "azp" if value.as_str().is_none() => {
                    return Err(Reason::TokenMalformed);
                }
                "aud" => registered.aud = Some(audience(value)?),
                "cnf" => registered.bound = true,
                name => registered.times.note(name, value)?,
            }
        }
        Ok(registered)
    }
}

/// `aud` is text or a list of texts.
fn audience<'j>(value: &'j Json<'j>) -> Result<&'j Json<'j>, Reason> {
    let texts = match value {
        Json::Str(_) => true,
        Json::Array(items) => items.iter().all(|item| item.as_str().is_some()),
        _ => false,
    };
    texts.then_some(value).ok_or(Reason::TokenMalformed)
}

fn check_type(typ: Option<&str>, issuer: &Issuer) -> Result<(), Reason> {
    let typ = typ.map(short_type);
    let is = |allowed: &str| typ.is_some_and(|typ| typ.eq_ignore_ascii_case(allowed));
    let wanted = issuer.types.is_empty() || issuer.types.iter().any(|allowed| is(allowed));
    if !wanted || NEVER_BEARER.into_iter().any(is) {
        return Err(Reason::TypeMismatch);
    }
    Ok(())
}

fn check_audience(aud: Option<&Json<'_>>, wanted: &Audience) -> Result<(), Reason> {
    let fits = match (wanted, aud) {
        (Audience::Any, _) | (Audience::Unnamed, None) => true,
        (Audience::Unnamed, Some(_)) | (Audience::OneOf(_), None) => false,
        (Audience::OneOf(names), Some(Json::Array(items))) => {
            items.iter().any(|item| names.iter().any(|name| item.as_str() == Some(name)))
        }
        (Audience::OneOf(names), Some(aud)) => names.iter().any(|name| aud.as_str() == Some(name)),
    };
    fits.then_some(()).ok_or(Reason::AudienceMismatch)
}

fn check_signature(
    signed: &[u8],
    signature: &[u8],
    candidates: &mut dyn Iterator<Item = &dyn Verifier>,
) -> Result<(), Reason> {
    let mut tried = false;
    for key in candidates {
        if key.verify(signed, signature, &NoOffload) {
            return Ok(());
        }
        tried = true;
    }
    Err(if tried { Reason::SignatureInvalid } else { Reason::KeyUnknown })
}
