//! Cross-origin answers (Fetch standard, CORS protocol): headers by which scripts of other origins may read ours.

use crate::head::Head;

/// Which origins may read our answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Whether any may.
    pub any: bool,
    /// These may, in lower case.
    pub origins: Vec<Origin>,
    /// Whether they may send credentials.
    pub credentials: bool,
    /// Further headers that they may read, besides our own.
    pub expose: Vec<String>,
}

/// An origin, or all below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This one: `https://app.example.com`.
    Exact(String),
    /// Those between these: `https://` and `.example.com:8443`.
    Below(String, String),
}

impl Origin {
    /// Reads an origin as a policy writes it.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "is no origin such as https://app.example.com or https://*.example.com, without path";
        let text = text.to_ascii_lowercase();
        let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme)).ok_or(FORM)?;
        let rest = text.strip_prefix(scheme).ok_or(FORM)?;
        let (below, host) = match rest.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, rest),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
        if host.is_empty() || !host.bytes().all(plain) || host.starts_with(['.', ':']) {
            return Err(FORM);
        }
        Ok(if below { Self::Below(String::from(scheme), format!(".{host}")) } else { Self::Exact(text) })
    }

    fn is(&self, origin: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == origin,
            Self::Below(scheme, domain) => origin
                .strip_prefix(scheme.as_str())
                .and_then(|rest| rest.strip_suffix(domain.as_str()))
                // Whatever stands before the domain is a name, or it would be another origin.
                .is_some_and(|name| {
                    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
                }),
        }
    }
}

/// Headers of our own that scripts want to read.
const OURS: &str = "WWW-Authenticate, Retry-After";

impl Cors {
    /// The headers of our answer to a request.
    pub fn headers(&self, head: &Head<'_>) -> Vec<(&'static str, String)> {
        let origin = head.only("origin").and_then(|origin| str::from_utf8(origin).ok());
        let mut headers = Vec::new();
        if !self.any {
            // Whoever caches an answer must not give it to another origin.
            headers.push(("vary", String::from("Origin")));
        }
        let allowed = match origin {
            None => return headers,
            Some(_) if self.any => "*",
            Some(origin) if self.origins.iter().any(|allowed| allowed.is(origin)) => origin,
            Some(_) => return headers,
        };
        headers.push(("access-control-allow-origin", String::from(allowed)));
        if self.credentials {
            headers.push(("access-control-allow-credentials", String::from("true")));
        }
        let exposed = [OURS].into_iter().chain(self.expose.iter().map(String::as_str));
        headers.push(("access-control-expose-headers", exposed.collect::<Vec<_>>().join(", ")));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_origins_apart() {
        let below = Origin::parse("https://*.Example.com").unwrap();
        for origin in ["https://a.example.com", "https://a.b-c.example.com"] {
            assert!(below.is(origin), "{origin}");
        }
        for origin in [
            "https://example.com",
            "http://a.example.com",
            "https://a.example.com.evil.test",
            "https://evilexample.com",
            "https://a.example.com:8443",
            "https://evil.test/.example.com",
            "https://evil.test#.example.com",
            "https://u@.example.com",
            "https://.example.com",
            "null",
        ] {
            assert!(!below.is(origin), "{origin}");
        }
        assert!(Origin::parse("https://a.test:8443").unwrap().is("https://a.test:8443"));
        for text in [
            "",
            "*",
            "null",
            "a.test",
            "https://",
            "https://a/",
            "https://a b",
            "ftp://a",
            "https://*",
            "https://*.",
            "https://a@b",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }
}
