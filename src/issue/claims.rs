//! What a token of ours says: who it is about, for whom, and until when (RFC 7519 section 4.1, RFC 9068 section 2.2).

use std::borrow::Cow;
use std::rc::Rc;

use super::signer::Signer;
use crate::identity::Identity;
use crate::jose::offload::Offload;
use crate::json::{Json, write_text};
use crate::time::Time;
use crate::upstream::{Source, is_rounded};

/// The longest set of claims, in octets.
const LONGEST: usize = 8 * 1024;

/// How tokens are made.
pub struct TokenProfile {
    /// The keys.
    pub signer: Rc<Signer>,
    /// The claim `iss`.
    pub issuer: String,
    /// Whom they may be for.
    pub audience: Vec<String>,
    /// How long they count, in milliseconds.
    pub ttl: i64,
    /// Further claims, by their names.
    pub claims: Vec<(String, ClaimSource)>,
}

/// Where the value of a claim comes from.
pub enum ClaimSource {
    /// A field of the identity.
    Field(Source),
    /// Always this.
    Constant(Json<'static>),
}

/// Whom one token is about.
pub struct Statement<'s> {
    /// The claim `sub`.
    pub sub: &'s str,
    /// The claim `client_id` (RFC 8693 section 4.3).
    pub client: Option<&'s str>,
    /// The claim `aud`.
    pub audience: &'s [String],
    /// The claim `scope` (RFC 8693 section 4.2).
    pub scopes: &'s [String],
    /// Who acts for the subject, the claim `act` (RFC 8693 section 4.1).
    pub actor: Option<&'s str>,
}

/// A claim that cannot be told exactly, or too many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfitClaims;

impl TokenProfile {
    /// All that a token says but for its times and its id: JSON without its last brace.
    ///
    /// # Errors
    /// [`UnfitClaims`] if a number was rounded when it was read, or it is too much.
    pub fn say(
        &self,
        about: &Statement<'_>,
        identities: &[Identity<'_>],
        captures: &[(&str, Cow<'_, str>)],
    ) -> Result<String, UnfitClaims> {
        let mut text = String::with_capacity(256);
        text.push_str("{\"iss\":");
        quote(&self.issuer, &mut text);
        member("sub", &mut text);
        quote(about.sub, &mut text);
        if let Some(client) = about.client {
            member("client_id", &mut text);
            quote(client, &mut text);
        }
        match about.audience {
            [] => {}
            [one] => {
                member("aud", &mut text);
                quote(one, &mut text);
            }
            several => {
                member("aud", &mut text);
                text.push_str(&list(several).to_string());
            }
        }
        if !about.scopes.is_empty() {
            // Joined, it would be two (RFC 8693 section 4.2).
            if about.scopes.iter().any(|scope| scope.is_empty() || scope.contains(|c: char| c.is_whitespace())) {
                return Err(UnfitClaims);
            }
            member("scope", &mut text);
            quote(&about.scopes.join(" "), &mut text);
        }
        if let Some(actor) = about.actor {
            member("act", &mut text);
            text.push_str("{\"sub\":");
            quote(actor, &mut text);
            text.push('}');
        }
        for (name, source) in &self.claims {
            let Some(value) = source.value(identities, captures) else {
                continue;
            };
            if is_rounded(&value) {
                return Err(UnfitClaims);
            }
            member(name, &mut text);
            text.push_str(&value.to_string());
        }
        if text.len() > LONGEST { Err(UnfitClaims) } else { Ok(text) }
    }

    /// The token that says so, from now on; `None` if the host had to sign and did not.
    pub fn sign(&self, said: &str, id: &str, now: Time, expires: Time, offload: &dyn Offload) -> Option<String> {
        let (now, expires) = (now.millis() / 1000, expires.millis() / 1000);
        let claims = format!("{said},\"iat\":{now},\"nbf\":{now},\"exp\":{expires},\"jti\":\"{id}\"}}");
        self.signer.sign(&claims, offload)
    }
}

impl ClaimSource {
    fn value<'v>(
        &'v self,
        identities: &'v [Identity<'_>],
        captures: &'v [(&str, Cow<'_, str>)],
    ) -> Option<Cow<'v, Json<'v>>> {
        let field = match self {
            Self::Constant(value) => return Some(Cow::Borrowed(value)),
            Self::Field(field) => field,
        };
        let text = |text: &'v str| Json::Str(Cow::Borrowed(text));
        let some = |items: &'v [String]| (!items.is_empty()).then(|| list(items));
        let of = |identity: &'v Identity<'_>| match field {
            Source::Method => Some(text(identity.method())),
            Source::Name => Some(text(identity.name())),
            Source::Sub => identity.sub().map(text),
            Source::Client => identity.client().map(text),
            Source::Issuer => identity.issuer().map(text),
            Source::Roles => some(identity.roles()),
            Source::Scopes => some(identity.scopes()),
            Source::Claim(path) => path.find(identity.claims()).filter(|claim| **claim != Json::Null).cloned(),
            Source::Capture(_) => None,
        };
        match field {
            Source::Capture(name) => captures.iter().find(|(n, _)| n == name).map(|(_, value)| text(value)),
            _ => identities.iter().find_map(of),
        }
        .map(Cow::Owned)
    }
}

fn list(items: &[String]) -> Json<'_> {
    Json::Array(items.iter().map(|item| Json::Str(Cow::Borrowed(item.as_str()))).collect())
}

fn member(name: &str, text: &mut String) {
    text.push(',');
    quote(name, text);
    text.push(':');
}

fn quote(value: &str, text: &mut String) {
    // Writing into a String cannot fail.
    let _ = write_text(value, text);
}
