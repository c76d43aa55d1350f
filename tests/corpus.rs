//! Replays the committed fuzz corpus, so that what a fuzzer once found stays found without a fuzzer.

#[path = "support/invariants/mod.rs"]
mod invariants;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[test]
fn corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut broken = Vec::new();
    for (target, check) in invariants::TARGETS {
        let mut seeds: Vec<_> =
            fs::read_dir(root.join(target)).expect(target).map(|entry| entry.expect(target).path()).collect();
        seeds.sort();
        assert!(seeds.len() >= 5, "{target} has {} seeds", seeds.len());
        for seed in seeds {
            let data = fs::read(&seed).expect("a seed");
            if catch_unwind(AssertUnwindSafe(|| check(&data))).is_err() {
                broken.push(seed);
            }
        }
    }
    assert!(broken.is_empty(), "invariants are broken by {broken:#?}");
}

/// Every target is declared, and nothing else is.
#[test]
fn targets_are_declared() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml")).expect("the manifest");
    let mut declared: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\""))
        .collect();
    declared.sort_unstable();
    assert_eq!(declared, invariants::TARGETS.map(|(name, _)| name));
}

/// The credentials that count do get in, so that the invariants are not met by refusing everybody.
#[test]
fn good_credentials_pass() {
    let allowed = |script: &str| invariants::decide::decide(script.as_bytes()).decision == "allow";
    for script in [
        "e GET /api/x\nauthorization: Bearer ${good}",
        "e GET /api/x\nauthorization: bearer ${partner}",
        "e GET /api/x?access_token=${good}",
        "e GET /api/x\ncookie: a=1; session=${good}",
        "e GET /api/x\nx-token: ${admin}",
        "e GET /api/x\nx-api-key: ${key}",
        "e GET /keys/x\nauthorization: Bearer ${key2}",
        "e GET /both/x\nauthorization: Bearer ${good}\nx-api-key: ${key}",
        "e GET /api/x\nauthorization: Bearer ${good}\nx-api-key: ${key}",
        "r GET /api/x?access_token=${partner}",
        "e GET /admin/x\nauthorization: Bearer ${admin}",
        "e GET /t/acme/x\nauthorization: Bearer ${good}",
        "e POST /w/x\n:authority: eu.api.test\nx-env: prod\nx-api-key: ${key}",
        "e OPTIONS /pre/x\norigin: https://web.test\naccess-control-request-method: PUT",
        "e GET /opt/x",
        "e GET /open/x\nx-user: root",
        "n GET /%2f\nauthorization: Bearer ${good}",
    ] {
        assert!(allowed(script), "{script}");
    }
    for script in [
        "e GET /api/x",
        "e GET /api/x\nauthorization: Bearer ${good!50}",
        "e GET /api/x\nauthorization: Bearer ${expired}",
        "e GET /admin/x\nauthorization: Bearer ${good}",
        "e GET /t/globex/x\nauthorization: Bearer ${good}",
        "e GET /open/../api/x",
        "n GET /open/x",
    ] {
        assert!(!allowed(script), "{script}");
    }
}
