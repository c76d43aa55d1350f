//! Bodies that a decision looks at: they come while other things are waited for, end with trailers, or do not come.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::lab::get;
use crate::support::load::token;
use crate::support::{Request, keys, now_seconds};
use crate::wasm_host::background::Shared;
use crate::wasm_host::{End, Profile, Root, Vm};

const ISSUER: &str = "https://id.test/";
const KEY: &str = "gk_live_acme0123456789";
const CHAT: &[u8] = br#"{"model":"gpt-4o"}"#;

fn start(policy: &Value, shared: Option<&Shared>, now: u64) -> (Vm, Root) {
    let mut vm = Vm::start(Profile::Envoy, &[], now).expect("a VM");
    if let Some(shared) = shared {
        vm.share(shared);
    }
    vm.background().clusters = vec!["idp".into()];
    let root = vm.root(policy.to_string().as_bytes()).expect("no trap");
    assert!(root.configured, "{:?}", vm.logs());
    (vm, root)
}

/// A provider whose callers show tokens of an issuer with fetched keys.
fn provider() -> Value {
    json!({
        "issuers": { "id": { "issuer": ISSUER, "jwks": { "uri": "https://id.test/jwks.json", "cluster": "idp" } } },
        "providers": { "o": { "preset": "openai", "cluster": "echo", "secret": { "value": "sk-real-0123456789" }, "models": ["gpt-*"] } },
        "routes": [{ "path": "/**", "allow": "id", "provider": "o" }],
        "upstream": { "set": { "X-User": "sub" } },
    })
}

fn chat() -> Request {
    let token = token("ES256", "p256", "k1", ISSUER, "alice");
    let mut request = get("/v1/chat/completions", &[("Authorization", &format!("Bearer {token}"))]);
    request.method = Some("POST".into());
    request
}

/// Answers the first call that is open with the issuer's keys.
fn hand_over_keys(vm: &mut Vm, root: Root) {
    let mut jwk = keys::jwk("p256");
    jwk["kid"] = json!("k1");
    let body = json!({ "keys": [jwk] }).to_string().into_bytes();
    let call = vm.background().calls.first().expect("a call").token;
    vm.answer(root, call, Some((vec![(b":status".to_vec(), b"200".to_vec())], body))).expect("no trap");
}

#[test]
fn trailers_of_a_body_that_waits_are_stripped_too() {
    let (mut vm, root) = start(&provider(), None, now_seconds());
    let (stream, action) = vm.begin_open(root, &chat()).expect("no trap");
    // The body must come while the head waits for keys.
    assert_eq!(action, 1);
    assert_eq!(vm.data(stream, CHAT, false), Ok(1));
    let trailers =
        [("x-user", "admin"), ("authorization", "Bearer x"), ("x-other", "1")].map(|(n, v)| (n.into(), v.into()));
    assert_eq!(vm.trailers(stream, trailers.to_vec()), Ok(1));
    hand_over_keys(&mut vm, root);
    assert_eq!(vm.stands(stream), End::Passed);
    assert_eq!(vm.trailers_now(stream), Some(vec![(b"x-other".to_vec(), b"1".to_vec())]));
}

#[test]
fn keys_that_another_worker_fetched_do_not_end_the_wait_for_the_body() {
    let now = now_seconds();
    let shared = Shared::default();
    let (mut one, one_root) = start(&provider(), Some(&shared), now);
    let (mut other, other_root) = start(&provider(), Some(&shared), now);
    one.set_now_millis(now * 1000 + 50);
    other.set_now_millis(now * 1000 + 50);
    one.tick(one_root).expect("no trap");
    hand_over_keys(&mut one, one_root);
    let (stream, action) = other.begin_open(other_root, &chat()).expect("no trap");
    assert_eq!((action, other.stands(stream)), (1, End::Stalled));
    assert_eq!(other.data(stream, CHAT, true), Ok(0));
}

/// A token endpoint whose one client has a key that ends in a minute.
fn endpoint(now: u64) -> Value {
    let end = gatekey::time::Time::from_seconds(i64::try_from(now).expect("this era") + 60).to_string();
    json!({
        "clients": { "acme": { "keys": [{ "plain": KEY, "expires": end }] } },
        "token_endpoint": {
            "path": "/oauth/token", "issuer": "https://gw.test", "audience": "orders", "ttl": "24h",
            "sign": { "secret": { "value": "a-secret-0123456789-0123456789-0123456789" } },
        },
    })
}

fn ask() -> Request {
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Api-Key", KEY)];
    let mut request = get("/oauth/token", &headers);
    request.method = Some("POST".into());
    request
}

#[test]
fn a_token_ends_with_the_key_that_it_was_given_for() {
    let now = now_seconds();
    let (mut vm, root) = start(&endpoint(now), None, now);
    let (stream, _) = vm.begin_open(root, &ask()).expect("no trap");
    vm.data(stream, b"grant_type=client_credentials", true).expect("no trap");
    let (status, body) = vm.reply_now(stream).expect("an answer");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let payload = body["access_token"].as_str().expect("a token").split('.').nth(1).expect("claims");
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON");
    assert_eq!((status, claims["exp"].as_u64(), body["expires_in"].as_u64()), (200, Some(now + 60), Some(60)));
}

#[test]
fn a_body_that_does_not_come_is_waited_for_ten_seconds_by_any_clock() {
    let now = now_seconds();
    for later in [now * 1000 + 10_500, (now - 3600) * 1000] {
        let (mut vm, root) = start(&endpoint(now), None, now);
        let (stream, action) = vm.begin_open(root, &ask()).expect("no trap");
        assert_eq!(action, 1);
        vm.set_now_millis(now * 1000 + 5_000);
        vm.tick(root).expect("no trap");
        assert_eq!(vm.stands(stream), End::Stalled);
        vm.set_now_millis(later);
        vm.tick(root).expect("no trap");
        let (status, body) = vm.reply_now(stream).expect("an answer");
        assert!(status == 503 && body.contains("temporarily_unavailable"), "{status} {body}");
        assert_eq!(vm.data(stream, b"grant_type=client_credentials", true), Ok(1), "what comes later does not pass");
        // It is a decision like others.
        assert_eq!(vm.end(stream).expect("an end").reason.as_deref(), Some("internal"));
        let counted = vm.increments().iter().any(|(name, by)| name.contains("reason=internal") && *by == 1);
        assert!(counted, "{:?}", vm.increments());
    }
}

/// A handshake is answered at once: it has no body that could be waited for, and may ask for any model later.
#[test]
fn a_connection_that_goes_on_is_refused_where_models_are_looked_at() {
    let now = now_seconds();
    for method in ["GET", "POST"] {
        let (mut vm, root) = start(&provider(), None, now);
        let mut request = chat();
        request.method = Some(method.into());
        request.headers.push(("Upgrade".into(), b"websocket".to_vec()));
        request.headers.push(("Connection".into(), b"Upgrade".to_vec()));
        let (stream, _) = vm.begin_open(root, &request).expect("no trap");
        hand_over_keys(&mut vm, root);
        let (status, body) = vm.reply_now(stream).expect("an answer");
        assert!(status == 403 && body.contains("model_forbidden"), "{method}: {status} {body}");
    }
}

/// Parts without octets are no beginning of a body.
#[test]
fn empty_parts_do_not_make_a_body_that_comes() {
    let now = now_seconds();
    let (mut vm, root) = start(&endpoint(now), None, now);
    let (stream, _) = vm.begin_open(root, &ask()).expect("no trap");
    assert_eq!(vm.data(stream, b"", false), Ok(1));
    vm.set_now_millis(now * 1000 + 10_500);
    vm.tick(root).expect("no trap");
    assert_eq!(vm.reply_now(stream).map(|(status, _)| status), Some(503));
    let told = |vm: &Vm| vm.logs().iter().filter(|(_, line)| line.contains("allow_on_headers_stop_iteration")).count();
    assert_eq!(told(&vm), 1, "{:?}", vm.logs());

    // Where bodies do come, it is the caller who is late.
    let (mut vm, root) = start(&endpoint(now), None, now);
    let (stream, _) = vm.begin_open(root, &ask()).expect("no trap");
    vm.data(stream, b"grant_type=client_credentials", true).expect("no trap");
    let (late, _) = vm.begin_open(root, &ask()).expect("no trap");
    vm.set_now_millis(now * 1000 + 10_500);
    vm.tick(root).expect("no trap");
    assert_eq!((vm.reply_now(late).map(|(status, _)| status), told(&vm)), (Some(503), 0));
}

/// A token for the service ends with what it stands for: a key to the second, a token with its leeway.
#[test]
fn a_token_for_the_service_does_not_outlive_what_it_stands_for() {
    let now = now_seconds();
    let time = |seconds: u64| gatekey::time::Time::from_seconds(i64::try_from(seconds).expect("this era")).to_string();
    let policy = json!({
        "issuers": { "id": { "issuer": ISSUER, "leeway": "60s", "jwks": { "keys": [keys::jwk("p256")] } } },
        "clients": { "acme": { "keys": [{ "plain": KEY, "expires": time(now + 3) }] } },
        "upstream": { "token": { "issuer": "g", "audience": "a", "ttl": "5m",
            "sign": { "secret": { "value": "a-secret-0123456789-0123456789-0123456789" } } } },
    });
    let signed = |exp: u64| {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(json!({ "alg": "ES256" }));
        let text = format!("{head}.{}", part(json!({ "iss": ISSUER, "sub": "alice", "exp": exp })));
        format!("Bearer {text}.{}", URL_SAFE_NO_PAD.encode(keys::sign("p256", "ES256", text.as_bytes())))
    };
    for (header, value, ends) in [
        ("X-Api-Key", KEY.to_owned(), now + 3),
        ("Authorization", signed(now + 30), now + 30),
        ("Authorization", signed(now + 2), now + 10),
        ("Authorization", signed(now - 30), now + 10),
        ("Authorization", signed(now - 55), now + 5),
        ("Authorization", signed(now + 3600), now + 300),
    ] {
        let (mut vm, root) = start(&policy, None, now);
        let trace = vm.request(root, &get("/", &[(header, &value)])).expect("no trap");
        let headers = trace.outcome.upstream.expect("it passes");
        let bearer = headers.iter().find(|(name, _)| name == "authorization").expect("a token").1.clone();
        let claims = String::from_utf8(bearer).expect("text").split('.').nth(1).expect("claims").to_owned();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64")).expect("JSON");
        assert_eq!(claims["exp"].as_u64(), Some(ends), "{header}");
    }
}
