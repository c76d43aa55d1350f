//! The field `introspect` of an issuer: where it is asked about tokens (RFC 7662).

use super::fields::{ASKER, INTROSPECT};
use super::node::{Fields, Node};
use super::remote::{cluster, read_uri};
use super::secret::Secrets;
use super::value::{duration, one_of};
use crate::jose::introspection::{Endpoint, Login};

/// How long an answer counts where the policy says nothing, in milliseconds.
const TTL: i64 = 30_000;
/// The least and the most that may be said, in milliseconds.
const BOUNDS: std::ops::RangeInclusive<i64> = 1_000..=600_000;

/// Fields of an issuer that mean nothing for tokens that say nothing by themselves.
const NOT_BESIDE: [&str; 5] = ["secret", "jwks", "pem", "algorithms", "type"];

/// Reads where an issuer is asked.
pub(super) fn read(node: &Node<'_>, issuer: &Fields<'_>, secrets: &Secrets<'_>) -> Option<Endpoint> {
    for name in NOT_BESIDE {
        if let Some(other) = issuer.get(name) {
            other.error_cure("stands beside `introspect`", "keep one: this issuer is asked about its tokens");
        }
    }
    let fields = node.fields(INTROSPECT)?;
    let uri = match fields.scalar("uri") {
        Some(uri) => read_uri(&uri, "whoever is between can make any token good"),
        None => {
            node.error_cure("has no `uri`", "it is the introspection_endpoint in the issuer's metadata");
            None
        }
    };
    let cluster = cluster(node, &fields);
    let login = match (fields.get("client"), fields.get("bearer")) {
        (Some(client), None) => self::login(&client, secrets),
        (None, Some(token)) => secrets.read_any(&token).map(Login::Bearer),
        (Some(_), Some(bearer)) => {
            bearer.error_cure("stands beside `client`", "keep one");
            None
        }
        (None, None) => {
            node.error_cure(
                "does not say who asks",
                "write client: { id: ..., secret: { env: NAME } }, or bearer: { env: NAME }",
            );
            None
        }
    };
    let ttl = fields.scalar("ttl").map_or(TTL, |node| {
        let ttl = duration(&node).unwrap_or(TTL);
        if !BOUNDS.contains(&ttl) {
            node.error("is less than 1s or more than 10m");
        }
        ttl
    });
    Some(Endpoint { cluster: cluster?, uri: uri?, login: login?, ttl })
}

fn login(node: &Node<'_>, secrets: &Secrets<'_>) -> Option<Login> {
    let fields = node.fields(ASKER)?;
    let id = match fields.scalar("id") {
        Some(id) => id.text().map(String::from),
        None => {
            node.error("has no `id`");
            None
        }
    };
    let secret = match fields.get("secret") {
        Some(secret) => secrets.read_any(&secret),
        None => {
            node.error_cure("has no `secret`", "write { env: NAME }");
            None
        }
    };
    let post = fields.scalar("method").and_then(|node| one_of(&node, "method", &[("basic", false), ("post", true)]));
    let (id, secret) = (id?, secret?);
    Some(if post == Some(true) { Login::Post(id, secret) } else { Login::Basic(id, secret) })
}
