//! The section `deny`: what the caller sees of a refusal.

use super::fields::DENY;
use super::node::Node;
use super::value::one_of;
use super::{answers, login};
use crate::deny::{Body, DenyStyle};

/// Reads how refusals look.
pub(super) fn read(node: Option<&Node<'_>>) -> DenyStyle {
    let fields = node.and_then(|node| node.fields(DENY));
    let field = |name: &str| fields.as_ref().and_then(|fields| fields.scalar(name));
    let section = |name: &str| fields.as_ref().and_then(|fields| fields.get(name));
    let bodies = [("problem", Body::Problem), ("json", Body::Json), ("text", Body::Text)];
    let body = field("body").and_then(|node| one_of(&node, "body", &bodies));
    let realm = field("realm").and_then(|node| realm(&node));
    let show_reason = field("detail").is_some_and(|node| {
        let show = one_of(&node, "detail", &[("code", false), ("reason", true)]).unwrap_or(false);
        if show {
            node.warn("callers are told why they are refused, which is for development", None);
        }
        show
    });
    DenyStyle {
        custom: section("answers").map(|node| answers::read(&node)).unwrap_or_default(),
        login: section("login").and_then(|node| login::read(&node)),
        metadata: None,
        body: body.unwrap_or(Body::Problem),
        realm: realm.unwrap_or_else(|| String::from("gatekey")),
        show_reason,
    }
}

/// A realm stands in quotes in every challenge (RFC 9110 section 11.5).
fn realm(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let plain = |b: u8| (b == b' ' || b.is_ascii_graphic()) && b != b'"' && b != b'\\';
    if text.len() > 128 || !text.bytes().all(plain) {
        node.error("a realm is 1 to 128 characters of printable ASCII without \" and \\");
    }
    Some(String::from(text))
}
