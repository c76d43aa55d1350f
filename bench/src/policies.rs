//! The configurations that are compared: gatekey's policies, and the same in Envoy's own filters.

use serde_json::{Map, Value, json};

use crate::credentials::{AUDIENCE, ISSUER, clients, digest, jwks};
use crate::signing::Alg;

/// The header that API keys stand in.
pub const KEY_HEADER: &str = "x-api-key";

/// The smallest policy there is: everything is public.
pub fn empty() -> Value {
    json!({
        "issuers": { "id": issuer(Alg::Hs256) },
        "routes": [{ "path": "/**", "allow": "public" }],
    })
}

/// Tokens only; two headers are set from claims.
pub fn token(alg: Alg) -> Value {
    json!({
        "issuers": { "id": issuer(alg) },
        "upstream": { "set": { "X-User": "sub", "X-Tenant": "claims.tenant" } },
    })
}

/// API keys of many clients; one header is set.
pub fn key() -> Value {
    json!({
        "clients": hashed_clients(),
        "upstream": { "set": { "X-Client": "client" } },
    })
}

/// The same, with a token for the service in place of the key: signed with Ed25519, and kept for each client while most of
/// its hour is left.
pub fn exchange() -> Value {
    let mut policy = key();
    // The example of RFC 8037 appendix A.1.
    let signer = json!({ "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" });
    policy["upstream"]["token"] = json!({
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "ttl": "1h",
        "sign": { "private_key": { "value": signer.to_string() } },
        "claims": { "tenant": "claims.tenant", "roles": "roles" },
    });
    policy
}

/// What a service in production would have: tokens or keys, routes, roles, scopes, captures, revocation,
/// identity headers, and filter state for the access log.
pub fn production() -> Value {
    let mut id = issuer(Alg::Hs256);
    id["max_age"] = json!("12h");
    id["require"] = json!({ "tenant": ["acme", "globex"] });
    let partner = json!({
        "issuer": "https://login.partner.example/",
        "audience": AUDIENCE,
        "secret": { "value": "another secret of the bench, of 46 octets long" },
    });
    let revoked: Vec<String> = (0..100).map(|index| format!("revoked-{index:03}")).collect();
    json!({
        "version": 1,
        "issuers": { "id": id, "partner": partner },
        "clients": hashed_clients(),
        "routes": [
            { "name": "health", "path": ["/healthz", "/public/**"], "allow": "public" },
            { "name": "admin", "path": "/admin/**", "allow": { "any": "id", "role": "admin" } },
            { "name": "change", "path": "/orders/**", "method": ["POST", "PUT", "DELETE"],
              "allow": { "any": ["id", "clients"], "scope": "orders:write" } },
            { "name": "tenant", "path": "/tenants/{tenant}/**",
              "allow": { "any": "id", "claim": { "tenant": "{path.tenant}" } } },
            { "name": "read", "path": "/orders/**",
              "allow": { "any": ["id", "partner", "clients"], "role": ["reader", "editor"], "scope": "orders:read" } },
        ],
        "upstream": {
            "set": { "X-User": "sub", "X-Client": "client", "X-Tenant": "claims.tenant", "X-Roles": "roles" },
            "publish": "auth",
        },
        "revoked": { "jti": revoked },
        "deny": { "realm": "orders" },
    })
}

/// Envoy's `jwt_authn`, doing what [`token`] does.
pub fn native_token(alg: Alg, cache: bool) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "clock_skew_seconds": 30,
        "forward": true,
        "local_jwks": { "inline_string": jwks(alg).to_string() },
        "claim_to_headers": [
            { "header_name": "x-user", "claim_name": "sub" },
            { "header_name": "x-tenant", "claim_name": "tenant" },
        ],
    });
    if cache {
        provider["jwt_cache_config"] = json!({ "jwt_cache_size": 1000 });
    }
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": { "id": provider },
        "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "id" } }],
    })
}

/// Envoy's `api_key_auth`, doing what [`key`] does.
pub fn native_key() -> Value {
    let credentials: Vec<Value> = clients().map(|(client, key)| json!({ "key": key, "client": client })).collect();
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
        "credentials": credentials,
        "key_sources": [{ "header": KEY_HEADER }],
        "forwarding": { "header": "x-client" },
    })
}

fn issuer(alg: Alg) -> Value {
    json!({ "issuer": ISSUER, "audience": AUDIENCE, "jwks": jwks(alg) })
}

fn hashed_clients() -> Value {
    let client = |(name, key): (String, String)| {
        (
            name,
            json!({ "key": digest(&key), "roles": ["reader"], "scopes": ["orders:read"], "claims": { "tenant": "acme" } }),
        )
    };
    Value::Object(clients().map(client).collect::<Map<_, _>>())
}
