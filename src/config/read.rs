//! The section `read`: where credentials stand in a request.

use super::error::quote;
use super::fields::READ;
use super::node::Node;
use super::upstream::HOST_HEADERS;
use super::value::is_token;
use crate::credential::{Location, Read};

/// Reads the places of the kinds of credential that the policy has somebody for; `opaque` if tokens may have any shape.
pub(super) fn read(node: Option<&Node<'_>>, has_issuers: bool, has_clients: bool, opaque: bool) -> Read {
    let fields = node.and_then(|node| node.fields(READ));
    let places = |name: &str, needed: bool, missing: &str, default: Vec<Location>| {
        let Some(node) = fields.as_ref().and_then(|fields| fields.get(name)) else {
            return if needed { default } else { Vec::new() };
        };
        let places = locations(&node);
        if !needed {
            node.warn(format!("has no effect: there are no {missing}"), None);
            return Vec::new();
        }
        places
    };
    let keys = vec![Location::Header(String::from("x-api-key")), Location::Bearer];
    Read {
        token: places("token", has_issuers, "issuers", vec![Location::Bearer]),
        key: places("key", has_clients, "clients", keys),
        opaque,
    }
}

fn locations(node: &Node<'_>) -> Vec<Location> {
    let mut found: Vec<Location> = Vec::new();
    for item in node.some_items("leave it out for the default") {
        let Some(location) = item.text().and_then(|text| location(&item, text)) else {
            continue;
        };
        if found.contains(&location) {
            item.error("is named twice");
        }
        if let Location::Query(name) = &location {
            let cure = "a header is the better place";
            item.warn(format!("what stands in the query parameter {name} ends up in logs and histories"), Some(cure));
        }
        found.push(location);
    }
    found
}

fn location(node: &Node<'_>, text: &str) -> Option<Location> {
    const FORMS: &str = "it is bearer, header:NAME, cookie:NAME or query:NAME";
    let Some((kind, name)) = text.split_once(':') else {
        if text != "bearer" {
            node.unknown("place", text, ["bearer"], Some(String::from(FORMS)));
            return None;
        }
        return Some(Location::Bearer);
    };
    if !["header", "cookie", "query"].contains(&kind) {
        node.unknown("place", kind, ["header", "cookie", "query"], Some(String::from(FORMS)));
        return None;
    }
    if !is_token(name) {
        node.error(format!("{} is no {kind} name", quote(name)));
        return None;
    }
    match kind {
        "cookie" => Some(Location::Cookie(String::from(name))),
        "query" => Some(Location::Query(String::from(name))),
        _ => header(node, name.to_ascii_lowercase()).map(Location::Header),
    }
}

fn header(node: &Node<'_>, name: String) -> Option<String> {
    match name.as_str() {
        "authorization" => node.error_cure("the header Authorization has a scheme", "write bearer"),
        "cookie" => node.error_cure("the header Cookie holds many", "write cookie:NAME"),
        name if HOST_HEADERS.contains(&name) => node.error(format!("the header {name} belongs to the host")),
        _ => return Some(name),
    }
    None
}
