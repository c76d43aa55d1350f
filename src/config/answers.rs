//! The field `answers` of `deny`: what the operator says in place of our words, by reason or code.

use super::error::quote;
use super::fields::ANSWER;
use super::node::Node;
use super::template;
use super::upstream::HOST_HEADERS;
use super::value::{header_name, whole_numbers};
use crate::answer::{Body, Custom, Field, Piece};
use crate::deny::{Code, Reason};
use crate::json::Json;

/// The longest title, message or header, in octets.
const MAX_TEXT: usize = 1_024;
/// The longest body, in octets.
const MAX_BODY: usize = 64 * 1_024;

/// Headers that are the host's, or ours.
const NOT_THESE: [&str; 6] =
    ["www-authenticate", "content-type", "content-encoding", "location", "set-cookie", "access-control-allow-origin"];

/// Reads all answers.
pub(super) fn read(node: &Node<'_>) -> Vec<Custom> {
    let words = || Reason::ALL.iter().map(|reason| reason.word()).chain(Code::ALL.iter().map(|code| code.word()));
    let mut found = Vec::new();
    for (name, node) in node.entries() {
        match words().find(|word| *word == name) {
            Some(word) => found.extend(read_one(&node, word)),
            None => node.unknown("reason or code", name, words(), Some(String::from("docs/reasons.md lists them"))),
        }
    }
    found
}

fn read_one(node: &Node<'_>, word: &'static str) -> Option<Custom> {
    let fields = node.fields(ANSWER)?;
    if fields.is_empty() {
        node.error_cure("says nothing", "leave it out, or give it a `status`, `title`, `message`, `headers` or `body`");
    }
    let content_type = fields.scalar("content_type").and_then(|node| content_type(&node));
    let body = fields.get("body").and_then(|node| pieces(&node, MAX_BODY, true));
    match (fields.get("content_type"), fields.get("body")) {
        (Some(node), None) => node.error("stands without `body`"),
        (None, Some(node)) => {
            node.error_cure("has no `content_type` beside it", "write text/html; charset=utf-8, or what it is")
        }
        _ => {}
    }
    Some(Custom {
        word,
        status: fields.scalar("status").and_then(|node| status(&node)),
        title: fields.scalar("title").and_then(|node| words(&node)),
        message: fields.scalar("message").and_then(|node| words(&node)),
        headers: fields.get("headers").map(|node| headers(&node)).unwrap_or_default(),
        body: content_type.zip(body).map(|(content_type, pieces)| Body { content_type, pieces }),
    })
}

fn status(node: &Node<'_>) -> Option<u16> {
    let status = match whole_numbers(node.value().clone()) {
        Json::Int(status) => u16::try_from(status).ok().filter(|status| (400..600).contains(status)),
        _ => None,
    };
    if status.is_none() {
        node.error_cure(
            "is no status of a refusal",
            "write a number from 400 to 599; `login` sends browsers elsewhere",
        );
    }
    status
}

/// A text for people.
fn words(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
        node.error(format!("is longer than {MAX_TEXT} octets, or has control characters"));
    }
    Some(String::from(text))
}

fn content_type(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let plain = text.len() <= 128 && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    if !plain || text.split(';').next().is_none_or(|kind| kind.split('/').count() != 2) {
        node.error(format!("{} is no media type", quote(text)));
    }
    Some(String::from(text))
}

fn headers(node: &Node<'_>) -> Vec<(String, Vec<Piece>)> {
    let mut found: Vec<(String, Vec<Piece>)> = Vec::new();
    for (name, node) in node.entries() {
        let Some(name) = header_name(name, &node) else {
            continue;
        };
        if HOST_HEADERS.contains(&name.as_str()) || NOT_THESE.contains(&name.as_str()) {
            node.error(format!("the header {name} is not set here"));
        }
        if found.iter().any(|(other, _)| *other == name) {
            node.error("is named twice, in other letters");
        }
        if let Some(pieces) = pieces(&node, MAX_TEXT, false) {
            found.push((name, pieces));
        }
    }
    found
}

/// A text with fields.
fn pieces(node: &Node<'_>, longest: usize, lines: bool) -> Option<Vec<Piece>> {
    let text = node.text()?;
    if text.len() > longest {
        node.error(format!("is longer than {longest} octets"));
    }
    let allowed = |c: char| !c.is_control() || (lines && matches!(c, '\n' | '\r' | '\t'));
    if !text.chars().all(allowed) || (!lines && !text.is_ascii()) {
        node.error(if lines { "has control characters" } else { "a header value is visible ASCII and spaces" });
    }
    let known = || Field::ALL.iter().map(|(name, _)| *name);
    let read = |piece: template::Piece<'_>| match piece {
        template::Piece::Text(text) => Some(Piece::Text(text)),
        template::Piece::Field(name) => {
            let field = Field::ALL.iter().find(|(known, _)| *known == name).map(|(_, field)| Piece::Field(*field));
            if field.is_none() {
                let cure = format!("{} can be said; {{{{ stands for a brace", known().collect::<Vec<_>>().join(", "));
                node.unknown("field", name, known(), Some(cure));
            }
            field
        }
    };
    match template::pieces(text) {
        Ok(pieces) => pieces.into_iter().map(read).collect(),
        Err(message) => {
            node.error(message);
            None
        }
    }
}
