//! What the service sees: the identity headers that a policy sets, and the names it removes.

use std::borrow::Cow;

use crate::claims::ClaimPath;
use crate::identity::Identity;
use crate::issue::exchange::Exchange;
use crate::json::{Json, MAX_EXACT};
use crate::ordered;

/// The longest value that is put into one header, in octets.
const MAX_VALUE: usize = 4 * 1024;

/// What a policy says of the request that goes upstream.
#[derive(Default)]
pub struct Upstream {
    /// Headers set from the identity.
    pub set: Vec<SetHeader>,
    /// Names removed from every request.
    pub strip: Strip,
    /// Names of headers that routes and conditions look at: what they were must be what the service sees.
    pub compared: Strip,
    /// Whether the credential goes upstream with the request.
    pub keep_credential: bool,
    /// The token that takes the place of the credential.
    pub token: Option<Exchange>,
    /// The prefix of published filter state.
    pub publish: Option<String>,
}

/// One header that is set.
#[derive(Debug)]
pub struct SetHeader {
    /// Lower-case name.
    pub name: String,
    /// Where its value comes from.
    pub value: HeaderValue,
}

/// Where a header's value comes from.
#[derive(Debug)]
pub enum HeaderValue {
    /// One field of the identity.
    Source(Source),
    /// Always this text.
    Constant(String),
    /// Text with fields in it; no header if one of them is absent.
    Template(Vec<TemplatePiece>),
}

/// A piece of a header template.
#[derive(Debug)]
pub enum TemplatePiece {
    /// Text as it stands.
    Text(String),
    /// A field.
    Field(Source),
}

/// A field of the identity, or of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `jwt` or `key`.
    Method,
    /// The name of the issuer or client in the policy.
    Name,
    /// The subject.
    Sub,
    /// The client.
    Client,
    /// The `iss` of the token.
    Issuer,
    /// The roles.
    Roles,
    /// The scopes.
    Scopes,
    /// A claim.
    Claim(ClaimPath),
    /// A captured path segment.
    Capture(String),
}

/// Names that are removed, however their hyphens are spelled.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    /// Folded names: lower-case, a hyphen for whatever is neither letter nor digit.
    names: Vec<String>,
    /// Folded beginnings of names.
    prefixes: Vec<String>,
    /// A bit for each length that a name has, the highest for all longer ones: most headers are told apart by this.
    lengths: u64,
}

/// A value that must not go into a header: it has control characters or is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfitValue;

impl Strip {
    /// Takes names and prefixes in any spelling.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>, prefixes: impl IntoIterator<Item = &'n str>) -> Self {
        let names = ordered::set(names.into_iter().map(|name| fold(name.as_bytes())));
        Self {
            lengths: names.iter().fold(0, |lengths, name| lengths | length_bit(name.len())),
            names: names.into_iter().collect(),
            prefixes: prefixes.into_iter().map(|prefix| fold(prefix.as_bytes())).collect(),
        }
    }

    /// All that any of these removes.
    pub fn union<'s>(all: impl Iterator<Item = &'s Strip> + Clone) -> Self {
        let texts = |of: fn(&'s Strip) -> &'s Vec<String>| all.clone().flat_map(of).map(String::as_str);
        Self::new(texts(|strip| &strip.names), texts(|strip| &strip.prefixes))
    }

    /// Whether a header of this name is removed.
    pub fn covers(&self, name: &[u8]) -> bool {
        let same = |folded: &String| folded.len() == name.len() && starts_folded(name, folded);
        let named = self.lengths & length_bit(name.len()) != 0 && self.names.iter().any(same);
        named || self.prefixes.iter().any(|prefix| starts_folded(name, prefix))
    }

    /// Every spelling of every name, for hosts that cannot list headers.
    pub fn spellings(&self) -> impl Iterator<Item = String> + '_ {
        self.names.iter().flat_map(|name| spellings_of(name))
    }

    /// Whether any prefix is removed, which a host must list headers for.
    pub fn has_prefixes(&self) -> bool {
        !self.prefixes.is_empty()
    }
}

const fn length_bit(length: usize) -> u64 {
    if length < 63 { 1 << length } else { 1 << 63 }
}

/// The most hyphens that a name to be removed may have: its spellings double with each.
pub const MAX_HYPHENS: usize = 6;

/// Every spelling of one name in hyphens and underscores.
pub(crate) fn spellings_of(name: &str) -> impl Iterator<Item = String> + '_ {
    let hyphens = name.bytes().filter(|b| *b == b'-').count();
    let variants = 1_u32 << hyphens.min(MAX_HYPHENS);
    (0..variants).map(move |variant| spelled(name, variant))
}

/// The name with an underscore for each hyphen whose bit is set.
fn spelled(name: &str, variant: u32) -> String {
    let mut left = variant;
    name.chars()
        .map(|c| {
            if c != '-' {
                return c;
            }
            let underscore = left & 1 == 1;
            left >>= 1;
            if underscore { '_' } else { '-' }
        })
        .collect()
}

/// Whether a service might take one header name for the other.
pub(crate) fn is_spelling(name: &[u8], of: &str) -> bool {
    name.len() == of.len() && name.iter().zip(of.bytes()).all(|(a, b)| fold_octet(*a) == fold_octet(b))
}

fn fold(name: &[u8]) -> String {
    name.iter().map(|b| char::from(fold_octet(*b))).collect()
}

/// Services turn header names into variables and lose what is neither letter nor digit: `_` is `-` to some, `.`
/// to others.
fn fold_octet(b: u8) -> u8 {
    if b.is_ascii_alphanumeric() { b.to_ascii_lowercase() } else { b'-' }
}

fn starts_folded(name: &[u8], folded: &str) -> bool {
    name.len() >= folded.len() && name.iter().zip(folded.bytes()).all(|(b, f)| fold_octet(*b) == f)
}

impl HeaderValue {
    /// The value for these identities: each field comes from the first that has it.
    ///
    /// # Errors
    /// [`UnfitValue`] if the value must not go into a header.
    pub fn render(
        &self,
        identities: &[Identity<'_>],
        captures: &[(&str, Cow<'_, str>)],
    ) -> Result<Option<String>, UnfitValue> {
        let value = match self {
            Self::Constant(text) => Some(text.clone()),
            Self::Source(source) => source.find(identities, captures)?,
            Self::Template(pieces) => {
                let filled = pieces.iter().map(|piece| match piece {
                    TemplatePiece::Text(text) => Ok(Some(text.clone())),
                    TemplatePiece::Field(source) => source.find(identities, captures),
                });
                filled.collect::<Result<Option<String>, UnfitValue>>()?
            }
        };
        match value {
            Some(value) if value.len() > MAX_VALUE => Err(UnfitValue),
            value => Ok(value),
        }
    }
}

impl Source {
    /// The field in the form of a header value, from the first identity that has it.
    fn find(
        &self,
        identities: &[Identity<'_>],
        captures: &[(&str, Cow<'_, str>)],
    ) -> Result<Option<String>, UnfitValue> {
        let text = match self {
            Self::Capture(name) => {
                captures.iter().find(|(n, _)| n == name).map(|(_, value)| Cow::Borrowed(value.as_ref()))
            }
            Self::Claim(path) => match identities.iter().find_map(|identity| path.find(identity.claims())) {
                Some(claim) if is_rounded(claim) => return Err(UnfitValue),
                claim => claim.and_then(claim_text),
            },
            _ => identities.iter().find_map(|identity| self.of(identity)),
        };
        text.map(header_text).transpose()
    }

    fn of<'i>(&self, identity: &'i Identity<'_>) -> Option<Cow<'i, str>> {
        match self {
            Self::Method => Some(Cow::Borrowed(identity.method())),
            Self::Name => Some(Cow::Borrowed(identity.name())),
            Self::Sub => identity.sub().map(Cow::Borrowed),
            Self::Client => identity.client().map(Cow::Borrowed),
            Self::Issuer => identity.issuer().map(Cow::Borrowed),
            Self::Roles => list_text(identity.roles()),
            Self::Scopes => list_text(identity.scopes()),
            Self::Claim(_) | Self::Capture(_) => None,
        }
    }
}

/// A claim as text: text as it is, numbers and truth values as JSON writes them, lists of those joined,
/// everything else as JSON.
fn claim_text<'j>(value: &'j Json<'_>) -> Option<Cow<'j, str>> {
    match value {
        Json::Null => None,
        Json::Str(text) => Some(Cow::Borrowed(text.as_ref())),
        Json::Array(items) if items.is_empty() => None,
        Json::Array(items) => {
            let simple = |item: &Json<'_>| match item {
                Json::Str(text) if is_joinable(text) => Some(String::from(text.as_ref())),
                Json::Int(_) | Json::Float(_) | Json::Bool(_) => Some(item.to_string()),
                _ => None,
            };
            let joined: Option<Vec<String>> = items.iter().map(simple).collect();
            Some(Cow::Owned(joined.map_or_else(|| value.to_string(), |texts| texts.join(","))))
        }
        Json::Bool(_) | Json::Int(_) | Json::Float(_) | Json::Object(_) => Some(Cow::Owned(value.to_string())),
    }
}

/// Whether a value holds a number that was rounded when it was read: one beyond 64 bits, or written with
/// an exponent that reaches where doubles have gaps.
pub(crate) fn is_rounded(value: &Json<'_>) -> bool {
    match value {
        Json::Float(number) => number.abs() > MAX_EXACT,
        Json::Array(items) => items.iter().any(is_rounded),
        Json::Object(members) => members.iter().any(|(_, member)| is_rounded(member)),
        Json::Null | Json::Bool(_) | Json::Int(_) | Json::Str(_) => false,
    }
}

fn list_text(list: &[String]) -> Option<Cow<'_, str>> {
    if list.is_empty() {
        return None;
    }
    if list.iter().all(|text| is_joinable(text)) {
        return Some(Cow::Owned(list.join(",")));
    }
    let items = list.iter().map(|text| Json::Str(Cow::Borrowed(text))).collect();
    Some(Cow::Owned(Json::Array(items).to_string()))
}

/// Whether a text can stand between commas and be found again by who splits and trims. One that begins like
/// JSON could, joined with others, be taken for it.
fn is_joinable(text: &str) -> bool {
    !text.is_empty() && !text.contains(',') && !text.starts_with('[') && text.trim() == text
}

/// Text as a header value, in a form that tells different texts apart: percent signs, octets beyond ASCII
/// and outer spaces are percent-encoded.
fn header_text(text: Cow<'_, str>) -> Result<String, UnfitValue> {
    // Most texts are in this form already; without branches many octets are looked at in one go.
    let plain = text.bytes().fold(true, |plain, b| plain & (0x20..0x7f).contains(&b) & (b != b'%'));
    if plain && !text.starts_with(' ') && !text.ends_with(' ') {
        return Ok(text.into_owned());
    }
    let inner = text.trim_start_matches(' ');
    let (start, end) = (text.len() - inner.len(), text.trim_end_matches(' ').len());
    let mut value = String::with_capacity(text.len());
    for (at, b) in text.bytes().enumerate() {
        match b {
            _ if b.is_ascii_control() => return Err(UnfitValue),
            b' ' if at < start || at >= end => value.push_str("%20"),
            b'%' | 0x80.. => value.push_str(&format!("%{b:02X}")),
            _ => value.push(char::from(b)),
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_every_spelling() {
        let strip = Strip::new(["X-Auth-User"], ["x-id-"]);
        for name in ["x-auth-user", "X_AUTH-User", "x_auth_user", "X.Auth~User", "X-ID-a", "x_id_b"] {
            assert!(strip.covers(name.as_bytes()), "{name}");
        }
        for name in ["x-auth-users", "x-auth", "x-ida", "ax-auth-user", ""] {
            assert!(!strip.covers(name.as_bytes()), "{name}");
        }
        let mut spellings: Vec<String> = strip.spellings().collect();
        spellings.sort_unstable();
        assert_eq!(spellings, ["x-auth-user", "x-auth_user", "x_auth-user", "x_auth_user"]);
    }

    #[test]
    fn writes_header_text() {
        for (text, value) in
            [("zoë", "zo%C3%AB"), ("zo%C3%AB", "zo%25C3%25AB"), (" a b ", "%20a b%20"), ("  ", "%20%20"), ("", "")]
        {
            assert_eq!(header_text(text.into()).as_deref(), Ok(value));
        }
        for text in ["a\r\nb", "a\0", "\t", "\u{7f}"] {
            assert_eq!(header_text(text.into()), Err(UnfitValue));
        }
    }

    #[test]
    fn writes_claims() {
        let text = |json: &str| {
            let limits = crate::json::Limits { depth: 9, members: 99 };
            claim_text(&crate::json::read(json.as_bytes(), limits).unwrap()).map(Cow::into_owned)
        };
        for (json, expected) in [
            ("9007199254740993", Some("9007199254740993")),
            ("1.5", Some("1.5")),
            ("true", Some("true")),
            ("null", None),
            ("[]", None),
            ("[\"a\",\"b\"]", Some("a,b")),
            ("[\"a,b\",\"c\"]", Some("[\"a,b\",\"c\"]")),
            ("[1,true]", Some("1,true")),
            ("[\"[\\\"a\",\"b\\\"]\"]", Some("[\"[\\\"a\",\"b\\\"]\"]")),
            ("{\"a\":1}", Some("{\"a\":1}")),
            ("[[1]]", Some("[[1]]")),
        ] {
            assert_eq!(text(json).as_deref(), expected, "{json}");
        }
    }
}
