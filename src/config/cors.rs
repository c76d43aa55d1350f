//! The section `cors`: which origins may read our answers.

use super::error::quote;
use super::fields::CORS;
use super::node::Node;
use super::value::header_name;
use crate::cors::{Cors, Origin};

/// Reads which origins may read our answers.
pub(super) fn read(node: &Node<'_>) -> Option<Cors> {
    let fields = node.fields(CORS)?;
    let mut cors = Cors { credentials: fields.flag("credentials"), ..Cors::default() };
    match fields.get("origins") {
        Some(list) => {
            for item in list.some_items("name an origin, or \"*\" for any") {
                match item.text() {
                    Some("*") => cors.any = true,
                    Some(text) => match Origin::parse(text) {
                        Ok(origin) => cors.origins.push(origin),
                        Err(message) => item.error(format!("{} {message}", quote(text))),
                    },
                    None => {}
                }
            }
            if cors.any && cors.credentials {
                list.error_cure("any origin with credentials is every page that a user visits", "name the origins");
            }
            if cors.any && !cors.origins.is_empty() {
                list.error_cure("names any origin, and others", "keep one");
            }
        }
        None => node.error_cure("has no `origins`", "name the origins of your pages"),
    }
    for item in fields.get("expose").map(|node| node.items()).unwrap_or_default() {
        cors.expose.extend(item.text().and_then(|name| header_name(name, &item)));
    }
    Some(cors)
}
