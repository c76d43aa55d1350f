//! Claim paths and claim conditions, as issuers and routes write them.

use std::borrow::Cow;

use super::LIMITS;
use super::apart;
use super::error::quote;
use super::fields::TESTS;
use super::node::{Fields, Node};
use super::template::{self, Piece};
use super::upstream::HOST_HEADERS;
use super::value::{header_name, whole_numbers};
use crate::claims::ClaimPath;
use crate::condition::{self, Bound, ClaimCondition, Expected, Test};
use crate::json::{self, Json, MAX_EXACT};

/// Reads a claim path.
pub(super) fn claim_path(node: &Node<'_>) -> Option<ClaimPath> {
    let text = node.text()?;
    match ClaimPath::parse(text) {
        Ok(path) => Some(path),
        Err(message) => {
            node.error(format!("{}: {message}", quote(text)));
            None
        }
    }
}

/// What a condition can compare a claim with, beside what stands in the policy.
#[derive(Clone, Copy)]
pub(super) enum Captures<'c> {
    /// `{path.NAME}`, `{host.NAME}` and `{header.NAME}`: the names that every path and every host of a route
    /// captures, those of hosts with `host.` before them.
    Route(&'c [String]),
    /// `{issuer.NAME}`: the names that the pattern of an issuer captures.
    Issuer(&'c [&'c str]),
}

/// Reads conditions `claim path: what is asked of it`.
pub(super) fn claim_map(node: &Node<'_>, captures: Captures<'_>) -> Vec<ClaimCondition> {
    let entries = node.entries();
    if node.is_empty() {
        node.error_cure("is empty", "leave it out, or name a claim");
    }
    let read = |(name, node): &(&str, Node<'_>)| {
        let path = match ClaimPath::parse(name) {
            Ok(path) => path,
            Err(message) => {
                node.error(message);
                return None;
            }
        };
        let tests = match node.value() {
            Json::Null => {
                node.error_cure("says nothing", "name a value");
                Vec::new()
            }
            Json::Object(_) if unquoted(node) => Vec::new(),
            Json::Object(members) if !members.is_empty() => tests(node, captures),
            _ => vec![Test::OneOf(list(node, captures))],
        };
        Some(ClaimCondition { path, name: String::from(*name), tests })
    };
    entries.iter().filter_map(read).collect()
}

/// Reads `{ prefix: ..., not: ... }`: all of these.
fn tests(node: &Node<'_>, captures: Captures<'_>) -> Vec<Test> {
    let Some(fields) = node.fields(TESTS) else {
        return Vec::new();
    };
    let of = |name: &str, make: fn(Vec<Expected>) -> Test| fields.get(name).map(|node| make(list(&node, captures)));
    let bound = |name: &str, bound| number(&fields, name).map(|limit| Test::Number(bound, limit));
    let exists = fields.scalar("exists").map(|node| (Test::Exists(node.flag()), node));
    let mut tests: Vec<Test> = [
        of("one_of", Test::OneOf),
        of("all_of", Test::AllOf),
        fields.get("not").map(|node| Test::Not(without(&node, captures))),
        fields.get("prefix").map(|node| Test::Prefix(beginnings(&node, captures))),
        fields.get("suffix").map(|node| Test::Suffix(ends(&node, captures))),
        bound("at_least", Bound::AtLeast),
        bound("at_most", Bound::AtMost),
        bound("more_than", Bound::MoreThan),
        bound("less_than", Bound::LessThan),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some((exists, at)) = exists {
        if exists == Test::Exists(false) && !tests.is_empty() {
            let cure = match captures {
                Captures::Route(_) => {
                    "keep one, or write two groups under `either`: one where it is not there, one for the rest"
                }
                Captures::Issuer(_) => "keep one",
            };
            at.error_cure("a claim that is not there is nothing else either", cure);
        } else if exists == Test::Exists(true) && !tests.is_empty() {
            at.warn("goes without saying: what else is asked is not so of a claim that is not there", None);
        }
        tests.push(exists);
    }
    tests
}

fn list(node: &Node<'_>, captures: Captures<'_>) -> Vec<Expected> {
    node.some_items("name a value").iter().filter_map(|item| expected(item, captures)).collect()
}

/// What must not be. Envoy makes text of every number with a fraction in its own YAML, so that such a text
/// forbids the number too: to forbid less than what is written would open a route.
fn without(node: &Node<'_>, captures: Captures<'_>) -> Vec<Expected> {
    let mut all = list(node, captures);
    let number = |one: &Expected| match one {
        Expected::Value(Json::Str(text)) => written_number(text).map(Expected::Value),
        _ => None,
    };
    let numbers: Vec<Expected> = all.iter().filter_map(number).collect();
    all.extend(numbers);
    all
}

/// The number that a text spells as JSON does.
fn written_number(text: &str) -> Option<Json<'static>> {
    match json::read(text.as_bytes(), LIMITS).ok()? {
        number @ (Json::Int(_) | Json::Float(_)) => Some(whole_numbers(number).into_owned()),
        _ => None,
    }
}

/// Texts that others begin with. A field at the end of one would fit what is longer too: `a` is a beginning of `ab`.
fn beginnings(node: &Node<'_>, captures: Captures<'_>) -> Vec<Expected> {
    let read = |item: &Node<'_>| {
        let text = template(item, item.text()?, captures)?;
        if text.pieces().last().is_some_and(condition::Piece::is_field) {
            item.error_cure(
                "ends with a field, and would fit a longer value too",
                "let a text follow, as in {path.team}/",
            );
        }
        Some(text)
    };
    node.some_items("name a text").iter().filter_map(read).collect()
}

/// Texts that others end with. A field at the beginning of one would fit what is longer too.
fn ends(node: &Node<'_>, captures: Captures<'_>) -> Vec<Expected> {
    let read = |item: &Node<'_>| {
        let text = template(item, item.text()?, captures)?;
        if text.pieces().first().is_some_and(condition::Piece::is_field) {
            item.error_cure(
                "begins with a field, and would fit a longer value too",
                "let a text stand before it, as in /{path.team}",
            );
        }
        Some(text)
    };
    node.some_items("name a text").iter().filter_map(read).collect()
}

/// A number that other numbers are compared with.
fn number(fields: &Fields<'_>, name: &str) -> Option<Json<'static>> {
    let node = fields.scalar(name)?;
    let number = match node.value() {
        // 2.5 in Envoy's own YAML arrives as text.
        Json::Str(text) => written_number(text).unwrap_or(Json::Null),
        other => whole_numbers(other.clone()).into_owned(),
    };
    let fits = match number {
        Json::Int(whole) => i64::try_from(whole).is_ok_and(|whole| whole.unsigned_abs() < 1 << 53),
        Json::Float(number) => number.abs() <= MAX_EXACT,
        _ => {
            node.expected("a number");
            return None;
        }
    };
    if !fits {
        node.error("is beyond 2^53, where numbers are not exact any more");
    }
    fits.then_some(number)
}

fn expected(node: &Node<'_>, captures: Captures<'_>) -> Option<Expected> {
    match node.value() {
        Json::Str(text) => template(node, text, captures),
        Json::Float(number) if number.abs() > MAX_EXACT => {
            node.error_cure("is beyond 2^53, where numbers are not exact any more", "write it as text, in quotes");
            None
        }
        Json::Bool(_) | Json::Int(_) | Json::Float(_) => {
            Some(Expected::Value(whole_numbers(node.value().clone()).into_owned()))
        }
        _ => {
            if !unquoted(node) {
                node.expected("text, a number, true or false");
            }
            None
        }
    }
}

/// Tells of `{path.id}` without quotes, which YAML takes for an object.
fn unquoted(node: &Node<'_>) -> bool {
    let Json::Object(members) = node.value() else {
        return false;
    };
    let field = match members.as_slice() {
        [(name, Json::Null)] => {
            ["path.", "host.", "header.", "issuer."].iter().any(|part| name.starts_with(part)).then_some(name)
        }
        _ => None,
    };
    if let Some(name) = field {
        let cure = format!("write it in quotes: {}", quote(&format!("{{{name}}}")));
        node.error_cure("is an object, which is what braces without quotes are in YAML", cure);
    }
    field.is_some()
}

fn template(node: &Node<'_>, text: &str, captures: Captures<'_>) -> Option<Expected> {
    let pieces = match template::pieces(text) {
        Ok(pieces) => pieces,
        Err(message) => {
            node.error(message);
            return None;
        }
    };
    match pieces.as_slice() {
        [] => return Some(Expected::Value(Json::Str(Cow::Borrowed("")))),
        [Piece::Text(text)] => return Some(Expected::Value(Json::Str(Cow::Owned(text.clone())))),
        _ => {}
    }
    let read = |piece: Piece<'_>| match piece {
        Piece::Text(text) => Some(condition::Piece::Text(text)),
        Piece::Field(field) => self::field(node, field, captures),
    };
    let pieces = pieces.into_iter().map(read).collect::<Option<Vec<_>>>()?;
    apart::check(node, &pieces, matches!(captures, Captures::Route(_)));
    Some(Expected::Template(pieces))
}

/// What stands between braces.
fn field(node: &Node<'_>, field: &str, captures: Captures<'_>) -> Option<condition::Piece> {
    let capture = |name: &str| Some(condition::Piece::Capture(String::from(name)));
    match (captures, field.split_once('.')) {
        (Captures::Route(names), Some(("path", name))) => {
            known(node, name, names.iter().map(String::as_str).filter(|name| !name.contains('.')), "path")?;
            capture(name)
        }
        (Captures::Route(names), Some(("host", name))) => {
            known(node, name, names.iter().filter_map(|name| name.strip_prefix("host.")), "host")?;
            capture(field)
        }
        (Captures::Route(_), Some(("header", name))) => header(node, name),
        (Captures::Issuer(names), Some(("issuer", name))) => {
            if !names.contains(&name) {
                let cure = "`issuer` must capture it, as in https://id.example.com/{tenant}";
                node.unknown("capture", name, names.iter().copied(), Some(String::from(cure)));
                return None;
            }
            capture(name)
        }
        (Captures::Issuer(_), Some(("path" | "host" | "header", _))) => {
            node.error(format!(
                "{} cannot be known here: only routes know the request",
                quote(&format!("{{{field}}}"))
            ));
            None
        }
        (Captures::Route(_), _) => {
            let cure = "a claim is compared with {path.NAME}, {host.NAME} or {header.NAME}; {{ stands for a brace";
            node.error_cure(format!("unknown field {}", quote(field)), cure);
            None
        }
        (Captures::Issuer(_), _) => {
            let cure = "a claim is compared with {issuer.NAME}; {{ stands for a brace";
            node.error_cure(format!("unknown field {}", quote(field)), cure);
            None
        }
    }
}

/// Checks that a capture is there whichever path or host of the route matched.
fn known<'n>(node: &Node<'_>, name: &str, names: impl Iterator<Item = &'n str> + Clone, what: &str) -> Option<()> {
    if names.clone().any(|known| known == name) {
        return Some(());
    }
    node.unknown("capture", name, names, Some(format!("every {what} of the route must capture it")));
    None
}

/// A header of the request, which is the caller's word.
fn header(node: &Node<'_>, name: &str) -> Option<condition::Piece> {
    let name = header_name(name, node)?;
    if HOST_HEADERS.contains(&name.as_str()) || ["authorization", "cookie"].contains(&name.as_str()) {
        node.error(format!("the header {name} is nothing to compare with"));
        return None;
    }
    Some(condition::Piece::Header(name))
}
