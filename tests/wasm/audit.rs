//! The audit line: what it says of each kind of decision, which are written down, and that it never shows a credential.

use serde_json::{Value, json};

use crate::lab::get;
use crate::support::{Request, load_one, now_seconds};
use crate::wasm_host::{Profile, Vm};

/// The audit lines of some requests.
fn lines(profile: Profile, policy: Value, requests: &[Request]) -> Vec<Value> {
    let mut vm = Vm::start(profile, &[], now_seconds()).unwrap_or_else(|error| panic!("{error}"));
    let root = vm.root(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert!(root.configured, "{:?}", vm.logs());
    let seen = vm.logs().len();
    for request in requests {
        vm.request(root, request).unwrap_or_else(|error| panic!("{error}"));
    }
    let audited = vm.logs()[seen..].iter().filter_map(|(_, line)| line.strip_prefix("gatekey: audit "));
    audited.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The policy of `revoked.yaml`, with a section `audit`.
fn policy(audit: Value) -> Value {
    let mut policy = load_one("revoked", now_seconds()).policy;
    policy["audit"] = audit;
    policy
}

const KEY: &str = "gk_globex_0123456789abcd";

#[test]
fn each_decision_is_told_once() {
    let file = load_one("revoked", now_seconds());
    let token = |name: &str| {
        let case = file.cases.iter().find(|case| case.name == name).expect("a case");
        let (_, value) = case.request.headers.iter().find(|(name, _)| name == "Authorization").expect("a token");
        String::from_utf8(value.clone()).expect("text")
    };
    let (good, revoked) = (token("a good token"), token("by sub"));
    let requests = [
        get("/x?access_token=secret", &[("Authorization", &good)]),
        get("/x", &[("Authorization", &revoked)]),
        get("/x", &[("X-Api-Key", KEY)]),
        get("/x", &[("X-Api-Key", "gk_nobody_0123456789abc")]),
        get("/public/x", &[]),
    ];
    for profile in [Profile::Envoy, Profile::Apisix] {
        let told = lines(profile, policy(json!({ "decisions": ["allow", "deny"] })), &requests);
        assert_eq!(told.len(), 5, "{told:#?}");
        let of = |at: usize, name: &str| told[at][name].as_str().map(String::from);
        let all = |at: usize| {
            ["decision", "reason", "credential", "method", "name", "sub", "client", "jti"].map(|name| of(at, name))
        };
        let some = |texts: [&str; 8]| texts.map(|text| (!text.is_empty()).then(|| text.to_owned()));
        assert_eq!(all(0), some(["allow", "", "jwt", "jwt", "app", "alice", "web", "token-2"]));
        // Nothing of a token that does not count is told.
        assert_eq!(all(1), some(["deny", "token_revoked", "jwt", "", "", "", "", ""]));
        assert_eq!(all(2), some(["allow", "", "key", "key", "globex", "", "globex", ""]));
        assert_eq!(all(3), some(["deny", "key_invalid", "key", "", "", "", "", ""]));
        assert_eq!(all(4), some(["allow", "", "none", "", "", "", "", ""]));
        for (line, route) in told.iter().zip(["routes[2]", "routes[2]", "routes[2]", "routes[2]", "routes[0]"]) {
            assert_eq!((line["route"].as_str(), line["address"].as_str()), (Some(route), Some("192.0.2.7")), "{line}");
            let time = line["time"].as_str().and_then(gatekey::time::Time::parse).expect("a time");
            assert_eq!(
                u64::try_from(time.millis() / 1000).ok().map(|now| now_seconds().abs_diff(now) < 60),
                Some(true)
            );
            assert!(line["id"].as_str().is_some_and(|id| id.len() >= 32), "{line}");
            let text = line.to_string();
            for secret in [good.as_str(), KEY, "gk_nobody", "secret", "eyJ"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

#[test]
fn only_what_is_asked_for_is_told() {
    let requests: Vec<Request> = (0..300)
        .map(|n| {
            get(
                "/x",
                &[
                    ("X-Api-Key", if n % 3 == 0 { "gk_nobody_0123456789abc" } else { KEY }),
                    ("X-Request-Id", &format!("id-{n}")),
                ],
            )
        })
        .collect();
    let count = |audit: Value| {
        let told = lines(Profile::Envoy, policy(audit), &requests);
        let of = |decision: &str| told.iter().filter(|line| line["decision"] == decision).count();
        (of("allow"), of("deny"), told)
    };
    let (allow, deny, _) = count(json!({}));
    assert_eq!((allow, deny), (0, 100));
    let (allow, deny, _) = count(json!({ "decisions": "allow" }));
    assert_eq!((allow, deny), (200, 0));
    let (allow, deny, first) = count(json!({ "decisions": ["allow", "deny"], "one_of": 10 }));
    assert!((5..=45).contains(&allow) && deny == 100, "{allow} {deny}");
    let ids = |told: &[Value]| told.iter().map(|line| line["id"].clone()).collect::<Vec<_>>();
    assert_eq!(
        ids(&first),
        ids(&count(json!({ "decisions": ["allow", "deny"], "one_of": 10 })).2),
        "the same ids each time"
    );
    assert_eq!(lines(Profile::Envoy, load_one("revoked", now_seconds()).policy, &requests).len(), 0, "off by default");
}

#[test]
fn a_value_is_escaped_and_cut() {
    let mut policy = policy(json!({ "decisions": "deny" }));
    policy["mode"] = json!("report");
    policy["audit"]["decisions"] = json!(["report"]);
    let id = format!("\"}},{{\"decision\":\"allow\" {}", "x".repeat(500));
    let told = lines(Profile::Envoy, policy, &[get("/x", &[("X-Request-Id", &id)])]);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["decision"], "report");
    assert!(told[0]["id"].as_str().is_some_and(|told| id.starts_with(told.trim_end_matches('…')) && told.len() < 140));
}

/// Who may not do what was asked is named, to the log and to whoever reads filter state there; a report lets the request
/// pass, and names it in the audit line alone.
#[test]
fn who_is_refused_with_a_good_credential_is_named() {
    for (mode, decision, states) in [("enforce", "deny", true), ("report", "report", false)] {
        let policy = json!({
            "mode": mode,
            "clients": { "acme": { "key": { "plain": KEY } } },
            "routes": [{ "path": "/admin", "allow": { "any": "clients", "role": "admin" } }, { "allow": "clients" }],
            "upstream": { "publish": "auth" },
            "audit": {},
        });
        let requests = [get("/admin", &[("X-Api-Key", KEY)]), get("/x", &[("X-Api-Key", "gk_nobody_0123456789abc")])];
        let told = lines(Profile::Envoy, policy.clone(), &requests);
        let named = |at: usize| (told[at]["decision"].as_str(), told[at]["client"].as_str());
        assert_eq!([named(0), named(1)], [(Some(decision), Some("acme")), (Some(decision), None)]);
        let mut vm = Vm::start(Profile::Envoy, &[], now_seconds()).expect("a VM");
        let root = vm.root(policy.to_string().as_bytes()).expect("no trap");
        for (request, client) in requests.iter().zip([states.then_some("acme"), None]) {
            let trace = vm.request(root, request).expect("no trap");
            let state = trace.states.get("auth_client").map(Vec::as_slice);
            assert_eq!(state, client.map(str::as_bytes), "{mode}");
        }
    }
}
