//! One policy, its credentials and requests, for the tests that are about the host and not about the policy.

#![allow(unreachable_pub)]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatekey::peer::Known;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Request, keys, load, now_seconds};
use crate::wasm_host::{Level, Profile, Root, Vm};

/// The name of the variable that holds the secret.
pub const ENV: &str = "LAB_SECRET";
/// The secret.
pub const SECRET: &str = "lab-secret-0123456789abcdef-0123456789";
/// A client key.
pub const KEY: &str = "lab-key-0123456789abcdef";

/// The environment of the VM.
pub fn env() -> Vec<(String, String)> {
    vec![(ENV.to_owned(), SECRET.to_owned())]
}

/// A policy with a public and a protected part.
pub fn policy() -> Value {
    let digest: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "issuers": {
            "app": { "issuer": "https://app.test/", "secret": { "env": ENV } },
            "ec": { "issuer": "https://ec.test/", "jwks": { "keys": [keys::jwk("p256")] } },
            "rsa": { "issuer": "https://rsa.test/", "jwks": { "keys": [keys::jwk("rsa2048")] } },
            // Its key server is nowhere.
            "away": { "issuer": "https://away.test/", "jwks": { "uri": "https://away.test/", "cluster": "nowhere" } },
        },
        "clients": { "acme": { "keys": [format!("sha256:{digest}")], "roles": ["partner"] } },
        "routes": [
            { "path": "/public/**", "allow": "public" },
            { "path": "/**", "allow": { "any": ["issuers", "clients"] } }
        ],
        "upstream": { "set": { "X-User": "sub", "X-Client": "client" }, "publish": "auth" }
    })
}

/// A token signed with `secret`, expiring in `seconds`.
pub fn token(secret: &str, seconds: i64) -> String {
    let exp = now_seconds().saturating_add_signed(seconds);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = json!({ "iss": "https://app.test/", "sub": "alice", "exp": exp });
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// A GET request.
pub fn get(path: &str, headers: &[(&str, &str)]) -> Request {
    let mut all = vec![("Host".to_owned(), b"gatekey.test".to_vec())];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())));
    Request {
        method: Some("GET".to_owned()),
        path: Some(path.to_owned()),
        headers: all,
        raw: None,
        http10: false,
        peer: Known::default(),
        policy: None,
        introspected: None,
        body: None,
    }
}

/// What a request in [`requests`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Must never pass.
    Bad,
    /// Passes on a healthy host.
    Good,
    /// On the public route.
    Public,
}

/// One request of every kind, each with an identity header that the client made up.
pub fn requests() -> Vec<(&'static str, Kind, Request)> {
    let spoof = ("X-User", "mallory");
    let bearer = |token: String| format!("Bearer {token}");
    let good = bearer(token(SECRET, 3600));
    let forged = bearer(token("another-secret-0123456789abcdef-012345", 3600));
    let expired = bearer(token(SECRET, -3600));
    let signed = |alg: &str, key: &str, iss: &str| bearer(load::token(alg, key, "k", iss, "alice"));
    let ec = signed("ES256", "p256", "https://ec.test/");
    let rsa = signed("RS256", "rsa2048", "https://rsa.test/");
    let forged_ec = signed("ES256", "p256_other", "https://ec.test/");
    let forged_rsa = signed("RS256", "rsa2048_other", "https://rsa.test/");
    let away = signed("ES256", "p256", "https://away.test/");
    vec![
        ("forged ES256 token", Kind::Bad, get("/x", &[spoof, ("Authorization", &forged_ec)])),
        ("forged RS256 token", Kind::Bad, get("/x", &[spoof, ("Authorization", &forged_rsa)])),
        ("token whose keys are away", Kind::Bad, get("/x", &[spoof, ("Authorization", &away)])),
        ("good ES256 token", Kind::Good, get("/x", &[spoof, ("Authorization", &ec)])),
        ("good RS256 token", Kind::Good, get("/x", &[spoof, ("Authorization", &rsa)])),
        ("no credential", Kind::Bad, get("/x", &[spoof])),
        ("forged token", Kind::Bad, get("/x", &[spoof, ("Authorization", &forged)])),
        ("expired token", Kind::Bad, get("/x", &[spoof, ("Authorization", &expired)])),
        ("unknown key", Kind::Bad, get("/x", &[spoof, ("X-Api-Key", "lab-key-that-nobody-has")])),
        ("good token", Kind::Good, get("/x", &[spoof, ("x_user", "mallory"), ("Authorization", &good)])),
        ("good key", Kind::Good, get("/x", &[spoof, ("X-Api-Key", KEY)])),
        ("public route", Kind::Public, get("/public/a", &[spoof, ("X_User", "mallory")])),
    ]
}

/// A VM with the policy of this file.
pub fn vm(profile: Profile) -> (Vm, Root) {
    let mut vm = Vm::start(profile, &env(), now_seconds()).unwrap_or_else(|error| panic!("{error}"));
    let root = vm.root(policy().to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert!(root.configured, "the policy was refused: {:?}", vm.logs());
    (vm, root)
}

/// What APISIX does to a configuration written as an object: empty lists and null become `{}`, integers are Lua
/// numbers and may come back as floats. (Above 2^53 they also lose digits; those are left alone here, since no
/// case can then hold.)
pub fn mangle(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Array(items) if items.is_empty() => json!({}),
        Value::Array(items) => Value::Array(items.iter().map(mangle).collect()),
        // The order of members is arbitrary there.
        Value::Object(members) => Value::Object(
            members.iter().rev().map(|(name, value)| (name.clone(), mangle(value))).collect::<Map<_, _>>(),
        ),
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.abs() < 9_007_199_254_740_992.0 => json!(float),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

/// What APISIX cannot do: remove headers by prefix, which takes a list of all, and choose a policy by route metadata.
pub fn beyond_apisix(policy: &Value) -> bool {
    let names = &policy["upstream"]["strip"];
    let all = names.as_array().map_or_else(|| vec![names], |names| names.iter().collect());
    // Each provider in the table names a cluster.
    let reads_bodies = !policy["token_endpoint"].is_null() || !policy["providers"].is_null();
    let signs_with_rsa = policy["upstream"]["token"]["sign"]["algorithm"] == "RS256";
    !policy["policies"].is_null()
        || reads_bodies
        || signs_with_rsa
        || all.iter().any(|name| name.as_str().is_some_and(|name| name.ends_with('*')))
}

/// Fails when a log line shows one of these texts.
pub fn no_secrets(secrets: &[String], logs: &[(Level, String)]) -> Result<(), String> {
    for (_, line) in logs {
        for secret in secrets {
            // The parts of a token count on their own: a payload is as telling as the whole.
            let parts = secret.split('.').filter(|part| part.len() >= 16);
            if let Some(part) = parts.chain([secret.as_str()]).find(|part| part.len() >= 8 && line.contains(part)) {
                let hidden = line.replace(part, "<HERE>");
                return Err(format!("a log line shows a token or a secret: {hidden}"));
            }
        }
    }
    Ok(())
}
