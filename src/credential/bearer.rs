//! `Authorization: Bearer` (RFC 6750 section 2.1): exactly one value, whatever is in it.

use crate::deny::Reason;
use crate::head::is_token_octet;

const SCHEME: &[u8] = b"bearer";

/// The value under the Bearer scheme. Another scheme, or no value, is no credential.
///
/// # Errors
/// [`Reason::CredentialAmbiguous`] for several values, which some hosts join by commas;
/// [`Reason::RequestMalformed`] for white space within the value, and for anything but spaces before it:
/// a service might read a credential where this would see none.
pub fn value(authorization: &[u8]) -> Result<Option<&[u8]>, Reason> {
    let Some(rest) = after_scheme(authorization) else {
        return if is_bearer(authorization) { Err(Reason::CredentialAmbiguous) } else { Ok(None) };
    };
    let value = rest.iter().position(|b| *b != b' ').and_then(|at| rest.get(at..)).unwrap_or_default();
    let value = value.trim_ascii_end();
    // Without branches this runs many octets at a time.
    let odd = value.iter().fold(false, |odd, b| odd | (*b == b',') | b.is_ascii_whitespace());
    match (rest, value) {
        (_, []) => Ok(None),
        ([b' ', ..], value) if !odd => Ok(Some(value)),
        (_, value) if value.contains(&b',') => Err(Reason::CredentialAmbiguous),
        _ => Err(Reason::RequestMalformed),
    }
}

/// Whether any of the comma-separated parts of an Authorization header is of the Bearer scheme.
pub fn is_bearer(authorization: &[u8]) -> bool {
    let is_one = |part: &[u8]| after_scheme(part.trim_ascii()).is_some();
    is_one(authorization) || (authorization.contains(&b',') && authorization.split(|b| *b == b',').any(is_one))
}

/// What follows the scheme; `None` under another, longer names included (RFC 9110 section 5.6.2, token).
fn after_scheme(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.split_at_checked(SCHEME.len())?;
    let ends = !rest.first().is_some_and(|b| is_token_octet(*b));
    (scheme.eq_ignore_ascii_case(SCHEME) && ends).then_some(rest)
}

/// Whether a text has the form of a bearer token (RFC 6750 section 2.1).
pub fn is_b64token(text: &[u8]) -> bool {
    let end = text.iter().rposition(|b| *b != b'=').map_or(0, |last| last + 1);
    let (letters, _) = text.split_at_checked(end).unwrap_or_default();
    !letters.is_empty() && letters.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_value() {
        for header in ["Bearer abc", "bearer abc", "BEARER   abc "] {
            assert_eq!(value(header.as_bytes()), Ok(Some(b"abc".as_slice())), "{header}");
        }
        for header in ["", "Bearer", "Bearer  ", "Basic abc", "Bearerabc", "Bearer-abc", "Digest a=\"b\", c=d"] {
            assert_eq!(value(header.as_bytes()), Ok(None), "{header}");
        }
        for header in ["Bearer a,b", "Bearer a,Bearer b", "Basic x,Bearer b", "Basic x, bearer b", "Bearer a, Basic x"]
        {
            assert_eq!(value(header.as_bytes()), Err(Reason::CredentialAmbiguous), "{header}");
        }
        for header in ["Bearer a b", "Bearer a\tb", "Bearer \ta", "Bearer\ta", "Bearer:a", "Bearer=a", "Bearer\u{a0}a"]
        {
            assert_eq!(value(header.as_bytes()), Err(Reason::RequestMalformed), "{header}");
        }
    }
}
