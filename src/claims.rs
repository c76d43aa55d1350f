//! Claim paths and claim values: how a policy points into claims and compares what it finds.

use std::borrow::Cow;

use crate::json::{Json, MAX_EXACT};

/// Where a claim lives: `tenant`, `realm_access.roles`, `["https://example.com/roles"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// Reads a path. Dots walk into objects; `["a.b"]` names a member whose name has dots.
    ///
    /// # Errors
    /// A sentence about what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str =
            "a claim path is names joined by dots; a name that has dots, slashes, spaces or $ is written [\"a.b\"]";
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, after) = match rest.strip_prefix("[\"") {
                Some(quoted) => quoted.split_once("\"]").ok_or(FORM)?,
                None => rest.split_at_checked(rest.find(['.', '[']).unwrap_or(rest.len())).ok_or(FORM)?,
            };
            // A URL or a path of another language, unquoted, would be looked for where it never stands.
            let quoted = rest.starts_with("[\"");
            if name.is_empty() || (!quoted && name.contains(['/', '$', '"', ' '])) {
                return Err(FORM);
            }
            names.push(String::from(name));
            rest = match after.strip_prefix('.') {
                Some(next) => next,
                None if after.is_empty() => return Ok(Self(names)),
                None if after.starts_with("[\"") => after,
                None => return Err(FORM),
            };
        }
    }

    /// The value at this path.
    pub fn find<'j, 'a>(&self, claims: &'j Json<'a>) -> Option<&'j Json<'a>> {
        self.0.iter().try_fold(claims, |value, name| value.get(name))
    }
}

/// One value a claim may have.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// Exactly this text, number or truth value.
    Value(Json<'static>),
    /// Text with captures of the path in it.
    Template(Vec<Piece>),
}

/// A piece of a text in which `{path.NAME}` stands for a captured segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text as it stands.
    Text(String),
    /// The segment captured under this name.
    Capture(String),
}

/// A claim and the values it may have: one of them is enough.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimCondition {
    /// The claim.
    pub path: ClaimPath,
    /// As written in the policy, for explanations.
    pub name: String,
    /// One of these must be found.
    pub one_of: Vec<Expected>,
}

impl ClaimCondition {
    /// Whether the claim is there and is, or as a list holds, one of the expected values.
    pub fn holds(&self, claims: &Json<'_>, captures: &[(&str, Cow<'_, str>)]) -> bool {
        match self.path.find(claims) {
            None => false,
            Some(Json::Array(items)) => items.iter().any(|item| self.expects(item, captures)),
            Some(value) => self.expects(value, captures),
        }
    }

    fn expects(&self, found: &Json<'_>, captures: &[(&str, Cow<'_, str>)]) -> bool {
        self.one_of.iter().any(|expected| match (expected, found) {
            (Expected::Template(pieces), Json::Str(text)) => {
                filled(pieces, captures).is_some_and(|expected| expected == *text)
            }
            (Expected::Template(_), _) => false,
            (Expected::Value(expected), _) => same(expected, found),
        })
    }
}

/// Equal values of the same kind; `1` and `1.0` are the same number, and nothing else crosses kinds.
fn same(expected: &Json<'_>, found: &Json<'_>) -> bool {
    match (expected, found) {
        (Json::Str(a), Json::Str(b)) => a == b,
        (Json::Bool(a), Json::Bool(b)) => a == b,
        (Json::Int(a), Json::Int(b)) => a == b,
        // Beyond this, different numbers were rounded to the same double.
        (Json::Float(a), Json::Float(b)) => a == b && a.abs() <= MAX_EXACT,
        (Json::Int(whole), Json::Float(float)) | (Json::Float(float), Json::Int(whole)) => {
            i32::try_from(*whole).is_ok_and(|whole| f64::from(whole) == *float)
        }
        _ => false,
    }
}

/// The text with its captures filled in; `None` if one was not captured.
fn filled(pieces: &[Piece], captures: &[(&str, Cow<'_, str>)]) -> Option<String> {
    let mut text = String::new();
    for piece in pieces {
        text.push_str(match piece {
            Piece::Text(part) => part,
            Piece::Capture(name) => captures.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_ref())?,
        });
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths() {
        let names = |text| ClaimPath::parse(text).map(|path| path.0);
        assert_eq!(names("tenant"), Ok(vec!["tenant".into()]));
        assert_eq!(names("realm_access.roles"), Ok(vec!["realm_access".into(), "roles".into()]));
        assert_eq!(names("[\"https://a.b/roles\"]"), Ok(vec!["https://a.b/roles".into()]));
        assert_eq!(names("a[\"b.c\"].d"), Ok(vec!["a".into(), "b.c".into(), "d".into()]));
        for text in ["", ".", "a.", ".a", "a..b", "a[b]", "[\"a", "a[\"b\"]c", "$.a", "a/b", "https://a.b/c", "a b"] {
            assert!(names(text).is_err(), "{text}");
        }
    }
}
