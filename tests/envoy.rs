//! The table through a real Envoy, from a binary or in Docker, and what only a real host can show.

mod support;

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use support::echo::Echo;
use support::envoy::{AfterTrap, Envoy, Launch, Setup, available, turn};
use support::http::{Client, get};
use support::keys::{ASYMMETRIC, jwk};
use support::load::{ask, token};
use support::run::{Run, counted};
use support::{CaseFile, Rung, Tally, check, load_all, load_one, now_seconds, say};

/// What every test needs, or None where the machine has no Envoy.
struct Bench {
    launch: Launch,
    module: Vec<u8>,
    echo: Echo,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    fn new() -> Option<Self> {
        let (launch, module) = available()?;
        let module = std::fs::read(module).expect("the module");
        Some(Self { launch, module, echo: Echo::start(), _turn: turn() })
    }

    fn setup(&self, policies: Vec<(String, Value)>) -> Setup {
        Setup {
            module: self.module.clone(),
            policies,
            env: Vec::new(),
            after_trap: AfterTrap::FailClosed,
            workers: 1,
            upstream: self.echo.address,
            clusters: Vec::new(),
            offload: true,
            tls: false,
        }
    }

    fn start(&self, setup: &Setup) -> Envoy {
        Envoy::start(&self.launch, setup).unwrap_or_else(|why| panic!("{why}"))
    }

    /// One policy on the listener `main`.
    fn start_one(&self, policy: Value) -> Envoy {
        self.start(&self.setup(vec![("main".into(), policy)]))
    }
}

const SECRET: &str = "an-hs256-secret-for-the-envoy-rung";
const KEY: &str = "gk_live_0123456789abcdef";

/// A policy for the tests beside the table: one key, one secret.
fn small_policy() -> Value {
    json!({
        "issuers": { "app": { "secret": { "value": SECRET } } },
        "clients": { "acme": { "key": { "plain": KEY }, "roles": ["partner"] } },
        "routes": [
            { "name": "open", "path": "/open/**", "allow": "public" },
            { "path": "/**", "allow": ["app", "clients"] },
        ],
        "upstream": { "set": { "X-User": "sub", "X-Client": "client" }, "publish": "auth" },
    })
}

#[test]
fn table_fail_closed() {
    table(AfterTrap::FailClosed);
}

#[test]
fn table_fail_reload() {
    table(AfterTrap::FailReload);
}

/// Runs every case; afterwards nothing may have crashed and no log may show a secret.
fn table(after_trap: AfterTrap) {
    let Some(bench) = Bench::new() else { return };
    let mut tally = Tally::new(match bench.launch {
        Launch::Binary(_) => "envoy",
        Launch::Docker(_) => "docker",
    });
    let mut files = load_all(now_seconds());
    // One policy that does not load would keep Envoy from starting.
    files.retain(|file| file.compile().map_err(|why| tally.add(&file.name, "(the policy)", Err(why))).is_ok());
    let env: BTreeMap<String, String> = files.iter().flat_map(|f| f.env.clone()).collect();
    let mut setup = bench.setup(files.iter().map(|f| (f.name.clone(), f.policy.clone())).collect());
    setup.env = env.into_iter().collect();
    setup.after_trap = after_trap;
    let envoy = bench.start(&setup);
    let mut run = Run::new(&envoy, &bench.echo);
    let mut used = Vec::new();
    for name in files.iter().map(|file| &file.name) {
        // Tokens are minted anew for every file: the clock of a real host does not stand still.
        let file = load_one(name, now_seconds());
        for case in file.cases.iter().filter(|case| case.rungs.contains(&Rung::Envoy)) {
            let result = run.outcome(&file, case).and_then(|outcome| check(case, Rung::Envoy, &outcome));
            tally.add(&file.name, &case.name, result);
        }
        used.push(file);
    }
    println!("{after_trap:?}:");
    tally.also("health of the host", health(&envoy));
    tally.also("discretion of the log", discretion(&envoy, &used));
    tally.finish();
}

/// No crash in the log, no stream failed by the host, no VM reloaded.
fn health(envoy: &Envoy) -> Result<(), String> {
    let (crashes, failed, reloads) = (envoy.crashes(), failed_streams(envoy), reloads(envoy));
    if crashes.is_empty() && failed.is_empty() && reloads.is_empty() {
        return Ok(());
    }
    Err(format!("crash lines: {crashes:#?}\nfailed streams: {failed:#?}\nreloads: {reloads:?}"))
}

fn healthy(envoy: &Envoy) {
    health(envoy).unwrap_or_else(|why| panic!("{why}"));
}

fn failed_streams(envoy: &Envoy) -> Vec<Value> {
    let failed = |line: &Value| line["details"].as_str().is_some_and(|details| details.contains("wasm_fail"));
    envoy.access(0).into_iter().filter(failed).collect()
}

fn reloads(envoy: &Envoy) -> BTreeMap<String, u64> {
    envoy.stats("vm_reload").expect("stats")
}

/// No secret, token or key of the table in Envoy's log.
fn discretion(envoy: &Envoy, files: &[CaseFile]) -> Result<(), String> {
    let log = envoy.log();
    if !log.contains("wasm log") {
        return Err("the module never logged".into());
    }
    for file in files {
        let mut hidden = file.confidential.clone();
        for (name, value) in file.cases.iter().flat_map(|case| &case.request.headers) {
            if ["authorization", "x-api-key", "cookie"].iter().any(|n| n.eq_ignore_ascii_case(name)) {
                let text = String::from_utf8_lossy(value).into_owned();
                hidden.extend(text.rsplit([' ', '=']).next().map(String::from));
            }
        }
        // Shorter texts are no secrets, and would be found by chance.
        if let Some(text) = hidden.iter().find(|text| text.len() >= 12 && log.contains(*text)) {
            return Err(format!("Envoy's log shows {text:?} of {}.yaml", file.name));
        }
    }
    Ok(())
}

/// The checks above must be able to fail: a module that traps on every request is noticed both ways.
#[test]
fn a_trap_is_noticed() {
    let Some(bench) = Bench::new() else { return };
    let module = r#"(module
        (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
        (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const 1)
        (func (export "proxy_on_context_create") (param i32 i32))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable))"#;
    for after_trap in [AfterTrap::FailClosed, AfterTrap::FailReload] {
        let mut setup = bench.setup(vec![("main".into(), json!({}))]);
        setup.module = wat::parse_str(module).expect("good WebAssembly text");
        setup.after_trap = after_trap;
        let envoy = bench.start(&setup);
        for _ in 0..3 {
            let mut client = Client::connect(envoy.listener("main")).expect("a connection");
            let answer = client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", false).expect("an answer");
            assert_eq!(answer.status, 503, "{after_trap:?}");
            envoy.access_of(client.local(), 0).expect("a line");
            // Reloads back off for a second.
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        assert!(!envoy.crashes().is_empty(), "{after_trap:?}: no crash line in\n{}", envoy.log());
        assert!(!failed_streams(&envoy).is_empty(), "{after_trap:?}: {:?}", envoy.access(0));
        assert!(health(&envoy).is_err(), "{after_trap:?}");
        if after_trap == AfterTrap::FailReload {
            assert!(!reloads(&envoy).is_empty(), "{}", envoy.admin("/stats?filter=wasm").expect("stats").text());
        }
    }
}

#[test]
fn grpc_callers_get_a_grpc_status() {
    let Some(bench) = Bench::new() else { return };
    let envoy = bench.start_one(small_policy());
    let mut client = Client::connect(envoy.listener("main")).expect("a connection");
    let call = "POST /pkg.Service/Method HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc\r\nte: trailers\r\ncontent-length: 0\r\n";
    for (extra, status) in
        [("", "16"), ("x-api-key: not-a-key-of-anybody\r\n", "16"), ("x-api-key: a\r\nx-api-key: b\r\n", "3")]
    {
        let answer = client.send(format!("{call}{extra}\r\n").as_bytes(), false).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("grpc-status").as_deref(), Some(status), "{answer:?}");
        assert!(answer.header("grpc-message").is_some_and(|message| !message.is_empty()), "{answer:?}");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/grpc"));
    }
    healthy(&envoy);
}

#[test]
fn metrics_carry_tags() {
    let Some(bench) = Bench::new() else { return };
    let envoy = bench.start_one(small_policy());
    let to = envoy.listener("main");
    let key = [("x-api-key", KEY)];
    for (path, headers, count) in [("/open/x", &[][..], 1), ("/x", &key[..], 2), ("/x", &[][..], 3)] {
        for _ in 0..count {
            get(to, path, headers).expect("an answer");
        }
    }
    let text = envoy.admin("/stats/prometheus?usedonly").expect("stats").text();
    let line = |labels: &[&str]| {
        let mut lines = text.lines().filter(|line| line.starts_with("gatekey_requests_total{"));
        let found = lines.find(|line| labels.iter().all(|label| line.contains(label)));
        found.and_then(|line| line.rsplit_once(' ')).map(|(_, count)| count.to_string())
    };
    let open = ["result=\"allow\"", "reason=\"none\"", "credential=\"none\"", "route=\"open\""];
    let keyed = ["result=\"allow\"", "reason=\"none\"", "credential=\"key\"", "route=\"routes[1]\""];
    let denied = ["result=\"deny\"", "reason=\"credential_missing\"", "credential=\"none\"", "route=\"routes[1]\""];
    for (labels, count) in [(open, "1"), (keyed, "2"), (denied, "3")] {
        assert_eq!(line(&labels).as_deref(), Some(count), "{labels:?} in\n{text}");
    }
    assert!(text.contains("gatekey_config_total"), "{text}");
    assert!(!text.contains("result=\"error\""), "{text}");
}

/// The start line names the version and the policy's digest, once per VM, and no secret.
#[test]
fn start_line() {
    let Some(bench) = Bench::new() else { return };
    let envoy = bench.start_one(small_policy());
    get(envoy.listener("main"), "/x", &[("x-api-key", KEY)]).expect("an answer");
    let log = envoy.log();
    let version = concat!(env!("CARGO_PKG_VERSION"), " started");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("wasm log") && line.contains(version)).collect();
    // The main thread and one worker; Envoy tries a new configuration in a VM of its own first.
    assert!((1..=3).contains(&lines.len()), "{} start lines in\n{log}", lines.len());
    let digest = |line: &&str| line.split(|c: char| !c.is_ascii_hexdigit()).any(|word| word.len() >= 12);
    assert!(lines.iter().all(digest), "no digest in {lines:#?}");
    assert!(!log.contains(SECRET) && !log.contains(KEY), "{log}");
}

#[test]
fn a_bad_policy_stops_the_start() {
    let Some(bench) = Bench::new() else { return };
    let policy = json!({
        "issuers": { "app": { "secret": { "value": SECRET }, "leeway": "10h" } },
        "routes": [{ "path": "/**", "allow": ["aqp"] }, { "pth": "/", "allow": "public" }],
    });
    // As text alone, and as octets beside a good one.
    for others in [vec![], vec![("good".into(), small_policy())]] {
        let policies = others.into_iter().chain([("bad".into(), policy.clone())]).collect();
        let log = match Envoy::start(&bench.launch, &bench.setup(policies)) {
            Ok(_) => panic!("Envoy takes a bad policy"),
            Err(log) => log,
        };
        for error in ["issuers.app.leeway", "routes[0].allow", "routes[1].pth"] {
            assert!(log.contains(error), "{error} is not told in\n{log}");
        }
        assert!(log.contains("Envoy ended with"), "{log}");
        assert!(!log.contains(SECRET), "{log}");
    }
}

#[test]
fn many_requests_on_one_connection() {
    let Some(bench) = Bench::new() else { return };
    let envoy = bench.start_one(small_policy());
    let mut client = Client::connect(envoy.listener("main")).expect("a connection");
    for i in 0..300 {
        let (path, key, status) = match i % 3 {
            0 => ("/x", format!("x-api-key: {KEY}\r\n"), 200),
            1 => ("/x", "x-api-key: not-a-key-of-anybody\r\n".to_string(), 401),
            _ => ("/open/x", "x-client: mallory\r\n".to_string(), 200),
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{key}\r\n");
        let answer = client.send(request.as_bytes(), false).expect("an answer");
        assert_eq!(answer.status, status, "request {i}: {answer:?}");
        let seen = bench.echo.take();
        assert_eq!(seen.len(), usize::from(status == 200), "request {i}");
        for request in seen {
            let clients: Vec<_> = request.headers.iter().filter(|(name, _)| name == "x-client").collect();
            let expected = (i % 3 == 0).then_some(("x-client".to_string(), b"acme".to_vec()));
            assert_eq!(clients, expected.iter().collect::<Vec<_>>(), "request {i}");
        }
    }
    healthy(&envoy);
}

#[test]
fn identity_trailers_are_removed() {
    let Some(bench) = Bench::new() else { return };
    let envoy = bench.start_one(small_policy());
    let mut client = Client::connect(envoy.listener("main")).expect("a connection");
    let request = format!(
        "POST /x HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ntransfer-encoding: chunked\r\ntrailer: x-user\r\n\r\n\
         3\r\nabc\r\n0\r\nx-user: mallory\r\nX_Client: mallory\r\nx-other: kept\r\n\r\n"
    );
    let answer = client.send(request.as_bytes(), false).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = bench.echo.take();
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(seen.body, b"abc");
    assert_eq!(seen.trailers, [("x-other".to_string(), b"kept".to_vec())]);
    healthy(&envoy);
}

/// Every octet of every signature counts, whether Envoy's machine code checks it or ours does in its V8.
#[test]
fn every_octet_of_every_signature_counts() {
    let Some(bench) = Bench::new() else { return };
    let issuers: serde_json::Map<String, Value> = ASYMMETRIC
        .iter()
        .map(|(alg, key)| {
            let issuer =
                json!({ "issuer": format!("https://{alg}.test"), "algorithms": alg, "jwks": { "keys": [jwk(key)] } });
            ((*alg).to_owned(), issuer)
        })
        .collect();
    for offload in [true, false] {
        // Bad tokens are remembered; here each is to be looked at.
        let mut setup = bench.setup(vec![("main".into(), json!({ "issuers": issuers, "cache": { "tokens": 0 } }))]);
        setup.offload = offload;
        let envoy = bench.start(&setup);
        let told = envoy.log().lines().any(|line| line.contains("checked by the host: none"));
        assert_eq!(told, !offload, "{}", envoy.log());
        let mut client = Client::connect(envoy.listener("main")).expect("a connection");
        let mut flips = 0;
        for (alg, key) in ASYMMETRIC {
            let good = token(alg, key, "k", &format!("https://{alg}.test"), "alice");
            assert_eq!(ask(&mut client, &good).expect("an answer").status, 200, "{alg}");
            let (signed, signature) = good.rsplit_once('.').expect("three parts");
            let octets = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
            for at in 0..octets.len() {
                let mut other = octets.clone();
                other[at] ^= 1 << (at % 8);
                let answer =
                    ask(&mut client, &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&other))).expect("an answer");
                assert_eq!(answer.status, 401, "{alg}: octet {at} may change");
                flips += 1;
            }
            // The key of one algorithm under the name of another.
            for (other, _) in ASYMMETRIC.iter().filter(|(other, _)| *other != alg) {
                let claims = token(alg, key, "k", &format!("https://{other}.test"), "alice");
                assert_eq!(ask(&mut client, &claims).expect("an answer").status, 401, "{alg} for {other}");
            }
        }
        bench.echo.take();
        let by = if offload { "with" } else { "without" };
        say(&format!("SIGNATURES in Envoy, {by} its help: 10 algorithms, {flips} changed octets refused"));
        healthy(&envoy);
    }
}

#[test]
fn four_workers() {
    let Some(bench) = Bench::new() else { return };
    let mut setup = bench.setup(vec![("main".into(), small_policy())]);
    setup.workers = 4;
    let envoy = bench.start(&setup);
    let to = envoy.listener("main");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..25 {
                    assert_eq!(get(to, "/x", &[("x-api-key", KEY)]).expect("an answer").status, 200);
                    assert_eq!(get(to, "/x", &[]).expect("an answer").status, 401);
                }
            });
        }
    });
    let total: u64 = counted(&envoy).expect("stats").values().sum();
    assert_eq!(total, 400);
    healthy(&envoy);
}

/// Whatever octets a caller sends, the module lives on.
#[test]
fn hostile_heads_do_no_harm() {
    const TARGETS: [&[u8]; 9] =
        [b"/a", b"/open/x", b"/%", b"/%ff%c3", b"/open/..%2f", b"//", b"/a?access_token=", b"/open/;x", b"/.%2e/x"];
    const NAMES: [&[u8]; 8] =
        [b"authorization", b"x-api-key", b"cookie", b"x-user", b"X_User", b"x-tier", b"connection", b"origin"];
    const STARTS: [&[u8]; 7] =
        [b"", b"Bearer ", b"bearer eyJ", b"Bearer eyJh.eyJz.", b"Bearer ...", b"a=\"; =; ", b"Basic "];
    let Some(bench) = Bench::new() else { return };
    let policy = json!({
        "issuers": { "app": { "secret": { "value": SECRET } } },
        "clients": { "acme": { "key": { "plain": KEY } } },
        "read": { "token": ["bearer", "cookie:t", "query:access_token"], "key": ["header:x-api-key", "bearer"] },
        "routes": [
            { "path": "/open/**", "allow": "public", "preflight": true },
            { "path": "/{a}/**", "host": "*.test", "header": { "x-tier": "a" }, "allow": ["app"] },
            { "path": "/**", "allow": ["app", "clients"] },
        ],
        "upstream": { "set": { "X-User": "sub", "X-A": "path.a" }, "strip": ["x-auth-*"], "publish": "auth" },
    });
    let envoy = bench.start_one(policy);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).expect("small")).expect("small")
    };
    let mut client = None;
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for _ in 0..2000 {
        let mut request = [b"GET ", TARGETS[random(TARGETS.len())], b" HTTP/1.1\r\nhost: a.test\r\n"].concat();
        for _ in 0..=random(3) {
            request.extend([NAMES[random(NAMES.len())], b": ", STARTS[random(STARTS.len())]].concat());
            // All octets that may stand in a value, and not only text.
            let octet = |_| u8::try_from(random(256)).expect("a byte");
            let value: Vec<u8> = (0..16).map(octet).filter(|b| *b >= 0x20 && *b != 0x7f).collect();
            request.extend([&value[..], b"\r\n"].concat());
        }
        request.extend(b"\r\n");
        let connection = client.take();
        let mut connection =
            connection.unwrap_or_else(|| Client::connect(envoy.listener("main")).expect("a connection"));
        // Envoy closes after what it refuses by itself, and after `connection: close`.
        if let Ok(answer) = connection.send(&request, false) {
            *statuses.entry(answer.status).or_default() += 1;
            assert_ne!(answer.status, 503, "{}: {answer:?}", request.escape_ascii());
            if answer.header("connection").is_none() {
                client = Some(connection);
            }
        }
    }
    assert!([200, 400, 401].iter().all(|status| statuses.contains_key(status)), "{statuses:?}");
    assert!(statuses.values().sum::<usize>() > 1500, "{statuses:?}");
    healthy(&envoy);
}

/// A client that speaks TLS: sends a token over each of several connections, with the certificate that is named.
const TLS_CLIENT: &str = r#"
import http.client, ssl, sys
port, token, *names = sys.argv[1:]
for name in names:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if name != "none":
        context.load_cert_chain(name + ".crt", name + ".pem")
    connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context, timeout=20)
    connection.request("GET", "/x", headers={"Authorization": "Bearer " + token})
    answer = connection.getresponse()
    print(name, answer.status, answer.read().decode()[:60].replace("\n", " "))
"#;

#[test]
fn a_bound_token_needs_the_certificate_on_its_own_connection() {
    let Some(bench) = Bench::new() else { return };
    let file = load_one("jwt-binding", now_seconds());
    let case = file.cases.iter().find(|case| case.request.peer.certificate.is_some()).expect("a bound token");
    let (_, token) = case.request.headers.iter().find(|(name, _)| name == "Authorization").expect("a token");
    let token = String::from_utf8_lossy(token).replace("Bearer ", "");
    let mut setup = bench.setup(vec![("main".into(), file.policy.clone())]);
    setup.tls = true;
    let envoy = bench.start(&setup);
    let output = std::process::Command::new("python3")
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys"))
        .args(["-c", TLS_CLIENT, &envoy.listener("main").port().to_string(), &token])
        .args(["p256", "rsa2048", "none", "p256"])
        .output()
        .expect("python3");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let statuses: Vec<&str> = told.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(statuses, ["200", "401", "401", "200"], "{told}{}", String::from_utf8_lossy(&output.stderr));
    healthy(&envoy);
}

#[test]
fn the_audit_line_is_json_in_the_log() {
    let Some(bench) = Bench::new() else { return };
    let mut policy = small_policy();
    policy["audit"] = json!({ "decisions": ["allow", "deny"] });
    let envoy = bench.start_one(policy);
    for headers in [[("x-api-key", KEY)], [("x-api-key", "gk_live_of_nobody_at_all")]] {
        get(envoy.listener("main"), "/x?key=secret", &headers).expect("an answer");
    }
    let log = envoy.log_with("gatekey: audit ", 2);
    let told: Vec<Value> = log
        .lines()
        .filter_map(|line| line.split_once("gatekey: audit ").map(|(_, json)| json))
        .map(|json| serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}")))
        .collect();
    assert_eq!(told.len(), 2, "{log}");
    assert_eq!((&told[0]["decision"], &told[0]["client"]), (&json!("allow"), &json!("acme")));
    assert_eq!((&told[1]["decision"], &told[1]["reason"]), (&json!("deny"), &json!("key_invalid")));
    assert!(told.iter().all(|line| line["address"] == "127.0.0.1" && line["id"].is_string()), "{told:?}");
    assert!(!log.contains(KEY) && !log.contains("of_nobody") && !log.contains("key=secret"));
    healthy(&envoy);
}

/// Whoever shows a key that ends soon is told, by a header that Envoy makes of filter state.
#[test]
fn keys_that_end_soon_are_told() {
    let Some(bench) = Bench::new() else { return };
    let now = now_seconds();
    let end = |days: u64| time_text(now + days * 86_400);
    let mut policy = small_policy();
    policy["clients"]["acme"] = json!({ "keys": [
        { "plain": KEY, "expires": end(13) },
        { "plain": "gk_live_that_lasts_longer", "expires": end(15) },
        { "plain": "gk_live_that_lasts_for_ever" },
    ] });
    let envoy = bench.start_one(policy);
    let told = |key: &str| {
        let answer =
            get(envoy.listener("main"), "/x", &[("authorization", &format!("Bearer {key}"))]).expect("an answer");
        assert_eq!(answer.status, 200);
        answer.header("x-key-expires")
    };
    assert_eq!(told(KEY), Some(end(13)));
    assert_eq!((told("gk_live_that_lasts_longer"), told("gk_live_that_lasts_for_ever")), (None, None));
    healthy(&envoy);
}

fn time_text(seconds: u64) -> String {
    gatekey::time::Time::from_seconds(i64::try_from(seconds).expect("a time in this era")).to_string()
}
