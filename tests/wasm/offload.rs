//! Signatures that the host checks: asked only where it was right before, and never believed where it was not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::lab::{Kind, get, policy, requests};
use crate::support::{keys, load::token, now_seconds, say};
use crate::wasm_host::background::Verification;
use crate::wasm_host::{End, Profile, Vm};

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
