//! Opaque tokens in a real Envoy with two workers, and their issuer in a process of its own: through good and bad
//! hours. Each test prints its figure.

mod support;

use std::collections::BTreeMap;
use std::thread::{self, sleep};
use std::time::Duration;

use serde_json::json;
use support::echo::Echo;
use support::envoy::{AfterTrap, Envoy, Setup, available};
use support::http::Client;
use support::keyserver::KeyServer;
use support::load::{ask, at_once, everywhere};
use support::say;

/// An Envoy, and the issuer that it asks.
struct Scene {
    envoy: Envoy,
    issuer: KeyServer,
    _echo: Echo,
}

impl Scene {
    fn new() -> Option<Self> {
        let (launch, module) = available()?;
        let module = std::fs::read(module).expect("the module");
        let issuer = KeyServer::start(&[]);
        let policy = json!({
            "issuers": { "id": { "issuer": "https://id.test/", "audience": "api", "introspect": {
                "uri": "https://id.test/introspect", "cluster": "id", "client": { "id": "gate", "secret": { "env": "ASKER" } },
                "ttl": "2s",
            } } },
            "upstream": { "set": { "X-User": "sub" } },
        });
        let echo = Echo::start();
        let setup = Setup {
            module,
            policies: vec![("main".into(), policy)],
            env: vec![("ASKER".into(), "the-secret-of-the-gate".into())],
            after_trap: AfterTrap::FailReload,
            workers: 2,
            upstream: echo.address,
            clusters: vec![("id".into(), issuer.address)],
            offload: true,
            tls: false,
        };
        let envoy = Envoy::start(&launch, &setup).unwrap_or_else(|why| panic!("{why}"));
        Some(Self { envoy, issuer, _echo: echo })
    }

    fn knows(&self, token: &str, sub: &str) {
        let says = json!({ "active": true, "aud": "api", "sub": sub, "iss": "https://id.test/" });
        self.issuer.document(&format!("/introspect/{token}"), &says.to_string());
    }

    fn status(&self, token: &str) -> u16 {
        let mut client = Client::connect(self.envoy.listener("main")).expect("a connection");
        ask(&mut client, token).expect("an answer").status
    }

    fn healthy(&self) {
        assert_eq!(self.envoy.crashes(), Vec::<String>::new());
        let log = self.envoy.log();
        for secret in ["the-secret-of-the-gate", "opaque-"] {
            assert!(!log.contains(secret), "the log shows {secret}");
        }
    }
}

#[test]
fn many_requests_with_one_token_ask_once_per_worker() {
    let Some(scene) = Scene::new() else { return };
    scene.knows("opaque-1", "alice");
    scene.issuer.mode("slow:300");
    let tally = at_once(scene.envoy.listener("main"), &vec!["opaque-1".to_owned(); 200]);
    assert_eq!(tally.statuses, BTreeMap::from([(200, 200)]), "{:?}", tally.odd);
    let asked = scene.issuer.requests();
    assert!((1..=2).contains(&asked.len()), "{asked:?}");
    for question in &asked {
        assert_eq!(question["path"], "/introspect?token=opaque-1&token_type_hint=access_token");
        assert_eq!(question["if_none_match"], "Basic Z2F0ZTp0aGUtc2VjcmV0LW9mLXRoZS1nYXRl");
    }
    say(&format!("INTROSPECTION: 200 requests at once with one token: {} questions, 200 allowed", asked.len()));
    assert_eq!(scene.status("opaque-2"), 401);
    scene.healthy();
}

#[test]
fn through_bad_hours_nothing_opens_and_what_is_known_serves() {
    let Some(scene) = Scene::new() else { return };
    scene.knows("opaque-1", "alice");
    let mut figures = Vec::new();
    for mode in ["fail", "garbage", "big", "empty", "redirect", "html", "deep", "truncated", "reset"] {
        scene.issuer.mode("ok");
        // Until each worker knows the token, and after what went wrong before asks again.
        while !everywhere(|| scene.status("opaque-1") == 200) {
            sleep(Duration::from_millis(50));
        }
        scene.issuer.mode(mode);
        let known = (0..20).filter(|_| scene.status("opaque-1") == 200).count();
        let unknown: Vec<u16> = (0..6).map(|number| scene.status(&format!("opaque-{mode}-{number}"))).collect();
        assert_eq!(known, 20, "{mode}");
        assert_eq!(unknown, [503; 6], "{mode}");
        figures.push(mode);
        sleep(Duration::from_millis(2_100));
        assert_eq!(scene.status("opaque-1"), 503, "{mode}: an answer counts for two seconds");
    }
    scene.issuer.mode("ok");
    while !everywhere(|| scene.status("opaque-1") == 200) {
        sleep(Duration::from_millis(50));
    }
    say(&format!(
        "INTROSPECTION: {} bad hours ({}): known tokens 20/20 each, unknown ones 503",
        figures.len(),
        figures.join(", ")
    ));
    scene.healthy();
}

#[test]
fn an_issuer_that_is_silent_holds_requests_for_five_seconds_and_no_others() {
    let Some(scene) = Scene::new() else { return };
    scene.knows("opaque-1", "alice");
    while !everywhere(|| scene.status("opaque-1") == 200) {
        sleep(Duration::from_millis(50));
    }
    scene.issuer.mode("stall");
    thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..8).map(|number| scene.status_later(scope, format!("opaque-silent-{number}"))).collect();
        sleep(Duration::from_millis(200));
        let known = (0..20).filter(|_| scene.status("opaque-1") == 200).count();
        assert_eq!(known, 20);
        let statuses: Vec<u16> = waiting.into_iter().map(|waiting| waiting.join().expect("a status")).collect();
        assert_eq!(statuses, [503; 8]);
    });
    say("INTROSPECTION: a silent issuer: 8 unknown tokens 503 after its time-out, known ones 20/20 meanwhile");
    scene.healthy();
}

impl Scene {
    fn status_later<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        token: String,
    ) -> thread::ScopedJoinHandle<'scope, u16> {
        scope.spawn(move || self.status(&token))
    }
}
