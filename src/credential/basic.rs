//! `Authorization: Basic` (RFC 7617): a user and a password, strictly read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::deny::Reason;
use crate::head::is_token_octet;

const SCHEME: &[u8] = b"basic";

/// The longest user and password together, with their colon, in octets.
pub const LONGEST: usize = 512;

/// What a caller shows.
pub struct Pair {
    /// User, colon, password.
    octets: Zeroizing<Vec<u8>>,
    colon: usize,
}

impl Pair {
    /// The user.
    pub fn user(&self) -> &str {
        // What is no UTF-8 was refused when this was read.
        self.octets.get(..self.colon).and_then(|user| str::from_utf8(user).ok()).unwrap_or_default()
    }

    /// The password.
    pub fn password(&self) -> &[u8] {
        self.octets.get(self.colon + 1..).unwrap_or_default()
    }
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Whether any of the comma-separated parts of an Authorization header is of the Basic scheme.
pub fn is_basic(authorization: &[u8]) -> bool {
    let is_one = |part: &[u8]| after_scheme(part.trim_ascii()).is_some();
    is_one(authorization) || (authorization.contains(&b',') && authorization.split(|b| *b == b',').any(is_one))
}

/// The user and password under the Basic scheme. Another scheme is no credential.
///
/// # Errors
/// [`Reason::CredentialAmbiguous`] for several values, which some hosts join by commas; [`Reason::RequestMalformed`]
/// for whatever is not base64 with its padding, of UTF-8 without control characters, with a colon.
pub fn pair(authorization: &[u8]) -> Result<Option<Pair>, Reason> {
    let Some(rest) = after_scheme(authorization) else {
        return if is_basic(authorization) { Err(Reason::CredentialAmbiguous) } else { Ok(None) };
    };
    if rest.contains(&b',') {
        return Err(Reason::CredentialAmbiguous);
    }
    let coded = rest.trim_ascii();
    let spaced = rest.first() == Some(&b' ') && !rest.contains(&b'\t');
    if !spaced || coded.is_empty() || coded.len() > LONGEST.div_ceil(3) * 4 {
        return Err(Reason::RequestMalformed);
    }
    let octets = Zeroizing::new(STANDARD.decode(coded).map_err(|_| Reason::RequestMalformed)?);
    let is_text = str::from_utf8(&octets).is_ok_and(|text| !text.chars().any(char::is_control));
    let colon = octets.iter().position(|b| *b == b':');
    match colon {
        Some(colon) if is_text && octets.len() <= LONGEST => Ok(Some(Pair { octets, colon })),
        _ => Err(Reason::RequestMalformed),
    }
}

/// What follows the scheme; `None` under another, longer names included (RFC 9110 section 5.6.2, token).
fn after_scheme(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.split_at_checked(SCHEME.len())?;
    let ends = !rest.first().is_some_and(|b| is_token_octet(*b));
    (scheme.eq_ignore_ascii_case(SCHEME) && ends).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pairs() {
        let read = |header: &str| {
            pair(header.as_bytes()).map(|pair| pair.map(|p| (p.user().to_owned(), p.password().to_vec())))
        };
        let is = |user: &str, password: &str| Ok(Some((user.to_owned(), password.as_bytes().to_vec())));
        assert_eq!(read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), is("Aladdin", "open sesame"));
        assert_eq!(read("bASIC  dGVzdDoxMjPCow== "), is("test", "123£"));
        assert_eq!(read("Basic YTpiOmM="), is("a", "b:c"));
        assert_eq!(read("Basic Og=="), is("", ""));
        for other in ["Bearer x", "Basicx QTpC", "Basic-x QTpC", "", "Digest a=\"b\", c=d"] {
            assert_eq!(read(other), Ok(None), "{other}");
        }
        for two in ["Basic QTpC, Basic QTpC", "Basic QTpC,QTpC", "Bearer x, Basic QTpC"] {
            assert_eq!(read(two), Err(Reason::CredentialAmbiguous), "{two}");
        }
        let control = STANDARD.encode("a\n:b");
        let long = STANDARD.encode("a:".repeat(300));
        for bad in [
            "Basic",
            "Basic ",
            "Basic QTpC=",
            "Basic QTpD\tx",
            "Basic\tQTpC",
            "Basic:QTpC",
            "Basic QQ==",
            "Basic QTpCQg",
            "Basic QTpCQh==",
            "Basic QTpC_-",
            "Basic QTp C",
            "Basic /////w==",
            &format!("Basic {control}"),
            &format!("Basic {long}"),
        ] {
            assert_eq!(read(bad), Err(Reason::RequestMalformed), "{bad}");
        }
    }
}
