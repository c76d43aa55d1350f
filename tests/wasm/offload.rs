//! Signatures that the host checks: asked only where it was right before, and never believed where it was not.

use crate::lab::{Kind, policy, requests};
use crate::support::now_seconds;
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
    assert_eq!(asked, 4, "two good and two forged tokens");
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
    assert_eq!(asked, 4);
    assert_eq!(told.len(), 1, "{told:?}");
}
