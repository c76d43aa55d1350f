//! The route table: which rule a request meets. Routes are tried in order; the first match decides.

use std::borrow::Cow;

use crate::head::Head;
use crate::path::{NormalPath, Pattern};
use crate::rule::Rule;

/// One route: what it matches, and its rule.
#[derive(Debug)]
pub struct Route {
    /// Its place in the policy, from zero.
    pub index: usize,
    /// Its name in logs, metrics and explanations: the `name` given, else `routes[N]`.
    pub label: String,
    /// One of these paths; empty for any.
    pub paths: Vec<Pattern>,
    /// One of these methods, compared with case; empty for any.
    pub methods: Vec<String>,
    /// One of these hosts; empty for any.
    pub hosts: Vec<HostPattern>,
    /// All of these headers.
    pub headers: Vec<HeaderPattern>,
    /// Whether a CORS preflight for this route passes without credential.
    pub preflight: bool,
    /// Who may pass.
    pub rule: Rule,
    /// The index of the provider that it leads to.
    pub provider: Option<usize>,
}

/// A host a route matches.
#[derive(Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This host, lower-case.
    Exact(String),
    /// Every host below this one: the text begins with a dot.
    Below(String),
    /// Every host that has one label more than this one: the name under which it is captured, with `host.` before it,
    /// and the rest with its dot.
    Label(String, String),
}

/// A header a route matches: it must be there, in no other spelling, and every value of it must be one of these.
#[derive(Debug)]
pub struct HeaderPattern {
    /// Lower-case name.
    pub name: String,
    /// The values allowed.
    pub one_of: Vec<String>,
}

/// What a request is matched by.
#[derive(Clone, Copy, Debug)]
pub struct Target<'r> {
    /// The method, or the one that a preflight asks for.
    pub method: &'r str,
    /// The normalised path.
    pub path: &'r NormalPath<'r>,
    /// The normalised host, if there is one.
    pub host: Option<&'r str>,
    /// All headers.
    pub head: &'r Head<'r>,
}

/// The first route that matches, with what its path captured.
pub type Hit<'p, 'r> = (&'p Route, Captures<'p, 'r>);

/// Names of the pattern, and the segments of the request that they stand for.
pub type Captures<'p, 'r> = Vec<(&'p str, Cow<'r, str>)>;

/// The first route that matches.
pub fn first_match<'p, 'r>(routes: &'p [Route], target: &Target<'r>) -> Option<Hit<'p, 'r>> {
    routes.iter().find_map(|route| route.matches(target).map(|captures| (route, captures)))
}

impl Route {
    fn matches<'p, 'r>(&'p self, target: &Target<'r>) -> Option<Captures<'p, 'r>> {
        if !self.methods.is_empty() && !self.methods.iter().any(|m| m == target.method) {
            return None;
        }
        let host = match self.hosts.as_slice() {
            [] => None,
            hosts => hosts.iter().find_map(|pattern| pattern.matches(target.host?))?,
        };
        if !self.headers.iter().all(|header| header.matches(target.head)) {
            return None;
        }
        let mut captures = match self.paths.as_slice() {
            [] => Vec::new(),
            paths => paths.iter().find_map(|pattern| pattern.matches(target.path))?,
        };
        captures.extend(host.map(|(name, label)| (name, Cow::Borrowed(label))));
        Some(captures)
    }
}

impl HostPattern {
    /// Reads `orders.example.com` or `*.example.com`, in any case.
    ///
    /// # Errors
    /// A sentence about what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "a host is written orders.example.com, *.example.com or {name}.example.com, without port";
        if let Some((name, rest)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
            let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            return match Self::parse(rest.strip_prefix('.').ok_or(FORM)?)? {
                Self::Exact(rest) if plain => Ok(Self::Label(format!("host.{name}"), format!(".{rest}"))),
                _ => Err(FORM),
            };
        }
        let text = text.to_ascii_lowercase();
        let (name, pattern) = match text.strip_prefix('*') {
            Some(below) => (below.strip_prefix('.').ok_or(FORM)?, Self::Below(String::from(below))),
            None => (text.as_str(), Self::Exact(text.clone())),
        };
        match normal_host(name.as_bytes()) {
            Some(normal) if normal == name => Ok(pattern),
            _ => Err(FORM),
        }
    }

    /// The name of its capture, with `host.` before it.
    pub fn capture(&self) -> Option<&str> {
        match self {
            Self::Label(name, _) => Some(name),
            Self::Exact(_) | Self::Below(_) => None,
        }
    }

    /// Whether a host matches, and if so the label that is captured, if one is.
    fn matches<'p, 'r>(&'p self, host: &'r str) -> Option<Option<(&'p str, &'r str)>> {
        match self {
            Self::Exact(name) => (name == host).then_some(None),
            Self::Below(suffix) => (host.len() > suffix.len() && host.ends_with(suffix.as_str())).then_some(None),
            Self::Label(name, suffix) => {
                let label = host.strip_suffix(suffix.as_str())?;
                (!label.is_empty() && !label.contains('.')).then_some(Some((name.as_str(), label)))
            }
        }
    }
}

impl HeaderPattern {
    fn matches(&self, head: &Head<'_>) -> bool {
        let Some(values) = head.spelled(&self.name) else {
            return false;
        };
        let mut values = values.peekable();
        values.peek().is_some() && values.all(|value| self.one_of.iter().any(|text| text.as_bytes() == value))
    }
}

/// A host in lower case, without port and trailing dot; `None` if it holds anything a host name has not.
pub fn normal_host(host: &[u8]) -> Option<String> {
    let text = str::from_utf8(host).ok()?;
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, port)) => (text.strip_suffix(port)?, port.strip_prefix(':').or(port.is_empty().then_some(""))?),
        None => text.split_once(':').unwrap_or((text, "")),
    };
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let literal = name.starts_with('[');
    let plain = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_') || (literal && matches!(b, b'[' | b']' | b':'))
    };
    (!name.is_empty() && name.bytes().all(plain)).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_hosts() {
        for (host, expected) in [
            ("Orders.Example.com:8443", Some("orders.example.com")),
            ("a.b.", Some("a.b")),
            ("[::1]:80", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("a@b", None),
            ("", None),
            ("a:b", None),
            ("a:1:2", None),
            ("[::1]x", None),
            ("a/b", None),
            (".", None),
        ] {
            assert_eq!(normal_host(host.as_bytes()).as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn matches_hosts() {
        let below = HostPattern::parse("*.Example.com").unwrap();
        let matches = |host| below.matches(host).is_some();
        assert!(matches("a.example.com") && matches("a.b.example.com"));
        assert!(!matches("example.com") && !matches(".example.com") && !matches("badexample.com"));
        let label = HostPattern::parse("{Tenant}.Example.com").unwrap();
        assert_eq!(label.matches("a.example.com"), Some(Some(("host.Tenant", "a"))));
        for host in ["a.b.example.com", ".example.com", "example.com", "a.example.org", "aexample.com"] {
            assert_eq!(label.matches(host), None, "{host}");
        }
        for text in [
            "",
            "*",
            "*.",
            "*example.com",
            "a:80",
            "a.*.b",
            "a.",
            "{a}",
            "{a}.",
            "{}.b",
            "{a}b.c",
            "{a}.*.b",
            "{a}.{b}.c",
            "x{a}.b",
            "{a b}.c",
        ] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
