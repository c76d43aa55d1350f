//! The table through the native core, and proof that the table and its comparison are strict.

mod support;

use gatekey::cluster::Cluster;
use gatekey::deny::Reason;
use gatekey::explain::{Circumstances, explain_with};
use gatekey::head::Head;
use gatekey::jose::keyring::Keyring;
use gatekey::list::lists::Lists;
use gatekey::time::Time;
use support::table::parse;
use support::{CLUSTER, Case, CaseFile, Outcome, Rung, Tally, check, load_all, now_seconds};

#[test]
fn table() {
    let now = now_seconds();
    let mut tally = Tally::new("core");
    for file in load_all(now) {
        match file.compile() {
            Ok(policy) => {
                for case in file.cases.iter().filter(|case| case.rungs.contains(&Rung::Core)) {
                    tally.add(&file.name, &case.name, run(&policy, &file, case, now));
                }
            }
            Err(why) => tally.add(&file.name, "(the policy)", Err(why)),
        }
    }
    tally.finish();
}

fn run(policy: &gatekey::policy::Policy, file: &CaseFile, case: &Case, now: u64) -> Result<(), String> {
    let head = head_of(case);
    let pairs: Vec<(&[u8], &[u8])> = head.iter().map(|(n, v)| (n.as_bytes(), v.as_slice())).collect();
    let now = Time::from_seconds(i64::try_from(now).expect("a time in this era"));
    let keyring = Keyring::new(policy.issuers());
    let around = Circumstances {
        keyring: &keyring,
        lists: &Lists::new(policy.lists().len()),
        peer: &case.request.peer,
        cluster: Cluster::Named(CLUSTER.into()),
        chosen: case.request.policy.as_deref(),
        introspected: case.request.introspected.as_deref().map(str::as_bytes),
        body: case.request.body.as_deref().unwrap_or_default(),
    };
    let explanation = explain_with(policy, &around, &Head { pairs: &pairs, complete: true }, now);
    for step in &explanation.steps {
        // A token in the middle of a path is no credential, and paths are shown.
        let in_path = |text: &str| case.request.path.as_ref().is_some_and(|path| path.contains(text));
        let shown = |text: &&String| text.len() >= 12 && step.contains(*text) && !in_path(text);
        if let Some(text) = file.confidential.iter().find(shown) {
            return Err(format!("the step {step:?} shows {text:?}"));
        }
    }
    let mut outcome = Outcome {
        decision: Some(explanation.decision.into()),
        status: explanation.status,
        reason: explanation.reason.map(String::from),
        route: explanation.route.clone(),
        ..Outcome::default()
    };
    match &explanation.reply {
        Some(reply) => {
            outcome.response = reply.headers.iter().map(|(n, v)| (n.to_string(), v.clone().into_bytes())).collect();
            outcome.response.extend(reply.grpc_status.map(|s| ("grpc-status".into(), s.to_string().into_bytes())));
            outcome.body = reply.body.clone().into_bytes();
        }
        None => {
            let name = |name: Vec<u8>| String::from_utf8_lossy(&name).into_owned();
            let seen = explanation.edits.apply(&pairs).into_iter().map(|(n, value)| (name(n), value));
            outcome.upstream = Some(seen.collect());
        }
    }
    check(case, Rung::Core, &outcome).map_err(|why| format!("{why}\nsteps: {:#?}", explanation.steps))
}

/// The head as hosts give it: pseudo headers first, names in lower case, the host as `:authority`.
fn head_of(case: &Case) -> Vec<(String, Vec<u8>)> {
    let request = &case.request;
    let mut head = Vec::new();
    let mut pseudo = |name: &str, value: Option<&[u8]>| {
        head.extend(value.map(|value| (name.to_string(), value.to_vec())));
    };
    let is_host = |name: &str| name.eq_ignore_ascii_case("host");
    pseudo(":authority", request.headers.iter().find(|(n, _)| is_host(n)).map(|(_, v)| v.as_slice()));
    pseudo(":path", request.path.as_deref().map(str::as_bytes));
    pseudo(":method", request.method.as_deref().map(str::as_bytes));
    pseudo(":scheme", Some(b"http"));
    let others = request.headers.iter().filter(|(name, _)| !is_host(name));
    head.extend(others.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
    head
}

/// A reason that no case asks for is a reason that nobody checks.
#[test]
fn every_reason_has_a_case() {
    let files = load_all(now_seconds());
    let asked: Vec<&str> = files.iter().flat_map(|f| &f.cases).filter_map(|c| c.expect.reason.as_deref()).collect();
    for reason in Reason::ALL {
        // Without a policy or a clock there is no table, and it sends one request after the other: tests/wasm have these.
        let possible = !matches!(reason, Reason::Internal | Reason::PasswordsBusy);
        assert!(!possible || asked.contains(&reason.word()), "no case expects {}", reason.word());
    }
}

const GOOD: &str = r#"
policy: {}
tokens: { t: { secret: s, claims: { exp: { in: 60 } } } }
cases:
  - { name: one, request: { headers: { authorization: "Bearer {{t}}" } }, expect: { decision: deny, status: 401, reason: token_expired, code: token_expired } }
"#;

/// A mistake in a case file must never make a case pass unseen.
#[test]
fn the_table_is_strict() {
    assert_eq!(parse("good", GOOD, 0).map(|file| file.cases.len()), Ok(1));
    for (from, to, complaint) in [
        ("policy: {}", "polcy: {}", "polcy"),
        ("claims: {", "clams: {", "clams"),
        ("status: 401", "staus: 401", "staus"),
        ("decision: deny", "decision: denied", "decision"),
        ("reason: token_expired,", "", "reason"),
        ("{{t}}", "{{u}}", "{{u}}"),
        ("{ in: 60 }", "{ in: soon }", "whole seconds"),
        ("secret: s,", "", "secret"),
        ("secret: s,", "secret: s, mutate: fold,", "fold"),
        ("decision: deny", "decision: allow", "reason"),
        ("name: one,", "name: one, rungs: [],", "nowhere"),
        ("name: one,", "name: one, rungs: [moon],", "moon"),
        ("request: {", "request: { raw: x,", "raw"),
        ("request: {", "request: { path: null,", "path"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let complaints = parse("bad", &GOOD.replacen(from, to, 1), 0).err();
        let complaints = complaints.unwrap_or_else(|| panic!("{from} -> {to} is taken")).join("\n");
        assert!(complaints.contains(complaint), "{from} -> {to}: {complaints}");
    }
    let twice = GOOD.to_string() + GOOD.rsplit_once("cases:\n").expect("cases").1;
    assert!(parse("bad", &twice, 0).is_err_and(|all| all.join("").contains("another case")));
    assert!(parse("bad", "policy: {}\ncases: []\n", 0).is_err_and(|all| all.join("").contains("no cases")));
}

/// Every part of an expectation can fail.
#[test]
fn the_comparison_is_strict() {
    let refusal = Outcome {
        decision: Some("deny".into()),
        status: 401,
        reason: Some("token_expired".into()),
        response: vec![("WWW-Authenticate".into(), b"Bearer realm=\"a, b\", error=\"x\", ApiKey realm=\"c\"".to_vec())],
        body: br#"{"code":"token_expired"}"#.to_vec(),
        ..Outcome::default()
    };
    let passed = Outcome {
        decision: Some("allow".into()),
        status: 200,
        route: Some("routes[0]".into()),
        upstream: Some(vec![("x-user".into(), b"alice".to_vec()), (":path".into(), b"/".to_vec())]),
        ..Outcome::default()
    };
    for (expect, outcome, holds) in [
        ("{ decision: deny, reason: token_expired }", &refusal, true),
        ("{ decision: deny, reason: token_expired, challenge: [Bearer, ApiKey] }", &refusal, true),
        ("{ decision: deny, reason: token_expired, challenge: [Bearer] }", &refusal, false),
        ("{ decision: deny, reason: token_expired, challenge_contains: [nonce] }", &refusal, false),
        ("{ decision: deny, reason: key_expired }", &refusal, false),
        ("{ decision: deny, reason: token_expired, status: 403 }", &refusal, false),
        ("{ decision: deny, reason: token_expired, code: token_expired }", &refusal, true),
        ("{ decision: deny, reason: token_expired, code: invalid_token }", &refusal, false),
        ("{ decision: deny, reason: token_expired, body_contains: [nothing] }", &refusal, false),
        ("{ decision: deny, reason: token_expired, response: { retry-after: '1' } }", &refusal, false),
        ("{ decision: report, reason: token_expired }", &refusal, false),
        ("{ decision: allow }", &refusal, false),
        ("{ decision: allow }", &passed, true),
        ("{ decision: deny, reason: token_expired }", &passed, false),
        ("{ decision: allow, route: 'routes[1]' }", &passed, false),
        ("{ decision: allow, upstream: { X-User: alice, x-tier: null, ':path': / } }", &passed, true),
        ("{ decision: allow, upstream: { x-user: null } }", &passed, false),
        ("{ decision: allow, upstream: { x-user: bob } }", &passed, false),
        ("{ decision: allow, upstream: { x-user: [alice, alice] } }", &passed, false),
        ("{ decision: allow, upstream: { x-tier: gold } }", &passed, false),
    ] {
        let text = format!("policy: {{}}\ncases: [ {{ name: one, request: {{}}, expect: {expect} }} ]\n");
        let file = parse("one", &text, 0).unwrap_or_else(|why| panic!("{expect}: {why:?}"));
        let result = check(&file.cases[0], Rung::Core, outcome);
        assert_eq!(result.is_ok(), holds, "{expect}: {result:?}");
    }
}

#[test]
#[should_panic(expected = "no case")]
fn an_empty_table_fails() {
    Tally::new("nowhere").finish();
}
