//! What the tests share: the case table, minted tokens, the comparison, and, for real hosts, a raw
//! HTTP client, an echo service and process control.
#![allow(dead_code, unreachable_pub, unused_imports)] // Every test crate uses a part of this.

pub mod bootstrap;
pub mod echo;
pub mod envoy;
pub mod expect;
pub mod http;
pub mod keys;
pub mod keyserver;
pub mod load;
pub mod mint;
pub mod quota;
pub mod run;
pub mod service;
pub mod table;

pub use expect::check;
pub use table::{load_all, load_one};

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Header names, and values as octets, in order.
pub type Headers = Vec<(String, Vec<u8>)>;

/// What must be seen of headers: all values of a name, or None where it must not be there.
pub type Wanted = Vec<(String, Option<Vec<Vec<u8>>>)>;

/// One file of the table: one policy and the requests sent to it.
pub struct CaseFile {
    /// The file's stem.
    pub name: String,
    /// The VM environment that the policy's secrets come from.
    pub env: Vec<(String, String)>,
    /// The policy as the host hands it over, before it becomes JSON text.
    pub policy: serde_json::Value,
    /// In the order written.
    pub cases: Vec<Case>,
    /// Texts that no log may show: secrets, and every token minted for this file.
    pub confidential: Vec<String>,
}

impl CaseFile {
    /// The policy as the core reads it.
    ///
    /// # Errors
    /// Every configuration error, one per line.
    pub fn compile(&self) -> Result<gatekey::policy::Policy, String> {
        let env = |name: &str| self.env.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        let loaded = gatekey::config::load(self.policy.to_string().as_bytes(), &env);
        loaded.map(|loaded| loaded.policy).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(|error| error.to_string()).collect();
            format!("does not load:\n{}", lines.join("\n"))
        })
    }
}

/// One request, and what must come of it.
pub struct Case {
    /// Unique in its file.
    pub name: String,
    pub request: Request,
    /// Where the case can run.
    pub rungs: Vec<Rung>,
    pub expect: Expect,
}

/// The cluster that every host of the tests sends requests to.
pub const CLUSTER: &str = "echo";

/// Before the name of a policy that not the route names, but its virtual host.
pub const ON_THE_HOST: &str = "virtual host: ";

/// A request head.
#[derive(Clone)]
pub struct Request {
    /// None: the head has no `:method`.
    pub method: Option<String>,
    /// None: the head has no `:path`.
    pub path: Option<String>,
    /// Without pseudo headers; `host` is one of them, unless the case removed it.
    pub headers: Headers,
    /// Sent as it is in place of all else; only a real host can read it.
    pub raw: Option<Vec<u8>>,
    /// Sent as HTTP/1.0.
    pub http10: bool,
    /// Who sends it; where nothing is said, a host's own idea.
    pub peer: gatekey::peer::Known,
    /// The policy that the proxy's route names; after [`ON_THE_HOST`], that its virtual host names.
    pub policy: Option<String>,
    /// What the issuer that is asked about the token answers, as JSON.
    pub introspected: Option<String>,
    /// What follows the head.
    pub body: Option<Vec<u8>>,
}

/// A place where the table runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// The native core.
    Core,
    /// The module in an in-process host with Envoy's abilities.
    Wasm,
    /// The module in an in-process host with APISIX's statuses and lacks.
    Apisix,
    /// The module in a real Envoy.
    Envoy,
}

impl Rung {
    pub const ALL: [Rung; 4] = [Rung::Core, Rung::Wasm, Rung::Apisix, Rung::Envoy];
}

/// What a case asks for. What is None or empty is not compared.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// `allow`, `deny` or `report`.
    pub decision: String,
    pub status: Option<u16>,
    pub reason: Option<String>,
    /// The route's label; `none` where no route matches.
    pub route: Option<String>,
    /// The schemes of all challenges, in order.
    pub challenge: Option<Vec<String>>,
    pub challenge_contains: Vec<String>,
    pub body_contains: Vec<String>,
    /// The member `code` of a JSON body.
    pub code: Option<String>,
    /// Headers as the service must get them.
    pub upstream: Wanted,
    /// Headers as the caller must get them with a refusal.
    pub response: Wanted,
    pub grpc_status: Option<String>,
    /// Claims of the token of ours that is handed out: to the caller in a body, or to the service.
    pub token: Option<serde_json::Map<String, serde_json::Value>>,
    /// A real Envoy refuses by itself with this status, before the module sees the request.
    pub envoy_status: Option<u16>,
}

/// What came of a request on some rung. What is None could not be seen there.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub decision: Option<String>,
    pub status: u16,
    pub reason: Option<String>,
    pub route: Option<String>,
    /// The headers of a local reply.
    pub response: Headers,
    pub body: Vec<u8>,
    /// What the service got, pseudo headers included; None when refused.
    pub upstream: Option<Headers>,
}

/// The time now, in Unix seconds.
pub fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Prints a line that the test runner does not hold back.
pub fn say(line: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What one run of the table came to: counts, and the failures in full.
pub struct Tally {
    rung: &'static str,
    passed: usize,
    failures: Vec<String>,
}

impl Tally {
    pub fn new(rung: &'static str) -> Self {
        Self { rung, passed: 0, failures: Vec::new() }
    }

    /// Counts one case.
    pub fn add(&mut self, file: &str, case: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(why) => {
                let why = why.replace('\n', "\n    ");
                self.failures.push(format!("FAILED {file}.yaml / {case}\n    {why}"));
            }
        }
    }

    /// Takes in a check beside the cases, which is not counted as one.
    pub fn also(&mut self, what: &str, result: Result<(), String>) {
        if let Err(why) = result {
            self.failures.push(format!("FAILED {what}\n    {}", why.replace('\n', "\n    ")));
        }
    }

    /// Prints the failures and the line that the Makefile counts.
    ///
    /// # Panics
    /// If a case failed, or if there was none.
    pub fn finish(self) {
        assert!(self.passed + self.failures.len() > 0, "the table has no case for rung {}", self.rung);
        for failure in &self.failures {
            println!("{failure}");
        }
        say(&format!("RUNG {}: {} cases passed, {} failed", self.rung, self.passed, self.failures.len()));
        assert!(self.failures.is_empty(), "{} cases failed on rung {}", self.failures.len(), self.rung);
    }
}
