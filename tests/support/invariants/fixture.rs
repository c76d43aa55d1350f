//! A fixed clock, fixed secrets, and named credentials, good and bad.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatekey::jose::alg::Alg;
use gatekey::jose::hmac::HmacKey;
use gatekey::redact::Secret;
use gatekey::time::Time;

/// 2026-06-01T00:00:00Z, the time of every decision.
pub const NOW: i64 = 1_780_272_000;

/// The same as the crate's type.
pub const NOW_TIME: Time = Time::from_seconds(NOW);

/// The secret of issuer `app`, HS256.
pub const APP_SECRET: &str = "invariant-app-secret-0123456789-abcdef";

/// The secret of issuer `partner`, HS512.
pub const PARTNER_SECRET: &str = "invariant-partner-secret-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGH";

/// A key of client `acme`.
pub const ACME_KEY: &str = "gk_invariant_acme_0123456789";

/// A key of client `globex`.
pub const GLOBEX_KEY: &str = "gk_invariant_globex_0123456789";

/// A key of client `acme` that has expired.
pub const OLD_KEY: &str = "gk_invariant_old_0123456789";

/// A key nobody has.
pub const NO_KEY: &str = "gk_invariant_nobody_0123456789";

/// Encodes without padding.
pub fn b64(octets: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

/// A compact token over exactly these texts.
pub fn sign(alg: Alg, secret: &str, header: &[u8], claims: &[u8]) -> String {
    let key = HmacKey::new(alg, &Secret::new(secret.as_bytes().to_vec())).expect("HMAC takes every secret");
    let signed = format!("{}.{}", b64(header), b64(claims));
    let signature = b64(&key.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// An HS256 token of issuer `app`.
pub fn app_token(claims: &str) -> String {
    sign(Alg::Hs256, APP_SECRET, br#"{"alg":"HS256","typ":"JWT"}"#, claims.as_bytes())
}

/// Who a good credential stands for.
#[derive(Clone, Debug)]
pub struct Good {
    /// The name in scripts.
    pub name: &'static str,
    /// What the caller shows.
    pub text: String,
    /// `jwt` or `key`.
    pub method: &'static str,
    /// The issuer or client in the policy.
    pub party: &'static str,
    /// The subject, for tokens.
    pub sub: Option<&'static str>,
    /// The claim or client claim `tenant`.
    pub tenant: Option<&'static str>,
    /// Whether it has the role `admin`.
    pub admin: bool,
}

/// The credentials that count.
pub fn good() -> Vec<Good> {
    let token = |name, party, sub, tenant, admin, text| Good {
        name,
        text,
        method: "jwt",
        party,
        sub: Some(sub),
        tenant,
        admin,
    };
    let key = |name, party, text: &str| Good {
        name,
        text: text.into(),
        method: "key",
        party,
        sub: None,
        tenant: None,
        admin: false,
    };
    vec![
        token(
            "good",
            "app",
            "alice",
            Some("acme"),
            false,
            app_token(
                r#"{"iss":"https://app.test/","aud":"api","sub":"alice","tenant":"acme","exp":4102444800,"roles":["reader"]}"#,
            ),
        ),
        token(
            "admin",
            "app",
            "root",
            None,
            true,
            app_token(
                r#"{"iss":"https://app.test/","aud":["x","api"],"sub":"root","exp":4102444800,"roles":["admin"]}"#,
            ),
        ),
        token(
            "partner",
            "partner",
            "bob",
            None,
            false,
            sign(
                Alg::Hs512,
                PARTNER_SECRET,
                br#"{"alg":"HS512"}"#,
                br#"{"iss":"https://partner.test/","sub":"bob","exp":4102444800}"#,
            ),
        ),
        key("key", "acme", ACME_KEY),
        key("key2", "globex", GLOBEX_KEY),
    ]
}

/// Credentials and pieces of them that count for nothing.
fn bad() -> Vec<(&'static str, String)> {
    let claims = r#"{"iss":"https://app.test/","aud":"api","sub":"mallory","exp":4102444800}"#;
    let good = good().swap_remove(0).text;
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let none = format!("{}.{}.", b64(br#"{"alg":"none"}"#), b64(claims.as_bytes()));
    let other = |text: &str| claims.replace(r#""sub""#, text);
    vec![
        ("expired", app_token(&claims.replace("4102444800", "1700000000"))),
        ("early", app_token(&other(r#""nbf":4000000000,"sub""#))),
        ("endless", app_token(r#"{"iss":"https://app.test/","aud":"api","sub":"mallory"}"#)),
        ("aud", app_token(&claims.replace("\"api\"", "\"other\""))),
        ("iss", app_token(&claims.replace("app.test", "evil.test"))),
        ("bound", app_token(&other(r#""cnf":{"jkt":"x"},"sub""#))),
        ("revoked", app_token(&other(r#""jti":"gone","sub""#))),
        ("twice", app_token(&other(r#""sub":"alice","sub""#))),
        ("control", app_token(&claims.replace("mallory", r"a\r\nx-user: root"))),
        ("cross", sign(Alg::Hs256, PARTNER_SECRET, br#"{"alg":"HS256"}"#, claims.as_bytes())),
        ("forged", sign(Alg::Hs256, "another-secret-0123456789-abcdefghij", br#"{"alg":"HS256"}"#, claims.as_bytes())),
        ("unsigned", format!("{none}AA")),
        ("none", none),
        ("unclaimed", signed.to_owned()),
        ("sig", signature.to_owned()),
        ("oldkey", OLD_KEY.into()),
        ("nokey", NO_KEY.into()),
    ]
}

/// All named credentials: `good`, `expired`, `key`, ...
pub fn named() -> BTreeMap<&'static str, String> {
    good().into_iter().map(|good| (good.name, good.text)).chain(bad()).collect()
}
