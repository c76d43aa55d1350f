//! Forms as OAuth 2.0 requests send them (`application/x-www-form-urlencoded`, RFC 6749 appendix B), strictly read.

use crate::path::hex;

/// The longest form that is read, in octets.
pub const LONGEST: usize = 8 * 1024;
/// The most parameters of one.
const MOST: usize = 64;

/// The parameters of a form, each once.
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form; `None` if it is none, or a parameter stands twice (RFC 6749 section 3.2).
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut found: Vec<(String, String)> = Vec::new();
        for pair in body.split(|b| *b == b'&').filter(|pair| !pair.is_empty()) {
            let at = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
            let name = decode(pair.get(..at)?)?;
            let value = decode(pair.get(at + 1..).unwrap_or_default())?;
            if found.len() == MOST || found.iter().any(|(other, _)| *other == name) {
                return None;
            }
            found.push((name, value));
        }
        Some(Self(found))
    }

    /// A parameter; one without a value counts as left out (RFC 6749 section 3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// Decodes one name or value; `None` if an escape is none, or no text comes of it.
pub fn decode(coded: &[u8]) -> Option<String> {
    let mut octets = Vec::with_capacity(coded.len());
    let mut rest = coded;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        octets.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                hex(*high)? * 16 + hex(*low)?
            }
            (b'%', _) => return None,
            (octet, _) => *octet,
        });
    }
    String::from_utf8(octets).ok().filter(|text| !text.chars().any(char::is_control))
}

/// Whether a content type is that of a form.
pub fn is_form(content_type: &[u8]) -> bool {
    let kind = content_type.split(|b| *b == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_forms() {
        let form = Form::read(b"a=1&b=x+y%2b&c=&&d").unwrap();
        assert_eq!([form.get("a"), form.get("b"), form.get("c"), form.get("d")], [Some("1"), Some("x y+"), None, None]);
        for bad in ["a=1&a=2", "a=1&%61=2", "a=%", "a=%4", "a=%zz", "a=%ff", "a=%00"] {
            assert!(Form::read(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(is_form(b"application/x-www-form-urlencoded; charset=UTF-8") && !is_form(b"application/json"));
    }
}
