//! Fetched keys on hosts whose clock, workers and key server the test plays: leases, leaders that die, callers that
//! leave, and the rules of a host where a fetch belongs to a request.

use serde_json::{Value, json};

use crate::lab::get;
use crate::support::{Request, keys, load::token, now_seconds};
use crate::wasm_host::background::{HttpCall, Shared};
use crate::wasm_host::state::Pairs;
use crate::wasm_host::vm::Stream;
use crate::wasm_host::{End, Profile, Root, Vm};

const ISS: &str = "https://id.test/";

/// VMs that share data and a clock, each with the same policy.
struct Cluster {
    profile: Profile,
    vms: Vec<(Vm, Root)>,
    now: u64,
}

fn policy(jwks: Value) -> Value {
    let mut set = json!({ "uri": "https://id.test/jwks.json", "cluster": "idp" });
    set.as_object_mut().unwrap().extend(jwks.as_object().unwrap().clone());
    json!({
        "issuers": { "id": { "issuer": ISS, "jwks": set } },
        "routes": [{ "path": "/open", "allow": "public" }, { "path": "/**", "allow": "id" }],
        "upstream": { "set": { "X-User": "sub" } },
    })
}

fn document(kids: &[(&str, &str)]) -> Vec<u8> {
    let keys: Vec<Value> = kids
        .iter()
        .map(|(kid, name)| {
            let mut jwk = keys::jwk(name);
            jwk["kid"] = json!(kid);
            jwk
        })
        .collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

fn ok(body: Vec<u8>) -> Option<(Pairs, Vec<u8>)> {
    Some((vec![(b":status".to_vec(), b"200".to_vec()), (b"etag".to_vec(), b"\"1\"".to_vec())], body))
}

fn status(status: &str) -> Option<(Pairs, Vec<u8>)> {
    Some((vec![(b":status".to_vec(), status.as_bytes().to_vec())], b"out of order".to_vec()))
}

fn request(kid: &str, key: &str) -> Request {
    let token = token("ES256", key, kid, ISS, "alice");
    get("/x", &[("Authorization", &format!("Bearer {token}")), ("X-User", "mallory")])
}

fn good() -> Request {
    request("k1", "p256")
}

impl Cluster {
    fn new(profile: Profile, workers: usize, jwks: Value) -> Self {
        let shared = Shared::default();
        let now = now_seconds() * 1000;
        let vms = (0..workers).map(|_| {
            let mut vm = Vm::start(profile, &[], now / 1000).unwrap_or_else(|error| panic!("{error}"));
            vm.share(&shared);
            vm.background().clusters = vec!["idp".into()];
            let root = vm.root(policy(jwks.clone()).to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"));
            assert!(root.configured, "{:?}", vm.logs());
            (vm, root)
        });
        Self { profile, vms: vms.collect(), now }
    }

    /// Time passes, and every VM looks what is to be done.
    fn pass(&mut self, millis: u64) {
        self.now += millis;
        for (vm, root) in &mut self.vms {
            vm.set_now_millis(self.now);
            if self.profile == Profile::Envoy {
                vm.tick(*root).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }

    /// Calls that were not answered yet, and whose they are.
    fn calls(&mut self) -> Vec<(usize, HttpCall)> {
        let vms = self.vms.iter_mut().enumerate();
        vms.flat_map(|(at, (vm, _))| {
            vm.background().calls.iter().map(move |call| (at, call.clone())).collect::<Vec<_>>()
        })
        .collect()
    }

    /// Answers the one call that there is.
    fn answer(&mut self, answer: Option<(Pairs, Vec<u8>)>) -> HttpCall {
        let calls = self.calls();
        assert_eq!(calls.len(), 1, "{calls:?}");
        let (at, call) = calls.into_iter().next().unwrap();
        let (vm, root) = &mut self.vms[at];
        vm.answer(*root, call.token, answer).unwrap_or_else(|error| panic!("{error}"));
        call
    }

    fn begin(&mut self, at: usize, request: &Request) -> Stream {
        let (vm, root) = &mut self.vms[at];
        vm.begin(*root, request).unwrap_or_else(|error| panic!("{error}"))
    }

    fn stands(&mut self, at: usize, stream: Stream) -> End {
        self.vms[at].0.stands(stream)
    }

    /// How a request ends that does not have to wait.
    fn at_once(&mut self, at: usize, request: &Request) -> (End, Option<String>) {
        let stream = self.begin(at, request);
        let end = self.stands(at, stream);
        let outcome = self.vms[at].0.end(stream).unwrap_or_else(|error| panic!("{error}"));
        for (name, value) in outcome.upstream.iter().flatten() {
            assert!(name != "x-user" || value == b"alice", "{name}: {}", value.escape_ascii());
        }
        (end, outcome.reason)
    }

    /// Fetches the keys of `k1`.
    fn warm(&mut self) {
        self.pass(50);
        self.answer(ok(document(&[("k1", "p256")])));
        self.pass(20);
        for at in 0..self.vms.len() {
            assert_eq!(self.at_once(at, &good()), (End::Passed, None), "worker {at}");
        }
    }

    /// No host would have forgiven anything.
    fn no_wrongs(&mut self) {
        for (vm, _) in &mut self.vms {
            assert_eq!(vm.take_wrongs(), Vec::<String>::new());
        }
    }
}

fn refused(reason: &str) -> (End, Option<String>) {
    (End::Replied, Some(reason.into()))
}

#[test]
fn one_worker_fetches_for_all() {
    let mut cluster = Cluster::new(Profile::Envoy, 5, json!({}));
    cluster.pass(50);
    let call = cluster.answer(ok(document(&[("k1", "p256")])));
    let header = |name: &str| call.header(name).unwrap_or_default();
    assert_eq!(
        (call.cluster.as_str(), header(":authority").as_str(), header(":path").as_str()),
        ("idp", "id.test", "/jwks.json")
    );
    assert_eq!((header(":scheme").as_str(), header(":method").as_str(), call.timeout), ("https", "GET", 5000));
    assert_eq!(call.header("if-none-match"), None);
    cluster.pass(1000);
    for at in 0..5 {
        assert_eq!(cluster.at_once(at, &good()), (End::Passed, None), "worker {at}");
    }
    // For ten minutes, nobody asks again; then one does, with the entity tag.
    for _ in 0..500 {
        cluster.pass(1000);
        assert_eq!(cluster.calls().len(), 0);
    }
    let mut waited = 0;
    while cluster.calls().is_empty() {
        cluster.pass(1000);
        waited += 1;
        assert!(waited <= 100, "nobody asks again");
    }
    let call = cluster.answer(status("304"));
    assert_eq!(call.header("if-none-match").as_deref(), Some("\"1\""));
    cluster.no_wrongs();
}

#[test]
fn requests_wait_in_every_worker_and_are_decided_together() {
    let mut cluster = Cluster::new(Profile::Envoy, 3, json!({}));
    let streams: Vec<(usize, Stream)> = (0..30).map(|i| (i % 3, cluster.begin(i % 3, &good()))).collect();
    assert_eq!(cluster.calls().len(), 1, "one fetch for thirty requests");
    assert!(streams.iter().all(|(at, stream)| cluster.stands(*at, *stream) == End::Stalled));
    // One that was forged waits with them, and one caller leaves.
    let forged = cluster.begin(0, &request("k1", "p256_other"));
    let left = cluster.begin(1, &good());
    cluster.vms[1].0.end(left).unwrap();
    cluster.answer(ok(document(&[("k1", "p256")])));
    cluster.pass(20);
    for (at, stream) in streams {
        assert_eq!(cluster.stands(at, stream), End::Passed);
        let outcome = cluster.vms[at].0.end(stream).unwrap();
        let upstream = outcome.upstream.unwrap();
        let users: Vec<&[u8]> =
            upstream.iter().filter(|(name, _)| name == "x-user").map(|(_, v)| v.as_slice()).collect();
        assert_eq!(users, [b"alice"]);
        assert!(!upstream.iter().any(|(name, _)| name == "authorization"));
    }
    assert_eq!(cluster.stands(0, forged), End::Replied);
    cluster.no_wrongs();
}

#[test]
fn a_failure_is_told_at_once_and_the_next_attempt_waits() {
    let mut cluster = Cluster::new(Profile::Envoy, 2, json!({}));
    let waiting = [(0, cluster.begin(0, &good())), (1, cluster.begin(1, &good()))];
    cluster.answer(status("500"));
    cluster.pass(20);
    for (at, stream) in waiting {
        assert_eq!(cluster.stands(at, stream), End::Replied);
        let outcome = cluster.vms[at].0.end(stream).unwrap();
        assert_eq!((outcome.status, outcome.reason.as_deref()), (503, Some("keys_unavailable")));
    }
    // Whoever asks in the pause after it is told at once, and causes nothing.
    for _ in 0..50 {
        assert_eq!(cluster.at_once(0, &good()), refused("keys_unavailable"));
    }
    assert!(cluster.calls().is_empty());
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let start = cluster.now;
        while cluster.calls().is_empty() {
            cluster.pass(100);
            assert!(cluster.now - start < 60_000);
        }
        pauses.push((cluster.now - start) / 1000);
        cluster.answer(None);
    }
    assert_eq!(pauses.get(..5), Some(&[1, 2, 4, 8, 16][..]), "{pauses:?}");
    assert!(pauses[5..].iter().all(|pause| (29..=33).contains(pause)), "{pauses:?}");
    cluster.no_wrongs();
}

#[test]
fn a_leader_that_dies_is_replaced() {
    let mut cluster = Cluster::new(Profile::Envoy, 3, json!({}));
    cluster.pass(50);
    let (leader, _) = cluster.calls().pop().expect("a call");
    // Its VM is gone, with the call; its lease is not.
    cluster.vms.remove(leader);
    let waiting = cluster.begin(0, &good());
    assert_eq!(cluster.stands(0, waiting), End::Stalled);
    cluster.pass(5_000);
    assert!(cluster.calls().is_empty(), "the lease holds");
    assert_eq!(cluster.stands(0, waiting), End::Stalled);
    // Nobody waits longer than a fetch may take.
    cluster.pass(1_000);
    assert_eq!(cluster.stands(0, waiting), End::Replied);
    cluster.pass(6_000);
    cluster.answer(ok(document(&[("k1", "p256")])));
    cluster.pass(20);
    assert_eq!(cluster.at_once(0, &good()), (End::Passed, None));
    cluster.no_wrongs();
}

#[test]
fn an_unknown_key_asks_once_per_cooldown() {
    let mut cluster = Cluster::new(Profile::Envoy, 2, json!({}));
    cluster.warm();
    let new = request("k2", "p256_other");
    let waiting = cluster.begin(0, &new);
    assert_eq!(cluster.stands(0, waiting), End::Stalled);
    assert_eq!(cluster.at_once(1, &good()), (End::Passed, None), "others do not wait");
    cluster.answer(ok(document(&[("k1", "p256"), ("k2", "p256_other")])));
    assert_eq!(cluster.stands(0, waiting), End::Passed);
    cluster.pass(20);
    assert_eq!(cluster.at_once(1, &new), (End::Passed, None));
    for i in 0..100 {
        assert_eq!(cluster.at_once(i % 2, &request(&format!("k{i}x"), "p256")), refused("key_unknown"));
    }
    cluster.pass(29_000);
    assert_eq!(cluster.at_once(0, &request("k3", "p256")), refused("key_unknown"));
    assert!(cluster.calls().is_empty());
    cluster.pass(1_100);
    let waiting = cluster.begin(0, &request("k3", "p256"));
    cluster.answer(ok(document(&[("k1", "p256"), ("k2", "p256_other")])));
    assert_eq!(cluster.stands(0, waiting), End::Replied);
    cluster.no_wrongs();
}

/// What was refused once is refused from memory, but not for longer than newer keys may be asked for.
#[test]
fn a_bad_token_becomes_good_with_the_key_that_made_it() {
    let mut cluster = Cluster::new(Profile::Envoy, 1, json!({}));
    let unnamed = |names: &[&str]| {
        let keys: Vec<Value> = names.iter().map(|name| keys::jwk(name)).collect();
        json!({ "keys": keys }).to_string().into_bytes()
    };
    cluster.pass(50);
    cluster.answer(ok(unnamed(&["p256"])));
    let early = request("k9", "p256_other");
    let first = cluster.begin(0, &early);
    cluster.answer(ok(unnamed(&["p256"])));
    assert_eq!(cluster.stands(0, first), End::Replied);
    assert_eq!(cluster.at_once(0, &early), refused("signature_invalid"));
    cluster.pass(31_000);
    let again = cluster.begin(0, &early);
    assert_eq!(cluster.stands(0, again), End::Stalled);
    cluster.answer(ok(unnamed(&["p256", "p256_other"])));
    assert_eq!(cluster.stands(0, again), End::Passed);
    cluster.no_wrongs();
}

#[test]
fn keys_serve_until_they_are_too_stale_and_tokens_die_with_them() {
    let mut cluster = Cluster::new(Profile::Envoy, 2, json!({ "refresh": "1m", "keep_stale": "10m" }));
    cluster.warm();
    let seen = good();
    assert_eq!(cluster.at_once(0, &seen), (End::Passed, None));
    let fail = |cluster: &mut Cluster, until: u64| {
        while cluster.now < until {
            cluster.pass(1000);
            while !cluster.calls().is_empty() {
                cluster.answer(status("500"));
            }
        }
    };
    let fetched = cluster.now;
    fail(&mut cluster, fetched + 655_000);
    assert_eq!(cluster.at_once(0, &seen), (End::Passed, None));
    fail(&mut cluster, fetched + 662_000);
    for at in 0..2 {
        assert_eq!(cluster.at_once(at, &seen), refused("keys_unavailable"), "a token that was verified before");
    }
    // The server is back, without the key.
    while cluster.calls().is_empty() {
        cluster.pass(1000);
    }
    cluster.answer(ok(document(&[("k9", "p256_other")])));
    cluster.pass(20);
    for at in 0..2 {
        let stream = cluster.begin(at, &seen);
        if cluster.stands(at, stream) == End::Stalled {
            cluster.answer(status("304"));
            cluster.pass(20);
        }
        assert_eq!(cluster.stands(at, stream), End::Replied, "worker {at}");
    }
    cluster.no_wrongs();
}

#[test]
fn what_stands_on_the_board_is_not_believed() {
    let mut cluster = Cluster::new(Profile::Envoy, 2, json!({}));
    cluster.warm();
    let shared = cluster.vms[0].0.background().shared.clone();
    let names: Vec<Vec<u8>> = shared.0.borrow().keys().cloned().collect();
    assert_eq!(names.len(), 3, "a probe, a record and a document");
    for garbage in [&b""[..], b"\xff", &[0xff; 45], &[0; 45], &[1; 45], b"{\"keys\":[]}"] {
        for name in &names {
            if let Some((value, mark)) = shared.0.borrow_mut().get_mut(name) {
                *value = garbage.to_vec();
                *mark += 1;
            }
            cluster.pass(1000);
            for at in 0..2 {
                let _ = cluster.at_once(at, &good());
                assert_ne!(cluster.at_once(at, &request("k1", "p256_other")).0, End::Passed);
            }
            while !cluster.calls().is_empty() {
                cluster.answer(ok(document(&[("k1", "p256")])));
            }
        }
    }
    cluster.pass(60_000);
    while !cluster.calls().is_empty() {
        cluster.answer(ok(document(&[("k1", "p256")])));
    }
    cluster.pass(20);
    assert_eq!(cluster.at_once(0, &good()), (End::Passed, None));
    cluster.no_wrongs();
}

/// APISIX: a fetch belongs to the request that cannot do without it, one at a time.
#[test]
fn as_apisix_a_request_fetches_for_itself() {
    let mut cluster = Cluster::new(Profile::Apisix, 1, json!({ "refresh": "1m", "keep_stale": "10m" }));
    let first = cluster.begin(0, &good());
    assert_eq!(cluster.stands(0, first), End::Stalled);
    // Another cannot be parked there, and is told to come again; a public route does not care.
    assert_eq!(cluster.at_once(0, &good()), refused("keys_unavailable"));
    assert_eq!(cluster.at_once(0, &get("/open", &[])), (End::Passed, None));
    cluster.answer(ok(document(&[("k1", "p256")])));
    assert_eq!(cluster.stands(0, first), End::Passed);
    assert_eq!(cluster.at_once(0, &good()), (End::Passed, None));
    // A forged token is refused without a call, an unknown key asks once.
    assert_eq!(cluster.at_once(0, &request("k1", "p256_other")), refused("signature_invalid"));
    let unknown = cluster.begin(0, &request("k2", "p256_other"));
    assert_eq!(cluster.stands(0, unknown), End::Stalled);
    cluster.answer(ok(document(&[("k1", "p256")])));
    assert_eq!(cluster.stands(0, unknown), End::Replied);
    assert_eq!(cluster.at_once(0, &request("k3", "p256_other")), refused("key_unknown"));
    // When it is time, a request that is allowed fetches first; if that fails, the keys that are there count.
    cluster.pass(61_000);
    let refreshing = cluster.begin(0, &good());
    assert_eq!(cluster.stands(0, refreshing), End::Stalled);
    assert_eq!(cluster.at_once(0, &good()), (End::Passed, None), "others do not wait");
    cluster.answer(None);
    assert_eq!(cluster.stands(0, refreshing), End::Passed);
    assert_eq!(cluster.at_once(0, &good()), (End::Passed, None), "the next attempt waits");
    assert_eq!(cluster.at_once(0, &request("k1", "p256_other")), refused("signature_invalid"));
    cluster.pass(700_000);
    let too_late = cluster.begin(0, &good());
    cluster.answer(status("500"));
    assert_eq!(cluster.stands(0, too_late), End::Replied);
    assert_eq!(cluster.vms[0].0.end(too_late).unwrap().status, 503);
    cluster.no_wrongs();
}

#[test]
fn as_apisix_a_caller_that_leaves_takes_its_call_along() {
    let mut cluster = Cluster::new(Profile::Apisix, 1, json!({}));
    let first = cluster.begin(0, &good());
    cluster.vms[0].0.end(first).unwrap();
    assert_eq!(cluster.at_once(0, &good()), refused("keys_unavailable"), "callers who leave are no flood");
    cluster.pass(1_000);
    let second = cluster.begin(0, &good());
    cluster.answer(ok(document(&[("k1", "p256")])));
    assert_eq!(cluster.stands(0, second), End::Passed);
    cluster.no_wrongs();
}

#[test]
fn metadata_come_first_with_discovery() {
    for profile in Profile::ALL {
        let mut cluster = Cluster::new(profile, 1, json!({ "uri": null, "discovery": true }));
        let stream = cluster.begin(0, &good());
        let metadata =
            |issuer: &str| json!({ "issuer": issuer, "jwks_uri": "https://id.test/k" }).to_string().into_bytes();
        let call = cluster.answer(ok(metadata(ISS)));
        assert_eq!(call.header(":path").as_deref(), Some("/.well-known/openid-configuration"));
        assert_eq!(cluster.stands(0, stream), End::Stalled, "{profile:?}");
        let call = cluster.answer(ok(document(&[("k1", "p256")])));
        assert_eq!(call.header(":path").as_deref(), Some("/k"));
        assert_eq!(cluster.stands(0, stream), End::Passed, "{profile:?}");

        let mut cluster = Cluster::new(profile, 1, json!({ "uri": null, "discovery": true }));
        let stream = cluster.begin(0, &good());
        cluster.answer(ok(metadata("https://id.test")));
        assert_eq!(cluster.stands(0, stream), End::Replied, "{profile:?}");
        cluster.no_wrongs();
    }
}

#[test]
fn hostile_documents_never_trap_and_memory_comes_back() {
    let mut cluster = Cluster::new(Profile::Envoy, 1, json!({ "refresh": "5s", "keep_stale": "24h" }));
    cluster.warm();
    let deep = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
    let many = format!("{{\"keys\":[{}]}}", vec!["{\"kty\":\"RSA\"}"; 9_000].join(","));
    let ones = format!("{{\"keys\":[{}]}}", vec!["1"; 120_000].join(","));
    let long_modulus = format!("{{\"keys\":[{{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"{}\"}}]}}", "_".repeat(200_000));
    let documents: Vec<Vec<u8>> = vec![
        vec![0xff; 262_144],
        vec![b' '; 262_144],
        deep(100_000),
        many.into_bytes(),
        ones.into_bytes(),
        long_modulus.into_bytes(),
        b"{\"keys\":[]}".to_vec(),
        b"{\"keys\":{}}".to_vec(),
        b"[]".to_vec(),
        b"".to_vec(),
        vec![b'x'; 262_145],
        vec![b'x'; 3_000_000],
    ];
    let mut sizes = Vec::new();
    for round in 0..4 {
        for document in &documents {
            while cluster.calls().is_empty() {
                cluster.pass(1000);
            }
            cluster.answer(ok(document.clone()));
            assert_eq!(cluster.at_once(0, &good()), (End::Passed, None), "round {round}: the last good set serves");
        }
        sizes.push(cluster.vms[0].0.memory_size());
    }
    println!("hostile documents: memory {sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 6 << 20), "{sizes:?}");
    assert_eq!(sizes[1], sizes[3], "memory grows: {sizes:?}");
    cluster.no_wrongs();
}
