//! Tokens: nothing is accepted but what our key signed, in exactly the text it signed.
//!
//! An input that begins with `{` is a header, a line break and claims, which are then signed with the right
//! key; every other input is a token as it stands.

use std::cell::OnceCell;

use gatekey::cache::{Cache, CacheSize};
use gatekey::claims::ClaimPath;
use gatekey::cluster::Cluster;
use gatekey::decision::Silent;
use gatekey::deny::Reason;
use gatekey::issue::mint::Mint;
use gatekey::jose::alg::{Alg, Verifier};
use gatekey::jose::binding::Confirmation;
use gatekey::jose::compact::Compact;
use gatekey::jose::hmac::HmacKey;
use gatekey::jose::iss::Name;
use gatekey::jose::issuer::{Audience, Issuer, Issuers, Keys};
use gatekey::jose::keyring::Keyring;
use gatekey::jose::keyset::{Key, KeySet};
use gatekey::jose::offload::NoOffload;
use gatekey::jose::verify;
use gatekey::list::lists::Lists;
use gatekey::means::{Body, Means};
use gatekey::password::ledger::Ledger;
use gatekey::peer::Nobody;
use gatekey::redact::Secret;
use serde_json::Value;

use super::fixture::{APP_SECRET, NOW, NOW_TIME, PARTNER_SECRET, b64, sign};

const LEEWAY: i64 = 30;

thread_local! {
    static ISSUERS: OnceCell<Issuers> = const { OnceCell::new() };
}

/// Takes any octets.
pub fn check(data: &[u8]) {
    ISSUERS.with(|cell| check_with(cell.get_or_init(issuers), data));
}

fn check_with(issuers: &Issuers, data: &[u8]) {
    if !data.starts_with(b"{") {
        return judge(data, issuers);
    }
    let at = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (header, claims) = data.split_at(at);
    let claims = claims.get(1..).unwrap_or_default();
    judge(sign(Alg::Hs256, APP_SECRET, header, claims).as_bytes(), issuers);
    judge(sign(Alg::Hs512, PARTNER_SECRET, header, claims).as_bytes(), issuers);
}

/// The issuers that tokens are judged by: those of the fixture.
pub fn issuers() -> Issuers {
    Issuers::new(vec![
        issuer("app", Alg::Hs256, APP_SECRET, Audience::OneOf(vec!["api".into()])),
        issuer("partner", Alg::Hs512, PARTNER_SECRET, Audience::Unnamed),
    ])
}

fn issuer(name: &str, alg: Alg, secret: &str, audience: Audience) -> Issuer {
    let key = HmacKey::new(alg, &Secret::new(secret.as_bytes().to_vec())).expect("HMAC takes every secret");
    Issuer {
        name: name.into(),
        iss: Name::Exactly(format!("https://{name}.test/")),
        audience,
        algorithms: vec![alg],
        keys: Keys::Fixed(KeySet::new(vec![Key { kid: None, verifier: Box::new(key) }])),
        types: Vec::new(),
        leeway: LEEWAY * 1000,
        max_age: None,
        optional_exp: false,
        confirmation: Confirmation::Checked,
        require: Vec::new(),
        roles: ClaimPath::parse("roles").expect("a path"),
        scopes: None,
    }
}

/// The index of the issuer whose token this is.
///
/// # Errors
/// Why it is nobody's. Whether it was seen before must make no difference.
pub fn accepts(token: &[u8], issuers: &Issuers) -> Result<usize, Reason> {
    let keyring = Keyring::new(issuers);
    let cache = &mut Cache::new(CacheSize { tokens: 8, ttl: 60_000 }, 1);
    let mut judge = || {
        let mut ledger = Ledger::new(b"");
        let mut mint = Mint::new(b"");
        let mut means = Means {
            keyring: &keyring,
            lists: &Lists::default(),
            cache: &mut *cache,
            ledger: &mut ledger,
            at_once: true,
            offload: &NoOffload,
            peer: &Nobody,
            destination: &Cluster::Right,
            chosen: None,
            mint: &mut mint,
            body: Body::Whole(b""),
        };
        let verified = verify(token, issuers, NOW_TIME, &mut means, &mut Silent);
        verified.map(|token| token.issuer).map_err(|refusal| refusal.reason)
    };
    let first = judge();
    assert_eq!(judge(), first, "the second time it is judged otherwise");
    first
}

fn judge(token: &[u8], issuers: &Issuers) {
    let Ok(index) = accepts(token, issuers) else { return };
    must_be_ours(token, index);
    // One change anywhere, at a place that depends on the token, and it is nobody's.
    let sum = token.iter().fold(7_usize, |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(*b)));
    for round in 0..8 {
        let mut other = token.to_vec();
        let at = sum.wrapping_add(round * 7919) % token.len();
        other[at] = b"ABQgw-_.9="[(sum >> 8).wrapping_add(round) % 10];
        if other != token {
            assert!(accepts(&other, issuers).is_err(), "octet {at} may change");
        }
    }
}

/// Checks with other readers that the token is signed by the issuer's key and says what it must.
fn must_be_ours(token: &[u8], index: usize) {
    let (alg, secret, iss, audience) = match index {
        0 => (Alg::Hs256, APP_SECRET, "https://app.test/", Some("api")),
        _ => (Alg::Hs512, PARTNER_SECRET, "https://partner.test/", None),
    };
    let parts = Compact::split(token).expect("three parts");
    let key = HmacKey::new(alg, &Secret::new(secret.as_bytes().to_vec())).expect("a key");
    assert_eq!(b64(&key.sign(parts.signed)).as_bytes(), parts.signature, "not signed by our key");
    assert_eq!(key.alg(), alg);

    let header = value_of(parts.header);
    assert_eq!(header["alg"], alg.name());
    for refused in ["crit", "b64", "zip", "enc"] {
        assert!(header.get(refused).is_none(), "{refused} is accepted");
    }
    let claims = value_of(parts.payload);
    assert_eq!(claims["iss"], iss);
    assert!(claims.get("cnf").is_none(), "a bound token is accepted");
    #[allow(clippy::cast_precision_loss, clippy::as_conversions)]
    let (latest, earliest) = ((NOW + LEEWAY) as f64, (NOW - LEEWAY) as f64);
    assert!(claims["exp"].as_f64().expect("exp is a number") > earliest, "an expired token is accepted");
    for name in ["nbf", "iat"] {
        if let Some(time) = claims.get(name) {
            assert!(time.as_f64().expect("a number") <= latest, "a token of tomorrow is accepted");
        }
    }
    let aud = claims.get("aud");
    let texts = aud.and_then(Value::as_array).is_none_or(|list| list.iter().all(Value::is_string));
    assert!(texts, "an audience that is no text is accepted");
    match audience {
        None => assert!(aud.is_none(), "a token for somebody else is accepted"),
        Some(name) => {
            let aud = aud.expect("aud is there");
            let named = aud == name || aud.as_array().is_some_and(|list| list.iter().any(|item| item == name));
            assert!(named, "a token for somebody else is accepted");
        }
    }
}

fn value_of(part: &[u8]) -> Value {
    use base64::Engine;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&text).expect("JSON")
}
