//! The one normaliser of request paths, and the patterns that are matched against its result.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// The longest path that is looked at, in octets, its query not counted.
pub const MAX_PATH: usize = 8 * 1024;

/// A request path whose meaning is beyond doubt: segments decoded, `.` segments and repeated and trailing
/// slashes dropped. It is made only by [`NormalPath::read`] and used only for matching;
/// the upstream gets the path as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalPath<'a> {
    segments: Vec<Cow<'a, str>>,
}

/// The path could mean different things to different readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

impl<'a> NormalPath<'a> {
    /// Reads the path of a request target, query and all.
    ///
    /// # Errors
    /// [`Ambiguous`] for whatever a backend might read differently: encoded slashes, backslashes,
    /// NUL, percent signs, `;`, `?`, `#` or controls, their raw forms where they are not delimiters,
    /// octets that are not UTF-8, bad escapes, `..` segments, and a target that does not begin with a slash.
    pub fn read(target: &'a [u8]) -> Result<Self, Ambiguous> {
        let path = target.split(|b| *b == b'?').next().unwrap_or_default();
        if path.len() > MAX_PATH {
            return Err(Ambiguous);
        }
        let mut segments: Vec<Cow<'a, str>> = Vec::new();
        let rest = path.strip_prefix(b"/").ok_or(Ambiguous)?;
        for raw in rest.split(|b| *b == b'/') {
            let segment = decode(raw)?;
            match segment.as_ref() {
                "" | "." => {}
                // A service that does not resolve it runs `/admin/../public` under `/admin`. Clients do
                // resolve it before they send (RFC 3986 section 5.2.4), and so do hosts that are told to.
                ".." => return Err(Ambiguous),
                _ => segments.push(segment),
            }
        }
        Ok(Self { segments })
    }

    /// The normal form as text, for explanations.
    pub fn display(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            text.push('/');
            text.push_str(segment);
        }
        if text.is_empty() { String::from("/") } else { text }
    }
}

/// Decodes one segment, refusing every octet that is not plain text.
fn decode(raw: &[u8]) -> Result<Cow<'_, str>, Ambiguous> {
    let plain = |b: &u8| matches!(b, 0x21..=0x7e) && !matches!(b, b'%' | b';' | b'\\' | b'#');
    if raw.iter().all(plain) {
        return str::from_utf8(raw).map(Cow::Borrowed).map_err(|_| Ambiguous);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(b) = rest.next() {
        if *b != b'%' {
            if !plain(b) {
                return Err(Ambiguous);
            }
            decoded.push(*b);
            continue;
        }
        let high = rest.next().and_then(|b| hex(*b)).ok_or(Ambiguous)?;
        let low = rest.next().and_then(|b| hex(*b)).ok_or(Ambiguous)?;
        match high * 16 + low {
            0..=0x1f | 0x7f | b'/' | b'\\' | b'%' | b';' | b'?' | b'#' => return Err(Ambiguous),
            octet => decoded.push(octet),
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Ambiguous)
}

/// The value of one hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A path pattern of a route: `/orders/*`, `/tenants/{tenant}/**`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
    /// Whether the pattern ends in `**`.
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Any,
    Capture(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence about what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix('/').ok_or("a path pattern begins with /")?;
        let mut parts = Vec::new();
        let mut open = false;
        for segment in rest.split('/') {
            if open {
                return Err("** stands only at the end of a path pattern");
            }
            match segment {
                "" => {}
                "**" => open = true,
                "*" => parts.push(Part::Any),
                _ => parts.push(Part::parse(segment)?),
            }
        }
        let mut names = BTreeSet::new();
        if !parts.iter().filter_map(Part::name).all(|name| names.insert(name)) {
            return Err("a path pattern captures each name once");
        }
        Ok(Self { text: String::from(text), parts, open })
    }

    /// The pattern as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of its captures.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(Part::name)
    }

    /// Whether the whole path matches, and what was captured.
    pub fn matches<'p, 'r>(&'p self, path: &'r NormalPath<'_>) -> Option<Vec<(&'p str, Cow<'r, str>)>> {
        let fits =
            if self.open { path.segments.len() >= self.parts.len() } else { path.segments.len() == self.parts.len() };
        let literal = |(part, segment): (&Part, &Cow<'_, str>)| match part {
            Part::Literal(text) => text == segment,
            Part::Any | Part::Capture(_) => true,
        };
        if !fits || !self.parts.iter().zip(&path.segments).all(literal) {
            return None;
        }
        let captured = self
            .parts
            .iter()
            .zip(&path.segments)
            .filter_map(|(part, segment)| part.name().map(|name| (name, Cow::Borrowed(segment.as_ref()))));
        Some(captured.collect())
    }
}

impl Part {
    fn parse(segment: &str) -> Result<Self, &'static str> {
        if let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            return if !name.is_empty() && name.chars().all(plain) {
                Ok(Part::Capture(String::from(name)))
            } else {
                Err("a capture is {name}, of letters, digits and _")
            };
        }
        if segment.contains(['*', '{', '}']) {
            return Err("*, ** and {name} stand for whole segments");
        }
        if segment == "." || segment == ".." {
            return Err("a path pattern has no dot segments");
        }
        // A literal is written as people read it; escaped octets of a request are decoded before they meet it.
        if segment.contains(['?', '#', ';', '\\', '%']) || segment.contains(char::is_control) {
            return Err("a path pattern is a decoded path: it has no ? # ; \\ % or control characters");
        }
        Ok(Part::Literal(String::from(segment)))
    }

    fn name(&self) -> Option<&str> {
        match self {
            Part::Capture(name) => Some(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(target: &str) -> String {
        NormalPath::read(target.as_bytes()).map_or_else(|_| String::from("ambiguous"), |p| p.display())
    }

    #[test]
    fn normalises() {
        for (target, expected) in [
            ("/", "/"),
            ("/a/b?x=/../y", "/a/b"),
            ("//a///b/", "/a/b"),
            ("/a/./b/%2e/c", "/a/b/c"),
            ("/%61%2Db", "/a-b"),
            ("/caf%C3%A9", "/café"),
            ("/a%20b", "/a b"),
            ("/a:b@c!$&'()*+,=~", "/a:b@c!$&'()*+,=~"),
        ] {
            assert_eq!(normal(target), expected, "{target}");
        }
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        for target in [
            "",
            "*",
            "a",
            "http://h/a",
            "/%2f",
            "/%5C",
            "/%00",
            "/%2525",
            "/a;b",
            "/a%3bb",
            "/a\\b",
            "/#",
            "/%23",
            "/%3f",
            "/..",
            "/a/../b",
            "/a/%2e%2E/b",
            "/%",
            "/%4",
            "/%zz",
            "/é",
            "/%c0%af",
            "/%ff",
            "/%0a",
            "/a b",
            "/%7f",
            "/..;/a",
        ] {
            assert_eq!(normal(target), "ambiguous", "{target}");
        }
        let long = format!("/{}", "a".repeat(MAX_PATH));
        assert_eq!(normal(&long), "ambiguous");
        assert_eq!(normal(&format!("/a?{long}")), "/a");
    }

    #[test]
    fn matches_whole_segments() {
        let hit = |pattern, target: &'static str| {
            let pattern = Pattern::parse(pattern).unwrap();
            let path = NormalPath::read(target.as_bytes()).unwrap();
            pattern.matches(&path).is_some()
        };
        assert!(hit("/a", "/a/") && hit("/a/", "/a") && !hit("/a", "/ab") && !hit("/a", "/a/b"));
        assert!(hit("/a/**", "/a") && hit("/a/**", "/a/b/c") && !hit("/a/**", "/ab"));
        assert!(hit("/a/*", "/a/b") && !hit("/a/*", "/a") && !hit("/a/*", "/a/b/c"));
        assert!(hit("/**", "/") && hit("/", "/") && !hit("/", "/a"));
    }

    #[test]
    fn captures_decoded_segments() {
        let pattern = Pattern::parse("/t/{tenant}/**").unwrap();
        let path = NormalPath::read(b"/t/a%20b/x").unwrap();
        assert_eq!(pattern.matches(&path), Some(vec![("tenant", Cow::Borrowed("a b"))]));
    }

    #[test]
    fn refuses_bad_patterns() {
        for text in ["", "a", "/**/a", "/a*", "/{}", "/{a}/{a}", "/{a-b}", "/a?b", "/%61", "/../a"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
