//! Tokens of the crate jsonwebtoken: `mint`, `vectors` (the same without a clock) and `verify`, one JSON line per token.

use std::io::{BufRead, stdin};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Value, json};

/// 2100-01-01.
const FAR: u64 = 4_102_444_800;
/// 2026-01-01.
const BEGIN: u64 = 1_767_225_600;

struct Maker {
    issuers: Value,
    /// The folder with private keys.
    keys: String,
    now: u64,
    /// Seconds from `now` until tokens expire.
    lives: u64,
}

impl Maker {
    fn claims(&self, name: &str) -> Value {
        json!({"iss": self.issuers[name]["issuer"], "aud": "orders", "sub": "alice", "iat": self.now, "exp": self.now + self.lives})
    }

    fn secret(&self, name: &str) -> &str {
        self.issuers[name]["secret"]["value"].as_str().expect("a secret")
    }

    fn token(&self, name: &str, header: Header, change: Value) -> String {
        self.signed(header, self.secret(name), name, change)
    }

    /// Claims set to null are left out.
    fn signed(&self, header: Header, secret: &str, name: &str, change: Value) -> String {
        let mut claims = self.claims(name);
        for (claim, value) in change.as_object().expect("an object") {
            if value.is_null() {
                claims.as_object_mut().expect("an object").remove(claim);
            } else {
                claims[claim] = value.clone();
            }
        }
        encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
    }

    fn list(&self) -> Vec<Value> {
        let hs256 = || Header::new(Algorithm::HS256);
        let with = |change: &dyn Fn(&mut Header)| {
            let mut header = hs256();
            change(&mut header);
            header
        };
        let good = |name: &str, token: String| json!({"name": name, "token": token, "decision": "allow", "reason": null});
        let bad = |name: &str, reason: &str, token: String| json!({"name": name, "token": token, "decision": "deny", "reason": reason});
        let none = || json!({});
        let mut all = vec![
            good("HS256", self.token("hs256", hs256(), none())),
            good("HS384", self.token("hs384", Header::new(Algorithm::HS384), none())),
            good("HS512", self.token("hs512", Header::new(Algorithm::HS512), none())),
            good("audience list", self.token("hs256", hs256(), json!({"aud": ["other", "orders"]}))),
            good("kid", self.token("hs256", with(&|h| h.kid = Some("key-1".into())), none())),
            good("no typ", self.token("hs256", with(&|h| h.typ = None), none())),
            good("not before, begun", self.token("hs256", hs256(), json!({"nbf": self.now - 10}))),
            good("without iat", self.token("hs256", hs256(), json!({"iat": null}))),
            good("unicode", self.token("hs512", Header::new(Algorithm::HS512), json!({"sub": "zoë 漢字 \u{1f511} \"quoted\" \\ /"}))),
            bad("expired", "token_expired", self.token("hs256", hs256(), json!({"exp": self.now - 60}))),
            bad("wrong audience", "audience_mismatch", self.token("hs256", hs256(), json!({"aud": "other"}))),
            bad("no audience", "audience_mismatch", self.token("hs256", hs256(), json!({"aud": null}))),
            bad("wrong secret", "signature_invalid", self.signed(hs256(), "another-secret-0123456789abcdef0123", "hs256", none())),
            bad("not yet valid", "token_not_yet_valid", self.token("hs256", hs256(), json!({"nbf": self.now + self.lives - 1}))),
            bad("no exp", "claim_mismatch", self.token("hs256", hs256(), json!({"exp": null}))),
            bad("other algorithm", "algorithm_not_allowed", self.token("hs256", Header::new(Algorithm::HS384), none())),
            bad("unknown issuer", "issuer_unknown", self.token("hs256", hs256(), json!({"iss": "https://other.test/"}))),
            bad("proof of possession", "type_mismatch", self.token("hs256", with(&|h| h.typ = Some("application/dpop+jwt".into())), none())),
            bad("nested", "token_malformed", self.token("hs256", with(&|h| h.cty = Some("JWT".into())), none())),
        ];
        // ES512 is unknown to this library.
        for name in ["rs256", "rs384", "rs512", "ps256", "ps384", "ps512", "es256", "es384", "eddsa"] {
            let alg = self.issuers[name]["algorithms"][0].as_str().expect("an algorithm");
            all.push(good(alg, self.asymmetric(name, alg, "")));
            all.push(bad(&format!("{alg} of a stranger"), "signature_invalid", self.asymmetric(name, alg, "_other")));
            let other = if alg == "RS256" { "PS256" } else { "RS256" };
            all.push(bad(&format!("{other} for {alg}"), "algorithm_not_allowed", self.asymmetric(name, other, "")));
        }
        all
    }

    /// A token signed with the private key that goes with an algorithm, or a stranger's.
    fn asymmetric(&self, name: &str, alg: &str, stranger: &str) -> String {
        let key = match alg {
            "ES256" => "p256",
            "ES384" => "p384",
            "EdDSA" => "ed25519",
            _ => "rsa2048",
        };
        let pem = std::fs::read(format!("{}/{key}{stranger}.pem", self.keys)).expect("a key");
        let key = match alg {
            "EdDSA" => EncodingKey::from_ed_pem(&pem),
            "ES256" | "ES384" => EncodingKey::from_ec_pem(&pem),
            _ => EncodingKey::from_rsa_pem(&pem),
        };
        encode(&Header::new(alg.parse().expect("an algorithm")), &self.claims(name), &key.expect("a key")).expect("a token")
    }

    fn verify(&self, line: &str) -> Value {
        let wanted: Value = serde_json::from_str(line).expect("a JSON line");
        let name = wanted["issuer"].as_str().expect("an issuer");
        let issuer = &self.issuers[name];
        let algorithm = issuer["algorithms"][0].as_str().and_then(|alg| alg.parse().ok()).expect("an algorithm");
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[issuer["audience"].as_str().expect("an audience")]);
        validation.set_issuer(&[issuer["issuer"].as_str().expect("an issuer")]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        let pem = issuer["pem"].as_str().unwrap_or_default().as_bytes();
        let key = match algorithm {
            Algorithm::ES256 => DecodingKey::from_ec_pem(pem).expect("a key"),
            Algorithm::EdDSA => DecodingKey::from_ed_pem(pem).expect("a key"),
            _ => DecodingKey::from_secret(self.secret(name).as_bytes()),
        };
        match decode::<Value>(wanted["token"].as_str().expect("a token"), &key, &validation) {
            Ok(data) => json!({"name": wanted["name"], "claims": data.claims}),
            Err(error) => json!({"name": wanted["name"], "claims": null, "why": error.to_string()}),
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, command, policy, keys] = words.as_slice() else {
        panic!("usage: gatekey-interop mint|vectors|verify POLICY KEYS");
    };
    let mut policy: Value = serde_json::from_str(&std::fs::read_to_string(policy).expect("the policy")).expect("JSON");
    let issuers = policy["issuers"].take();
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let (now, lives) = if command == "vectors" { (BEGIN, FAR - BEGIN) } else { (clock, 3600) };
    let maker = Maker { issuers, keys: keys.clone(), now, lives };
    if command == "verify" {
        for line in stdin().lock().lines() {
            println!("{}", maker.verify(&line.expect("text")));
        }
    } else {
        for token in maker.list() {
            println!("{token}");
        }
    }
}
