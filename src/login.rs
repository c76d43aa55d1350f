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
    let elsewhere = target.starts_with(b"//") || target.len() > LONGEST || NormalPath::read(target).is_err();
    if elsewhere {
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

#[cfg(test)]
mod tests {
    use super::*;

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
