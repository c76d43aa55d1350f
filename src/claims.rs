//! Claim paths: how a policy points into claims.

use crate::json::Json;

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

    /// Whether one of the values at this path is as it should be: where the path walks into a list, each of its
    /// elements may have one.
    pub fn any<'j, 'a>(&self, claims: &'j Json<'a>, is: &mut dyn FnMut(&'j Json<'a>) -> bool) -> bool {
        any_below(&self.0, claims, is)
    }

    /// The value at this path, through objects only.
    pub fn find<'j, 'a>(&self, claims: &'j Json<'a>) -> Option<&'j Json<'a>> {
        self.0.iter().try_fold(claims, |value, name| value.get(name))
    }
}

fn any_below<'j, 'a>(names: &[String], value: &'j Json<'a>, is: &mut dyn FnMut(&'j Json<'a>) -> bool) -> bool {
    let Some((name, rest)) = names.split_first() else {
        return is(value);
    };
    let mut below = |value: &'j Json<'a>| value.get(name).is_some_and(|value| any_below(rest, value, is));
    match value {
        Json::Array(items) => items.iter().any(below),
        value => below(value),
    }
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

    #[test]
    fn walks_into_lists() {
        let text = br#"{"a":[{"b":1},{"c":2},{"b":[3,4]},5],"d":{"b":6}}"#;
        let claims = crate::json::read(text, crate::json::Limits { depth: 9, members: 99 }).unwrap();
        let values = |path| {
            let mut found = Vec::new();
            ClaimPath::parse(path).unwrap().any(&claims, &mut |value| {
                found.push(value.to_string());
                false
            });
            found
        };
        assert_eq!(values("a.b"), ["1", "[3,4]"]);
        assert_eq!(values("d.b"), ["6"]);
        assert!(values("a.x").is_empty() && values("x.a").is_empty() && values("d.b.c").is_empty());
    }
}
