//! Fetched keys in a real Envoy with four workers: through first requests, rotations and every bad hour of a
//! key server, in a process of its own. Each test prints its figure.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::bootstrap::LOOSE;
use support::echo::Echo;
use support::envoy::{AfterTrap, Envoy, Setup, available};
use support::http::Client;
use support::keyserver::{KeyServer, PATH};
use support::load::{Tally, ask, at_once, everywhere, steady, token};
use support::say;

const ISS: &str = "https://id.test/";

/// What every test needs, or None where the machine has no Envoy.
struct Scene {
    envoy: Envoy,
    keys: KeyServer,
    _echo: Echo,
}

impl Scene {
    /// An Envoy whose policy fetches keys from a server that serves `p256` as `k1`; `prepare` comes before Envoy starts.
    fn new(workers: usize, jwks: Value, prepare: impl FnOnce(&KeyServer)) -> Option<Self> {
        Self::on("main", workers, jwks, prepare)
    }

    /// The same with a listener of this name.
    fn on(listener: &str, workers: usize, jwks: Value, prepare: impl FnOnce(&KeyServer)) -> Option<Self> {
        let (launch, module) = available()?;
        let module = std::fs::read(module).expect("the module");
        let keys = KeyServer::start(&[("k1", "p256")]);
        prepare(&keys);
        let mut set = json!({ "uri": "https://id.test/jwks.json", "cluster": "idp" });
        set.as_object_mut().expect("an object").extend(jwks.as_object().expect("an object").clone());
        set.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let policy = json!({
            "issuers": { "id": { "issuer": ISS, "jwks": set } },
            "upstream": { "set": { "X-User": "sub" } },
        });
        let echo = Echo::start();
        let envoy = Envoy::start(
            &launch,
            &Setup {
                module,
                policies: vec![(listener.into(), policy)],
                env: Vec::new(),
                after_trap: AfterTrap::FailReload,
                workers,
                upstream: echo.address,
                clusters: vec![("idp".into(), keys.address)],
                offload: true,
                tls: false,
            },
        );
        Some(Self { envoy: envoy.unwrap_or_else(|why| panic!("{why}")), keys, _echo: echo })
    }

    fn good(&self, sub: &str) -> String {
        token("ES256", "p256", "k1", ISS, sub)
    }

    fn status(&self, token: &str) -> u16 {
        let mut client = Client::connect(self.envoy.listener("main")).expect("a connection");
        ask(&mut client, token).expect("an answer").status
    }

    /// Waits until a token is answered so; how long it took.
    fn until(&self, token: &str, status: u16, patience: Duration) -> Duration {
        let start = Instant::now();
        while !everywhere(|| self.status(token) == status) {
            assert!(start.elapsed() < patience, "not answered {status} within {patience:?}\n{}", self.envoy.log());
            sleep(Duration::from_millis(100));
        }
        start.elapsed()
    }

    fn fetches(&self) -> usize {
        self.keys.requests().len()
    }

    /// Good requests, fifty a second, until `stop`.
    fn traffic(&self, stop: &AtomicBool) -> Tally {
        let to = self.envoy.listener("main");
        let mut whole = Tally::default();
        let mut round = 0;
        while !stop.load(Ordering::Relaxed) {
            // Half of them were not seen before.
            let tally = steady(to, 8, 50, Duration::from_secs(1), |i| {
                self.good(&format!("{}", if i % 2 == 0 { round * 100 + i } else { i }))
            });
            for (status, count) in tally.statuses {
                *whole.statuses.entry(status).or_default() += count;
            }
            whole.times.extend(tally.times);
            whole.odd.extend(tally.odd);
            round += 1;
        }
        whole
    }

    /// Nothing has trapped.
    fn healthy(&self) {
        assert_eq!(self.envoy.crashes(), Vec::<String>::new());
        assert!(self.envoy.stats("vm_reload").expect("stats").is_empty());
    }
}

#[test]
fn parallel_first_requests_cause_one_fetch() {
    for workers in [1, 4] {
        let Some(scene) = Scene::new(workers, json!({}), |keys| keys.mode("slow:700")) else { return };
        let tokens: Vec<String> = (0..200).map(|i| scene.good(&format!("u{i}"))).collect();
        let mut tally = at_once(scene.envoy.listener("main"), &tokens);
        let fetches = scene.fetches();
        say(&format!(
            "REMOTE first requests: {workers} workers, 200 at once, {fetches} fetch(es), {} allowed, the slowest after {} ms",
            tally.of(200),
            tally.quantile(100)
        ));
        assert_eq!(tally.of(200), 200, "{tally:?}");
        assert!((1..=2).contains(&fetches), "{fetches} fetches");
        scene.healthy();
    }
}

#[test]
fn unknown_keys_cause_one_fetch_per_cooldown() {
    let Some(scene) = Scene::new(4, json!({}), |_| ()) else { return };
    scene.until(&scene.good("first"), 200, Duration::from_secs(10));
    let before = scene.fetches();
    let to = scene.envoy.listener("main");
    // Signatures are not looked at before the key is found, so these need none that holds.
    let signature = "A".repeat(86);
    let (_, claims) = scene
        .good("storm")
        .rsplit_once('.')
        .map(|(s, _)| (s.to_owned(), s.split_once('.').expect("two").1.to_owned()))
        .expect("three");
    let storm = |i: usize| {
        use base64::Engine;
        let header = json!({ "alg": "ES256", "kid": format!("nobody-{i}") }).to_string();
        format!("{}.{claims}.{signature}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header))
    };
    let stop = AtomicBool::new(false);
    let (tally, mut good) = thread::scope(|scope| {
        let good = scope.spawn(|| scene.traffic(&stop));
        let tally = steady(to, 16, 10_000, Duration::from_secs(10), storm);
        stop.store(true, Ordering::Relaxed);
        (tally, good.join().expect("the traffic"))
    });
    let fetches = scene.fetches() - before;
    say(&format!(
        "REMOTE storm: 10000 tokens with unknown keys, {} refused, {fetches} fetch(es); {} of {} good requests allowed meanwhile, p99 {} ms",
        tally.of(401),
        good.of(200),
        good.all(),
        good.quantile(99)
    ));
    assert_eq!(tally.of(401), 10_000, "{tally:?}");
    assert_eq!(good.of(200), good.all(), "{good:?}");
    assert!(fetches <= 1, "{fetches} fetches within one cooldown");
    scene.healthy();
}

#[test]
fn an_outage_loses_nothing_while_keys_may_be_stale() {
    let Some(scene) = Scene::new(4, json!({ "refresh": "5s", "keep_stale": "5m" }), |_| ()) else { return };
    scene.until(&scene.good("first"), 200, Duration::from_secs(10));
    let stop = AtomicBool::new(false);
    let outage = Duration::from_secs(60);
    scene.keys.mode("fail");
    let mut tally = thread::scope(|scope| {
        let traffic = scope.spawn(|| scene.traffic(&stop));
        for mode in ["fail", "stall", "reset"] {
            scene.keys.mode(mode);
            sleep(outage / 3);
        }
        stop.store(true, Ordering::Relaxed);
        traffic.join().expect("the traffic")
    });
    say(&format!(
        "REMOTE outage: 60 s of errors, silence and closed connections, {} of {} good requests allowed, p99 {} ms",
        tally.of(200),
        tally.all(),
        tally.quantile(99)
    ));
    assert!(tally.all() > 1000, "{}", tally.all());
    assert_eq!(tally.of(200), tally.all(), "{tally:?}");
    scene.healthy();
}

#[test]
fn after_keep_stale_the_answer_is_503_until_keys_come_back() {
    let Some(scene) = Scene::new(4, json!({ "refresh": "5s", "keep_stale": "5s" }), |_| ()) else { return };
    let good = scene.good("alice");
    scene.until(&good, 200, Duration::from_secs(10));
    scene.keys.mode("fail");
    let lasted = scene.until(&good, 503, Duration::from_secs(20));
    let mut client = Client::connect(scene.envoy.listener("main")).expect("a connection");
    let answer = ask(&mut client, &good).expect("an answer");
    assert_eq!(answer.header("retry-after").as_deref(), Some("5"), "{answer:?}");
    assert!(answer.header("www-authenticate").is_none(), "{answer:?}");
    assert!(answer.text().contains("temporarily_unavailable"), "{answer:?}");
    // A token that no key could make good is refused as ever.
    assert_eq!(scene.status("e30.e30.AA"), 401);
    scene.keys.mode("ok");
    let back = scene.until(&good, 200, Duration::from_secs(20));
    say(&format!(
        "REMOTE keep_stale: keys served {:.1} s after the server failed, then 503; allowed again {:.1} s after it was back",
        lasted.as_secs_f32(),
        back.as_secs_f32()
    ));
    assert!((4.0..13.0).contains(&lasted.as_secs_f32()), "{lasted:?}");
    scene.healthy();
}

#[test]
fn rotation_with_overlap_loses_nothing() {
    let Some(scene) = Scene::new(4, json!({ "refresh": "5s" }), |_| ()) else { return };
    scene.until(&scene.good("first"), 200, Duration::from_secs(10));
    let to = scene.envoy.listener("main");
    let start = Instant::now();
    // Both keys stand there before the new one signs, and a while after the old one does not.
    let tally = thread::scope(|scope| {
        scope.spawn(|| {
            sleep(Duration::from_secs(2));
            scene.keys.serve(&[("k1", "p256"), ("k2", "rsa2048")]);
            sleep(Duration::from_secs(12));
            scene.keys.serve(&[("k2", "rsa2048")]);
        });
        steady(to, 8, 2_000, Duration::from_secs(20), |i| {
            if start.elapsed() < Duration::from_secs(4) {
                scene.good(&format!("u{i}"))
            } else {
                token("RS256", "rsa2048", "k2", ISS, &format!("u{i}"))
            }
        })
    });
    say(&format!("REMOTE rotation: {} of {} requests allowed across a rotation", tally.of(200), tally.all()));
    assert_eq!(tally.of(200), 2_000, "{tally:?}");
    scene.healthy();
}

#[test]
fn a_token_dies_with_its_key() {
    let Some(scene) = Scene::new(4, json!({ "refresh": "5s" }), |_| ()) else { return };
    let (cached, fresh) = (scene.good("cached"), scene.good("fresh"));
    scene.until(&cached, 200, Duration::from_secs(10));
    scene.keys.serve(&[("k2", "p256_other")]);
    let died = scene.until(&cached, 401, Duration::from_secs(10));
    assert_eq!(scene.status(&fresh), 401);
    assert_eq!(scene.status(&token("ES256", "p256_other", "k2", ISS, "new")), 200);
    say(&format!(
        "REMOTE withdrawn key: its tokens are refused {:.1} s later, cached or not (refresh: 5s)",
        died.as_secs_f32()
    ));
    // One refresh, and the second that a worker may take to look.
    assert!(died < Duration::from_millis(6_500), "{died:?}");
    scene.healthy();
}

#[test]
fn hostile_documents_change_nothing() {
    let Some(scene) = Scene::new(4, json!({ "refresh": "5s", "keep_stale": "5m" }), |_| ()) else { return };
    let good = scene.good("alice");
    scene.until(&good, 200, Duration::from_secs(10));
    let before = scene.envoy.memory();
    for mode in ["garbage", "big", "many", "empty", "redirect", "truncated", "reset", "html", "deep"] {
        let asked = scene.fetches();
        scene.keys.mode(mode);
        let start = Instant::now();
        while scene.fetches() == asked {
            assert!(start.elapsed() < Duration::from_secs(40), "{mode}: nobody asks");
            sleep(Duration::from_millis(50));
        }
        sleep(Duration::from_millis(500));
        assert_eq!(scene.status(&good), 200, "{mode}");
        // A good hour in between, so that the pauses after failures stay short.
        scene.keys.mode("ok");
        let asked = scene.fetches();
        while scene.fetches() == asked {
            assert!(start.elapsed() < Duration::from_secs(60), "{mode}: nobody asks again");
            sleep(Duration::from_millis(50));
        }
    }
    let grown = scene.envoy.memory().saturating_sub(before);
    assert!(scene.keys.requests().iter().all(|request| request["path"] == PATH), "a redirect was followed");
    say(&format!("REMOTE hostile documents: 9 kinds, the last good keys served on, {grown} KiB more memory in 5 VMs"));
    assert!(grown < 64 * 1024, "{grown} KiB");
    scene.healthy();
}

#[test]
fn an_unchanged_document_is_not_sent_again() {
    let Some(scene) = Scene::new(4, json!({ "refresh": "5s", "keep_stale": "0s" }), |_| ()) else { return };
    let good = scene.good("alice");
    scene.until(&good, 200, Duration::from_secs(10));
    let start = Instant::now();
    let mut lost = 0;
    while start.elapsed() < Duration::from_secs(12) {
        lost += usize::from(scene.status(&good) != 200);
        sleep(Duration::from_millis(50));
    }
    let statuses: Vec<u64> = scene.keys.requests().iter().filter_map(|request| request["status"].as_u64()).collect();
    say(&format!("REMOTE unchanged: {statuses:?}, {lost} requests lost"));
    assert_eq!(statuses.first(), Some(&200));
    assert!(statuses.len() >= 3 && statuses.iter().skip(1).all(|status| *status == 304), "{statuses:?}");
    assert_eq!(lost, 0);
    let text = scene.envoy.admin("/stats/prometheus?usedonly").expect("stats").text();
    for wanted in [
        r#"gatekey_key_fetches_total{issuer="id",outcome="changed"} 1"#,
        r#"outcome="unchanged"#,
        r#"gatekey_keys_age_seconds{issuer="id"}"#,
        r#"gatekey_token_cache_total{result="hit"}"#,
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    scene.healthy();
}

#[test]
fn discovery_finds_keys_and_believes_only_the_issuer() {
    let metadata = |issuer: &str| json!({ "issuer": issuer, "jwks_uri": "https://id.test/jwks.json" }).to_string();
    let path = "/.well-known/openid-configuration";
    let jwks = json!({ "uri": null, "discovery": true });
    let Some(scene) = Scene::new(4, jwks, |keys| keys.document(path, &metadata("https://other.test/"))) else { return };
    let good = scene.good("alice");
    scene.until(&good, 503, Duration::from_secs(10));
    scene.keys.document(path, &metadata(ISS));
    let came = scene.until(&good, 200, Duration::from_secs(40));
    say(&format!(
        "REMOTE discovery: metadata of another issuer gave 503; keys came {:.1} s after the right ones",
        came.as_secs_f32()
    ));
    scene.healthy();
}

#[test]
fn a_cluster_that_is_not_there_is_no_crash() {
    let Some(scene) = Scene::new(1, json!({ "cluster": "nowhere" }), |_| ()) else { return };
    for _ in 0..20 {
        assert_eq!(scene.status(&scene.good("alice")), 503);
    }
    say("REMOTE no such cluster: 20 requests answered 503");
    scene.healthy();
}

/// Shared by the callers that time out.
#[test]
fn a_silent_server_holds_requests_for_a_while_only() {
    let Some(scene) = Scene::new(4, json!({}), |keys| keys.mode("stall")) else { return };
    let tokens: Vec<String> = (0..20).map(|i| scene.good(&format!("u{i}"))).collect();
    let mut tally = at_once(scene.envoy.listener("main"), &tokens);
    say(&format!(
        "REMOTE silent server: {} requests answered 503, the slowest after {} ms",
        tally.of(503),
        tally.quantile(100)
    ));
    assert_eq!(tally.of(503), 20, "{tally:?}");
    assert!(tally.quantile(100) < 8_000);
    scene.healthy();
}

/// Envoy can be told to let a body overtake a filter that only pauses.
#[test]
fn a_body_does_not_carry_a_waiting_request_past() {
    let Some(scene) = Scene::on(LOOSE, 1, json!({}), |keys| keys.mode("stall")) else { return };
    let mut client = Client::connect(scene.envoy.listener(LOOSE)).expect("a connection");
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n", scene.good("alice"));
    let body = "a".repeat(2000);
    let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let response = client.send(request.as_bytes(), false).expect("an answer");
    assert_eq!(response.status, 503, "{response:?}");
    say("REMOTE body: a request that waits is not carried on by its body");
}
