//! The section `routes`: which rule a request meets.

use super::allow::{self, Parties};
use super::error::quote;
use super::fields::ROUTE;
use super::node::{Fields, Node};
use super::reach;
use super::value::{check_label, header_name, is_token, texts};
use crate::path::Pattern;
use crate::provider::Provider;
use crate::route::{HeaderPattern, HostPattern, Route};
use crate::rule::Rule;

/// Methods that are never meant in another case (RFC 9110 section 9, RFC 5789).
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];

/// Reads the route table.
pub(super) fn read(node: &Node<'_>, parties: &Parties, providers: &[Provider]) -> Vec<Route> {
    let items = node.list();
    if node.is_empty() {
        node.error_cure("is empty, which refuses every request", "leave it out to ask for a credential on every one");
    }
    let mut names: Vec<(&str, String)> = Vec::new();
    let mut routes = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(fields) = item.fields(ROUTE) else {
            continue;
        };
        if let Some(node) = fields.scalar("name")
            && let Some(name) = node.text()
        {
            check_label(name, &node);
            match names.iter().find(|(other, _)| *other == name) {
                Some((_, path)) => node.error(format!("is the name of {path} too")),
                None => names.push((name, item.path())),
            }
        }
        let mut route = read_one(index, item, &fields, parties);
        route.provider = fields.scalar("provider").and_then(|node| provider(&node, &route.rule, parties, providers));
        routes.push(route);
    }
    reach::warn_unreached(&routes, &items);
    routes
}

fn read_one(index: usize, node: &Node<'_>, fields: &Fields<'_>, parties: &Parties) -> Route {
    let paths = fields.get("path").map(|node| paths(&node)).unwrap_or_default();
    let methods = fields.get("method").map(|node| methods(&node)).unwrap_or_default();
    let hosts = fields.get("host").map(|node| hosts(&node)).unwrap_or_default();
    let headers = fields.get("header").map(|node| headers(&node)).unwrap_or_default();
    let preflight = fields.flag("preflight");
    let captures = common_captures(&paths, &hosts);
    let rule = match fields.get("allow") {
        Some(allow) => allow::read(&allow, parties, &captures),
        None => {
            node.error_cure("does not say who is allowed", "write `allow: public`, a name or a list of names");
            allow::nobody()
        }
    };
    if matches!(rule, Rule::Public) && preflight {
        node.warn("preflight has no effect on a public route", None);
    }
    let label = fields.scalar("name").and_then(|node| node.value().as_str().map(String::from));
    Route {
        index,
        label: label.unwrap_or_else(|| format!("routes[{index}]")),
        paths,
        methods,
        hosts,
        headers,
        preflight,
        rule,
        provider: None,
    }
}

/// The provider that a route leads to, whose key nobody may spend without being known.
fn provider(node: &Node<'_>, rule: &Rule, parties: &Parties, providers: &[Provider]) -> Option<usize> {
    let name = node.text()?;
    let known = matches!(rule, Rule::Require(requirement) if !requirement.optional);
    if !known {
        node.error_cure("its key would be anybody's", "`allow` must name who may use it, without `optional`");
    }
    let found = providers.iter().position(|provider| provider.name == name);
    // A mistaken one has its own error.
    if !parties.providers.iter().any(|other| other == name) {
        node.unknown(
            "provider",
            name,
            parties.providers.iter().map(String::as_str),
            Some(String::from("name it under `providers`")),
        );
    }
    found
}

fn paths(node: &Node<'_>) -> Vec<Pattern> {
    let read = |item: &Node<'_>| {
        let text = item.text()?;
        Pattern::parse(text).map_err(|message| item.error(format!("{}: {message}", quote(text)))).ok()
    };
    node.some_items("leave it out for any path").iter().filter_map(read).collect()
}

/// The captures that are there whichever path and host matched.
fn common_captures(paths: &[Pattern], hosts: &[HostPattern]) -> Vec<String> {
    let mut captures = Vec::new();
    if let Some((first, others)) = paths.split_first() {
        let common = |name: &&str| others.iter().all(|path| path.captures().any(|other| other == *name));
        captures.extend(first.captures().filter(common).map(String::from));
    }
    if let Some(name) = hosts.first().and_then(HostPattern::capture)
        && hosts.iter().all(|host| host.capture() == Some(name))
    {
        captures.push(String::from(name));
    }
    captures
}

fn methods(node: &Node<'_>) -> Vec<String> {
    let read = |item: &Node<'_>| {
        let text = item.text()?;
        let upper = text.to_ascii_uppercase();
        if text == "*" {
            item.error_cure("a method is named", "leave `method` out for any");
        } else if !is_token(text) {
            item.error(format!("{} is no method (RFC 9110 section 9.1)", quote(text)));
        } else if upper != text && METHODS.contains(&upper.as_str()) {
            item.error_cure("methods are compared with case", format!("did you mean {}?", quote(&upper)));
        } else if upper != text {
            item.warn("methods are compared with case, and hardly any has small letters", None);
        }
        Some(String::from(text))
    };
    node.some_items("leave it out for any method").iter().filter_map(read).collect()
}

fn hosts(node: &Node<'_>) -> Vec<HostPattern> {
    let read = |item: &Node<'_>| {
        let text = item.text()?;
        HostPattern::parse(text).map_err(|message| item.error(format!("{}: {message}", quote(text)))).ok()
    };
    node.some_items("leave it out for any host").iter().filter_map(read).collect()
}

fn headers(node: &Node<'_>) -> Vec<HeaderPattern> {
    let mut found: Vec<HeaderPattern> = Vec::new();
    for (name, node) in node.entries() {
        let Some(name) = header_name(name, &node) else {
            continue;
        };
        if name == "host" {
            node.error_cure("the host is no header here", "use the field `host` of the route");
        }
        if found.iter().any(|other| other.name == name) {
            node.error("is named twice, in other letters");
        }
        let one_of = texts(&node.some_items("name a value"));
        found.push(HeaderPattern { name, one_of });
    }
    found
}
