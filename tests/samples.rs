//! The samples of `envoy/` in a real Envoy: each whole, with only paths, ports and the hashes of keys replaced.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::MutexGuard;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::echo::Echo;
use support::envoy::{Envoy, available, turn};
use support::http::get;
use support::now_seconds;
use support::quota::Quota;

const SECRET: &str = "a-secret-for-the-samples-of-envoy-0123";
const KEYS: [&str; 2] = ["gk_sample_0123456789abcdef", "gk_sample_fedcba9876543210"];

/// An Envoy that runs a sample, and the service behind it.
struct Sample {
    envoy: Envoy,
    to: SocketAddr,
    echo: Echo,
    _turn: MutexGuard<'static, ()>,
}

impl Sample {
    /// Starts a sample, or None where the machine has no Envoy. `ports` are of the services that it needs besides.
    fn start(name: &str, ports: &[(u16, SocketAddr)]) -> Option<Self> {
        Self::start_with(name, ports, "")
    }

    /// The same, with further routes of the host's before its own.
    fn start_with(name: &str, ports: &[(u16, SocketAddr)], routes: &str) -> Option<Self> {
        let (launch, module) = available()?;
        let turn = turn();
        let echo = Echo::start();
        let mut text = fs::read_to_string(root().join("envoy").join(name)).expect("the sample");
        let place = |address: &str, port: u16| format!("{{ address: {address}, port_value: {port} }}");
        replace(&mut text, &place("0.0.0.0", 10000), &place("127.0.0.1", 0));
        replace(&mut text, &place("127.0.0.1", 9901), &place("127.0.0.1", 0));
        for (port, address) in [(8080, echo.address)].iter().chain(ports) {
            replace(&mut text, &place("127.0.0.1", *port), &place("127.0.0.1", address.port()));
        }
        let first = "\n                      routes:\n";
        replace(&mut text, first, &format!("{first}{routes}"));
        for key in KEYS {
            if let Some(at) = text.find("key: sha256:") {
                let digest: String = Sha256::digest(key).iter().map(|octet| format!("{octet:02x}")).collect();
                // Out of reach of the next search.
                text.replace_range(at..at + "key: sha256:".len() + 64, &format!("key:  sha256:{digest}"));
            }
        }
        let module = fs::read(module).expect("the module");
        let started = Envoy::start_with(&launch, &module, &text, &[("JWT_SECRET", SECRET)]);
        let envoy = started.unwrap_or_else(|why| panic!("{name}: {why}"));
        Some(Self { to: envoy.listener("main"), envoy, echo, _turn: turn })
    }

    fn status(&self, path: &str, headers: &[(&str, &str)]) -> u16 {
        get(self.to, path, headers).expect("an answer").status
    }

    /// How many of `count` requests pass, and how many are over the limit; nothing else may happen.
    fn burst(&self, count: usize, headers: &[(&str, &str)]) -> (usize, usize) {
        let statuses: Vec<u16> = (0..count).map(|_| self.status("/orders/7", headers)).collect();
        let of = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!(of(200) + of(429), count, "{statuses:?}");
        (of(200), of(429))
    }

    /// The first `count` lines of the access log, which goes to the standard output; waits for them.
    fn access(&self, count: usize) -> Vec<Value> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let log = self.envoy.log();
            let lines = log.lines().filter(|line| line.starts_with('{'));
            let lines: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
            if lines.len() >= count || Instant::now() > end {
                assert_eq!(lines.len(), count, "{log}");
                return lines;
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Nothing crashed, and the log shows no credential.
    fn finish(&self, tokens: &[&str]) {
        assert!(self.envoy.crashes().is_empty(), "{:#?}", self.envoy.crashes());
        let log = self.envoy.log();
        for secret in KEYS.iter().chain(&[SECRET]).chain(tokens) {
            assert!(!log.contains(secret), "the log shows {secret}");
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn replace(text: &mut String, old: &str, new: &str) {
    assert_eq!(text.matches(old).count(), 1, "{old}");
    *text = text.replace(old, new);
}

/// A token of the samples' issuer with further claims.
fn token(mut claims: Value) -> String {
    for (name, value) in
        [("iss", json!("https://issuer.example/")), ("aud", json!("orders")), ("exp", json!(now_seconds() + 600))]
    {
        if claims.get(name).is_none() {
            claims[name] = value;
        }
    }
    let output = Command::new(env!("CARGO_BIN_EXE_gatekey"))
        .args(["mint", "--alg", "HS256", "--secret-env", "JWT_SECRET", "--claims", &claims.to_string()])
        .env("JWT_SECRET", SECRET)
        .output()
        .expect("the command");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn tiers_have_limits_of_their_own() {
    let Some(sample) = Sample::start("tiers.yaml", &[]) else { return };
    let [gold, free] = KEYS;
    // What a caller says of itself does not count: neither to have more, nor to use up another's.
    assert_eq!(
        sample.burst(6, &[("x-api-key", free), ("x-tier", "gold"), ("X_Tier", "gold"), ("x-client", "acme")]),
        (3, 3)
    );
    assert_eq!(sample.burst(14, &[("x-api-key", gold)]), (10, 4));
    // Each client by itself, whether it shows a key or a token.
    let (one, two) = (json!({ "tier": "free", "client_id": "carol" }), json!({ "tier": "free", "client_id": "dave" }));
    let nothing = token(json!({ "sub": "x" }));
    let tokens = [token(one), token(two), token(json!({ "tier": "gold", "client_id": "carol" })), nothing];
    let [one, two, gold, nothing] = tokens.each_ref().map(|token| bearer(token));
    assert_eq!(sample.burst(5, &[("authorization", &one)]), (3, 2));
    assert_eq!(sample.burst(5, &[("authorization", &two)]), (3, 2));
    assert_eq!(sample.burst(12, &[("authorization", &gold)]), (10, 2));
    // Whoever has no tier shares a small bucket, whatever the request says.
    assert_eq!(sample.burst(4, &[("authorization", &nothing), ("x-tier", "gold"), ("x-client", "acme")]), (2, 2));
    // Refused requests are not counted: gatekey answers first.
    for _ in 0..12 {
        assert_eq!(
            sample.status("/orders/7", &[("x-api-key", "gk_sample_of_nobody_at_all"), ("x-client", "acme")]),
            401
        );
    }
    for seen in sample.echo.take() {
        assert!(!seen.headers.iter().any(|(name, _)| name == "x_tier"), "{seen:?}");
    }
    sample.finish(&tokens.each_ref().map(String::as_str));
}

#[test]
fn quotas_are_asked_for_by_tier_and_client() {
    let quota = Quota::start(&[("tier", "gold", 5), ("tier", "free", 2)]);
    let Some(sample) = Sample::start("quota.yaml", &[(8081, quota.address)]) else { return };
    let [gold, free] = KEYS;
    assert_eq!(sample.burst(4, &[("x-api-key", free), ("x-tier", "gold"), ("x-client", "acme")]), (2, 2));
    assert_eq!(sample.burst(7, &[("x-api-key", gold)]), (5, 2));
    let carol = token(json!({ "tier": "free", "client_id": "carol" }));
    assert_eq!(sample.burst(3, &[("authorization", &bearer(&carol))]), (2, 1));
    assert_eq!(sample.status("/orders/7", &[("x-tier", "gold"), ("x-client", "acme")]), 401);
    let nothing = token(json!({ "sub": "x" }));
    assert_eq!(sample.status("/orders/7", &[("authorization", &bearer(&nothing)), ("x-tier", "gold")]), 200);
    let descriptor = |tier: &str, client: &str| {
        let entry = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        ("gatekey".to_owned(), vec![entry("tier", tier), entry("client", client)])
    };
    let expected =
        [(descriptor("free", "bravo"), 4), (descriptor("gold", "acme"), 7), (descriptor("free", "carol"), 3)];
    assert_eq!(quota.asked(), BTreeMap::from(expected));
    sample.finish(&[&carol, &nothing]);
}

/// A path, headers, and what must come of it: the status, the beginning of its details, and fields of the log line.
type Asked<'a> = (&'a str, Vec<(&'a str, &'a str)>, u16, &'a str, Value);

#[test]
fn rbac_and_the_access_log_read_what_gatekey_found() {
    let Some(sample) = Sample::start("rbac.yaml", &[]) else { return };
    let tokens = [
        token(json!({ "sub": "root", "client_id": "console", "roles": ["dev", "admin"], "scope": "a b" })),
        token(json!({ "sub": "alice", "roles": ["administrator"] })),
        // One role that holds a comma is not two.
        token(json!({ "sub": "mallory", "roles": ["dev,admin,ops"] })),
        token(json!({ "sub": "eve\n{\"sub\":\"root\"}", "roles": ["dev"] })),
        token(json!({ "sub": "late", "exp": now_seconds() - 600 })),
    ];
    let [root, alice, mallory, eve, late] = tokens.each_ref().map(|token| bearer(token));
    let auth = "authorization";
    let requests: [Asked; 9] = [
        (
            "/admin/x",
            vec![(auth, &root)],
            200,
            "via_upstream",
            json!({
                "route": "api", "result": "allow", "how": "jwt", "name": "app", "sub": "root", "client": "console",
                "issuer": "https://issuer.example/", "roles": "dev,admin", "scopes": "a,b",
            }),
        ),
        (
            "/admin/x",
            vec![(auth, &alice)],
            403,
            "rbac_access_denied",
            json!({ "sub": "alice", "roles": "administrator" }),
        ),
        ("/admin/x", vec![(auth, &mallory)], 403, "rbac_access_denied", json!({ "roles": "[\"dev,admin,ops\"]" })),
        // The role alone is not enough: a key is no token.
        (
            "/admin/x",
            vec![("x-api-key", KEYS[0])],
            403,
            "rbac_access_denied",
            json!({
                "route": "api", "result": "allow", "how": "key", "name": "partner", "client": "partner", "roles": "admin",
                "sub": null, "issuer": null,
            }),
        ),
        ("/orders/7", vec![("x-api-key", KEYS[0])], 200, "via_upstream", json!({ "how": "key" })),
        ("/orders/7", vec![(auth, &eve)], 200, "via_upstream", json!({ "sub": null })),
        (
            "/orders/7",
            vec![(auth, &late)],
            401,
            "gatekey{token_expired}",
            json!({
                "result": "deny", "reason": "token_expired", "route": "api", "sub": null, "how": null,
            }),
        ),
        ("/healthz", vec![], 200, "via_upstream", json!({ "route": "health", "result": "allow", "how": null })),
        ("/orders/7", vec![], 401, "gatekey{credential_missing}", json!({ "reason": "credential_missing" })),
    ];
    for (path, headers, status, ..) in &requests {
        assert_eq!(sample.status(path, headers), *status, "{path} {headers:?}");
    }
    for ((path, _, status, details, fields), line) in requests.iter().zip(sample.access(requests.len())) {
        assert_eq!((&line["path"], &line["status"]), (&json!(path), &json!(status)), "{line}");
        assert!(line["details"].as_str().is_some_and(|told| told.starts_with(details)), "{details}: {line}");
        for (name, value) in fields.as_object().expect("an object") {
            assert_eq!(&line[name], value, "{name} of {line}");
        }
    }
    sample.finish(&tokens.each_ref().map(String::as_str));
}

#[test]
fn routes_choose_among_the_policies_of_one_filter() {
    // A route by a header that the filter removes: without it, another one is right.
    let trap = r#"
                        - match: { prefix: /partners, headers: [ { name: x-user, string_match: { exact: trap } } ] }
                          route: { cluster: upstream }
                          metadata: { filter_metadata: { gatekey: { policy: site } } }
"#;
    let Some(sample) = Sample::start_with("policies.yaml", &[], trap) else { return };
    let alice = token(json!({ "sub": "alice" }));
    let (token, key) = (("authorization", bearer(&alice)), ("x-api-key", KEYS[0].to_owned()));
    let spoofed = [("x-user", "mallory"), ("x-client", "mallory"), ("x-gatekey-policy", "site")];
    for (path, shown, status, body, told) in [
        ("/orders/7", Some(&token), 200, "", Some(("x-user", "alice"))),
        ("/orders/7", Some(&key), 401, "\"code\":\"credential_missing\"", None),
        ("/partners/7", Some(&key), 200, "", Some(("x-client", "partner"))),
        ("/partners/7", Some(&token), 403, "This is not allowed", None),
        ("/partners/7", None, 401, "A credential is required", None),
        ("/index.html", None, 200, "", None),
        ("/mistaken/x", Some(&token), 503, "temporarily_unavailable", None),
    ] {
        let mut headers = spoofed.to_vec();
        headers.extend(shown.map(|(name, value)| (*name, value.as_str())));
        let answer = get(sample.to, path, &headers).expect("an answer");
        assert_eq!(answer.status, status, "{path} {headers:?}: {answer:?}");
        assert!(answer.text().contains(body), "{path}: {answer:?}");
        for seen in sample.echo.take() {
            let of = |name: &str| seen.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            for name in ["x-user", "x-client"] {
                let value = of(name).map(|(_, value)| String::from_utf8_lossy(value).into_owned());
                let expected = told.filter(|(told, _)| *told == name).map(|(_, value)| value.to_owned());
                assert_eq!(value, expected, "{path} {name}");
            }
        }
    }
    let trapped = get(sample.to, "/partners/7", &[("x-user", "trap")]).expect("an answer");
    assert_eq!((trapped.status, sample.echo.take().len()), (403, 0), "the guard looks at the last word: {trapped:?}");
    let counted = sample.envoy.stats("gatekey_requests_total").expect("counters");
    for policy in ["default", "partners", "site"] {
        assert!(
            counted.keys().any(|name| name.contains(&format!("policy={policy}.")) || name.contains(policy)),
            "{counted:?}"
        );
    }
    assert!(counted.keys().any(|name| name.contains("policy_unknown")), "{counted:?}");
    sample.finish(&[&alice]);
}
