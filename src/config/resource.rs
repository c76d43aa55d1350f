//! The section `resource`: what the filter tells clients of the resource that it guards (RFC 9728).

use std::borrow::Cow;

use super::fields::RESOURCE;
use super::node::{Fields, Node};
use super::value::{scopes, texts};
use crate::credential::{Location, Read};
use crate::document::Document;
use crate::jose::issuer::Issuers;
use crate::json::Json;
use crate::jwks::source::Uri;
use crate::resource::Resource;

/// Reads a resource.
pub(super) fn read(node: &Node<'_>, issuers: &Issuers, read: &Read) -> Option<Resource> {
    let fields = node.fields(RESOURCE)?;
    let servers = servers(node, &fields, issuers);
    let url = match fields.scalar("url") {
        Some(url) => address(&url),
        None => {
            node.error_cure(
                "has no `url`",
                "it is the resource identifier: https://api.example.com/ and its path, if it has one",
            );
            None
        }
    };
    let text = |text: &str| Json::Str(Cow::Owned(String::from(text)));
    let list = |items: Vec<String>| Json::Array(items.iter().map(|item| text(item)).collect());
    let (url, uri) = url?;
    let mut members = vec![("resource", text(&url)), ("authorization_servers", list(servers))];
    if let Some(node) = fields.get("scopes") {
        members.push(("scopes_supported", list(scopes(&node.some_items("leave it out, or name a scope")))));
    }
    let mut methods = Vec::new();
    for location in &read.token {
        let method = match location {
            Location::Bearer => "header",
            Location::Query(name) if name == "access_token" => "query",
            _ => continue,
        };
        methods.push(String::from(method));
    }
    members.push(("bearer_methods_supported", list(methods)));
    for (field, name) in [("name", "resource_name"), ("documentation", "resource_documentation")] {
        if let Some(value) = fields.scalar(field).and_then(|node| node.text()) {
            members.push((name, text(value)));
        }
    }
    let document = Json::Object(members.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect());
    let (address, path) = Resource::place(&format!("{}://{}", uri.scheme(), uri.authority), &uri.path);
    Some(Resource { address, document: Document { path, body: format!("{document}\n") } })
}

/// The identifier, as it is written and in parts.
fn address(node: &Node<'_>) -> Option<(String, Uri)> {
    let text = node.text()?;
    match Uri::parse(text) {
        Ok(uri) if uri.path.contains('?') => node.error("has a query, and a path for its metadata could not be told"),
        Ok(uri) => {
            if !uri.https {
                node.warn("is no https address, which RFC 9728 asks for", None);
            }
            return Some((String::from(text), uri));
        }
        Err(message) => node.error(message),
    }
    None
}

/// The authorization servers: those named, else the issuers that are addresses.
fn servers(node: &Node<'_>, fields: &Fields<'_>, issuers: &Issuers) -> Vec<String> {
    let named = fields.get("authorization_servers");
    if let Some(list) = &named {
        return texts(&list.some_items("leave it out for the issuers of this policy"));
    }
    let known = issuers.iter().filter_map(|issuer| issuer.iss.exactly()).filter(|iss| iss.starts_with("https://"));
    let known: Vec<String> = known.map(String::from).collect();
    if known.is_empty() {
        node.error_cure(
            "has no authorization server",
            "name `authorization_servers`: no `issuer` of this policy is an https address",
        );
    }
    known
}
