//! Signatures that the host checks and makes: asked only where it was right before, and never believed where it was not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::pkcs8::{DecodePrivateKey, LineEnding};
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::signature::Verifier;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, PrivateKey};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::lab::{Kind, get, policy, requests};
use crate::support::{keys, load::token, now_seconds, say};
use crate::wasm_host::background::{Signing, Verification};
use crate::wasm_host::{End, Profile, Root, Vm};

/// Sends every kind of request; how often the host was asked.
fn run(verifier: Verification, later: Verification) -> (usize, Vec<String>) {
    let mut vm = Vm::start(Profile::Envoy, &crate::lab::env(), now_seconds()).unwrap_or_else(|error| panic!("{error}"));
    vm.background().verifier = verifier;
    let root = vm.root(policy().to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let started = vm.logs().iter().find(|(_, line)| line.contains("started")).expect("a start line").1.clone();
    vm.background().verifier = later;
    let mut asked = 0;
    let mut wrong = vec![started];
    for (name, kind, request) in requests() {
        let trace = vm.request(root, &request).unwrap_or_else(|error| panic!("{name}: {error}"));
        asked += trace.calls.get("proxy_call_foreign_function").map_or(0, |calls| calls.all);
        if (trace.end == End::Passed) != (kind != Kind::Bad) {
            wrong.push(format!("{name}: {:?} {:?}", trace.end, trace.outcome.reason));
        }
    }
    (asked, wrong)
}

#[test]
fn a_host_that_is_right_is_asked() {
    let (asked, told) = run(Verification::Right, Verification::Right);
    // Two good and two forged tokens; a signature of another RSA key may be too large a number to be looked at.
    assert!((3..=4).contains(&asked), "{asked}");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("signatures checked by the host: RS256 RS384 RS512 ES256 ES384 ES512"), "{told:?}");
}

#[test]
fn a_host_that_is_wrong_is_never_asked_again() {
    for verifier in [Verification::Absent, Verification::AlwaysGood, Verification::AlwaysBad] {
        let (asked, told) = run(verifier, verifier);
        assert_eq!(asked, 0, "{verifier:?}");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("signatures checked by the host: none"), "{told:?}");
    }
}

/// What it cannot do any more is done here.
#[test]
fn a_host_that_loses_the_function_changes_nothing() {
    let (asked, told) = run(Verification::Right, Verification::Absent);
    assert!((3..=4).contains(&asked), "{asked}");
    assert_eq!(told.len(), 1, "{told:?}");
}

/// Every octet of every signature counts, on every host, whoever checks it.
#[test]
fn every_octet_of_every_signature_counts() {
    for (profile, verifier) in [
        (Profile::Envoy, Verification::Right),
        (Profile::Envoy, Verification::Absent),
        (Profile::Apisix, Verification::Absent),
    ] {
        let mut vm = Vm::start(profile, &[], now_seconds()).unwrap_or_else(|error| panic!("{error}"));
        vm.background().verifier = verifier;
        let mut flips = 0;
        for (alg, key) in keys::ASYMMETRIC {
            let policy = json!({
                "issuers": { "id": { "algorithms": alg, "jwks": { "keys": [keys::jwk(key)] } } },
                // Bad tokens are remembered; here each is to be looked at.
                "cache": { "tokens": 0 },
            });
            let root = vm.root(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
            let mut passes = |token: &str| {
                let request = get("/", &[("Authorization", &format!("Bearer {token}"))]);
                let trace = vm.request(root, &request).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(trace.wrongs, Vec::<String>::new());
                trace.end == End::Passed
            };
            let good = token(alg, key, "k", "https://id.test/", "alice");
            assert!(passes(&good), "{profile:?} {alg}");
            let (signed, signature) = good.rsplit_once('.').expect("three parts");
            let octets = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
            for at in 0..octets.len() {
                let mut other = octets.clone();
                other[at] ^= 1 << (at % 8);
                assert!(
                    !passes(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&other))),
                    "{profile:?} {alg}: octet {at} may change"
                );
                flips += 1;
            }
        }
        say(&format!(
            "SIGNATURES in the module as {}, host: {verifier:?}: {flips} changed octets refused",
            profile.rung()
        ));
    }
}

const KEY: &str = "gk_live_0123456789abcdef";

/// A policy that hands on tokens which an RSA key signs.
fn signing(key: &str) -> String {
    json!({
        "clients": { "acme": { "key": { "plain": KEY } } },
        "upstream": { "token": {
            "issuer": "gateway", "audience": "orders", "sign": { "private_key": { "value": key } },
        } },
    })
    .to_string()
}

fn rsa_key(file: &str) -> PrivateKey {
    PrivateKey::from_pkcs8_pem(&keys::text(file)).expect("a key")
}

/// A private JWK with the modulus of one key and the private numbers of another (RFC 7518 section 6.3).
fn jwk(public: &PrivateKey, private: &PrivateKey) -> Value {
    let coded = |number: &BoxedUint| {
        let octets = number.to_be_bytes();
        URL_SAFE_NO_PAD.encode(&octets[octets.iter().take_while(|octet| **octet == 0).count()..])
    };
    let crt = |number: Option<&BoxedUint>| coded(number.expect("computed"));
    json!({
        "kty": "RSA", "kid": "mine", "n": coded(public.n()), "e": coded(public.e()), "d": coded(private.d()),
        "p": coded(&private.primes()[0]), "q": coded(&private.primes()[1]), "dp": crt(private.dp()),
        "dq": crt(private.dq()), "qi": coded(&private.crt_coefficient().expect("there is one")),
    })
}

/// The token that the service gets, and how the request ended.
fn handed_on(vm: &mut Vm, root: Root) -> (End, Option<String>) {
    let trace = vm.request(root, &get("/orders", &[("X-Api-Key", KEY)])).expect("no trap");
    assert_eq!(trace.wrongs, Vec::<String>::new());
    let headers = trace.outcome.upstream.unwrap_or_default();
    let bearer = headers.iter().find(|(name, _)| name == "authorization");
    (trace.end, bearer.map(|(_, value)| String::from_utf8_lossy(&value[7..]).into_owned()))
}

/// PKCS#8, PKCS#1 and JWK are the same key, whose tokens another library takes.
#[test]
fn a_host_signs_with_every_form_of_an_rsa_key() {
    let key = rsa_key("rsa2048.pem");
    let jwk = jwk(&key, &key);
    let pkcs1 = key.to_pkcs1_pem(LineEnding::LF).expect("PEM").to_string();
    let public = VerifyingKey::<Sha256>::new(key.to_public_key());
    for (form, kid) in [(keys::text("rsa2048.pem"), None), (pkcs1, None), (jwk.to_string(), Some("mine"))] {
        let mut vm = Vm::start(Profile::Envoy, &[], now_seconds()).expect("a VM");
        let root = vm.root(signing(&form).as_bytes()).expect("no trap");
        assert!(root.configured, "{:?}", vm.logs());
        let (end, token) = handed_on(&mut vm, root);
        let token = token.expect("a token");
        let (signed, signature) = token.rsplit_once('.').expect("three parts");
        let octets = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        let signature = Signature::try_from(octets.as_slice()).expect("a signature");
        assert!(end == End::Passed && public.verify(signed.as_bytes(), &signature).is_ok());
        let header: Value = serde_json::from_slice(
            &URL_SAFE_NO_PAD.decode(signed.split('.').next().expect("a header")).expect("base64url"),
        )
        .expect("JSON");
        assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("at+jwt")));
        assert!(kid.is_none_or(|kid| header["kid"] == kid), "{header}");
        // It is kept: the second request costs no signature.
        assert_eq!(handed_on(&mut vm, root), (End::Passed, Some(token.clone())));
    }
}

/// A host without the function, or that makes no good signatures, is told at once.
#[test]
fn a_host_that_does_not_sign_gets_no_such_policy() {
    let whole = keys::text("rsa2048.pem");
    // Another key's private number: nothing that it signs is good.
    let mixed = jwk(&rsa_key("rsa2048.pem"), &rsa_key("rsa2048_other.pem")).to_string();
    for (profile, signer, key) in [
        (Profile::Envoy, Signing::Absent, &whole),
        (Profile::Envoy, Signing::Failing, &whole),
        (Profile::Envoy, Signing::Faulty, &whole),
        (Profile::Envoy, Signing::Cut, &whole),
        (Profile::Apisix, Signing::Right, &whole),
        (Profile::Envoy, Signing::Right, &mixed),
    ] {
        let mut vm = Vm::start(profile, &[], now_seconds()).expect("a VM");
        vm.background().signer = signer;
        let root = vm.root(signing(key).as_bytes()).expect("no trap");
        assert!(!root.configured, "{profile:?} {signer:?}");
        let told =
            vm.logs().iter().any(|(_, line)| line.contains("config: sign: this host does not sign with this RSA key"));
        assert!(told, "{profile:?} {signer:?}: {:?}", vm.logs());
    }
}

/// A signature that is wrong goes to nobody, since it could tell the key.
#[test]
fn a_host_that_signs_no_more_lets_nothing_pass() {
    for signer in [Signing::Absent, Signing::Failing, Signing::Faulty, Signing::Cut] {
        let mut vm = Vm::start(Profile::Envoy, &[], now_seconds()).expect("a VM");
        let root = vm.root(signing(&keys::text("rsa2048.pem")).as_bytes()).expect("no trap");
        vm.background().signer = signer;
        let trace = vm.request(root, &get("/orders", &[("X-Api-Key", KEY)])).expect("no trap");
        assert_eq!(trace.end, End::Replied, "{signer:?}");
        assert_eq!((trace.outcome.status, trace.outcome.reason.as_deref()), (503, Some("internal")), "{signer:?}");
        vm.background().signer = Signing::Right;
        assert!(handed_on(&mut vm, root).1.is_some(), "{signer:?}");
    }
}
