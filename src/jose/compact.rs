//! The JWS compact serialization (RFC 7515 section 7.1), one spelling per token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The longest token that is looked at, in octets.
pub const MAX_TOKEN: usize = 16 * 1024;

/// The longest encoded header that is looked at, in octets.
const MAX_HEADER: usize = 4 * 1024;

/// The three parts of a token, still encoded.
#[derive(Clone, Copy)]
pub struct Compact<'a> {
    /// The JOSE header.
    pub header: &'a [u8],
    /// The claims.
    pub payload: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
    /// What was signed: header, dot, payload.
    pub signed: &'a [u8],
}

impl<'a> Compact<'a> {
    /// Splits a token at its two dots. Every part holds something and nothing outside base64url, and the
    /// header begins like a JSON object.
    pub fn split(token: &'a [u8]) -> Option<Self> {
        // `{` is 0x7b: its first six bits are `e`, and the second character starts with the bits 11.
        if token.len() > MAX_TOKEN || !matches!(token, [b'e', b'w'..=b'z' | b'0'..=b'9' | b'-' | b'_', ..]) {
            return None;
        }
        // No early end: without branches this runs many octets at a time, and tokens are rarely bad.
        let fits = token.iter().fold(true, |fits, b| fits & (is_base64url(*b) | (*b == b'.')));
        let dots = token.iter().filter(|b| **b == b'.').count();
        if !fits || dots != 2 {
            return None;
        }
        let first = token.iter().position(|b| *b == b'.')?;
        let second = token.iter().rposition(|b| *b == b'.')?;
        let (header, payload) = (token.get(..first)?, token.get(first + 1..second)?);
        let (signed, signature) = (token.get(..second)?, token.get(second + 1..)?);
        let whole = header.len() <= MAX_HEADER && !payload.is_empty() && !signature.is_empty();
        whole.then_some(Self { header, payload, signature, signed })
    }
}

/// Decodes base64url without padding (RFC 7515 section 2). Bits that carry nothing must be zero, so
/// that no octets have two spellings.
pub fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(encoded).ok()
}

fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() | (b == b'-') | (b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_only_whole_tokens() {
        assert!(Compact::split(b"e30.e30.AA").is_some_and(|c| c.signed == b"e30.e30"));
        assert!(Compact::split(b"ewog.e30.AA").is_some());
        for token in [
            "",
            ".",
            "..",
            "e30.b",
            "e30.b.",
            ".b.c",
            "e30..c",
            "e30.b.c.d",
            "e30.b.c=",
            "e30.b.c ",
            "e30.b+.c",
            "e30.b.c\n",
            "abc.e30.AA",
            "IHs.e30.AA",
        ] {
            assert!(Compact::split(token.as_bytes()).is_none(), "{token}");
        }
        let long = format!("e{}.e30.AA", "0".repeat(MAX_HEADER));
        assert!(Compact::split(long.as_bytes()).is_none());
    }

    #[test]
    fn refuses_a_second_spelling() {
        assert_eq!(decode(b"AA"), Some(vec![0]));
        for text in ["AB", "A", "AA==", "A+", "A\n"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
