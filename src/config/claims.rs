//! Claim paths and claim conditions, as issuers and routes write them.

use super::error::quote;
use super::node::Node;
use super::template::{self, Piece};
use super::value::whole_numbers;
use crate::claims::{self, ClaimCondition, ClaimPath, Expected};
use crate::json::Json;
use std::borrow::Cow;

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

/// What a condition can compare a claim with, beside texts.
#[derive(Clone, Copy)]
pub(super) enum Captures<'c> {
    /// `{path.NAME}`: the names that every path of a route captures.
    Path(&'c [&'c str]),
    /// `{issuer.NAME}`: the names that the pattern of an issuer captures.
    Issuer(&'c [&'c str]),
}

/// Reads conditions `claim path: value or list of values`.
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
        let one_of = match node.value() {
            Json::Null => {
                node.error_cure("says nothing", "name a value");
                Vec::new()
            }
            _ => node.some_items("name a value").iter().filter_map(|item| expected(item, captures)).collect(),
        };
        Some(ClaimCondition { path, name: String::from(*name), one_of })
    };
    entries.iter().filter_map(read).collect()
}

fn expected(node: &Node<'_>, captures: Captures<'_>) -> Option<Expected> {
    match node.value() {
        Json::Str(text) => template(node, text, captures),
        Json::Bool(_) | Json::Int(_) | Json::Float(_) => {
            Some(Expected::Value(whole_numbers(node.value().clone()).into_owned()))
        }
        _ => {
            node.expected("text, a number, true or false");
            None
        }
    }
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
        Piece::Text(text) => Some(claims::Piece::Text(text)),
        Piece::Field(field) => capture(node, field, captures).map(claims::Piece::Capture),
    };
    pieces.into_iter().map(read).collect::<Option<Vec<_>>>().map(Expected::Template)
}

/// The name of a capture that is there whichever path of the route matched, or whatever the issuer's name is.
fn capture(node: &Node<'_>, field: &str, captures: Captures<'_>) -> Option<String> {
    let (prefix, names, cure) = match captures {
        Captures::Path(names) => ("path.", names, "every path of the route must capture it"),
        Captures::Issuer(_) if field.starts_with("path.") => {
            node.error(format!("{} cannot be known here: only routes have paths", quote(&format!("{{{field}}}"))));
            return None;
        }
        Captures::Issuer(names) => {
            ("issuer.", names, "`issuer` must capture it, as in https://id.example.com/{tenant}")
        }
    };
    let Some(name) = field.strip_prefix(prefix) else {
        node.error_cure(
            format!("unknown field {}", quote(field)),
            format!("a claim is compared with {{{prefix}NAME}}; {{{{ stands for a brace"),
        );
        return None;
    };
    if !names.contains(&name) {
        node.unknown("capture", name, names.iter().copied(), Some(String::from(cure)));
        return None;
    }
    Some(String::from(name))
}
