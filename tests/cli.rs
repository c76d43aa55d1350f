//! The native command, run as people run it: what it prints, what it refuses, and how it ends.
#![cfg(feature = "cli")]

mod support;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const KEY: &str = "gk_test_demo_key_0001";
const NOW: &str = "2026-06-01T00:00:00Z";

/// `acme` has [`KEY`].
const POLICY: &str = "\
issuers:
  app: { issuer: https://id.example/, audience: [orders], secret: { env: JWT_SECRET }, type: at+jwt }
clients:
  acme: { key: sha256:273b5ea0e49689602c2ff591b79a77e32a619be9ace89774fe7aec5cd09a019e, roles: [partner] }
routes:
  - { path: /healthz, allow: public }
  - { name: admin, path: /admin/**, allow: { any: app, role: admin } }
  - { path: /**, allow: [app, clients] }
upstream: { set: { X-User: sub, X-Client: client } }
";

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatekey"));
    command.args(args).env_remove("JWT_SECRET").current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn gatekey(args: &[&str]) -> Ran {
    ran(command(args).stdin(Stdio::null()).output().unwrap())
}

fn gatekey_with(args: &[&str], stdin: &str) -> Ran {
    let mut child = command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let text = stdin.to_owned();
    let writer = std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    ran(output)
}

/// A file of its own for each test.
fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn check_tells_and_counts() {
    let good = file("check.yaml", POLICY);
    let missing = gatekey(&["check", &good]);
    assert_eq!((missing.code, missing.out.as_str()), (1, ""));
    assert_eq!(
        missing.err,
        "issuers.app.secret.env: JWT_SECRET is not set in the environment, export it for the command, or name it in the host's VM environment (`host_env_keys` in Envoy)\n"
    );

    let env = format!("JWT_SECRET={SECRET}");
    let ok = gatekey(&["check", &good, "--env", &env]);
    assert_eq!((ok.code, ok.err.as_str()), (0, ""));
    assert!(ok.out.starts_with("ok: policy ") && ok.out.ends_with(", 1 issuer, 1 client, 3 routes\n"), "{}", ok.out);
    assert_eq!(ok.out.len(), "ok: policy 0123456789abcdef, 1 issuer, 1 client, 3 routes\n".len());

    let hash = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
    let users =
        format!("users: {{ a: {hash}, b: {hash} }}\nallow: users\npolicies: {{ p: {{ routes: [{{ allow: a }}] }} }}\n");
    let counted = gatekey_with(&["check", "-"], &users);
    assert!(counted.out.ends_with(", 0 issuers, 0 clients, 2 users, 1 route, 1 policy by name\n"), "{}", counted.out);

    let made_up = gatekey(&["check", "--allow-missing-env", &good]);
    assert_eq!((made_up.code, made_up.out), (0, ok.out.clone()));
    assert_eq!(made_up.err, "warning: JWT_SECRET is not set, a stand-in is used\n");

    // JSON, stdin, and a JSON text that holds the policy are the same policy.
    let text = gatekey(&["fmt", &good]).out;
    for policy in [POLICY.to_owned(), text.clone(), serde_json::to_string(text.trim()).unwrap()] {
        assert_eq!(gatekey_with(&["check", "-", &format!("--env={env}")], &policy).out, ok.out, "{policy}");
    }

    let bad = "mode: enforced\nissuers:\n  corp: { secret: { value: hunter2hunter2 } }\nroutes:\n  - { allow: crop }\n";
    let bad = gatekey_with(&["check", "-"], bad);
    assert_eq!((bad.code, bad.out.as_str()), (1, ""));
    assert_eq!(
        bad.err,
        "issuers.corp.secret.value: is 14 octets; HS256 needs at least 32 (RFC 7518 section 3.2)\n\
         mode: unknown mode \"enforced\", did you mean \"enforce\"?\n\
         routes[0].allow: unknown credential \"crop\", did you mean \"corp\"?\n"
    );
    let odd = gatekey_with(&["check", "-"], "clients: { a: { key: { plain: 0123456789abcdef } } }");
    assert_eq!(odd.code, 0);
    let line = "the key stands in the policy, where config dumps show it, `gatekey hash` makes a digest of it";
    assert_eq!(odd.err, format!("warning: clients.a.key.plain: {line}\n"));
}

#[test]
fn check_knows_a_configuration_of_envoy() {
    let told = gatekey_with(&["check", "-"], "admin: {}\nstatic_resources: {}\n");
    assert!(told.code == 1 && told.err.starts_with("gatekey: - is a configuration of Envoy"), "{}", told.err);
}

#[test]
fn check_tells_what_time_does_to_keys() {
    let policy = format!(
        "clients: {{ acme: {{ keys: [ {{ sha256: {}, expires: 2026-06-01T00:00:00Z }}, {{ sha256: {}, not_before: 2026-06-02T00:00:00Z }} ] }} }}",
        "a".repeat(64),
        "b".repeat(64)
    );
    let at = |now: &str| {
        let told = gatekey_with(&["check", "-", "--now", now], &policy);
        assert_eq!(told.code, 0);
        told.err
    };
    let gap = "from 2026-06-01T00:00:00.000Z to 2026-06-02T00:00:00.000Z";
    assert_eq!(at("2026-01-01T00:00:00Z"), format!("warning: clients.acme: no key counts {gap}\n"));
    let ended = "clients.acme: a key ended at 2026-06-01T00:00:00.000Z, and can be taken out";
    assert_eq!(at("2026-07-01T00:00:00Z"), format!("warning: {ended}\n"));
    assert_eq!(gatekey_with(&["check", "-", "--now", "today"], &policy).code, 2);
}

#[test]
fn check_tells_where_yaml_breaks() {
    for (text, line) in [
        ("a: [", "policy: is no YAML: unclosed bracket '[' at line 1, column 4\n"),
        ("a: 1\na: 2", "policy: is no YAML: duplicate mapping key `a` is not allowed here at line 2, column 1\n"),
        ("a: .inf", "policy: is no YAML: value `.inf` is not a finite number at line 1, column 4\n"),
        ("", "policy: expected an object, found nothing\n"),
        ("7", "policy: expected an object, found a number\n"),
    ] {
        let ran = gatekey_with(&["check", "-"], text);
        assert_eq!((ran.code, ran.err.as_str()), (1, line), "{text}");
    }
    let secret = gatekey_with(&["check", "-"], "issuers: { a: { secret: { value: 'hunter2' 'x' } } }");
    assert!(secret.code == 1 && !secret.err.contains("hunter2"), "{}", secret.err);
    let json = file("broken.json", "{\"issuers\":{},}");
    assert_eq!(gatekey(&["check", &json]).err, "policy: is no JSON: trailing comma at line 1 column 15\n");
}

#[test]
fn explain_answers_line_by_line() {
    let file = file("explain.yaml", POLICY);
    let env = format!("JWT_SECRET={SECRET}");
    let mint = |more: &[&str]| {
        let args = [&["mint", &file, "--env", &env, "--now", NOW], more].concat();
        let minted = gatekey(&args);
        assert_eq!((minted.code, minted.err.as_str()), (0, ""));
        minted.out.trim().to_owned()
    };
    let alice = mint(&["--subject", "alice", "--claims", "{\"roles\":[\"admin\"]}"]);
    let old = mint(&["--expires-in", "-1h"]);
    let lines = [
        String::from(r#"{"id":1,"method":"GET","path":"/healthz","headers":[["x-user","eve"]]}"#),
        format!(r#"{{"id":"two","method":"GET","path":"/admin/x","headers":[["Authorization","Bearer {alice}"]]}}"#),
        format!(r#"{{"id":3,"method":"GET","path":"/x","headers":[["Authorization","Bearer {old}"]]}}"#),
        format!(r#"{{"id":4,"method":"GET","path":"/x","headers":[["X-API-Key","{KEY}"]]}}"#),
        String::from(r#"{"id":5,"method":"GET","path":"/a%2fb","headers":[]}"#),
        String::from(
            r#"{"id":6,"method":"GET","path":"/x","headers":[["x-api-key",{"b64":"/////////////////////w=="}]]}"#,
        ),
        String::from(r#"{"id":7,"headers":[["only a name"]]}"#),
        String::from("{"),
    ];
    let args = ["explain", &file, "--requests", "-", "--now", NOW, "--env", &env];
    let explained = gatekey_with(&args, &(lines.join("\n") + "\n\n"));
    assert_eq!((explained.code, explained.err.as_str()), (1, ""));
    let answers: Vec<serde_json::Value> = explained.out.lines().map(json).collect();
    assert_eq!(answers.len(), lines.len());
    assert_eq!(
        explained.out.lines().next().unwrap(),
        r#"{"id":1,"decision":"allow","status":200,"reason":null,"route":"routes[0]","identity":null,"set":{},"removed":["x-user"],"steps":["the path is read as `/healthz`","route `routes[0]` matches","the route is public"]}"#
    );
    let brief = |answer: &serde_json::Value| {
        format!(
            "{} {} {} {} {} {}",
            answer["id"], answer["decision"], answer["status"], answer["reason"], answer["route"], answer["set"]
        )
    };
    assert_eq!(
        answers.iter().skip(1).take(5).map(brief).collect::<Vec<_>>(),
        [
            r#""two" "allow" 200 null "admin" {"x-user":"alice"}"#,
            r#"3 "deny" 401 "token_expired" "routes[2]" {}"#,
            r#"4 "allow" 200 null "routes[2]" {"x-client":"acme"}"#,
            r#"5 "deny" 400 "path_ambiguous" null {}"#,
            r#"6 "deny" 401 "key_invalid" "routes[2]" {}"#,
        ]
    );
    assert_eq!(answers[1]["identity"]["sub"], "alice");
    assert_eq!(answers[6].to_string(), r#"{"error":"headers: write [[name, value], ...]","id":7}"#);
    assert_eq!(
        answers[7].to_string(),
        r#"{"error":"no JSON: EOF while parsing an object at line 1 column 1","id":null}"#
    );
    let good = gatekey_with(&args, &lines[..6].join("\n"));
    assert_eq!((good.code, good.out.lines().count()), (0, 6));
}

#[test]
fn explain_is_quick() {
    let file = file("quick.yaml", POLICY);
    let env = format!("JWT_SECRET={SECRET}");
    let token = gatekey(&["mint", &file, "--env", &env]).out;
    let line =
        format!(r#"{{"id":1,"method":"GET","path":"/x","headers":[["authorization","Bearer {}"]]}}"#, token.trim());
    let lines = vec![line; 1000].join("\n");
    let start = Instant::now();
    let ran = gatekey_with(&["explain", &file, "--requests", "-", "--env", &env], &lines);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1000));
    assert!(start.elapsed().as_secs() < 5, "{:?}, and that without optimisation", start.elapsed());
}

#[test]
fn explain_takes_one_request() {
    let file = file("single.yaml", POLICY);
    let env = format!("JWT_SECRET={SECRET}");
    let explain = |more: &[&str]| gatekey(&[&["explain", &file, "--env", &env, "--now", NOW], more].concat());
    let key = explain(&["--key", KEY, "--path", "/x", "--header", "X-User: eve"]);
    assert_eq!(key.code, 0);
    let answer = json(&key.out);
    assert_eq!((answer["decision"].as_str(), answer["id"].is_null()), (Some("allow"), true));
    assert_eq!(answer["removed"], json("[\"x-user\",\"x-api-key\"]"));
    let human = explain(&["--human", "--method", "POST", "--path", "/x"]);
    assert_eq!(
        human.out,
        "deny 401 credential_missing\n\
         \x20 route     routes[2]\n\
         \x20 steps     the path is read as `/x`\n\
         \x20           route `routes[2]` matches\n\
         \x20           refused: credential_missing\n\
         \x20 answer    content-type: application/problem+json\n\
         \x20           cache-control: no-store\n\
         \x20           www-authenticate: Bearer realm=\"gatekey\"\n\
         \x20           www-authenticate: ApiKey realm=\"gatekey\"\n\
         \x20           {\"type\":\"urn:gatekey:error:credential_missing\",\"title\":\"Credential missing\",\"status\":401,\"detail\":\"A credential is required\",\"code\":\"credential_missing\"}\n"
    );
    let answer = json(&explain(&["--json", "--path", "/x", "--header", "content-type: application/grpc"]).out);
    assert_eq!((&answer["answer"]["status"], &answer["answer"]["grpc_status"]), (&401.into(), &16.into()));
    assert_eq!(answer["answer"]["headers"][2], json(r#"["www-authenticate", "Bearer realm=\"gatekey\""]"#));
    assert_eq!(answer["answer"]["body"], "A credential is required");
    assert!(json(&explain(&["--json", "--path", "/healthz"]).out).get("answer").is_none());
    let token = gatekey(&["mint", &file, "--env", &env, "--now", NOW, "--subject", "bob"]).out;
    let human = explain(&["--human", "--token", token.trim(), "--path", "/admin"]).out;
    assert!(human.starts_with("deny 403 role_missing\n  route     admin\n"), "{human}");
    let both = explain(&["--token", token.trim(), "--key", KEY]);
    assert_eq!(json(&both.out)["decision"], "allow");
    for wrong in [
        &["--header", "nothing"][..],
        &["--now", "today"],
        &["--requests", "-", "--key", "x"],
        &["--path"],
        &["other.yaml"],
    ] {
        assert_eq!(explain(wrong).code, 2, "{wrong:?}");
    }
}

/// Where one request comes from, and what its caller has proved to hold, stand on the command line.
#[test]
fn explain_takes_a_peer() {
    let policy =
        format!("issuers: {{ app: {{ secret: {{ value: {SECRET} }} }} }}\nallow: {{ any: app, from: 192.0.2.0/24 }}\n");
    let policy = file("peer.yaml", &policy);
    let confirmed = format!(r#"{{"cnf":{{"x5t#S256":"{}"}}}}"#, "A".repeat(43));
    let token = gatekey(&["mint", "--alg", "HS256", "--secret", SECRET, "--claims", &confirmed]).out;
    let explain = |more: &[&str]| gatekey(&[&["explain", &policy, "--json", "--token", token.trim()], more].concat());
    let certificate = ["--certificate", &"0".repeat(64)];
    let answer = json(&explain(&[&certificate[..], &["--address", "192.0.2.7"]].concat()).out);
    assert_eq!(answer["decision"], "allow", "{answer}");
    let steps = |more: &[&str]| json(&explain(&[&certificate[..], more].concat()).out)["steps"].to_string();
    assert!(steps(&["--address", "192.0.3.7"]).contains("the caller's address is 192.0.3.7"));
    assert!(steps(&[]).contains("the caller's address is not known"));
    assert_eq!(json(&explain(&["--address", "192.0.2.7"]).out)["reason"], "binding_mismatch");
    for wrong in [&["--address", "here"][..], &["--certificate", "00"], &["--requests", "-", "--address", "192.0.2.7"]]
    {
        assert_eq!(explain(wrong).code, 2, "{wrong:?}");
    }
}

/// Whoever compares a claim with what is captured does not see that it is a number.
#[test]
fn explain_tells_numbers_in_place_of_texts() {
    let policy = format!(
        "issuers: {{ app: {{ secret: {{ value: {SECRET} }}, require: {{ org: [\"1\", \"2\"] }} }} }}\n\
         routes: [ {{ path: \"/users/{{id}}\", allow: {{ any: app, claim: {{ uid: \"{{path.id}}\" }} }} }} ]\n"
    );
    let policy = file("numbers.yaml", &policy);
    for (claims, step) in [
        (r#"{"org":"1","uid":7}"#, "the route asks for a text in place of the number in the claim `uid`"),
        (r#"{"org":"1","uid":"8"}"#, "the route asks for another value of the claim `uid`"),
        (r#"{"org":1,"uid":"7"}"#, "claim `org` is a number, and issuer `app` requires a text"),
        (r#"{"org":"3","uid":"7"}"#, "claim `org` is not what issuer `app` requires"),
    ] {
        let token = gatekey(&["mint", "--alg", "HS256", "--secret", SECRET, "--claims", claims]).out;
        let told = gatekey(&["explain", &policy, "--json", "--path", "/users/7", "--token", token.trim()]).out;
        let steps = json(&told)["steps"].as_array().unwrap().clone();
        assert!(steps.iter().any(|told| told == step), "{claims}: {steps:?}");
    }
}

/// An answer that gives a token is shown without it.
#[test]
fn explain_shows_no_token() {
    let policy = format!(
        "clients: {{ acme: {{ key: {{ plain: {KEY} }}, scopes: [read] }} }}\n\
         token_endpoint:\n  path: /token\n  issuer: https://gateway.test\n  audience: orders\n\
         \x20 sign: {{ secret: {{ value: {SECRET} }} }}\n"
    );
    let policy = file("gives.yaml", &policy);
    let form = "content-type: application/x-www-form-urlencoded";
    for format in ["--json", "--human"] {
        let request = ["--method", "POST", "--path", "/token", "--key", KEY, "--header", form];
        let body = ["--body", "grant_type=client_credentials", format];
        let told = gatekey(&[&["explain", &policy], &request[..], &body[..]].concat());
        let shown = told.out.replace('\\', "");
        assert!(shown.contains(r#"{"access_token":"***","token_type":"Bearer""#), "{}{}", told.out, told.err);
        assert!(shown.contains(r#""scope":"read"}"#) && !shown.contains("eyJ"), "{}", told.out);
    }
}

/// A token that its issuer calls active may be meant for others.
#[test]
fn explain_tells_what_an_issuer_says() {
    let policy = format!(
        "issuers: {{ corp: {{ audience: orders, introspect: {{ uri: \"https://id.test/i\", cluster: idp, \
         client: {{ id: gateway, secret: {{ value: {SECRET} }} }} }} }} }}\n"
    );
    let policy = file("introspect.yaml", &policy);
    for (answer, says, reason) in [
        (r#"{"active":true,"aud":"orders"}"#, "active", None),
        (r#"{"active":true,"aud":"invoices"}"#, "active, but not for us", Some("audience_mismatch")),
        (r#"{"active":false}"#, "inactive", Some("token_inactive")),
        (r#"{"active":"true"}"#, "the answer is not what RFC 7662 says, or too long", Some("issuer_unavailable")),
        ("<html>", "the answer is not what RFC 7662 says, or too long", Some("issuer_unavailable")),
    ] {
        let told = json(&gatekey(&["explain", &policy, "--json", "--token", "opaque", "--introspected", answer]).out);
        assert_eq!(told["steps"][0], format!("issuer `corp` is asked about the token: {says}"), "{answer}");
        assert_eq!(told["reason"].as_str(), reason, "{answer}");
    }
}

#[test]
fn keygen_and_hash_agree() {
    let made = gatekey(&["keygen"]);
    assert_eq!(made.code, 0);
    let (key, digest) = made.out.trim_end().split_once('\n').unwrap();
    let key = key.strip_prefix("key: gk_live_").unwrap();
    assert!(key.len() == 49 && key.bytes().all(|b| b.is_ascii_alphanumeric()), "{key}");
    let key = format!("gk_live_{key}");
    let digest = digest.strip_prefix("sha256: ").unwrap();
    assert_eq!(gatekey(&["hash", &key]).out, format!("{digest}\n"));
    for stdin in [key.clone(), format!("{key}\n"), format!("{key}\r\n")] {
        assert_eq!(gatekey_with(&["hash"], &stdin).out, format!("{digest}\n"));
        assert_eq!(gatekey_with(&["hash", "-"], &stdin).out, format!("{digest}\n"));
    }
    assert_ne!(gatekey(&["keygen"]).out, made.out);

    let named = gatekey(&["keygen", "--prefix", "acme_test", "--name", "acme"]).out;
    let policy = named.split_once("\n\n").unwrap().1;
    assert!(policy.starts_with("clients:\n  acme: sha256:"), "{policy}");
    assert_eq!(gatekey_with(&["check", "-"], policy).code, 0);
    let made = json(&gatekey(&["keygen", "--json", "--name", "a"]).out);
    assert_eq!(gatekey(&["hash", made["key"].as_str().unwrap()]).out.trim(), made["sha256"]);

    // As `printf foofoofoofoofoofoo | sha256sum` has it.
    assert_eq!(
        gatekey(&["hash", "foofoofoofoofoofoo"]).out,
        "sha256:0953d75539e3d2e3a25bdc0cc3ab1bbd37c65c18f3b56036599d5b6fdb7247e0\n"
    );
    for (key, message) in [
        ("short", "gatekey: the key is 5 octets; a key has 16 to 256\n"),
        ("a key that has spaces", "gatekey: a key is visible ASCII without spaces\n"),
    ] {
        let refused = gatekey(&["hash", key]);
        assert_eq!((refused.code, refused.out.as_str(), refused.err.as_str()), (1, "", message));
    }
    let mistyped = gatekey(&["hash", &key.replace("gk_live", "gk_life")]);
    assert_eq!(mistyped.code, 0);
    assert_eq!(mistyped.err, "warning: this looks like a key of `gatekey keygen` whose checksum is wrong: mistyped?\n");
    for wrong in
        [&["keygen", "--prefix", "a b"][..], &["keygen", "--name", "a.b"], &["keygen", "x"], &["hash", "a", "b"]]
    {
        assert_eq!(gatekey(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn mint_makes_the_same_token_everywhere() {
    // Signed with Python's hmac over the same two parts.
    let token = gatekey(&["mint", "--alg", "HS256", "--secret", SECRET, "--subject", "alice", "--now", NOW]);
    assert_eq!((token.code, token.err.as_str()), (0, ""));
    assert_eq!(
        token.out,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlhdCI6MTc4MDI3MjAwMCwiZXhwIjoxNzgwMjc1NjAwfQ.9PS9lRC3pCXYe73zEQLdNqUEfuG16AoyjcO0LVGEVBc\n"
    );
}

#[test]
fn mint_says_that_public_keys_do_not_sign() {
    let keys = r#"jwks: { uri: "https://id.example.com/keys", cluster: idp }"#;
    let policy = format!("issuers:\n  corp:\n    issuer: https://id.example.com/\n    audience: orders\n    {keys}\n");
    let ran = gatekey(&["mint", &file("public.yaml", &policy)]);
    let why = "that issuer's keys are public, and only who holds the private ones signs; mint needs a `secret`";
    assert_eq!((ran.code, ran.err), (1, format!("gatekey: {why}\n")));
}

#[test]
fn mint_takes_its_options() {
    let part = |token: &str, index: usize| {
        let part = token.trim().split('.').nth(index).unwrap().to_owned();
        String::from_utf8(gatekey::jose::compact::decode(part.as_bytes()).unwrap()).unwrap()
    };
    let mint = |more: &[&str]| {
        let ran = gatekey(&[&["mint", "--now", NOW, "--alg", "HS512", "--secret", &SECRET.repeat(2)], more].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{more:?}");
        (part(&ran.out, 0), part(&ran.out, 1))
    };
    let (header, claims) = mint(&[
        "--issuer",
        "i",
        "--audience",
        "a",
        "--audience",
        "b",
        "--kid",
        "k",
        "--type",
        "at+jwt",
        "--not-before",
        NOW,
        "--expires-in",
        "2m",
    ]);
    assert_eq!(header, r#"{"alg":"HS512","typ":"at+jwt","kid":"k"}"#);
    assert_eq!(claims, r#"{"iss":"i","aud":["a","b"],"nbf":1780272000,"iat":1780272000,"exp":1780272120}"#);
    assert_eq!(
        mint(&["--claims", r#"{"exp":1,"iat":2,"sub":"x","n":1.5}"#, "--subject", "y"]).1,
        r#"{"exp":1,"iat":2,"sub":"y","n":1.5}"#
    );
    assert_eq!(mint(&["--expires-in", "none"]).1, r#"{"iat":1780272000}"#);
    assert_eq!(mint(&["--expires-in=-1h"]).1, r#"{"iat":1780272000,"exp":1780268400}"#);

    let same = gatekey(&["mint", "--alg", "HS256", "--secret", SECRET, "--now", NOW]).out;
    let coded = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
    assert_eq!(gatekey(&["mint", "--alg", "HS256", "--secret-base64url", coded, "--now", NOW]).out, same);
    let from_env =
        ran(command(&["mint", "--alg", "HS256", "--secret-env", "S", "--now", NOW]).env("S", SECRET).output().unwrap());
    assert_eq!(from_env.out, same);

    let short = gatekey(&["mint", "--alg", "HS256", "--secret", "short"]);
    assert_eq!((short.code, short.out.as_str()), (1, ""));
    assert_eq!(
        short.err,
        "gatekey: the secret is 5 octets; HS256 needs at least 32 (RFC 7518 section 3.2); --weak takes it anyway\n"
    );
    assert_eq!(gatekey(&["mint", "--alg", "HS256", "--secret", "short", "--weak"]).code, 0);
    for wrong in [
        &["mint"][..],
        &["mint", "--alg", "RS256", "--secret", SECRET],
        &["mint", "--alg", "HS256"],
        &["mint", "--alg", "HS256", "--secret", SECRET, "--secret-env", "X"],
        &["mint", "--alg", "HS256", "--secret", SECRET, "--claims", "[]"],
        &["mint", "--alg", "HS256", "--secret", SECRET, "--expires-in", "1"],
        &["mint", "--alg", "HS256", "--secret", SECRET, "--name", "x"],
    ] {
        assert_eq!(gatekey(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn mint_takes_after_a_policy() {
    let key = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU";
    let policy = format!(
        "issuers:\n  app: {{ issuer: i, secret: {{ env: JWT_SECRET }} }}\n  set:\n    audience: [x, y]\n    issuer: j\n    type: at+jwt\n    jwks: {{ keys: [{{ kty: oct, kid: k1, k: {key} }}] }}\n"
    );
    let file = file("mint.yaml", &policy);
    let env = format!("JWT_SECRET={SECRET}");
    for (name, issuer) in [("app", "i"), ("set", "j")] {
        let minted = gatekey(&["mint", &file, "--name", name, "--env", &env]);
        assert_eq!((minted.code, minted.err.as_str()), (0, ""), "{name}");
        let answer = json(&gatekey(&["explain", &file, "--env", &env, "--token", minted.out.trim()]).out);
        assert_eq!(
            (answer["decision"].as_str(), answer["identity"]["issuer"].as_str()),
            (Some("allow"), Some(issuer)),
            "{answer}"
        );
    }
    let unnamed = gatekey(&["mint", &file, "--env", &env]);
    assert_eq!((unnamed.code, unnamed.err.as_str()), (2, "gatekey: --name is missing, one of app, set\n"));
}

#[test]
fn fmt_writes_what_hosts_take() {
    let text = "routes: # first match\n  - {path: /a, allow: public}\nclients: &c\n  b: \"sha256:0000000000000000000000000000000000000000000000000000000000000001\"\nmode: ~\nversion: 1.0\n";
    let line = r#"{"clients":{"b":"sha256:0000000000000000000000000000000000000000000000000000000000000001"},"routes":[{"allow":"public","path":"/a"}],"version":1}"#;
    let formatted = gatekey_with(&["fmt", "-"], text);
    assert_eq!((formatted.code, formatted.err.as_str(), formatted.out.as_str()), (0, "", format!("{line}\n").as_str()));
    assert_eq!(gatekey_with(&["fmt", "-"], line).out, formatted.out);
    let pretty = gatekey_with(&["fmt", "--pretty", "-"], text).out;
    assert!(pretty.starts_with("{\n  \"clients\": {\n") && json(&pretty) == json(line));
    // Variables belong to the host, and need not be set where the policy is written.
    assert_eq!(gatekey_with(&["fmt", "-"], "issuers: {a: {secret: {env: NOWHERE, encoding: base64}}}").code, 0);
    let bad = gatekey_with(&["fmt", "-"], "clients: {}");
    assert_eq!((bad.code, bad.out.as_str()), (1, ""));
}

#[test]
fn usage_is_told() {
    assert_eq!(gatekey(&["--version"]).out, format!("gatekey {}\n", env!("CARGO_PKG_VERSION")));
    let help = gatekey(&["--help"]);
    assert!(help.code == 0 && help.out.starts_with("gatekey authenticates requests"));
    for command in ["check", "explain", "keygen", "hash", "mint", "schema", "fmt"] {
        assert!(help.out.contains(&format!("  {command} ")), "{command}");
        let page = gatekey(&["help", command]);
        assert!(page.code == 0 && page.out.starts_with(&format!("usage: gatekey {command}")), "{command}");
        assert_eq!(gatekey(&[command, "--help"]).out, page.out);
        let wrong = gatekey(&[command, "--nope"]);
        assert_eq!((wrong.code, wrong.out.as_str()), (2, ""));
        assert_eq!(wrong.err, format!("gatekey: unknown option --nope; try `gatekey help {command}`\n"));
    }
    for (args, message) in [
        (&["chekc"][..], "gatekey: unknown command \"chekc\"; try `gatekey --help`\n"),
        (&["check"], "gatekey: which policy? name a file, or - for stdin\n"),
        (&["check", "a", "b"], "gatekey: \"b\" is too much\n"),
        (&["check", "-", "--env", "X"], "gatekey: write --env NAME=VALUE\n"),
    ] {
        let wrong = gatekey(args);
        assert_eq!((wrong.code, wrong.err.as_str()), (2, message));
    }
    assert_eq!(gatekey(&[]).code, 2);
    assert_eq!(gatekey(&["check", "/no/such/file"]).code, 1);
}

/// A reader that leaves early must not make the command panic.
#[test]
fn a_closed_pipe_is_no_failure() {
    let file = file("pipe.yaml", POLICY);
    let requests = self::file("pipe.jsonl", &"{\"id\":1}\n".repeat(50_000));
    let mut child = command(&["explain", &file, "--requests", &requests, "--allow-missing-env"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = ran(child.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (0, "warning: JWT_SECRET is not set, a stand-in is used\n"));
}

/// The policies that are shown and tested are what the schema says a policy is.
#[test]
fn sample_policies_fit_the_schema() {
    let schema = gatekey(&["schema"]);
    assert_eq!(schema.code, 0);
    json(&schema.out);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut policies = vec![json(&gatekey(&["fmt", "demo/policy.yaml"]).out)];
    let page = std::fs::read_to_string(root.join("docs/policy.md")).unwrap();
    for block in page.split("```yaml policy\n").skip(1) {
        let formatted = gatekey_with(&["fmt", "-"], block.split_once("```").unwrap().0);
        policies.push(json(&formatted.out));
    }
    assert!(policies.len() > 5, "only {} policies found", policies.len());
    let script = "\
import json, sys
try:
    import jsonschema
except ImportError:
    sys.exit(77)
schema, good, bad = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for policy in good:
    validator.validate(policy)
for policy in bad:
    assert not validator.is_valid(policy), policy
";
    let bad = [
        "{}",
        r#"{"issuers":{"a":{}}}"#,
        r#"{"clients":{"a":"foo"}}"#,
        r#"{"clients":{"any":"sha256:0000000000000000000000000000000000000000000000000000000000000001"}}"#,
        r#"{"issuers":{"a":{"secret":"x"}}}"#,
        r#"{"issuers":{"a":{"secret":{"env":"X","value":"y"}}}}"#,
        r#"{"issuers":{"a":{"secret":{"env":"X"}}},"routes":[{}]}"#,
        r#"{"issuers":{"a":{"secret":{"env":"X"}}},"routes":[{"allow":{}}]}"#,
        r#"{"issuers":{"a":{"secret":{"env":"X"}}},"upstream":{"set":{"X-A":"prod"}}}"#,
        r#"{"issuers":{"a":{"secret":{"env":"X"},"leeway":30}}}"#,
        r#"{"issuers":{"a":{"secret":{"env":"X"}}},"zzz":1}"#,
    ];
    let input = serde_json::json!([json(&schema.out), policies, bad.map(json)]).to_string();
    let mut child = match Command::new("python3")
        .args(["-W", "ignore", "-c", script])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(_) => return println!("SKIPPED: no python3 to validate the schema with"),
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.code() == Some(77) {
        return println!("SKIPPED: no python package jsonschema to validate the schema with");
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{} policies fit the schema, {} do not", policies.len(), bad.len());
}

/// A key in a variable that is not set is one that fits, whatever the algorithm.
#[test]
fn stand_ins_fit_every_algorithm() {
    for algorithms in ["RS256", "[PS384, RS256]", "ES256", "ES384", "[ES512]", "EdDSA", "Ed25519"] {
        let policy = format!("issuers: {{ corp: {{ algorithms: {algorithms}, pem: [{{ env: CORP_KEYS }}] }} }}\n");
        let ran = gatekey_with(&["check", "-", "--allow-missing-env"], &policy);
        assert_eq!(
            (ran.code, ran.err.as_str()),
            (0, "warning: CORP_KEYS is not set, a stand-in is used\n"),
            "{algorithms}"
        );
    }
}

/// The key set of an issuer whose keys are fetched comes from a file here.
#[test]
fn explain_takes_key_sets_from_files() {
    let policy = "issuers:\n  corp: { issuer: https://id.test/, jwks: { uri: https://id.test/k, cluster: idp } }\n  app: { secret: { env: JWT_SECRET } }\n";
    let policy = file("remote.yaml", policy);
    let mut jwk = support::keys::jwk("p256");
    jwk["kid"] = "k1".into();
    let keys = file("jwks.json", &serde_json::json!({ "keys": [jwk] }).to_string());
    let token = support::load::token("ES256", "p256", "k1", "https://id.test/", "alice");
    let explain = |more: &[&str]| {
        let mut args = vec!["explain", policy.as_str(), "--allow-missing-env", "--json", "--token", token.as_str()];
        args.extend(more);
        gatekey(&args)
    };
    let without = json(&explain(&[]).out);
    assert_eq!((without["status"].as_u64(), without["reason"].as_str()), (Some(503), Some("keys_unavailable")));
    let with = json(&explain(&["--jwks", &format!("corp={keys}")]).out);
    assert_eq!((with["decision"].as_str(), with["identity"]["sub"].as_str()), (Some("allow"), Some("alice")), "{with}");

    let empty = file("empty.json", "{\"keys\":[]}");
    for (given, complaint) in [
        (format!("corp={empty}"), "has no key that can be used"),
        (format!("app={keys}"), "fetches no keys for an issuer app"),
        (format!("nobody={keys}"), "fetches no keys for an issuer nobody"),
        ("corp".to_owned(), "write --jwks NAME=FILE"),
    ] {
        let ran = explain(&["--jwks", &given]);
        assert!(ran.code != 0 && ran.err.contains(complaint), "{given}: {}", ran.err);
    }
}

#[test]
fn passwords_are_hashed_from_stdin_only() {
    let hashed = gatekey_with(&["hash", "--password", "--cost", "4"], "correct horse\n");
    assert_eq!(hashed.code, 0, "{}", hashed.err);
    let line = hashed.out.trim();
    assert!(line.starts_with("$2b$04$") && line.len() == 60, "{line}");
    let other = gatekey_with(&["hash", "--password", "--cost", "4"], "correct horse\n");
    assert_ne!(other.out, hashed.out, "each has a salt of its own");
    let policy = format!("users: {{ ops: \"{line}\" }}");
    for (password, decision) in
        [("correct horse", "\"decision\":\"allow\""), ("correct horse\\n", "\"reason\":\"password_invalid\"")]
    {
        let pair = base64::engine::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("ops:{}", password.replace("\\n", "x")),
        );
        let header = format!("--header=Authorization: Basic {pair}");
        let told = gatekey_with(&["explain", "-", &header, "--json"], &policy);
        assert!(told.out.contains(decision), "{}", told.out);
    }
    for (args, input) in [
        (vec!["hash", "--password", "secret"], ""),
        (vec!["hash", "--password", "--cost", "13"], "x"),
        (vec!["hash", "--password", "--cost", "4"], ""),
        (vec!["hash", "--password", "--cost", "4"], &"x".repeat(73)),
    ] {
        let refused = gatekey_with(&args, input);
        assert!(
            refused.code != 0 && refused.out.is_empty() && !refused.err.contains("xxxx"),
            "{args:?}: {}",
            refused.err
        );
    }
}

#[test]
fn list_makes_documents_and_tells_no_key() {
    let table =
        format!("name,key,expires,roles\nacme,{KEY},,partner\nglobex,gk_test_demo_key_0002,2026-12-31T00:00:00Z,\n");
    let made = gatekey_with(&["list", "clients", "-"], &table);
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    assert!(
        made.out.starts_with("gatekey-clients 1 2\nset s1 {\"roles\":[\"partner\"]}\nkey 273b5ea0"),
        "{}",
        made.out
    );
    let checked = gatekey_with(&["list", "check", "-"], &made.out);
    assert_eq!((checked.code, checked.out.as_str()), (0, "ok: 2 keys of clients\n"));
    let cut = made.out.strip_suffix("end\n").unwrap();
    let checked = gatekey_with(&["list", "check", "-"], cut);
    assert_eq!((checked.code, checked.out.as_str()), (1, ""));
    assert_eq!(checked.err, "gatekey: -: the document does not end with a line `end`: it is cut off\n");

    let wrong = format!(
        "name,key,expires,scopes,claims\nacme,{KEY}\na b,{KEY},,,\nacme,short,,,\nacme,{KEY},soon,,\nacme,{KEY}1,,\"a\"\"b\",\nacme,{KEY}2,,,[]\n,{KEY}3,,,\nacme,,,,\nacme,{KEY}4,,,\nglobex,{KEY}4,,,\n"
    );
    let made = gatekey_with(&["list", "clients", "-"], &wrong);
    assert_eq!((made.code, made.out.as_str()), (1, ""));
    let lines: Vec<&str> = made.err.lines().map(|line| line.strip_prefix("gatekey: -: line ").unwrap()).collect();
    assert_eq!(
        lines,
        [
            "2: 2 cells, where the first line has 5",
            "3: a name is 1 to 64 letters, digits, _ and -",
            "4: a key is 16 to 256 visible ASCII characters",
            "5: expires is no RFC 3339 time",
            "6: a scope is visible ASCII without quotes and backslashes (RFC 6749 section 3.3)",
            "7: claims are no JSON object",
            "8: no name",
            "9: no key",
            "11: the key of line 10 again",
        ]
    );
    // The line of columns was forgotten: what is told of it may be a key.
    let made = gatekey_with(&["list", "clients", "-"], &format!("acme,{KEY}\n"));
    assert!(made.code == 1 && made.err.contains("line 1: column 2 is none of name, key"), "{}", made.err);
    for output in [made.out + &made.err, wrong_output(&wrong)] {
        assert!(!output.contains("gk_test"), "{output}");
    }
    let revoked = gatekey_with(&["list", "revoked", "-"], "# lost on Monday\njti a\nkey 001122\n");
    assert_eq!(
        revoked.err,
        "gatekey: -: line 3 has something else where a SHA-256 digest in hexadecimal digits must be\n"
    );
    assert_eq!(gatekey(&["list", "clients"]).code, 2);
    assert_eq!(gatekey(&["list", "burn", "-"]).code, 2);
}

fn wrong_output(table: &str) -> String {
    let made = gatekey_with(&["list", "clients", "-"], table);
    made.out + &made.err
}

#[test]
fn explain_decides_with_lists() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("explain-lists");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let from = "{ uri: https://lists.example/x, cluster: lists }";
    let policy = file("policy.yaml", &format!("clients_from: {from}\nrevoked: {{ from: {from} }}\n"));
    let clients = gatekey_with(&["list", "clients", "-"], &format!("name,key\nacme,{KEY}\nglobex,{KEY}1\n")).out;
    let revoked = gatekey_with(&["list", "revoked", "-"], "client globex\n").out;
    let (clients, revoked) = (file("clients", &clients), file("revoked", &revoked));
    let (clients, revoked) = (format!("clients={clients}"), format!("revoked={revoked}"));
    let explain = |key: &str, lists: &[&String]| {
        let mut args = vec!["explain", &policy, "--key", key, "--now", NOW];
        lists.iter().for_each(|list| args.extend(["--list", list]));
        let ran = gatekey(&args);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        told["reason"].as_str().unwrap_or("allowed").to_owned()
    };
    let other = format!("{KEY}1");
    assert_eq!(explain(KEY, &[]), "list_unavailable");
    assert_eq!(explain(KEY, &[&clients]), "list_unavailable");
    assert_eq!(explain(KEY, &[&clients, &revoked]), "allowed");
    assert_eq!(explain(&other, &[&clients, &revoked]), "key_revoked");
    assert_eq!(explain("gk_test_demo_key_0009", &[&clients, &revoked]), "key_invalid");
    let wrong = gatekey(&["explain", &policy, "--list", "nobody=x"]);
    assert!(wrong.code == 1 && wrong.err.contains("no list nobody; it fetches revoked, clients\n"), "{}", wrong.err);
    let wrong = gatekey(&["explain", &policy, "--list", &revoked.replace("revoked=", "clients=")]);
    assert!(wrong.code == 1 && wrong.err.contains("line 1 does not begin with"), "{}", wrong.err);
    let json = format!("revoked={}", file("revoked.json", r#"{"client":["globex"]}"#));
    let wrong = gatekey(&["explain", &policy, "--list", &json]);
    assert!(wrong.code == 1 && wrong.err.contains("the document is JSON: only a revocation list"), "{}", wrong.err);
}
