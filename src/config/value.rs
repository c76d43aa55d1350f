//! The small values of a policy: names, header names, durations, times, lists of words.

use super::error::{quote, quote_short};
use super::node::Node;
use super::suggest::nearest;
use crate::cidr::Cidr;
use crate::head::is_token_octet;
use crate::json::{Json, MAX_EXACT};
use crate::time::{Time, parse_duration};

/// Words with a meaning of their own, which no issuer or client may be called.
pub(super) const RESERVED: [&str; 7] = ["issuers", "clients", "users", "public", "any", "all", "optional"];

/// Whether a name is one: letters, digits, `_` and `-`.
#[cold]
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Checks the name of an issuer or client.
#[cold]
pub(super) fn check_name(name: &str, node: &Node<'_>) {
    check_label(name, node);
    if RESERVED.contains(&name) {
        node.error_cure(format!("{} has a meaning of its own", quote(name)), "choose another name");
    }
}

/// Checks the name of a route, which stands in metrics only.
#[cold]
pub(super) fn check_label(name: &str, node: &Node<'_>) {
    if !is_name(name) {
        node.error("a name is 1 to 64 letters, digits, _ and -");
    }
}

/// Whether a text is a token (RFC 9110 section 5.6.2), as names of headers, cookies and methods are.
#[cold]
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && text.bytes().all(is_token_octet)
}

/// The name of a header, in lower case.
#[cold]
pub(super) fn header_name(name: &str, node: &Node<'_>) -> Option<String> {
    if is_token(name) {
        return Some(name.to_ascii_lowercase());
    }
    if name.starts_with(':') {
        node.error("pseudo headers have no place here");
    } else {
        node.error(format!("{} is no header name (RFC 9110 section 5.1)", quote(name)));
    }
    None
}

/// A duration in milliseconds.
#[cold]
pub(super) fn duration(node: &Node<'_>) -> Option<i64> {
    const FORM: &str = "write \"30s\", \"10m\", \"24h\" or \"7d\"";
    match node.value() {
        Json::Str(text) => match parse_duration(text) {
            Some(millis) => return Some(millis),
            None => node.error_cure(format!("{} is no duration", quote_short(text)), FORM),
        },
        Json::Int(_) | Json::Float(_) => node.error_cure("a duration needs a unit", FORM),
        _ => node.expected("a duration such as \"30s\""),
    }
    None
}

/// A point in time.
#[cold]
pub(super) fn time(node: &Node<'_>) -> Option<Time> {
    let text = node.text()?;
    let time = Time::parse(text);
    if time.is_none() {
        node.error_cure(format!("{} is no RFC 3339 time", quote(text)), "write \"2026-12-31T00:00:00Z\"");
    }
    time
}

/// One of these words; what it stands for.
#[cold]
pub(super) fn one_of<T: Copy>(node: &Node<'_>, what: &str, choices: &[(&'static str, T)]) -> Option<T> {
    let word = node.text()?;
    let choice = choices.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice);
    if choice.is_none() {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let cure = match nearest(word, names.iter().copied()) {
            Some(meant) => format!("did you mean {}?", quote(meant)),
            None => format!("it is one of {}", names.join(", ")),
        };
        node.error_cure(format!("unknown {what} {}", quote(word)), cure);
    }
    choice
}

/// Blocks of addresses.
#[cold]
pub(super) fn blocks(items: &[Node<'_>]) -> Vec<Cidr> {
    let read = |item: &Node<'_>| {
        let text = item.text()?;
        Cidr::parse(text).map_err(|message| item.error(format!("{} {message}", quote(text)))).ok()
    };
    items.iter().filter_map(read).collect()
}

/// Texts that are not empty.
#[cold]
pub(super) fn texts(items: &[Node<'_>]) -> Vec<String> {
    items.iter().filter_map(|item| item.text().map(String::from)).collect()
}

/// Scope names: text without white space and quotes (RFC 6749 section 3.3).
#[cold]
pub(super) fn scopes(items: &[Node<'_>]) -> Vec<String> {
    let scope = |item: &Node<'_>| {
        let text = item.text()?;
        if text.contains(|c: char| c.is_whitespace()) {
            item.error_cure(format!("{} is more than one scope", quote(text)), "write a list");
            return None;
        }
        if text.contains(|c: char| !c.is_ascii_graphic() || c == '"' || c == '\\') {
            item.error(format!("{} is no scope (RFC 6749 section 3.3)", quote(text)));
            return None;
        }
        Some(String::from(text))
    };
    items.iter().filter_map(scope).collect()
}

/// The value with whole floating-point numbers as integers, all the way down: hosts that pass a policy
/// through such numbers turn 3 into 3.0.
#[cold]
pub(super) fn whole_numbers(value: Json<'_>) -> Json<'_> {
    match value {
        Json::Float(number) => whole(number).map_or(Json::Float(number), Json::Int),
        Json::Array(items) => Json::Array(items.into_iter().map(whole_numbers).collect()),
        Json::Object(members) => {
            Json::Object(members.into_iter().map(|(name, value)| (name, whole_numbers(value))).collect())
        }
        other => other,
    }
}

/// The integer that a floating-point number stands for, if it stands for one exactly.
#[cold]
fn whole(number: f64) -> Option<i128> {
    if number.fract() == 0.0 && number.abs() <= MAX_EXACT { format!("{number:.0}").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_whole_numbers() {
        for (number, expected) in
            [(3.0, Some(3)), (-0.0, Some(0)), (1.5, None), (1e300, None), (f64::NAN, None), (-2.0, Some(-2))]
        {
            assert_eq!(whole(number), expected, "{number}");
        }
    }

    #[test]
    fn knows_tokens() {
        assert!(is_token("X-User_1") && !is_token("") && !is_token("a b") && !is_token("a:b") && !is_token("é"));
    }
}
