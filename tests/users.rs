//! A flood of wrong passwords at a real Envoy with one worker, at the highest cost of bcrypt that a policy may have: what
//! it does to requests that show keys, and to somebody who is logged in. The test prints its figures.

mod support;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gatekey::password::{bcrypt, stored::BCRYPT_COST};
use serde_json::json;
use support::echo::Echo;
use support::envoy::{AfterTrap, Envoy, Setup, available};
use support::http::Client;
use support::say;

const KEY: &str = "gk_live_0123456789abcdef";

fn start(cost: u32) -> Option<(Envoy, Echo)> {
    let (launch, module) = available()?;
    let hash = bcrypt::hash(cost, *b"0123456789abcdef", b"correct horse").expect("a hash");
    let users: serde_json::Map<_, _> = (0..64).map(|number| (format!("u{number}"), json!(hash))).collect();
    let policy = json!({ "clients": { "acme": { "key": { "plain": KEY } } }, "users": users });
    let echo = Echo::start();
    let setup = Setup {
        module: std::fs::read(module).expect("the module"),
        policies: vec![("main".into(), policy)],
        env: Vec::new(),
        after_trap: AfterTrap::FailReload,
        workers: 1,
        upstream: echo.address,
        clusters: Vec::new(),
        offload: true,
        tls: false,
    };
    Some((Envoy::start(&launch, &setup).unwrap_or_else(|why| panic!("{why}")), echo))
}

fn with_password(user: &str, password: &str) -> String {
    let pair = STANDARD.encode(format!("{user}:{password}"));
    format!("GET /x HTTP/1.1\r\nhost: x\r\nauthorization: Basic {pair}\r\n\r\n")
}

/// The times of good requests on some connections for a while, sorted; all of them must pass.
fn times(envoy: &Envoy, request: &str, span: Duration) -> Vec<Duration> {
    let all = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(envoy.listener("main")).expect("a connection");
                let (end, mut times) = (Instant::now() + span, Vec::new());
                while Instant::now() < end {
                    let start = Instant::now();
                    let answer = client.send(request.as_bytes(), false).expect("an answer");
                    times.push(start.elapsed());
                    assert_eq!(answer.status, 200);
                    thread::sleep(Duration::from_micros(500));
                }
                all.lock().expect("the times").extend(times);
            });
        }
    });
    let mut all = all.into_inner().expect("the times");
    all.sort_unstable();
    all
}

fn at(times: &[Duration], share: f64) -> f64 {
    let index = ((times.len() - 1) as f64 * share) as usize;
    times[index].as_secs_f64() * 1000.0
}

#[test]
fn a_flood_of_wrong_passwords_holds_up_nobody_else() {
    let cost = *BCRYPT_COST.end();
    let Some((envoy, _echo)) = start(cost) else { return };
    let key = format!("GET /x HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n\r\n");
    let span = Duration::from_secs(8);
    let log_in = Instant::now();
    let mut client = Client::connect(envoy.listener("main")).expect("a connection");
    let answer = client.send(with_password("u0", "correct horse").as_bytes(), false).expect("an answer");
    assert_eq!(answer.status, 200);
    let alone = log_in.elapsed();
    let quiet = times(&envoy, &key, span);
    let (stop, guesses) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (flooded, logged_in, statuses) = thread::scope(|scope| {
        let floods: Vec<_> = (0..32)
            .map(|_| {
                scope.spawn(|| {
                    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
                    while !stop.load(Ordering::Relaxed) {
                        let number = guesses.fetch_add(1, Ordering::Relaxed);
                        // From many addresses, or the source would soon be refused without a look at its guesses.
                        let source = [10, 1, (number / 250 % 250) as u8, (number % 250) as u8];
                        let mut client = Client::connect(envoy.listener("main")).expect("a connection");
                        client.introduce(source.into()).expect("sent");
                        let request = with_password(&format!("u{}", 1 + number % 63), &format!("guess {number}"));
                        let answer = client.send(request.as_bytes(), false).expect("an answer");
                        *statuses.entry(answer.status).or_default() += 1;
                        thread::sleep(Duration::from_millis(2));
                    }
                    statuses
                })
            })
            .collect();
        thread::sleep(Duration::from_secs(1));
        let flooded = times(&envoy, &key, span);
        let logged_in = times(&envoy, &with_password("u0", "correct horse"), Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
        let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
        for flood in floods {
            for (status, count) in flood.join().expect("a flood") {
                *statuses.entry(status).or_default() += count;
            }
        }
        (flooded, logged_in, statuses)
    });
    assert!(statuses.keys().all(|status| [401, 429, 503].contains(status)), "{statuses:?}");
    assert_eq!(envoy.crashes(), Vec::<String>::new());
    let (before, during) = (at(&quiet, 0.99), at(&flooded, 0.99));
    say(&format!(
        "PASSWORDS: bcrypt cost {cost}, first log-in {:.0} ms; requests with a key, one worker: p50 {:.2} ms, p99 {before:.2} ms; \
         under a flood of {} guesses from as many addresses ({statuses:?}): p50 {:.2} ms, p99 {during:.2} ms, ratio of p99 {:.2}; \
         who is logged in: p99 {:.2} ms",
        alone.as_secs_f64() * 1000.0,
        at(&quiet, 0.5),
        guesses.load(Ordering::Relaxed),
        at(&flooded, 0.5),
        during / before,
        at(&logged_in, 0.99),
    ));
}
