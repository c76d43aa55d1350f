//! Browsers without a credential are sent to a login page, with the path to come back to.

use crate::credential::read::{is_named, parameters, query_of};
use crate::credential::{Location, Read};
use crate::deny::Code;
use crate::head::Head;
use crate::path::NormalPath;
use crate::percent::escaped;

/// The longest path that a browser is to come back to, in octets; a longer one becomes `/`.
const LONGEST: usize = 2_048;

/// Where browsers are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The page: an absolute address, or a path of this host.
    pub url: String,
    /// The query parameter that holds the path to come back to.
    pub parameter: String,
    /// For which codes.
    pub codes: Vec<Code>,
}

impl Login {
    /// The address to which the sender of a request is sent, if it is a browser that shows a page.
    pub fn redirect(&self, code: Code, head: &Head<'_>, read: &Read) -> Option<String> {
        if !self.codes.contains(&code) || !shows_pages(head) {
            return None;
        }
        let joint = if self.url.contains('?') { '&' } else { '?' };
        let back = way_back(head, read);
        Some(format!("{}{joint}{}={}", self.url, escaped(self.parameter.as_bytes()), escaped(&back)))
    }
}

/// Whether the answer to a request will be shown as a page: a GET that asks for HTML, and not one by a script.
fn shows_pages(head: &Head<'_>) -> bool {
    let gets = matches!(head.first(":method"), Some(b"GET" | b"HEAD"));
    let navigates = head.values("sec-fetch-mode").all(|mode| mode.eq_ignore_ascii_case(b"navigate"));
    let by_script = head.first("x-requested-with").is_some();
    gets && navigates && !by_script && head.values("accept").any(takes_html)
}

/// Whether an Accept header (RFC 9110 section 12.5.1) names HTML; `*/*` alone is what scripts and tools say.
fn takes_html(accept: &[u8]) -> bool {
    accept.split(|b| *b == b',').any(|range| {
        let mut parts = range.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let kind = parts.next().unwrap_or_default();
        let is_html =
            [b"text/html".as_slice(), b"application/xhtml+xml"].iter().any(|html| kind.eq_ignore_ascii_case(html));
        let zero = |part: &[u8]| {
            let value = part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q="));
            value.is_some_and(|value| value.iter().all(|b| matches!(b, b'0' | b'.')))
        };
        is_html && !parts.any(zero)
    })
}

/// The request's own path and query, without credentials; `/` for one that might lead elsewhere.
fn way_back(head: &Head<'_>, read: &Read) -> Vec<u8> {
    let target = head.first(":path").unwrap_or_default();
    if target.len() > LONGEST || NormalPath::read(target).is_err() || resolves(target) {
        return b"/".to_vec();
    }
    let Some(query) = query_of(target) else {
        return target.to_vec();
    };
    let is_credential = |pair: &&[u8]| {
        let hides = |location: &Location| match location {
            Location::Query(name) => parameters(pair).any(|(n, _)| is_named(n, name)),
            _ => false,
        };
        read.locations().any(hides)
    };
    let mut back = target.split(|b| *b == b'?').next().unwrap_or_default().to_vec();
    let kept: Vec<&[u8]> = query.split(|b| *b == b'&').filter(|pair| !is_credential(pair)).collect();
    if !kept.is_empty() {
        back.push(b'?');
        back.extend(kept.join(b"&".as_slice()));
    }
    back
}

/// Whether the path of a target is not yet what becomes of it where it is resolved (RFC 3986 section 5.2.4): `/.//x`
/// becomes `//x`, which names a host. Two slashes and dots are enough to tell; `..` and backslashes are ambiguous.
fn resolves(target: &[u8]) -> bool {
    let path = target.split(|b| *b == b'?').next().unwrap_or_default();
    let is_dot = |segment: &[u8]| segment == b"." || segment.eq_ignore_ascii_case(b"%2e");
    path.windows(2).any(|two| two == b"//") || path.split(|b| *b == b'/').any(is_dot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_back_to_this_host() {
        let read = Read { token: vec![], key: vec![], opaque: false };
        let back = |target: &str| {
            let pairs: [(&[u8], &[u8]); 1] = [(b":path", target.as_bytes())];
            String::from_utf8(way_back(&Head { pairs: &pairs, complete: true }, &read)).unwrap()
        };
        for target in ["/", "/a/b", "/a.b/.c/..d/", "/a?b=//c/../d", "/a%20b", "/a/.../b", "/%2e%2ea", "/a/?next=/.//x"]
        {
            assert_eq!(back(target), target);
        }
        for target in [
            "//evil.test",
            "/.//evil.test",
            "/%2e//evil.test",
            "/%2E//evil.test",
            "/./evil.test",
            "/a//evil.test",
            "/a/..//evil.test",
            "/%2e./evil.test",
            "/.%2E//evil.test",
            "/\\evil.test",
            "/\\/evil.test",
            "/%5cevil.test",
            "/%2fevil.test",
            "/a/.",
            "/\t/evil.test",
            "evil.test",
            "",
        ] {
            assert_eq!(back(target), "/", "{target}");
        }
    }

    #[test]
    fn knows_who_takes_html() {
        for accept in
            ["text/html", "a/b, text/html;q=0.9", "TEXT/HTML", "application/xhtml+xml", "text/html;q=1;level=1"]
        {
            assert!(takes_html(accept.as_bytes()), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/*",
            "text/htmlx",
            "application/json",
            "text/html;q=0",
            "text/html; q=0.000",
            "text/html;Q=0",
        ] {
            assert!(!takes_html(accept.as_bytes()), "{accept}");
        }
    }
}
