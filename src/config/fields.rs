//! The fields that each part of a policy may have. The JSON Schema is held to these lists by a test.

pub(super) const POLICY: &[&str] = &[
    "version",
    "mode",
    "issuers",
    "clients",
    "clients_from",
    "users",
    "read",
    "routes",
    "allow",
    "policies",
    "upstream",
    "deny",
    "revoked",
    "preflight",
    "cache",
    "forwarded",
    "cors",
    "resource",
    "audit",
    "token_endpoint",
    "jwks_endpoint",
    "providers",
];
/// Of a service whose key the gateway keeps.
pub(super) const PROVIDER: &[&str] = &["preset", "header", "cluster", "secret", "clients", "models", "max_body"];
/// Of a policy by name.
pub(super) const NAMED: &[&str] = &[
    "mode",
    "routes",
    "allow",
    "upstream",
    "deny",
    "cors",
    "resource",
    "audit",
    "preflight",
    "token_endpoint",
    "jwks_endpoint",
];
pub(super) const TOKEN_ENDPOINT: &[&str] = &["path", "ttl", "issuer", "audience", "sign", "claims", "allow"];
/// Of `upstream.token`.
pub(super) const EXCHANGE: &[&str] = &["header", "ttl", "issuer", "audience", "sign", "claims", "act"];
/// Of a claim that is always the same.
pub(super) const CONSTANT: &[&str] = &["value"];
pub(super) const SIGN: &[&str] = &["algorithm", "secret", "private_key", "kid", "keys"];
pub(super) const ISSUER: &[&str] = &[
    "issuer",
    "audience",
    "any_audience",
    "secret",
    "jwks",
    "algorithms",
    "type",
    "leeway",
    "max_age",
    "optional_exp",
    "confirmation",
    "require",
    "roles",
    "scopes",
    "pem",
    "introspect",
];
pub(super) const INTROSPECT: &[&str] = &["uri", "cluster", "client", "bearer", "ttl"];
/// Of the client that asks.
pub(super) const ASKER: &[&str] = &["id", "secret", "method"];
pub(super) const JWKS: &[&str] = &["keys", "uri", "discovery", "cluster", "refresh", "keep_stale"];
/// Of a JWK. Others are allowed there (RFC 7517 section 4) and have no meaning.
pub(super) const JWK: &[&str] = &["kty", "k", "n", "e", "crv", "x", "y", "kid", "alg", "use", "key_ops"];
pub(super) const SECRET: &[&str] = &["env", "value", "encoding"];
pub(super) const CLIENT: &[&str] = &["keys", "key", "roles", "scopes", "claims", "expires", "from", "routes", "models"];
pub(super) const USER: &[&str] = &["password", "roles", "scopes", "claims", "from", "routes"];
pub(super) const KEY: &[&str] = &["sha256", "plain", "expires", "not_before"];
pub(super) const READ: &[&str] = &["token", "key"];
pub(super) const ROUTE: &[&str] = &["name", "path", "method", "host", "header", "preflight", "allow", "provider"];
pub(super) const ALLOW: &[&str] = &["any", "all", "role", "scope", "claim", "client", "from", "either", "optional"];
/// Of one group of conditions.
pub(super) const EITHER: &[&str] = &["role", "scope", "claim", "client", "from"];
/// What can be asked of a claim.
pub(super) const TESTS: &[&str] =
    &["one_of", "all_of", "not", "prefix", "suffix", "exists", "at_least", "at_most", "more_than", "less_than"];
pub(super) const FORWARDED: &[&str] = &["hops"];
pub(super) const UPSTREAM: &[&str] = &["set", "strip", "keep_credential", "token", "publish"];
pub(super) const SET: &[&str] = &["value", "template"];
pub(super) const DENY: &[&str] = &["body", "realm", "detail", "answers", "login"];
pub(super) const ANSWER: &[&str] = &["status", "title", "message", "headers", "body", "content_type"];
pub(super) const LOGIN: &[&str] = &["url", "return_to", "codes"];
pub(super) const AUDIT: &[&str] = &["decisions", "one_of"];
pub(super) const CORS: &[&str] = &["origins", "credentials", "expose"];
pub(super) const RESOURCE: &[&str] = &["url", "authorization_servers", "scopes", "name", "documentation"];
pub(super) const CACHE: &[&str] = &["tokens", "ttl"];
pub(super) const REVOKED: &[&str] = &["jti", "sub", "client", "key", "user", "issued_before", "from"];
pub(super) const REVOKED_ITEM: &[&str] = &["value", "iss"];
pub(super) const REVOKED_BEFORE: &[&str] = &["time", "iss", "sub"];
pub(super) const REVOKED_FROM: &[&str] = &["uri", "cluster", "refresh", "keep_stale", "on_outage", "format"];
pub(super) const CLIENTS_FROM: &[&str] = &["uri", "cluster", "refresh", "keep_stale", "on_outage"];

/// Fields that narrow what is accepted: without a value they are mistakes, while others then count as absent.
pub(super) const NARROWING: [&str; 32] = [
    "algorithms",
    "all",
    "all_of",
    "allow",
    "any",
    "at_least",
    "at_most",
    "audience",
    "claim",
    "client",
    "confirmation",
    "either",
    "exists",
    "expires",
    "from",
    "header",
    "host",
    "issuer",
    "less_than",
    "max_age",
    "method",
    "more_than",
    "not",
    "not_before",
    "one_of",
    "path",
    "prefix",
    "require",
    "role",
    "scope",
    "suffix",
    "type",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Json, Limits, read};

    /// Every field that the reader knows is in the schema, and no other.
    #[test]
    fn the_schema_knows_the_same_fields() {
        let text = include_bytes!("../../schema/policy.schema.json");
        let schema = read(text, Limits { depth: 32, members: 10_000 }).unwrap();
        let definition = |name: &str| match name {
            "policy" => &schema,
            name => schema.get("$defs").unwrap().get(name).unwrap(),
        };
        for (name, known) in [
            ("policy", POLICY),
            ("named", NAMED),
            ("issuer", ISSUER),
            ("introspect", INTROSPECT),
            ("asker", ASKER),
            ("jwks", JWKS),
            ("jwk", JWK),
            ("secret", SECRET),
            ("client", CLIENT),
            ("user", USER),
            ("key", KEY),
            ("read", READ),
            ("route", ROUTE),
            ("allow", ALLOW),
            ("either", EITHER),
            ("tests", TESTS),
            ("forwarded", FORWARDED),
            ("upstream", UPSTREAM),
            ("set", SET),
            ("deny", DENY),
            ("answer", ANSWER),
            ("login", LOGIN),
            ("audit", AUDIT),
            ("cors", CORS),
            ("resource", RESOURCE),
            ("cache", CACHE),
            ("revoked", REVOKED),
            ("revoked_item", REVOKED_ITEM),
            ("revoked_before", REVOKED_BEFORE),
            ("revoked_from", REVOKED_FROM),
            ("clients_from", CLIENTS_FROM),
            ("token_endpoint", TOKEN_ENDPOINT),
            ("exchange", EXCHANGE),
            ("sign", SIGN),
            ("constant", CONSTANT),
            ("provider", PROVIDER),
        ] {
            let Some(Json::Object(properties)) = definition(name).get("properties") else {
                panic!("{name} has no properties");
            };
            let mut described: Vec<&str> = properties.iter().map(|(name, _)| name.as_ref()).collect();
            let mut known: Vec<&str> = known.to_vec();
            described.sort_unstable();
            known.sort_unstable();
            assert_eq!(described, known, "{name}");
            // A JWK may have members that nobody knows (RFC 7517 section 4); nothing else may.
            let closed = definition(name).get("additionalProperties") == Some(&Json::Bool(false));
            assert_eq!(closed, name != "jwk", "{name}");
        }
    }
}
