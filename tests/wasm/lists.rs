//! Fetched lists on hosts whose clock and server the test plays: waiting, outages, lies, and a million entries.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use gatekey::list::lists::List;
use gatekey::list::load;
use gatekey::list::load::PIECE;
use gatekey::list::revoked::Kind;
use gatekey::list::source::Content;

use crate::lab::get;
use crate::support::{Request, keys, load::token, now_seconds, say};
use crate::wasm_host::background::HttpCall;
use crate::wasm_host::state::Pairs;
use crate::wasm_host::vm::Stream;
use crate::wasm_host::{End, Profile, Root, Vm, module};

const ISS: &str = "https://id.test/";

/// A worker, and a server of lists that it asks.
struct Scene {
    profile: Profile,
    vm: Vm,
    root: Root,
    now: u64,
    /// The document, by path, and its entity tag.
    documents: Vec<(&'static str, Vec<u8>, String)>,
    /// How long callbacks took.
    times: Vec<Duration>,
}

fn revoked(entries: &[String]) -> Vec<u8> {
    let lines: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    format!("gatekey-revoked 1 {}\n{lines}end\n", entries.len()).into_bytes()
}

fn key(name: &str) -> String {
    format!("key-of-{name}-0123456789")
}

fn hex(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").expect("text");
        text
    })
}

fn clients(names: &[&str]) -> Vec<u8> {
    let lines: String = names.iter().map(|name| format!("key {} {name} gold\n", hex(&key(name)))).collect();
    let set = r#"set gold {"roles":["partner"],"scopes":["a"],"claims":{"tier":"gold"}}"#;
    format!("gatekey-clients 1 {}\n{set}\n{lines}end\n", names.len()).into_bytes()
}

/// A policy with one issuer, one client, and these lists.
fn policy(revoked_from: Value, clients_from: Value) -> Value {
    let jwk = crate::support::keys::jwk("p256");
    let mut policy = json!({
        "issuers": { "id": { "issuer": ISS, "jwks": { "keys": [jwk] } } },
        "clients": { "own": format!("sha256:{}", hex(&key("own"))) },
        "routes": [{ "path": "/open", "allow": "public" }, { "path": "/**", "allow": ["issuers", "clients"] }],
        "upstream": { "set": { "X-User": "sub", "X-Client": "client", "X-Roles": "roles", "X-Tier": "claims.tier" } },
    });
    if !revoked_from.is_null() {
        policy["revoked"] = json!({ "from": list("revoked", revoked_from) });
    }
    if !clients_from.is_null() {
        policy["clients_from"] = list("clients", clients_from);
    }
    policy
}

fn list(name: &str, more: Value) -> Value {
    let mut list = json!({ "uri": format!("https://lists.test/{name}"), "cluster": "lists", "refresh": "1m", "keep_stale": "10m" });
    list.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    list
}

fn with_token(sub: &str) -> Request {
    let token = token("ES256", "p256", "k", ISS, sub);
    get("/x", &[("Authorization", &format!("Bearer {token}")), ("X-User", "mallory")])
}

fn with_key(name: &str) -> Request {
    get("/x", &[("X-Api-Key", &key(name)), ("X-Client", "mallory"), ("X-Roles", "admin")])
}

fn refused(reason: &str) -> (End, Option<String>) {
    (End::Replied, Some(reason.into()))
}

const PASSED: (End, Option<String>) = (End::Passed, None);

impl Scene {
    fn new(profile: Profile, policy: &Value) -> Self {
        Self::on(Vm::start(profile, &[], now_seconds()), profile, policy)
    }

    fn on(vm: Result<Vm, String>, profile: Profile, policy: &Value) -> Self {
        let mut vm = vm.unwrap_or_else(|error| panic!("{error}"));
        vm.background().clusters = vec!["lists".into()];
        let root = vm.root(policy.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert!(root.configured, "{:?}", vm.logs());
        Self { profile, vm, root, now: now_seconds() * 1000, documents: Vec::new(), times: Vec::new() }
    }

    fn serve(&mut self, path: &'static str, document: Vec<u8>) {
        let etag: String = Sha256::digest(&document).iter().take(8).map(|octet| format!("{octet:02x}")).collect();
        self.documents.retain(|(other, ..)| *other != path);
        self.documents.push((path, document, format!("\"{etag}\"")));
    }

    fn timed<T>(&mut self, call: impl FnOnce(&mut Vm, Root) -> Result<T, String>) -> T {
        let start = computed();
        let result = call(&mut self.vm, self.root);
        self.times.push(computed().saturating_sub(start));
        result.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Time passes.
    fn pass(&mut self, millis: u64) {
        self.now += millis;
        self.vm.set_now_millis(self.now);
        if self.profile == Profile::Envoy {
            self.timed(|vm, root| vm.tick(root));
        }
    }

    fn calls(&mut self) -> Vec<HttpCall> {
        self.vm.background().calls.clone()
    }

    /// What a server answers that knows ranges and entity tags.
    fn honest(&self, call: &HttpCall) -> Option<(Pairs, Vec<u8>)> {
        let path = call.header(":path")?;
        let (_, document, etag) = self.documents.iter().find(|(name, ..)| *name == path)?;
        let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        if call.header("if-none-match").as_ref() == Some(etag) {
            return Some((vec![pair(":status", "304"), pair("etag", etag)], Vec::new()));
        }
        let range = call.header("range").filter(|_| call.header("if-range").is_none_or(|tag| tag == *etag));
        let Some(range) = range else {
            return Some((vec![pair(":status", "200"), pair("etag", etag)], document.clone()));
        };
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        let end = (last + 1).min(document.len());
        let said = format!("bytes {first}-{}/{}", end - 1, document.len());
        let headers = vec![pair(":status", "206"), pair("etag", etag), pair("content-range", &said)];
        Some((headers, document[first..end].to_vec()))
    }

    fn answer(&mut self, call: &HttpCall, answer: Option<(Pairs, Vec<u8>)>) {
        let token = call.token;
        self.timed(|vm, root| vm.answer(root, token, answer));
    }

    /// Ticks and honest answers until nothing is to be done; how many requests the server got.
    fn settle(&mut self) -> usize {
        self.settle_after(150)
    }

    /// The same, where putting in order takes longer than that without a call.
    fn settle_after(&mut self, ticks: usize) -> usize {
        let (mut requests, mut quiet) = (0, 0);
        while quiet < ticks {
            let calls = self.calls();
            quiet = if calls.is_empty() { quiet + 1 } else { 0 };
            for call in calls {
                requests += 1;
                let answer = self.honest(&call);
                self.answer(&call, answer);
            }
            self.pass(10);
        }
        requests
    }

    fn begin(&mut self, request: &Request) -> Stream {
        let root = self.root;
        self.vm.begin(root, request).unwrap_or_else(|error| panic!("{error}"))
    }

    /// How a request ends that does not have to wait, and with which headers.
    fn ends(&mut self, request: &Request) -> ((End, Option<String>), Pairs) {
        let stream = self.begin(request);
        let end = self.vm.stands(stream);
        let outcome = self.vm.end(stream).unwrap_or_else(|error| panic!("{error}"));
        let headers = outcome.upstream.unwrap_or_default();
        let headers = headers.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
        ((end, outcome.reason), headers)
    }

    fn at_once(&mut self, request: &Request) -> (End, Option<String>) {
        self.ends(request).0
    }

    fn no_wrongs(&mut self) {
        assert_eq!(self.vm.take_wrongs(), Vec::<String>::new());
    }
}

#[test]
fn a_fetched_list_revokes_and_lets_go() {
    let mut scene = Scene::new(Profile::Envoy, &policy(json!({}), Value::Null));
    scene.serve("/revoked", revoked(&["sub mallory".into(), "client own".into()]));
    assert_eq!(scene.settle(), 1);
    assert_eq!(scene.at_once(&with_token("alice")), PASSED);
    assert_eq!(scene.at_once(&with_token("mallory")), refused("token_revoked"));
    assert_eq!(scene.at_once(&with_key("own")), refused("key_revoked"));
    scene.serve("/revoked", revoked(&[format!("sub alice {ISS}"), "sub mallory https://other.test/".into()]));
    scene.pass(60_000);
    assert_eq!(scene.settle(), 1);
    // Verified before or not.
    assert_eq!(scene.at_once(&with_token("alice")), refused("token_revoked"));
    assert_eq!(scene.at_once(&with_token("mallory")), PASSED);
    assert_eq!(scene.at_once(&with_key("own")), PASSED);
    // Unchanged, it is not sent again, and serves on.
    scene.pass(60_000);
    let call = scene.calls().pop().expect("a call");
    assert!(call.header("if-none-match").is_some() && call.header("range").is_some(), "{call:?}");
    assert_eq!(scene.settle(), 1);
    assert_eq!(scene.at_once(&with_token("alice")), refused("token_revoked"));
    scene.no_wrongs();
}

#[test]
fn the_store_says_whose_keys_count() {
    let mut scene = Scene::new(Profile::Envoy, &policy(Value::Null, json!({})));
    scene.serve("/clients", clients(&["acme", "own"]));
    let waiting = scene.begin(&with_key("acme"));
    let unknown = scene.begin(&with_key("nobody"));
    // Who is a client of the policy does not wait.
    assert_eq!(scene.at_once(&with_key("own")), PASSED);
    assert_eq!(scene.vm.stands(waiting), End::Stalled);
    scene.settle();
    assert_eq!((scene.vm.stands(waiting), scene.vm.stands(unknown)), (End::Passed, End::Replied));
    let (end, headers) = scene.ends(&with_key("acme"));
    assert_eq!(end, PASSED);
    for (name, value) in [("x-client", "acme"), ("x-roles", "partner"), ("x-tier", "gold")] {
        let found: Vec<_> = headers.iter().filter(|(n, _)| n == name.as_bytes()).collect();
        assert_eq!(found.len(), 1, "{headers:?}");
        assert_eq!(found[0].1, value.as_bytes());
    }
    assert_eq!(scene.at_once(&with_key("nobody")), refused("key_invalid"));
    // A key that is gone from the store does not count.
    scene.serve("/clients", clients(&["globex"]));
    scene.pass(60_000);
    scene.settle();
    assert_eq!(scene.at_once(&with_key("acme")), refused("key_invalid"));
    assert_eq!(scene.at_once(&with_key("globex")), PASSED);
    scene.no_wrongs();
}

#[test]
fn a_name_of_the_policy_is_not_for_the_store_to_give() {
    let mut scene = Scene::new(Profile::Envoy, &policy(Value::Null, json!({})));
    let mine = hex(&key("own"));
    let lines = format!("key {mine} acme\nkey {} own gold\n", hex(&key("other")));
    scene.serve(
        "/clients",
        format!("gatekey-clients 1 2\nset gold {{\"roles\":[\"admin\"]}}\n{lines}end\n").into_bytes(),
    );
    scene.settle();
    // The policy's own key is its client's, whatever the store says of it, and without the store's roles.
    let (end, headers) = scene.ends(&with_key("own"));
    assert_eq!(end, PASSED);
    assert!(headers.iter().any(|(name, value)| name == b"x-client" && value == b"own"));
    assert!(!headers.iter().any(|(name, _)| name == b"x-roles"));
    assert_eq!(scene.at_once(&with_key("other")), refused("key_invalid"));
}

#[test]
fn requests_wait_for_the_first_list_and_then_no_more() {
    for on_outage in ["keep", "deny"] {
        let mut scene = Scene::new(Profile::Envoy, &policy(json!({ "on_outage": on_outage }), Value::Null));
        scene.serve("/revoked", revoked(&["sub mallory".into()]));
        let good = scene.begin(&with_token("alice"));
        let bad = scene.begin(&with_token("mallory"));
        let left = scene.begin(&with_token("bob"));
        assert_eq!(scene.at_once(&get("/open", &[])), PASSED, "{on_outage}");
        assert_eq!(scene.calls().len(), 1, "one fetch for all");
        assert_eq!((scene.vm.stands(good), scene.vm.stands(bad)), (End::Stalled, End::Stalled));
        scene.vm.end(left).unwrap();
        scene.settle();
        assert_eq!((scene.vm.stands(good), scene.vm.stands(bad)), (End::Passed, End::Replied), "{on_outage}");
        scene.no_wrongs();

        // A server that says nothing: requests wait while it is asked, no longer than their patience, and never again
        // before the next attempt.
        let mut scene = Scene::new(Profile::Envoy, &policy(json!({ "on_outage": on_outage }), Value::Null));
        let waiting = scene.begin(&with_token("alice"));
        for _ in 0..5 {
            scene.pass(1_100);
        }
        assert_eq!(scene.vm.stands(waiting), End::Stalled);
        scene.pass(600);
        let decided = if on_outage == "keep" { End::Passed } else { End::Replied };
        assert_eq!(scene.vm.stands(waiting), decided, "{on_outage}");
        let call = scene.calls().pop().expect("a call");
        scene.answer(&call, None);
        // By now it may be asked again, which is worth waiting for where the list is needed; then it is not for a while.
        let next = scene.begin(&with_token("alice"));
        for call in scene.calls() {
            assert_eq!((scene.vm.stands(next), on_outage), (End::Stalled, "deny"));
            scene.answer(&call, None);
        }
        assert_eq!(scene.vm.stands(next), decided, "{on_outage}");
        let at_once = if on_outage == "keep" { PASSED } else { refused("list_unavailable") };
        assert_eq!(scene.at_once(&with_token("alice")), at_once, "{on_outage}");
        scene.no_wrongs();
    }
}

#[test]
fn who_waited_for_an_answer_of_its_own_waits_for_the_first_list_too() {
    let mut policy = policy(json!({ "on_outage": "keep" }), Value::Null);
    policy["issuers"]["asked"] = json!({ "issuer": "https://asked.test/", "introspect": {
        "uri": "https://asked.test/introspect", "cluster": "lists", "client": { "id": "g", "secret": { "value": "sssssssssssssss" } },
    } });
    // The password is in tests/wasm/passwords.rs.
    policy["users"] = json!({ "u1": "$2b$04$6UZew0fK7qFxcgAw1qrCheXcAiGolKQHa7vyPcujvirKhcp5bQNoK" });
    policy["routes"] = json!([{ "path": "/**", "allow": ["issuers", "clients", "users"] }]);
    let opaque = get("/x", &[("Authorization", "Bearer opaque-1")]);
    let basic = get("/x", &[("Authorization", "Basic dTE6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==")]);
    let says =
        |document: Value| Some((vec![(b":status".to_vec(), b"200".to_vec())], document.to_string().into_bytes()));

    // On Envoy the list may be on its way already.
    let mut scene = Scene::new(Profile::Envoy, &policy);
    scene.serve("/revoked", revoked(&["sub mallory".into(), "user u1".into()]));
    let (token, password) = (scene.begin(&opaque), scene.begin(&basic));
    let question = scene.calls().into_iter().find(|call| call.header(":path").as_deref() == Some("/introspect"));
    scene.answer(&question.expect("a question"), says(json!({ "active": true, "sub": "mallory" })));
    scene.pass(4);
    assert_eq!((scene.vm.stands(token), scene.vm.stands(password)), (End::Stalled, End::Stalled));
    assert_eq!(scene.settle(), 1);
    for (stream, reason) in [(token, "token_revoked"), (password, "password_invalid")] {
        assert_eq!(scene.vm.end(stream).expect("an end").reason.as_deref(), Some(reason));
    }
    scene.no_wrongs();

    // Without an answer the policy's choice holds in the end, and nobody waits for ever.
    let mut scene = Scene::new(Profile::Envoy, &policy);
    let (token, password) = (scene.begin(&opaque), scene.begin(&basic));
    let question = scene.calls().into_iter().find(|call| call.header(":path").as_deref() == Some("/introspect"));
    scene.answer(&question.expect("a question"), says(json!({ "active": true, "sub": "mallory" })));
    (0..800).for_each(|_| scene.pass(10));
    assert_eq!((scene.vm.stands(token), scene.vm.stands(password)), (End::Passed, End::Passed));
    scene.no_wrongs();

    // On APISIX the same request fetches one after the other.
    let mut scene = Scene::new(Profile::Apisix, &policy);
    scene.serve("/revoked", revoked(&["sub mallory".into()]));
    let token = scene.begin(&opaque);
    let question = scene.calls().pop().expect("a question");
    scene.answer(&question, says(json!({ "active": true, "sub": "mallory" })));
    assert_eq!(scene.vm.stands(token), End::Stalled);
    let call = scene.calls().pop().expect("a fetch");
    let list = scene.honest(&call);
    scene.answer(&call, list);
    assert_eq!(scene.vm.end(token).expect("an end").reason.as_deref(), Some("token_revoked"));
    scene.no_wrongs();
}

/// On APISIX a cold worker gets all that a request needs, one after the other, before it decides.
#[test]
fn as_apisix_a_request_fetches_everything_that_it_needs() {
    let mut policy = policy(json!({ "on_outage": "keep" }), json!({ "on_outage": "keep" }));
    policy["issuers"]["id"] = json!({ "issuer": ISS, "jwks": { "uri": "https://id.test/jwks", "cluster": "lists" } });
    let mut jwk = keys::jwk("p256");
    jwk["kid"] = json!("k");
    let start = || {
        let mut scene = Scene::new(Profile::Apisix, &policy);
        scene.serve("/revoked", revoked(&["sub mallory".into(), "client globex".into()]));
        scene.serve("/clients", clients(&["acme", "globex"]));
        scene.serve("/jwks", json!({ "keys": [jwk] }).to_string().into_bytes());
        scene
    };
    let all = [
        (with_token("mallory"), 2, Some("token_revoked")),
        (with_token("alice"), 2, None),
        (with_key("globex"), 2, Some("key_revoked")),
        (with_key("acme"), 2, None),
    ];
    for (request, fetches, reason) in &all {
        let mut scene = start();
        let stream = scene.begin(request);
        let mut made = 0;
        while let Some(call) = scene.calls().pop() {
            assert_eq!(scene.vm.stands(stream), End::Stalled);
            let answer = scene.honest(&call);
            scene.answer(&call, answer);
            made += 1;
        }
        assert_eq!((made, scene.vm.end(stream).expect("an end").reason.as_deref()), (*fetches, *reason));
        scene.no_wrongs();
    }
    // Servers that say nothing, each until its time-out, hold it no longer than two of them do.
    for (request, _, _) in &all {
        let mut scene = start();
        let stream = scene.begin(request);
        let mut made = 0;
        while let Some(call) = scene.calls().pop() {
            scene.pass(5_000);
            scene.answer(&call, None);
            made += 1;
        }
        assert!(made <= 2, "{made}");
        assert_eq!(scene.vm.end(stream).expect("an end").status, 503);
        scene.no_wrongs();
    }
}

#[test]
fn an_outage_means_what_was_chosen() {
    for on_outage in ["keep", "deny"] {
        let more = json!({ "on_outage": on_outage, "refresh": "10s", "keep_stale": "20s" });
        let mut scene = Scene::new(Profile::Envoy, &policy(more.clone(), more));
        scene.serve("/revoked", revoked(&["sub mallory".into()]));
        scene.serve("/clients", clients(&["acme"]));
        scene.settle();
        let asked = [with_token("alice"), with_token("mallory"), with_key("acme"), with_key("own"), with_key("nobody")];
        let good = [PASSED, refused("token_revoked"), PASSED, PASSED, refused("key_invalid")];
        assert_eq!(asked.each_ref().map(|request| scene.at_once(request)), good);
        for second in 0..60 {
            for call in scene.calls() {
                scene.answer(&call, None);
            }
            scene.pass(1_000);
            // Whoever comes while it is tried again waits for the outcome.
            for call in scene.calls() {
                scene.answer(&call, None);
            }
            let missing = on_outage == "deny" && second >= 31;
            if (28..=31).contains(&second) {
                continue;
            }
            let expected = if missing { [(); 5].map(|()| refused("list_unavailable")) } else { good.clone() };
            assert_eq!(asked.each_ref().map(|request| scene.at_once(request)), expected, "{on_outage} {second}");
        }
        assert_eq!(scene.at_once(&get("/open", &[])), PASSED);
        scene.settle();
        scene.pass(40_000);
        scene.settle();
        assert_eq!(asked.each_ref().map(|request| scene.at_once(request)), good, "{on_outage}");
        scene.no_wrongs();
    }
}

#[test]
fn a_long_list_comes_in_pieces_and_switches_at_once() {
    let mut scene = Scene::new(Profile::Envoy, &policy(json!({}), Value::Null));
    let long = |first: &str, n: usize| {
        let mut entries: Vec<String> = (0..n).map(|i| format!("jti {first}-{i}-{}", "x".repeat(40))).collect();
        entries.push(format!("sub {first}"));
        revoked(&entries)
    };
    scene.serve("/revoked", long("alice", 40_000));
    let length = u64::try_from(scene.documents[0].1.len()).unwrap();
    let requests = scene.settle();
    assert_eq!(u64::try_from(requests).unwrap(), length.div_ceil(PIECE), "pieces");
    assert_eq!(
        (scene.at_once(&with_token("alice")), scene.at_once(&with_token("bob"))),
        (refused("token_revoked"), PASSED)
    );
    // While another one comes in, the one before serves; a change in the middle begins anew.
    scene.serve("/revoked", long("bob", 40_000));
    scene.pass(60_000);
    for _ in 0..2 {
        let call = scene.calls().pop().expect("a call");
        let answer = scene.honest(&call);
        scene.answer(&call, answer);
        while scene.calls().is_empty() {
            scene.pass(10);
        }
        assert_eq!(scene.at_once(&with_token("alice")), refused("token_revoked"));
    }
    scene.serve("/revoked", long("carol", 40_000));
    scene.settle();
    for (sub, end) in [("alice", PASSED), ("bob", PASSED), ("carol", refused("token_revoked"))] {
        assert_eq!(scene.at_once(&with_token(sub)), end, "{sub}");
    }
    scene.no_wrongs();
}

#[test]
fn no_lie_of_a_server_changes_anything() {
    let mut scene = Scene::new(
        Profile::Envoy,
        &policy(json!({ "refresh": "5s", "keep_stale": "24h" }), json!({ "refresh": "5s", "keep_stale": "24h" })),
    );
    scene.serve("/revoked", revoked(&["sub mallory".into()]));
    scene.serve("/clients", clients(&["acme"]));
    scene.settle();
    let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let part = |range: &str, body: &[u8]| {
        (vec![pair(":status", "206"), pair("etag", "\"x\""), pair("content-range", range)], body.to_vec())
    };
    let whole = |body: &[u8]| (vec![pair(":status", "200"), pair("etag", "\"x\"")], body.to_vec());
    let empty = |head: &str| format!("{head} 1 0\nend\n").into_bytes();
    let large = vec![b'#'; 9 << 20];
    let lies = [
        whole(b""),
        whole(b"{}"),
        whole(b"<html>"),
        whole(&large),
        whole(b"gatekey-revoked 1 1\njti a\n"),
        whole(b"gatekey-revoked 1 2\njti a\nend\n"),
        whole(b"gatekey-clients 1 1\nkey"),
        part("bytes 0-0/1", b""),
        part("bytes 5-9/10", b"12345"),
        part("bytes 0-9/999999999999", b"1234567890"),
        part("bytes 0-524287/1048576", &large[..524_288]),
        part("bytes 0-524288/1048576", &large[..524_289]),
        part("", &empty("gatekey-revoked")),
        (vec![pair(":status", "206")], empty("gatekey-clients")),
        (vec![pair(":status", "304"), pair("etag", "\"x\"")], Vec::new()),
        (vec![pair(":status", "302"), pair("location", "https://evil.test/")], Vec::new()),
        (vec![pair(":status", "200x")], empty("gatekey-revoked")),
        (vec![(b":status".to_vec(), b"\xff".to_vec())], empty("gatekey-clients")),
    ];
    let before = scene.vm.memory_size();
    let mut told = 0;
    for round in 0..200 {
        scene.pass(7_000);
        for call in scene.calls() {
            told += 1;
            let answer = lies[(round + told) % lies.len()].clone();
            scene.answer(&call, Some(answer));
        }
        for _ in 0..20 {
            scene.pass(10);
        }
        assert_eq!(scene.at_once(&with_token("mallory")), refused("token_revoked"), "{round}");
        assert_eq!(scene.at_once(&with_key("acme")), PASSED, "{round}");
        assert_eq!(scene.at_once(&with_key("nobody")), refused("key_invalid"), "{round}");
    }
    assert!(told > 80, "{told} lies told");
    let grown = scene.vm.memory_size() - before;
    assert!(grown <= 4 << 20, "{grown} octets more");
    scene.no_wrongs();
    let told = |text: &str| scene.vm.logs().iter().any(|(_, line)| line.contains(text));
    assert!(told("list clients: cannot be fetched: "), "{:?}", scene.vm.logs());
    assert!(told("list revoked: the document is not taken: "), "{:?}", scene.vm.logs());
}

/// Where a fetch belongs to a request, the list is asked for and read at once.
#[test]
fn without_background_a_request_fetches() {
    let mut scene = Scene::new(Profile::Apisix, &policy(json!({}), json!({})));
    scene.serve("/revoked", revoked(&["sub mallory".into()]));
    scene.serve("/clients", clients(&["acme"]));
    let fetched = |scene: &mut Scene, request: &Request| {
        let stream = scene.begin(request);
        let mut calls = 0;
        while scene.vm.stands(stream) == End::Stalled {
            let call = scene.calls().pop().expect("a call");
            assert!(call.header("range").is_none());
            let answer = scene.honest(&call);
            scene.answer(&call, answer);
            calls += 1;
        }
        let end = scene.vm.stands(stream);
        let reason = scene.vm.end(stream).unwrap().reason;
        ((end, reason), calls)
    };
    // The answer to one call has to be the last word, so two lists take two requests.
    assert_eq!(fetched(&mut scene, &with_token("mallory")), (refused("token_revoked"), 1));
    assert_eq!(fetched(&mut scene, &with_key("acme")).1, 1);
    assert_eq!(fetched(&mut scene, &with_key("acme")), (PASSED, 0));
    assert_eq!(fetched(&mut scene, &with_token("alice")), (PASSED, 0));
    // Once it is time, the next request fetches again; a failure is told once and lists serve on.
    scene.pass(61_000);
    let stream = scene.begin(&with_token("alice"));
    let call = scene.calls().pop().expect("a call");
    assert!(call.header("if-none-match").is_some());
    scene.answer(&call, None);
    assert_eq!(scene.vm.stands(stream), End::Passed);
    scene.vm.end(stream).unwrap();
    // A caller that leaves does not keep others from fetching.
    let stream = scene.begin(&with_token("bob"));
    assert_eq!(scene.vm.stands(stream), End::Stalled);
    scene.vm.end(stream).unwrap();
    scene.pass(2_000);
    let (end, calls) = fetched(&mut scene, &with_token("bob"));
    assert_eq!((end, calls), (PASSED, 1));
    // A list that is too long to be read while somebody waits is not taken.
    let padding: Vec<String> = (0..60_000).map(|n| format!("jti padding-{n}-0123456789")).collect();
    scene.serve("/revoked", revoked(&padding));
    scene.pass(61_000);
    fetched(&mut scene, &with_token("bob"));
    fetched(&mut scene, &with_token("bob"));
    assert_eq!(scene.at_once(&with_token("mallory")), refused("token_revoked"));
    assert!(
        scene
            .vm
            .logs()
            .iter()
            .any(|(_, line)| line.contains("list revoked: cannot be fetched: the document is too long"))
    );
    scene.no_wrongs();
}

/// How long this thread has computed, which other threads do not lengthen.
fn computed() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a time")
}

/// The engine of other tests compiles quickly; this one makes code that runs as on a real host.
fn fast() -> Vm {
    let mut config = wasmtime::Config::new();
    config.consume_fuel(true).cranelift_opt_level(wasmtime::OptLevel::Speed);
    let engine = wasmtime::Engine::new(&config).expect("engine");
    let module = wasmtime::Module::new(&engine, module::bytes()).expect("the module");
    let mut vm = Vm::start_with(Profile::Envoy, &[], now_seconds(), &module).expect("a VM");
    vm.allow_memory(256 << 20);
    vm
}

/// How long a request takes in the module: the median.
fn nanoseconds(scene: &mut Scene, request: &Request) -> i128 {
    let one = |_| {
        let start = Instant::now();
        let stream = scene.begin(request);
        let took = start.elapsed();
        scene.vm.end(stream).unwrap_or_else(|error| panic!("{error}"));
        took
    };
    let mut times: Vec<Duration> = (0..4_001).map(one).collect();
    times.sort();
    i128::try_from(times[2_000].as_nanos()).expect("a short time")
}

/// What one look-up takes, natively.
fn tell_lookups(name: &str, document: &[u8]) {
    let content = if name == "revoked" { Content::Revoked } else { Content::Clients };
    let list = load::read(content, 7, document).expect("a list");
    let ids: Vec<String> = (0..10_000).map(|n: usize| format!("{:08x}-0001-4000-8000-0123456789ab", n * 199)).collect();
    let digests: Vec<[u8; 32]> = ids.iter().map(|id| Sha256::digest(id).into()).collect();
    let start = Instant::now();
    let found: usize = match &list {
        List::Revoked(list) => ids.iter().filter(|id| list.has(Kind::Jti, id, Some(ISS))).count(),
        List::Clients(list) => digests.iter().filter(|digest| list.find(digest).is_some()).count(),
    };
    let took = start.elapsed().as_nanos() / 10_000;
    assert_eq!(found, if name == "revoked" { 5_026 } else { 0 });
    let build = if cfg!(debug_assertions) { "tests" } else { "release" };
    say(&format!("LISTS {name}: one look-up among a million takes {took} ns natively, in a build for {build}"));
}

/// A million entries: what they take of memory, before and during a reload, is asserted; time is only told.
#[test]
fn a_million_entries() {
    const N: usize = 1_000_000;
    let jtis = |salt: usize| {
        let mut text = format!("gatekey-revoked 1 {N}\n");
        for n in 0..N - 1 {
            writeln!(text, "jti {n:08x}-{salt:04x}-4000-8000-0123456789ab").unwrap();
        }
        writeln!(text, "sub mallory-{salt}\nend").unwrap();
        text.into_bytes()
    };
    let keys = |salt: usize| {
        let mut text = format!("gatekey-clients 1 {N}\n");
        for set in 0..100 {
            writeln!(
                text,
                "set s{set} {{\"roles\":[\"r{set}\"],\"scopes\":[\"a\",\"b\"],\"claims\":{{\"tier\":{set}}}}}"
            )
            .unwrap();
        }
        for n in 0..N - 1 {
            let digest = Sha256::digest(format!("{n}-{salt}"));
            let half = u128::from_be_bytes(digest[..16].try_into().unwrap());
            writeln!(text, "key {half:032x}{half:032x} client-{n:07} s{} 2027-{:02}-01T00:00:00Z", n % 100, n % 12 + 1)
                .unwrap();
        }
        writeln!(text, "key {} acme-{salt} s1\nend", hex(&key(&format!("acme-{salt}")))).unwrap();
        text.into_bytes()
    };
    type Make<'m> = &'m dyn Fn(usize) -> Vec<u8>;
    let lists: [(&str, &'static str, Value, Make<'_>, usize); 2] = [
        ("revoked", "/revoked", policy(json!({ "refresh": "10m" }), Value::Null), &jtis, 32),
        ("clients", "/clients", policy(Value::Null, json!({ "refresh": "10m" })), &keys, 96),
    ];
    let without = policy(Value::Null, Value::Null);
    for (name, path, policy, document, bound) in lists {
        let mut scene = Scene::on(Ok(fast()), Profile::Envoy, &policy);
        let before = scene.vm.memory_size();
        let mut sizes = Vec::new();
        for salt in 0..2 {
            scene.serve(path, document(salt));
            let length = scene.documents[0].1.len();
            scene.times.clear();
            let requests = scene.settle_after(2_000);
            // Ticks with nothing to do say nothing.
            scene.times.retain(|time| *time > Duration::from_micros(100));
            sizes.push((scene.vm.memory_size() - before) >> 10);
            scene.times.sort();
            let quantile = |of: usize| scene.times[(scene.times.len() - 1) * of / 1000].as_secs_f64() * 1e3;
            say(&format!(
                "LISTS {name}: {N} entries in {} MB, {requests} requests, {} KiB more memory, {} ms of work; one step takes {:.2} ms, 99 % at most {:.2}, the longest {:.2}",
                length / 1_000_000,
                sizes[salt],
                scene.times.iter().sum::<Duration>().as_millis(),
                quantile(750),
                quantile(990),
                quantile(1000),
            ));
            let (good, gone) = if name == "revoked" {
                (with_token(&format!("mallory-{salt}")), with_token("mallory-none"))
            } else {
                (with_key(&format!("acme-{salt}")), with_key("acme-none"))
            };
            let expected =
                if name == "revoked" { [refused("token_revoked"), PASSED] } else { [PASSED, refused("key_invalid")] };
            assert_eq!([scene.at_once(&good), scene.at_once(&gone)], expected, "{name}");
            if salt == 1 {
                tell_lookups(name, &scene.documents[0].1);
                // Both are on no list, and looked up.
                let request = if name == "revoked" { with_token("alice") } else { with_key("nobody") };
                let with = nanoseconds(&mut scene, &request);
                let without = nanoseconds(&mut Scene::on(Ok(fast()), Profile::Envoy, &without), &request);
                say(&format!(
                    "LISTS {name}: a request takes {with} ns in the module, and {without} ns without the list"
                ));
            }
            scene.pass(600_000);
        }
        // During the reload both lists lived together.
        assert!(sizes.iter().all(|kib| *kib <= bound * 1000), "{name}: {sizes:?} KiB");
        scene.no_wrongs();
    }
}
