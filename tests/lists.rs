//! Fetched lists in a real Envoy with four workers, from a server in a process of its own that has every bad hour. Each
//! test prints its figure.

mod support;

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::echo::Echo;
use support::envoy::{AfterTrap, Envoy, Setup, available};
use support::http::Client;
use support::keyserver::KeyServer;
use support::load::{Tally, ask, everywhere, steady, token};
use support::{keys, say};

const ISS: &str = "https://id.test/";

struct Scene {
    envoy: Envoy,
    server: KeyServer,
    _echo: Echo,
}

fn revoked(entries: &[&str]) -> String {
    let lines: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    format!("gatekey-revoked 1 {}\n{lines}end\n", entries.len())
}

/// A list that takes several pieces, whose last entry revokes this subject.
fn long(sub: &str, entries: usize) -> String {
    let mut text = format!("gatekey-revoked 1 {entries}\n");
    for n in 1..entries {
        writeln!(text, "jti {n:08x}-0000-4000-8000-0123456789ab").expect("text");
    }
    text + &format!("sub {sub}\nend\n")
}

fn key(name: &str) -> String {
    format!("key-of-{name}-0123456789")
}

fn clients(names: &[&str]) -> String {
    let mut text = format!("gatekey-clients 1 {}\n", names.len());
    for name in names {
        let digest = Sha256::digest(key(name)).iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        writeln!(text, "key {digest} {name}").expect("text");
    }
    text + "end\n"
}

impl Scene {
    /// An Envoy whose policy fetches a revocation list and a store of clients; `prepare` comes before Envoy starts.
    fn new(workers: usize, more: Value, prepare: impl FnOnce(&KeyServer)) -> Option<Self> {
        let (launch, module) = available()?;
        let server = KeyServer::start(&[]);
        server.document("/revoked", &revoked(&["sub mallory"]));
        server.document("/clients", &clients(&["acme"]));
        prepare(&server);
        let list = |path: &str| {
            let mut list = json!({ "uri": format!("https://lists.test{path}"), "cluster": "lists", "refresh": "5s" });
            list.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            list
        };
        let policy = json!({
            "issuers": { "id": { "issuer": ISS, "jwks": { "keys": [keys::jwk("p256")] } } },
            "revoked": { "from": list("/revoked") },
            "clients_from": list("/clients"),
            "upstream": { "set": { "X-User": "sub", "X-Client": "client" } },
        });
        let echo = Echo::start();
        let envoy = Envoy::start(
            &launch,
            &Setup {
                module: std::fs::read(module).expect("the module"),
                policies: vec![("main".into(), policy)],
                env: Vec::new(),
                after_trap: AfterTrap::FailReload,
                workers,
                upstream: echo.address,
                clusters: vec![("lists".into(), server.address)],
                offload: true,
                tls: false,
            },
        );
        Some(Self { envoy: envoy.unwrap_or_else(|why| panic!("{why}")), server, _echo: echo })
    }

    fn connect(&self) -> Client {
        Client::connect(self.envoy.listener("main")).expect("a connection")
    }

    fn token_of(&self, sub: &str) -> String {
        token("ES256", "p256", "k", ISS, sub)
    }

    fn sub(&self, sub: &str) -> u16 {
        ask(&mut self.connect(), &self.token_of(sub)).expect("an answer").status
    }

    fn key(&self, name: &str) -> u16 {
        let head = format!("GET /x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", key(name));
        self.connect().send(head.as_bytes(), false).expect("an answer").status
    }

    /// Waits until every worker answers so; how long it took.
    fn until(&self, what: impl Fn(&Self) -> u16, status: u16, patience: Duration) -> Duration {
        let start = Instant::now();
        while !everywhere(|| what(self) == status) {
            assert!(start.elapsed() < patience, "not answered {status} within {patience:?}\n{}", self.envoy.log());
            sleep(Duration::from_millis(100));
        }
        start.elapsed()
    }

    /// Waits until the server got some more requests.
    fn asked(&self, more: usize) {
        let (start, before) = (Instant::now(), self.server.requests().len());
        while self.server.requests().len() < before + more {
            assert!(start.elapsed() < Duration::from_secs(60), "nobody asks\n{}", self.envoy.log());
            sleep(Duration::from_millis(50));
        }
    }

    /// Good and revoked requests until `stop`, fifty a second each: how many were answered wrongly is in the tallies.
    fn traffic(&self, stop: &AtomicBool) -> (Tally, Tally) {
        let (mut good, mut bad) = (Tally::default(), Tally::default());
        let to = self.envoy.listener("main");
        while !stop.load(Ordering::Relaxed) {
            for (tally, name) in [(&mut good, "alice"), (&mut bad, "mallory")] {
                let some = steady(to, 8, 50, Duration::from_millis(500), |_| self.token_of(name));
                for (status, count) in some.statuses {
                    *tally.statuses.entry(status).or_default() += count;
                }
                tally.times.extend(some.times);
                tally.odd.extend(some.odd);
            }
        }
        (good, bad)
    }

    /// Nothing has trapped.
    fn healthy(&self) {
        assert_eq!(self.envoy.crashes(), Vec::<String>::new());
        assert!(self.envoy.stats("vm_reload").expect("stats").is_empty());
    }
}

#[test]
fn lists_come_before_the_first_answer_and_change_in_time() {
    let Some(scene) = Scene::new(4, json!({}), |server| server.mode("slow:500")) else { return };
    // The first requests wait for the lists.
    assert_eq!((scene.sub("mallory"), scene.sub("alice")), (401, 200));
    assert_eq!((scene.key("acme"), scene.key("globex")), (200, 401));
    scene.server.mode("ok");
    scene.server.document("/revoked", &revoked(&["sub alice"]));
    scene.server.document("/clients", &clients(&["globex"]));
    let took = scene.until(|scene| scene.sub("alice"), 401, Duration::from_secs(15));
    scene.until(|scene| scene.key("globex"), 200, Duration::from_secs(15));
    assert_eq!((scene.sub("mallory"), scene.key("acme")), (200, 401));
    say(&format!("LISTS a revoked subject is refused by all workers {:.1} s later (refresh: 5s)", took.as_secs_f32()));
    assert!(took < Duration::from_millis(8_000), "{took:?}");
    // Unchanged lists are not sent again.
    scene.asked(20);
    let last: Vec<u64> = scene.server.requests().iter().rev().take(10).filter_map(|r| r["status"].as_u64()).collect();
    assert!(last.iter().all(|status| *status == 304), "{last:?}");
    let text = scene.envoy.admin("/stats/prometheus?usedonly").expect("stats").text();
    for wanted in [
        r#"gatekey_list_fetches_total{list="revoked",outcome="changed"}"#,
        r#"outcome="unchanged"#,
        r#"gatekey_list_entries{list="clients"} 1"#,
        r#"gatekey_list_age_seconds{list="revoked"}"#,
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
    scene.healthy();
}

#[test]
fn no_bad_hour_opens_or_loses_anything() {
    let Some(scene) = Scene::new(4, json!({ "keep_stale": "10m" }), |_| ()) else { return };
    scene.until(|scene| scene.sub("alice"), 200, Duration::from_secs(10));
    scene.until(|scene| scene.key("acme"), 200, Duration::from_secs(10));
    let before = scene.envoy.memory();
    let stop = AtomicBool::new(false);
    let modes = [
        "fail",
        "reset",
        "garbage",
        "big",
        "empty",
        "redirect",
        "truncated",
        "html",
        "deep",
        "cut",
        "shift",
        "stall",
        "norange",
        "weak",
        "wander",
    ];
    let (good, bad) = thread::scope(|scope| {
        let traffic = scope.spawn(|| scene.traffic(&stop));
        for mode in modes {
            scene.server.mode(mode);
            scene.asked(2);
            sleep(Duration::from_millis(300));
            // A good hour in between, so that the pauses after failures stay short.
            scene.server.mode("ok");
            scene.asked(2);
        }
        stop.store(true, Ordering::Relaxed);
        traffic.join().expect("the traffic")
    });
    let grown = scene.envoy.memory().saturating_sub(before);
    say(&format!(
        "LISTS {} bad hours: {} of {} good requests allowed, {} of {} revoked ones refused, {grown} KiB more memory in 5 VMs",
        modes.len(),
        good.of(200),
        good.all(),
        bad.of(401),
        bad.all()
    ));
    assert!(good.all() > 500 && good.of(200) == good.all(), "{good:?}");
    assert_eq!(bad.of(401), bad.all(), "{bad:?}");
    assert_eq!((scene.key("acme"), scene.key("globex")), (200, 401));
    assert!(grown < 128 * 1024, "{grown} KiB");
    scene.healthy();
}

#[test]
fn a_long_outage_means_what_was_chosen() {
    for on_outage in ["keep", "deny"] {
        let more = json!({ "on_outage": on_outage, "keep_stale": "5s" });
        let Some(scene) = Scene::new(4, more, |_| ()) else { return };
        scene.until(|scene| scene.sub("alice"), 200, Duration::from_secs(10));
        scene.until(|scene| scene.key("acme"), 200, Duration::from_secs(10));
        scene.server.mode("fail");
        if on_outage == "deny" {
            let took = scene.until(|scene| scene.sub("alice"), 503, Duration::from_secs(25));
            let answer = ask(&mut scene.connect(), &scene.token_of("alice")).expect("an answer");
            assert_eq!(answer.header("retry-after").as_deref(), Some("5"), "{answer:?}");
            assert!(answer.text().contains("temporarily_unavailable"), "{answer:?}");
            assert_eq!((scene.sub("mallory"), scene.key("acme"), scene.key("globex")), (503, 503, 503));
            say(&format!(
                "LISTS deny: 503 {:.1} s after the server failed (refresh and keep_stale 5s)",
                took.as_secs_f32()
            ));
        } else {
            sleep(Duration::from_secs(16));
            assert!(everywhere(|| (scene.sub("alice"), scene.sub("mallory")) == (200, 401)));
            assert!(everywhere(|| (scene.key("acme"), scene.key("globex")) == (200, 401)));
        }
        scene.server.mode("ok");
        scene.until(|scene| scene.sub("alice"), 200, Duration::from_secs(40));
        scene.until(|scene| scene.key("acme"), 200, Duration::from_secs(40));
        assert_eq!((scene.sub("mallory"), scene.key("globex")), (401, 401));
        scene.healthy();
    }
}

#[test]
fn a_silent_server_holds_requests_for_a_while_only() {
    for (on_outage, status) in [("keep", 200), ("deny", 503)] {
        let more = json!({ "on_outage": on_outage });
        let Some(scene) = Scene::new(2, more, |server| server.mode("stall")) else { return };
        let start = Instant::now();
        assert_eq!(scene.sub("alice"), status, "{on_outage}");
        let took = start.elapsed();
        say(&format!("LISTS silence, {on_outage}: answered {status} after {:.1} s", took.as_secs_f32()));
        assert!(took < Duration::from_secs(8), "{took:?}");
        scene.healthy();
    }
}

#[test]
fn a_long_list_comes_in_while_requests_go_on() {
    const N: usize = 200_000;
    let Some(scene) = Scene::new(2, json!({ "keep_stale": "10m" }), |_| ()) else { return };
    scene.until(|scene| scene.sub("mallory"), 401, Duration::from_secs(10));
    let stop = AtomicBool::new(false);
    let (took, (mut good, bad)) = thread::scope(|scope| {
        let traffic = scope.spawn(|| scene.traffic(&stop));
        sleep(Duration::from_secs(2));
        let mut document = long("carol", N - 1).replacen(&format!(" {}\n", N - 1), &format!(" {N}\n"), 1);
        document = document.replacen("\nend\n", "\nsub mallory\nend\n", 1);
        scene.server.document("/revoked", &document);
        let took = scene.until(|scene| scene.sub("carol"), 401, Duration::from_secs(60));
        stop.store(true, Ordering::Relaxed);
        (took, traffic.join().expect("the traffic"))
    });
    let parts = scene.server.requests().iter().filter(|request| request["status"] == 206).count();
    say(&format!(
        "LISTS {N} entries: served by all workers {:.1} s after they were published, {parts} parts sent, {} of {} good requests allowed meanwhile, p99 {} ms",
        took.as_secs_f32(),
        good.of(200),
        good.all(),
        good.quantile(99)
    ));
    assert_eq!(good.of(200), good.all(), "{good:?}");
    assert_eq!(bad.of(401), bad.all(), "{bad:?}");
    scene.healthy();
}
