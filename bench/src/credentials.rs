//! The credentials that requests carry: many different ones, made before anything is measured.

use std::collections::BTreeMap;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::signing::Alg;

/// The issuer of all tokens.
pub const ISSUER: &str = "https://id.example.com/";
/// Who they are meant for.
pub const AUDIENCE: &str = "orders";

const KID: &str = "bench-2025";
/// Several times what any cache of verified tokens holds here, so that none of them is ever found in one.
const TOKENS: usize = 8_000;
const CLIENTS: usize = 1_000;

/// Lists of tokens to take turns through.
pub struct Tokens {
    /// Tokens that hold, no two alike.
    pub good: Vec<String>,
    /// The same, each with the signature of another.
    pub forged: Vec<String>,
    /// Well signed, but an hour too old.
    pub expired: Vec<String>,
}

/// Lists to take turns through.
pub struct Credentials {
    /// Tokens of each algorithm.
    pub tokens: BTreeMap<Alg, Tokens>,
    /// Keys of the clients.
    pub keys: Vec<String>,
    /// Keys that nobody has.
    pub unknown_keys: Vec<String>,
}

impl Credentials {
    /// Makes them, valid for some hours from now.
    pub fn make() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let make = move |alg: Alg| {
            let good = tokens(alg, TOKENS, now - 60, now + 6 * 3600);
            let others = good.iter().cycle().skip(1);
            let forged = good.iter().zip(others).map(|(token, other)| with_signature_of(token, other)).collect();
            (alg, Tokens { forged, expired: tokens(alg, TOKENS / 8, now - 2 * 3600, now - 3600), good })
        };
        let made = Alg::ALL.map(|alg| thread::spawn(move || make(alg)));
        Self {
            tokens: made.into_iter().map(|made| made.join().expect("tokens")).collect(),
            keys: (0..CLIENTS).map(|index| key("client", index)).collect(),
            unknown_keys: (0..TOKENS).map(|index| key("nobody", index)).collect(),
        }
    }

    /// The tokens of an algorithm.
    pub fn tokens(&self, alg: Alg) -> &Tokens {
        self.tokens.get(&alg).expect("all were made")
    }
}

/// The key set with which both filters verify.
pub fn jwks(alg: Alg) -> Value {
    json!({ "keys": [alg.jwk(KID)] })
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

fn tokens(alg: Alg, count: usize, from: u64, until: u64) -> Vec<String> {
    let header = BASE64URL.encode(format!(r#"{{"alg":"{}","kid":"{KID}","typ":"JWT"}}"#, alg.name()));
    let sign = alg.signer();
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
        format!("{signed}.{}", BASE64URL.encode(sign(signed.as_bytes())))
    };
    (0..count).map(token).collect()
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
        let good = &made.tokens(Alg::Hs256).good;
        let payload = good[0].split('.').nth(1).map(|part| BASE64URL.decode(part).unwrap().len());
        assert!(matches!(payload, Some(370..=390)), "{payload:?}");
        assert!(matches!(good[0].len(), 590..=630), "{}", good[0].len());
        assert!(made.keys.iter().chain(&made.unknown_keys).all(|key| key.len() == 40));
    }

    #[test]
    fn no_two_are_alike() {
        let made = Credentials::make();
        let tokens = made.tokens.into_values().flat_map(|tokens| [tokens.good, tokens.forged, tokens.expired]);
        for list in tokens.chain([made.keys, made.unknown_keys]) {
            let count = list.len();
            assert_eq!(list.into_iter().collect::<std::collections::BTreeSet<_>>().len(), count);
        }
    }
}
