//! What is wrong with a policy, where, and how to mend it.

use std::fmt;

/// A mistake that keeps a policy from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where: `routes[2].allow.any[0]`; empty for the policy as a whole.
    pub path: String,
    /// What is wrong. It never holds a secret.
    pub message: String,
    /// How to mend it, if that is known.
    pub cure: Option<String>,
}

/// Something that works, but hardly as meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where, as in [`ConfigError::path`].
    pub path: String,
    /// What is odd. It never holds a secret.
    pub message: String,
    /// What would be better, if that is known.
    pub cure: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, &self.path, &self.message, self.cure.as_deref())
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, &self.path, &self.message, self.cure.as_deref())
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, path: &str, message: &str, cure: Option<&str>) -> fmt::Result {
    let path = if path.is_empty() { "policy" } else { path };
    write!(f, "{path}: {message}")?;
    match cure {
        Some(cure) => write!(f, ", {cure}"),
        None => Ok(()),
    }
}

/// A word of the policy in quotes: escaped, and cut where it is long.
pub(super) fn quote(word: &str) -> String {
    const LONGEST: usize = 64;
    const PEM: &str = "-----BEGIN";
    // What follows may be a private key that stands in the wrong place.
    let shown = word.find(PEM).map_or(word, |at| word.get(..at.saturating_add(PEM.len())).unwrap_or_default());
    let mut quoted = String::from("\"");
    for c in shown.chars().take(LONGEST) {
        match c {
            '\'' => quoted.push(c),
            _ => quoted.extend(c.escape_debug()),
        }
    }
    if shown.len() < word.len() || word.chars().nth(LONGEST).is_some() {
        quoted.push_str("...");
    }
    quoted.push('"');
    quoted
}

/// The same where only short words can be meant: a longer one may be a secret in the wrong place.
pub(super) fn quote_short(word: &str) -> String {
    const LONGEST: usize = 24;
    if word.chars().nth(LONGEST).is_none() { quote(word) } else { format!("<{} octets>", word.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_cuts() {
        assert_eq!(quote("it's \"a\"\n\u{1b}"), r#""it's \"a\"\n\u{1b}""#);
        assert_eq!(quote("a\n-----BEGIN PRIVATE KEY-----\nMHcC"), r#""a\n-----BEGIN...""#);
        assert_eq!(quote_short("PS257"), "\"PS257\"");
        assert_eq!(quote_short(&"x".repeat(25)), "<25 octets>");
        assert_eq!(quote(&"é".repeat(65)), format!("\"{}...\"", "é".repeat(64)));
    }
}
