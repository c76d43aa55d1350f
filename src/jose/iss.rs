//! The `iss` of an issuer: one text, or a pattern for the many tenants of one provider.

use std::borrow::Cow;

/// Which `iss` the tokens of an issuer have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// This text, octet by octet.
    Exactly(String),
    /// A text of this pattern.
    Like(IssPattern),
    /// Whatever no other issuer has, and none at all.
    Others,
}

impl Name {
    /// What the captures stand for in this `iss`; `None` if it is another.
    pub fn captures<'p, 't>(&'p self, iss: &'t str) -> Option<Vec<(&'p str, Cow<'t, str>)>> {
        match self {
            Name::Exactly(name) => (name == iss).then(Vec::new),
            Name::Like(pattern) => pattern.captures(iss),
            Name::Others => Some(Vec::new()),
        }
    }

    /// The one text, if there is just one.
    pub fn exactly(&self) -> Option<&str> {
        match self {
            Name::Exactly(iss) => Some(iss),
            Name::Like(_) | Name::Others => None,
        }
    }
}

/// A pattern such as `https://login.example.com/{tenant}/v2.0`. A capture stands for one or more letters,
/// digits, `-` and `_`: no dot and no slash, so that it is never more than one label or segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssPattern {
    start: String,
    /// Names of captures, and the text after each.
    captures: Vec<(String, String)>,
}

impl IssPattern {
    /// Reads a pattern; `None` in place of a pattern if the text has no capture.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Option<Self>, &'static str> {
        const FORM: &str = "a capture in an issuer is a name in braces, such as {tenant}";
        let Some((start, mut rest)) = text.split_once('{') else {
            return if text.contains('}') { Err(FORM) } else { Ok(None) };
        };
        let mut captures: Vec<(String, String)> = Vec::new();
        loop {
            let (name, after) = rest.split_once('}').ok_or(FORM)?;
            if name.is_empty() || !name.bytes().all(is_captured) || start.contains('}') {
                return Err(FORM);
            }
            if captures.iter().any(|(other, _)| other == name) {
                return Err("two captures of an issuer have the same name");
            }
            let (literal, next) = match after.split_once('{') {
                Some((literal, next)) => (literal, Some(next)),
                None => (after, None),
            };
            if literal.contains('}') {
                return Err(FORM);
            }
            if literal.bytes().next().map_or(next.is_some(), is_captured) {
                return Err("after a capture comes neither a letter, digit, - or _ nor another capture");
            }
            captures.push((String::from(name), String::from(literal)));
            match next {
                Some(next) => rest = next,
                None => break,
            }
        }
        // What stands before decides whose tokens these are: scheme and the slashes at least.
        if !start.contains("://") {
            return Err("an issuer with captures begins with a scheme, such as https://");
        }
        Ok(Some(Self { start: String::from(start), captures }))
    }

    /// The names of its captures.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(|(name, _)| name.as_str())
    }

    /// What the captures stand for in this text; `None` if it does not fit.
    pub fn captures<'p, 't>(&'p self, iss: &'t str) -> Option<Vec<(&'p str, Cow<'t, str>)>> {
        let mut rest = iss.strip_prefix(self.start.as_str())?;
        let mut found = Vec::with_capacity(self.captures.len());
        for (name, literal) in &self.captures {
            // What follows never begins with an octet that a capture may have: there is one way to read it.
            let end = rest.bytes().position(|b| !is_captured(b)).unwrap_or(rest.len());
            let (value, after) = rest.split_at_checked(end).filter(|(value, _)| !value.is_empty())?;
            rest = after.strip_prefix(literal.as_str())?;
            found.push((name.as_str(), Cow::Borrowed(value)));
        }
        rest.is_empty().then_some(found)
    }
}

fn is_captured(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_whole_texts_in_one_way() {
        let pattern = IssPattern::parse("https://login.test/{tenant}/v2.0").unwrap().unwrap();
        let tenant = |iss| pattern.captures(iss).map(|captures| captures[0].1.clone().into_owned());
        assert_eq!(tenant("https://login.test/a-1_B/v2.0").as_deref(), Some("a-1_B"));
        for iss in [
            "https://login.test//v2.0",
            "https://login.test/a/b/v2.0",
            "https://login.test/a.b/v2.0",
            "https://login.test/a/v2.0/",
            "https://login.test/a/v2.",
            "https://login.test/a%2f/v2.0",
            "HTTPS://login.test/a/v2.0",
            "https://login.testing/a/v2.0",
            "https://login.test/a/v2.0\0",
            "https://login.test/ü/v2.0",
            "",
        ] {
            assert_eq!(tenant(iss), None, "{iss}");
        }
        let two = IssPattern::parse("https://{org}.id.test/{realm}").unwrap().unwrap();
        assert_eq!(two.names().collect::<Vec<_>>(), ["org", "realm"]);
        assert!(two.captures("https://acme.id.test/main").is_some());
        assert!(two.captures("https://acme.evil.test/x.id.test/main").is_none());
        assert!(two.captures("https://acme.id.test/").is_none());
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        assert_eq!(IssPattern::parse("https://id.test/"), Ok(None));
        for text in [
            "https://{a}{b}/",
            "https://{a}-{b}/",
            "https://{a}x/",
            "https://{a}/{a}",
            "https://{}/",
            "https://{a/",
            "https://a}/",
            "https://{a}/}",
            "https://{a b}/",
            "{a}",
            "{scheme}://id.test/",
        ] {
            assert!(IssPattern::parse(text).is_err(), "{text}");
        }
    }
}
