//! The section `providers`: services whose keys the gateway keeps. No message of this file quotes a key.

use std::collections::BTreeMap;

use super::fields::PROVIDER;
use super::node::Node;
use super::secret::Secrets;
use super::upstream::HOST_HEADERS;
use super::value::{check_label, header_name, one_of, texts, whole_numbers};
use crate::credential::Read;
use crate::globs::Globs;
use crate::json::Json;
use crate::policy::Policy;
use crate::provider::Provider;
use crate::provider::model::{LONGEST_BODY, USUAL_BODY};
use crate::provider::preset::{Preset, WORDS};
use crate::redact::Secret;

/// The longest key of a provider, in octets.
const LONGEST_KEY: usize = 4096;

/// Reads all providers. `clients` are those that may have keys of their own.
pub(super) fn read(node: &Node<'_>, secrets: &Secrets<'_>, clients: &[String], store: bool) -> Vec<Provider> {
    if node.is_empty() {
        node.error_cure("is empty", "leave it out, or name a provider");
    }
    let read = |(name, node): (&str, Node<'_>)| {
        check_label(name, &node);
        read_one(name, &node, secrets, clients, store)
    };
    node.entries().into_iter().filter_map(read).collect()
}

fn read_one(name: &str, node: &Node<'_>, secrets: &Secrets<'_>, clients: &[String], store: bool) -> Option<Provider> {
    let fields = node.fields(PROVIDER)?;
    let preset = match (fields.scalar("preset"), fields.scalar("header")) {
        (Some(node), _) => one_of(&node, "preset", &WORDS),
        (None, Some(_)) => Some(Preset::Plain),
        (None, None) => {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            node.error_cure("is of no kind", format!("write preset: {}, or the `header` of its key", words.join(", ")));
            None
        }
    };
    let header = match fields.scalar("header") {
        None => preset.and_then(Preset::header).map(String::from),
        Some(node) => {
            let name = node.text().and_then(|name| header_name(name, &node))?;
            if HOST_HEADERS.contains(&name.as_str()) || name == "cookie" {
                node.error(format!("the header {name} is no place for a key"));
            }
            Some(name)
        }
    };
    let clusters = match fields.get("cluster") {
        Some(node) => clusters(&node),
        None => {
            node.warn("has no `cluster`, without which Envoy takes no policy", Some("leave it out for APISIX only"));
            Globs::default()
        }
    };
    let secret = fields.get("secret").and_then(|node| secret(&node, secrets));
    let own = fields.get("clients").map(|node| own(&node, secrets, clients, store)).unwrap_or_default();
    if fields.get("secret").is_none() && own.is_empty() {
        node.error_cure("has no key", "write secret: { env: NAME }");
    }
    let longest = fields.scalar("max_body").map_or(Some(USUAL_BODY), |node| {
        let octets = match whole_numbers(node.value().clone()) {
            Json::Int(octets) => usize::try_from(octets).ok(),
            _ => None,
        };
        let octets = octets.filter(|octets| (1024..=LONGEST_BODY).contains(octets));
        if octets.is_none() {
            node.error(format!("is no number of octets from 1024 to {LONGEST_BODY}"));
        }
        octets
    });
    let models = fields.get("models").map(|node| models(&node));
    if let (Some(Preset::Plain), Some(node)) = (preset, fields.get("models")) {
        node.error_cure("needs to know where requests name their models", "name a `preset`");
    }
    Some(Provider {
        name: String::from(name),
        preset: preset?,
        clusters,
        header: header?,
        secret,
        own,
        models,
        longest: longest?,
        read: Read::default(),
    })
}

/// Warns of providers that no route leads to: their callers' keys would be taken away, and none put in their place.
pub(super) fn warn_unused(nodes: &[(&str, Node<'_>)], policy: &Policy) {
    let named: Vec<&str> = policy
        .all()
        .flat_map(|policy| policy.routes().iter().filter_map(|route| policy.providers.get(route.provider?)))
        .map(|provider| provider.name.as_str())
        .collect();
    for (_, node) in nodes.iter().filter(|(name, _)| !named.contains(name)) {
        node.warn("no route leads to it", Some("write `provider` in one"));
    }
}

/// Warns of models of clients that no provider serves, so that the client can call nothing by them.
pub(super) fn warn_unserved(nodes: &[(&str, Node<'_>)], policy: &Policy) {
    let known: Vec<&Provider> = policy.providers.iter().filter(|provider| provider.preset.names_models()).collect();
    for (_, node) in nodes {
        let Some(list) = node.open_fields().and_then(|fields| fields.get("models")) else {
            continue;
        };
        if known.is_empty() {
            list.warn("there is no provider that serves models, and who is bound to some gets no tokens", None);
            continue;
        }
        let serves = |model: &str| known.iter().any(|provider| provider.models.as_ref().is_none_or(|m| m.meet(model)));
        for item in list.items() {
            if item.value().as_str().is_some_and(|model| !serves(model)) {
                item.warn("no provider serves it", None);
            }
        }
    }
}

/// Reads names of clusters; `*` at the end of one stands for any rest.
fn clusters(node: &Node<'_>) -> Globs {
    let items = node.some_items("name the cluster that the provider stands behind");
    for item in items.iter().filter(|item| item.value().as_str() == Some("*")) {
        item.error("is every cluster there is");
    }
    globs(&items)
}

/// Reads names of models; `*` at the end of one stands for any rest.
pub(super) fn models(node: &Node<'_>) -> Globs {
    globs(&node.some_items("leave it out for every model"))
}

fn globs(items: &[Node<'_>]) -> Globs {
    for item in items {
        let text = item.value().as_str().unwrap_or_default();
        if text.strip_suffix('*').unwrap_or(text).contains('*') {
            item.error("a * stands at the end only");
        }
    }
    Globs(texts(items))
}

fn own(node: &Node<'_>, secrets: &Secrets<'_>, clients: &[String], store: bool) -> BTreeMap<String, Secret> {
    let mut found = BTreeMap::new();
    for (name, node) in node.entries() {
        if !store && !clients.iter().any(|client| client == name) {
            node.unknown("client", name, clients.iter().map(String::as_str), None);
        }
        found.extend(secret(&node, secrets).map(|secret| (String::from(name), secret)));
    }
    found
}

fn secret(node: &Node<'_>, secrets: &Secrets<'_>) -> Option<Secret> {
    if matches!(node.value(), Json::Array(items) if !items.is_empty()) {
        node.error_cure("is a list", "one key goes on: change the variable, and start the host anew");
        return None;
    }
    let secret = secrets.read_any(node)?;
    if secret.expose().get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"bearer ")) {
        node.error_cure("begins with a scheme", "write the key alone: under authorization, Bearer goes before it");
        return None;
    }
    let octets = secret.expose();
    let fits = !octets.is_empty() && octets.len() <= LONGEST_KEY && octets.iter().all(u8::is_ascii_graphic);
    if !fits {
        node.error("is no key: it must be visible ASCII without spaces or line breaks");
    }
    fits.then_some(secret)
}
