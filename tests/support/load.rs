//! Many requests from many connections, and what became of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::http::{Client, Response};
use super::{keys, now_seconds};

/// A token signed by a key of tests/keys; `sub` makes it one of its kind.
pub fn token(alg: &str, key: &str, kid: &str, iss: &str, sub: &str) -> String {
    let exp = now_seconds() + 3600;
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed =
        format!("{}.{}", part(json!({ "alg": alg, "kid": kid })), part(json!({ "iss": iss, "sub": sub, "exp": exp })));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(keys::sign(key, alg, signed.as_bytes())))
}

/// A request with a token.
pub fn ask(client: &mut Client, token: &str) -> Result<Response, String> {
    client.send(format!("GET /x HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n").as_bytes(), false)
}

/// Whether something holds on every worker, which it asks by a connection of its own each time. The kernel picks the
/// worker: one of four is left out once in 20,000 times, and with 12 connections once in eight.
pub fn everywhere(mut holds: impl FnMut() -> bool) -> bool {
    (0..40).all(|_| holds())
}

/// What became of requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many were answered with each status, or 0 for none.
    pub statuses: BTreeMap<u16, usize>,
    /// How long each took.
    pub times: Vec<Duration>,
    /// The first answers that were not 200.
    pub odd: Vec<String>,
}

impl Tally {
    fn note(&mut self, answer: &Result<Response, String>, took: Duration) {
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        *self.statuses.entry(status).or_default() += 1;
        self.times.push(took);
        if status != 200 && self.odd.len() < 5 {
            self.odd.push(format!("{answer:?}"));
        }
    }

    /// How many had this status.
    pub fn of(&self, status: u16) -> usize {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// How many there were.
    pub fn all(&self) -> usize {
        self.statuses.values().sum()
    }

    /// The time within which so many of a hundred were answered, in milliseconds.
    pub fn quantile(&mut self, percent: usize) -> u128 {
        self.times.sort();
        let at = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
        self.times.get(at).map_or(0, Duration::as_millis)
    }
}

/// Sends every token once, all at the same moment, each on a connection of its own.
pub fn at_once(to: SocketAddr, tokens: &[String]) -> Tally {
    let (tally, barrier) = (Mutex::new(Tally::default()), Barrier::new(tokens.len()));
    thread::scope(|scope| {
        for token in tokens {
            scope.spawn(|| {
                let mut client = Client::connect(to).expect("a connection");
                barrier.wait();
                let start = Instant::now();
                let answer = ask(&mut client, token);
                tally.lock().expect("a tally").note(&answer, start.elapsed());
            });
        }
    });
    tally.into_inner().expect("a tally")
}

/// Sends the tokens of `next`, by number, over some connections, spread evenly over `span`; stops when there are no more.
pub fn steady(
    to: SocketAddr,
    connections: usize,
    count: usize,
    span: Duration,
    next: impl Fn(usize) -> String + Sync,
) -> Tally {
    let (tally, number, start) = (Mutex::new(Tally::default()), AtomicUsize::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut client = Client::connect(to).expect("a connection");
                loop {
                    let i = number.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        break;
                    }
                    let due = start + span.mul_f64(i as f64 / count as f64);
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    let token = next(i);
                    let begun = Instant::now();
                    let answer = ask(&mut client, &token);
                    if answer.is_err() {
                        client = Client::connect(to).expect("a connection");
                    }
                    tally.lock().expect("a tally").note(&answer, begun.elapsed());
                }
            });
        }
    });
    tally.into_inner().expect("a tally")
}
