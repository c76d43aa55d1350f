//! Verifies tokens (RFC 7515, 7519, 8725): the only place where [`Claims`] are made.

pub mod alg;
pub mod binding;
mod columns;
pub mod compact;
pub(crate) mod der;
pub mod document;
pub mod ecdsa;
pub mod ed25519;
pub mod fault;
mod header;
pub mod hmac;
pub mod introspection;
pub mod iss;
pub mod issuer;
pub mod jwk;
pub mod keyring;
pub mod keyset;
pub mod material;
mod montgomery;
pub mod offload;
pub mod pem;
pub mod rsa;
pub mod rsa_private;
mod time;
pub mod token;

pub use header::short_type;

use std::rc::Rc;

use crate::cache::{BadToken, Basis, LONGEST, Place};
use crate::condition::Facts;
use crate::credential::bearer;
use crate::decision::{Trace, Wish};
use crate::deny::Reason;
use crate::json::{self, Json, Limits};
use crate::jwks::record::Want;
use crate::means::Means;
use crate::time::Time;
use alg::Alg;
use binding::Binding;
use compact::Compact;
use header::Header;
use issuer::{Audience, Found, Issuer, Issuers, Keys};
use token::Token;

const LIMITS: Limits = Limits { depth: 32, members: 2048 };

/// Types that never are access tokens: proofs of possession, logout tokens and security events.
const NEVER_BEARER: [&str; 3] = ["dpop+jwt", "logout+jwt", "secevent+jwt"];

/// Why a token does not count, and whether that could change soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// What might change the answer if it could be had.
    pub wants: Option<Wish>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, wants: None }
    }
}

/// Verifies a token. The cheapest checks come first, and what they read is used for refusal only
/// until the signature holds.
///
/// # Errors
/// The reason why the token does not count.
pub fn verify(
    text: &[u8],
    issuers: &Issuers,
    now: Time,
    means: &mut Means<'_>,
    trace: &mut impl Trace,
) -> Result<Rc<Token>, Refusal> {
    if text.len() > compact::MAX_TOKEN {
        return Err(Reason::TokenTooLarge.into());
    }
    let place = means.cache.place(text);
    if let Some(place) = place
        && let Some((token, basis)) = means.cache.find(place, text, now)
        && let Some(issuer) = issuers.get(basis.issuer)
        && means.keyring.generation(basis.issuer, issuer, now) == Some(basis.generation)
        && token.times.check(issuer, now).is_ok()
    {
        // It may be somebody else who shows it this time.
        token.binding.check(issuer.confirmation, means.peer)?;
        return Ok(token);
    }

    let Some(parts) = Compact::split(text) else {
        let (index, issuer) = issuers.asked().ok_or(Reason::TokenMalformed)?;
        return Err(ask(index, issuer, place, text, now, means, trace));
    };
    let signature = compact::decode(parts.signature).ok_or(Reason::TokenMalformed)?;
    let header = compact::decode(parts.header).ok_or(Reason::TokenMalformed)?;
    let header = Header::read(&header).ok_or(Reason::TokenMalformed)?;
    let alg = Alg::parse(&header.alg).filter(|alg| issuers.knows(*alg));
    if alg.is_none() && issuers.asked().is_none() {
        return Err(Reason::AlgorithmNotAllowed.into());
    }

    let payload = compact::decode(parts.payload).ok_or(Reason::TokenMalformed)?;
    let claims = json::read(&payload, LIMITS).map_err(|_| Reason::TokenMalformed)?;
    let registered = Registered::read(&claims)?;
    let Found { index, issuer, captures } = issuers.find(registered.iss).ok_or(Reason::IssuerUnknown)?;
    trace.step(|| format!("the token is judged as one of issuer `{}`", issuer.name));
    if matches!(issuer.keys, Keys::Asked(_)) {
        return Err(ask(index, issuer, place, text, now, means, trace));
    }
    let alg = alg.ok_or(Reason::AlgorithmNotAllowed)?;

    check_type(header.typ.as_deref(), issuer)?;
    if !issuer.algorithms.contains(&alg) {
        return Err(Reason::AlgorithmNotAllowed.into());
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

    let basis = means.keyring.generation(index, issuer, now).map(|generation| Basis { issuer: index, generation });
    if let (Some(place), Some(basis)) = (place, basis)
        && let Some(bad) = means.cache.find_bad(place, text, now)
        && bad.basis == basis
    {
        let wants = bad.open.then_some(Wish::Keys { issuer: index, want: Want::Newer });
        return Err(Refusal { reason: bad.reason, wants });
    }
    let signed = Signed { alg, kid: header.kid.as_deref(), message: parts.signed, signature: &signature };
    signed.check(index, issuer, now, means).inspect_err(|refusal| {
        if refusal.reason == Reason::KeysUnavailable {
            trace.step(|| format!("the keys of issuer `{}` are fetched, and are not there", issuer.name));
        }
        if let (Reason::SignatureInvalid, Some(place), Some(basis)) = (refusal.reason, place, basis) {
            let bad = BadToken { basis, reason: refusal.reason, open: refusal.wants.is_some() };
            means.cache.keep_bad(place, text, bad, None, now);
        }
    })?;
    trace.step(|| {
        let by = if means.offload.knows(alg) { ", checked by the host" } else { "" };
        format!("the {} signature holds{by}", alg.name())
    });

    let facts = Facts { captures: &captures, head: None };
    if let Some(condition) = issuer.require.iter().find(|condition| !condition.holds(&claims, &facts)) {
        trace.step(|| match condition.is_number_for_text(&claims) {
            true => format!("claim `{}` is a number, and issuer `{}` requires a text", condition.name, issuer.name),
            false => format!("claim `{}` is not what issuer `{}` requires", condition.name, issuer.name),
        });
        return Err(Reason::ClaimMismatch.into());
    }
    let (times, binding) = (registered.times, registered.binding);
    let token = Rc::new(Token::new(index, issuer, claims, times, binding).map_err(|_| Reason::ClaimMismatch)?);
    if let (Some(place), Some(basis)) = (place, basis) {
        means.cache.keep(place, text, &token, basis, None, now);
    }
    binding.check(issuer.confirmation, means.peer).inspect_err(|_| {
        trace.step(|| match binding {
            Binding::None => format!("issuer `{}` takes only tokens that are bound to a certificate", issuer.name),
            Binding::Certificate(_) => String::from("the token is bound to a certificate that the peer did not show"),
            Binding::Other => String::from("the token is bound (`cnf`) to something that is not checked here"),
        });
    })?;
    Ok(token)
}

/// A token of an issuer that is asked about it, and of which nothing good is known here.
fn ask(
    index: usize,
    issuer: &Issuer,
    place: Option<Place>,
    text: &[u8],
    now: Time,
    means: &Means<'_>,
    trace: &mut impl Trace,
) -> Refusal {
    // An issuer may answer what is no token with an error, and that is no way to shut it off.
    if !bearer::is_b64token(text) {
        return Reason::TokenMalformed.into();
    }
    // What is not worth keeping would be asked about for every request.
    if text.len() > LONGEST {
        return Reason::TokenTooLarge.into();
    }
    if let Some(place) = place
        && let Some(bad) = means.cache.find_bad(place, text, now)
        && bad.basis.issuer == index
    {
        return bad.reason.into();
    }
    trace.step(|| format!("issuer `{}` is to be asked about the token", issuer.name));
    Refusal {
        reason: Reason::IssuerUnavailable,
        wants: Some(Wish::Introspection { issuer: index, token: text.to_vec() }),
    }
}

/// The registered claims that are checked here, each of its right type.
#[derive(Default)]
struct Registered<'j> {
    iss: Option<&'j str>,
    aud: Option<&'j Json<'j>>,
    times: time::Times,
    binding: Binding,
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
                "cnf" => registered.binding = Binding::read(value),
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

/// What was signed, and by what, as far as the token says.
struct Signed<'t> {
    alg: Alg,
    kid: Option<&'t str>,
    message: &'t [u8],
    signature: &'t [u8],
}

impl Signed<'_> {
    /// Whether one of the issuer's keys made the signature.
    fn check(&self, index: usize, issuer: &Issuer, now: Time, means: &Means<'_>) -> Result<(), Refusal> {
        let wants = |want| matches!(issuer.keys, Keys::Remote(_)).then_some(Wish::Keys { issuer: index, want });
        let Some(keys) = means.keyring.keys(index, issuer, now) else {
            return Err(Refusal { reason: Reason::KeysUnavailable, wants: wants(Want::Missing) });
        };
        let mut tried = false;
        for key in keys.candidates(self.kid, self.alg) {
            if key.verify(self.message, self.signature, means.offload) {
                return Ok(());
            }
            tried = true;
        }
        let reason = if tried { Reason::SignatureInvalid } else { Reason::KeyUnknown };
        // A key that the set names was looked at; one that it does not, or a token that names none, may be
        // signed with a key that came later.
        let named = self.kid.is_some_and(|kid| keys.names(kid));
        Err(Refusal { reason, wants: if named { None } else { wants(Want::Newer) } })
    }
}
