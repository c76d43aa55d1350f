//! Finds the credentials of a request where its route looks for them, at most one of each kind.

use std::borrow::Cow;

use super::basic::{self, Pair};
use super::{Kinds, Location, Read, bearer};
use crate::deny::Reason;
use crate::head::Head;
use crate::jose::compact::{self, Compact};
use crate::path::hex;

/// The credentials of a request, not yet verified.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// A token.
    pub token: Option<Cow<'a, [u8]>>,
    /// An API key.
    pub key: Option<Cow<'a, [u8]>>,
    /// Whether what is called a key may be a token.
    pub either: bool,
    /// A user and a password.
    pub password: Option<Pair>,
}

/// Reads the credentials of the wanted kinds. What stands in a place that serves both kinds is a token
/// if it has the shape of one, else a key, whichever kind is wanted: nothing shown there is overlooked. Where tokens may
/// have any shape, it is the kind that is wanted, and either if both are.
///
/// # Errors
/// [`Reason::CredentialAmbiguous`] for more than one credential of a kind, in one place or in two;
/// [`Reason::RequestMalformed`] for an Authorization header that makes no sense.
pub fn read<'a>(read: &Read, wants: Kinds, head: &Head<'a>) -> Result<Found<'a>, Reason> {
    let mut found = Found::default();
    if wants.password
        && let Some(authorization) = one(head.values("authorization"))?
    {
        found.password = basic::pair(authorization)?;
    }
    for location in read.locations() {
        let serves_token = read.token.contains(location);
        let serves_key = read.key.contains(location);
        if !(serves_token && wants.token || serves_key && wants.key) {
            continue;
        }
        let Some(value) = value_at(location, head)? else {
            continue;
        };
        let is_token = if serves_token && serves_key {
            // What is too large to be looked at is refused as a token, not hashed as a key.
            let is_token = value.len() > compact::MAX_TOKEN || Compact::split(&value).is_some();
            found.either |= read.opaque && wants.token && !is_token;
            is_token || (read.opaque && !wants.key)
        } else {
            serves_token
        };
        let slot = if is_token { &mut found.token } else { &mut found.key };
        if slot.replace(value).is_some() {
            return Err(Reason::CredentialAmbiguous);
        }
    }
    Ok(found)
}

/// The one value in a place; an empty one is none.
fn value_at<'a>(location: &Location, head: &Head<'a>) -> Result<Option<Cow<'a, [u8]>>, Reason> {
    match location {
        Location::Bearer => match one(head.values("authorization"))? {
            Some(authorization) => Ok(bearer::value(authorization)?.map(Cow::Borrowed)),
            None => Ok(None),
        },
        Location::Header(name) => Ok(one(head.values(name))?.filter(|v| !v.is_empty()).map(Cow::Borrowed)),
        Location::Cookie(name) => {
            let values = cookies(head).filter(|(n, _)| *n == name.as_bytes()).map(|(_, value)| value);
            Ok(one(values)?.filter(|v| !v.is_empty()).map(Cow::Borrowed))
        }
        Location::Query(name) => {
            let query = query_of(head.first(":path").unwrap_or_default()).unwrap_or_default();
            let values = parameters(query).filter(|(n, _)| is_named(n, name)).map(|(_, value)| value);
            Ok(one(values)?.filter(|v| !v.is_empty()).map(unescape))
        }
    }
}

fn one<T>(mut values: impl Iterator<Item = T>) -> Result<Option<T>, Reason> {
    let value = values.next();
    match values.next() {
        Some(_) => Err(Reason::CredentialAmbiguous),
        None => Ok(value),
    }
}

/// The name-value pairs of every Cookie header (RFC 6265 section 4.2.1), quotes around a value dropped.
fn cookies<'a>(head: &Head<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    head.values("cookie").flat_map(cookie_pairs)
}

/// The name-value pairs of one Cookie header.
pub(crate) fn cookie_pairs(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    header.split(|b| *b == b';').map(|pair| {
        let (name, value) = split_pair(pair.trim_ascii());
        let unquoted = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\""));
        (name.trim_ascii_end(), unquoted.unwrap_or(value.trim_ascii_start()))
    })
}

/// The query of a request target, without its question mark.
pub(crate) fn query_of(target: &[u8]) -> Option<&[u8]> {
    let at = target.iter().position(|b| *b == b'?')?;
    target.get(at + 1..)
}

/// The name-value pairs of a query, still escaped.
pub(crate) fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|b| *b == b'&').map(split_pair)
}

/// Whether an escaped parameter name means this name.
pub(crate) fn is_named(escaped: &[u8], name: &str) -> bool {
    unescape(escaped).as_ref() == name.as_bytes()
}

fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|b| *b == b'=') {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
        None => (pair, b""),
    }
}

/// Decodes percent escapes; a bad escape stands for itself.
pub(crate) fn unescape(escaped: &[u8]) -> Cow<'_, [u8]> {
    if !escaped.contains(&b'%') {
        return Cow::Borrowed(escaped);
    }
    let mut decoded = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((first, after)) = rest.split_first() {
        let escape = match (first, after) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| (high * 16 + low, after)),
            _ => None,
        };
        let (octet, after) = escape.unwrap_or((*first, after));
        decoded.push(octet);
        rest = after;
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_cookies() {
        let pairs: Vec<_> = cookie_pairs(b"a=1; b=\"2\";c ; d = 4").collect();
        let expected: [(&[u8], &[u8]); 4] = [(b"a", b"1"), (b"b", b"2"), (b"c", b""), (b"d", b"4")];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn unescapes() {
        for (escaped, plain) in [("a%2eb", "a.b"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%25", "%")] {
            assert_eq!(unescape(escaped.as_bytes()).as_ref(), plain.as_bytes(), "{escaped}");
        }
    }
}
