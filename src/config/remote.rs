//! Key sets that are fetched: `jwks: { uri, cluster, ... }` or `jwks: { discovery: true, cluster, ... }`.

use super::error::quote;
use super::node::{Fields, Node};
use super::value::duration;
use crate::jose::alg::Alg;
use crate::jose::iss::Name;
use crate::jwks::source::{Place, Schedule, Source, Uri};

/// How often keys are fetched where the policy says nothing, in milliseconds.
const REFRESH: i64 = 600_000;
/// The least and the most that may be said, in milliseconds.
const REFRESH_BOUNDS: (i64, i64) = (5_000, 86_400_000);
/// How long they serve after that where the policy says nothing, in milliseconds.
const KEEP_STALE: i64 = 3_600_000;
/// The most that may be said, in milliseconds.
const MOST_STALE: i64 = 86_400_000;

/// Whether a `jwks` section is one of these.
pub(super) fn is_remote(fields: &Fields<'_>) -> bool {
    ["uri", "discovery", "cluster", "refresh", "keep_stale"].iter().any(|name| fields.get(name).is_some())
}

/// Reads where the keys of an issuer are fetched from. `algorithms` are those that the policy names.
pub(super) fn read(node: &Node<'_>, fields: &Fields<'_>, iss: &Name, algorithms: Option<Vec<Alg>>) -> Option<Source> {
    if let Some(keys) = fields.get("keys") {
        keys.error_cure("stands beside a key set that is fetched", "keep either `keys` or `uri`");
    }
    let place = match (fields.scalar("uri"), fields.flag("discovery")) {
        (Some(uri), true) => {
            uri.error_cure("has both uri and discovery", "keep one");
            None
        }
        (Some(uri), false) => read_uri(&uri, "whoever is between can sign tokens").map(Place::Set),
        (None, true) => discovery(node, iss),
        (None, false) => {
            node.error_cure("has no keys", "name their `uri`, set `discovery: true`, or list them under `keys`");
            None
        }
    };
    let cluster = cluster(node, fields);
    let schedule = read_schedule(fields, "is more than 24h: a key that was withdrawn would serve too long");
    Some(Source { cluster: cluster?, place: place?, schedule, algorithms })
}

/// Reads how often something is fetched and how long it serves.
pub(super) fn read_schedule(fields: &Fields<'_>, too_stale: &str) -> Schedule {
    let bounded = |name: &str, default: i64, (least, most): (i64, i64), says: &str| {
        let Some(node) = fields.scalar(name) else {
            return default;
        };
        let value = duration(&node).unwrap_or(default);
        if !(least..=most).contains(&value) {
            node.error(String::from(says));
        }
        value
    };
    let refresh = bounded("refresh", REFRESH, REFRESH_BOUNDS, "is less than 5s or more than 24h");
    let keep_stale = bounded("keep_stale", KEEP_STALE, (0, MOST_STALE), too_stale);
    Schedule { refresh, keep_stale }
}

/// Reads an address; `danger` is what comes of one without TLS.
pub(super) fn read_uri(node: &Node<'_>, danger: &str) -> Option<Uri> {
    match Uri::parse(node.text()?) {
        Ok(uri) => {
            if !uri.https {
                node.warn(format!("is asked without TLS: {danger}"), Some("use https"));
            }
            Some(uri)
        }
        Err(message) => {
            node.error(message);
            None
        }
    }
}

fn discovery(node: &Node<'_>, iss: &Name) -> Option<Place> {
    let Some(issuer) = iss.exactly() else {
        node.error_cure(
            "discovery needs one issuer, whose metadata are read",
            "give `issuer` without captures, or name the keys' `uri`",
        );
        return None;
    };
    match Uri::of_metadata(issuer) {
        Ok(uri) => Some(Place::Metadata { issuer: String::from(issuer), uri }),
        Err(message) => {
            node.error(format!("discovery goes by `issuer`, which {message}"));
            None
        }
    }
}

/// Reads which servers are asked.
pub(super) fn cluster(section: &Node<'_>, fields: &Fields<'_>) -> Option<String> {
    let Some(node) = fields.scalar("cluster") else {
        section.error_cure(
            "names no cluster",
            "`cluster` is the host's name for the servers: a cluster of Envoy, host:port in APISIX",
        );
        return None;
    };
    let text = node.text()?;
    if text.len() > 256 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        node.error(format!("{} is no name of a cluster", quote(text)));
        return None;
    }
    Some(String::from(text))
}
