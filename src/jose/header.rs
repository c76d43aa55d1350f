//! The JOSE header (RFC 7515 section 4), as far as it may be believed.

use std::borrow::Cow;

use crate::json::{self, Json, Limits};

const LIMITS: Limits = Limits { depth: 4, members: 64 };

/// The longest key id that is looked at, in octets.
const MAX_KID: usize = 256;

/// The members of a JOSE header that matter here. Keys and links to keys (`jwk`, `jku`, `x5c`, `x5u`)
/// are never looked at.
pub(super) struct Header<'a> {
    /// The algorithm named, known or not.
    pub alg: Cow<'a, str>,
    /// The key id.
    pub kid: Option<Cow<'a, str>>,
    /// The type of the token.
    pub typ: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    /// Reads a decoded header. `None` if it is not strict JSON, a member has the wrong type, or it asks
    /// for something that gatekey does not do: `crit` (no extension is understood, RFC 7515 section
    /// 4.1.11), `b64` (RFC 7797 section 7), `zip`, `enc`, or a nested token by `cty`.
    pub(super) fn read(text: &'a [u8]) -> Option<Self> {
        let Json::Object(members) = json::read(text, LIMITS).ok()? else {
            return None;
        };
        let mut header = Self { alg: Cow::Borrowed(""), kid: None, typ: None };
        let mut alg_seen = false;
        for (name, value) in members {
            match name.as_ref() {
                "alg" => {
                    header.alg = text_of(value)?;
                    alg_seen = true;
                }
                "kid" => header.kid = Some(text_of(value).filter(|kid| kid.len() <= MAX_KID)?),
                "typ" => header.typ = Some(text_of(value)?),
                "cty" if is_jwt(&text_of(value)?) => return None,
                "crit" | "b64" | "zip" | "enc" => return None,
                _ => {}
            }
        }
        alg_seen.then_some(header)
    }
}

fn is_jwt(media_type: &str) -> bool {
    short_type(media_type).eq_ignore_ascii_case("jwt")
}

/// A media type without its `application/`, which JOSE leaves out where nothing else has a slash.
pub fn short_type(media_type: &str) -> &str {
    match media_type.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") && !rest.contains('/') => rest,
        _ => media_type,
    }
}

fn text_of(value: Json<'_>) -> Option<Cow<'_, str>> {
    match value {
        Json::Str(text) => Some(text),
        _ => None,
    }
}
