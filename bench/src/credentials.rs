//! The credentials that requests carry: many different ones, made before anything is measured.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The issuer of all tokens.
pub const ISSUER: &str = "https://id.example.com/";
/// Who they are meant for.
pub const AUDIENCE: &str = "orders";

const KID: &str = "bench-2025";
const SECRET: &[u8] = b"an HS256 secret of 48 octets, used by the bench.";
/// More than any cache of verified tokens is told to hold here.
const TOKENS: usize = 20_000;
const CLIENTS: usize = 1_000;

/// Lists to take turns through.
pub struct Credentials {
    /// Tokens that hold, no two alike.
    pub good: Vec<String>,
    /// The same, each with the signature of another.
    pub forged: Vec<String>,
    /// Well signed, but an hour too old.
    pub expired: Vec<String>,
    /// Keys of the clients.
    pub keys: Vec<String>,
    /// Keys that nobody has.
    pub unknown_keys: Vec<String>,
}

impl Credentials {
    /// Makes them, valid for some hours from now.
    pub fn make() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let good = tokens(now - 60, now + 6 * 3600);
        let forged = good.iter().zip(good.iter().cycle().skip(1)).map(|(token, other)| with_signature_of(token, other));
        Self {
            forged: forged.collect(),
            expired: tokens(now - 2 * 3600, now - 3600),
            good,
            keys: (0..CLIENTS).map(|index| key("client", index)).collect(),
            unknown_keys: (0..TOKENS).map(|index| key("nobody", index)).collect(),
        }
    }
}

/// The key set with which both filters verify.
pub fn jwks() -> Value {
    json!({ "keys": [{ "kty": "oct", "kid": KID, "alg": "HS256", "k": BASE64URL.encode(SECRET) }] })
}

/// The name of a client, and its key.
pub fn clients() -> impl Iterator<Item = (String, String)> {
    (0..CLIENTS).map(|index| (format!("client-{index:04}"), key("client", index)))
}

/// The digest under which gatekey keeps a key.
pub fn digest(key: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(key.as_bytes())))
}

/// An API key of 40 octets that looks random, and is the same in every run.
fn key(owner: &str, index: usize) -> String {
    let random = hex(&Sha256::digest(format!("{owner} {index}").as_bytes()));
    format!("gk_live_{}", &random[..32])
}

fn tokens(from: u64, until: u64) -> Vec<String> {
    let header = BASE64URL.encode(format!(r#"{{"alg":"HS256","kid":"{KID}","typ":"JWT"}}"#));
    let state: Hmac<Sha256> = KeyInit::new_from_slice(SECRET).expect("HMAC takes every key");
    let token = |index: usize| {
        let jti = hex(&Sha256::digest(format!("jti {index}").as_bytes()));
        let claims = format!(
            "{{\"iss\":\"{ISSUER}\",\"sub\":\"user-{index:06}\",\"aud\":[\"{AUDIENCE}\",\"billing\"],\"exp\":{until},\"nbf\":{from},\
             \"iat\":{from},\"jti\":\"{}\",\"client_id\":\"web-frontend\",\"tenant\":\"acme\",\
             \"scope\":\"openid profile orders:read orders:write\",\"roles\":[\"reader\",\"editor\"],\
             \"name\":\"Alice Example\",\"email\":\"user-{index:06}@example.com\",\"email_verified\":true,\"locale\":\"en\"}}",
            &jti[..32],
        );
        let signed = format!("{header}.{}", BASE64URL.encode(claims));
        let code = state.clone().chain_update(signed.as_bytes()).finalize().into_bytes();
        format!("{signed}.{}", BASE64URL.encode(code))
    };
    (0..TOKENS).map(token).collect()
}

fn with_signature_of(token: &str, other: &str) -> String {
    let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
    let signature = other.rsplit_once('.').map_or(other, |(_, signature)| signature);
    format!("{signed}.{signature}")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_real_life() {
        let made = Credentials::make();
        let payload = made.good[0].split('.').nth(1).map(|part| BASE64URL.decode(part).unwrap().len());
        assert!(matches!(payload, Some(370..=390)), "{payload:?}");
        assert!(matches!(made.good[0].len(), 590..=630), "{}", made.good[0].len());
        assert!(made.keys.iter().chain(&made.unknown_keys).all(|key| key.len() == 40));
    }

    #[test]
    fn no_two_are_alike() {
        let made = Credentials::make();
        for list in [made.good, made.forged, made.expired, made.keys, made.unknown_keys] {
            let count = list.len();
            assert_eq!(list.into_iter().collect::<std::collections::BTreeSet<_>>().len(), count);
        }
    }
}
