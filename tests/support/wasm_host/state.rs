//! What a host knows while it serves requests, and the questions that the two hosts answer differently.

use std::collections::BTreeMap;

use gatekey::peer::Known;

/// Status codes of the ABI that these hosts use.
pub const OK: u32 = 0;
/// No such header, property or plugin.
pub const NOT_FOUND: u32 = 1;
/// Not available in this phase, or a bad argument.
pub const BAD_ARGUMENT: u32 = 2;
/// The host failed.
pub const INTERNAL: u32 = 10;
/// The host has no such call.
pub const UNIMPLEMENTED: u32 = 12;

/// Names and values in order, as bytes.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// What a host call answers.
#[derive(Debug)]
pub enum Answer {
    /// Status 0 without bytes.
    Done,
    /// Status 0 and bytes, copied into the module.
    Bytes(Vec<u8>),
    /// Another status.
    Status(u32),
    /// A real worker would crash or hang here: the test ends.
    Crash(String),
}

/// The callback that is running, for calls that work only in some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No callback, or one that may only log.
    Other,
    /// `on_configure`.
    Configure,
    /// `on_request_headers` and `on_request_trailers`.
    Request,
}

/// Log levels of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl Level {
    /// From the number of the ABI.
    pub fn from_abi(level: u32) -> Option<Level> {
        use Level::*;
        [Trace, Debug, Info, Warn, Error, Critical].get(usize::try_from(level).ok()?).copied()
    }
}

/// A host call that fails on purpose.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The name of the import.
    pub call: String,
    /// The status it answers; 0 answers "fine" and gives nothing, null pointers included.
    pub status: u32,
}

/// A response made by the module.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Reply {
    pub status: u32,
    pub details: Vec<u8>,
    pub body: Vec<u8>,
    pub headers: Pairs,
    pub grpc_status: i32,
}

/// How often one host call was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    /// All calls.
    pub all: usize,
    /// Those that copied bytes into the module (the expensive ones).
    pub bytes: usize,
}

/// The state behind all host calls of one VM.
pub struct Host {
    /// How this host answers.
    pub abilities: &'static dyn Abilities,
    /// The environment of the VM.
    pub env: Vec<(String, String)>,
    /// The plugin configuration of the root that is being configured.
    pub config: Vec<u8>,
    /// The running callback.
    pub phase: Phase,
    /// The wall clock, in nanoseconds.
    pub now_ns: u64,
    /// Request headers, pseudo headers included.
    pub headers: Pairs,
    /// Request trailers, when the request has some.
    pub trailers: Option<Pairs>,
    /// What has come of the request's body.
    pub body: Vec<u8>,
    /// `request_uri` as it came (APISIX).
    pub target: Vec<u8>,
    /// The query as APISIX will send it, when the module has set it.
    pub args: Option<Vec<u8>>,
    /// Who sends the request.
    pub peer: Known,
    /// The policy that its route names.
    pub policy: Option<String>,
    /// Filter state (Envoy: `wasm.<name>`).
    pub states: BTreeMap<String, Vec<u8>>,
    /// Names of the metrics, by id.
    pub metrics: Vec<String>,
    /// Increments of this request.
    pub increments: Vec<(String, i64)>,
    /// The answer of the module, when there is one.
    pub reply: Option<Reply>,
    /// Host calls of this request.
    pub calls: BTreeMap<String, Calls>,
    /// Every line logged in the life of this VM.
    pub logs: Vec<(Level, String)>,
    /// What the module did that no host forgives.
    pub wrongs: Vec<String>,
    /// A call that fails on purpose.
    pub fault: Option<Fault>,
    /// Bytes to hand out as the header map in place of the real ones.
    pub map_bytes: Option<Vec<u8>>,
    /// Seed of `random_get`; tests are repeatable.
    pub random: u64,
    /// What goes on beside requests.
    pub background: super::background::Background,
    /// What the VM may use.
    pub limits: wasmtime::StoreLimits,
}

impl Host {
    /// An idle host.
    pub fn new(abilities: &'static dyn Abilities, env: &[(String, String)], now_ns: u64) -> Host {
        Host {
            abilities,
            env: env.to_vec(),
            config: Vec::new(),
            phase: Phase::Other,
            now_ns,
            headers: Vec::new(),
            trailers: None,
            body: Vec::new(),
            target: Vec::new(),
            args: None,
            peer: Known::default(),
            policy: None,
            states: BTreeMap::new(),
            metrics: Vec::new(),
            increments: Vec::new(),
            reply: None,
            calls: BTreeMap::new(),
            logs: Vec::new(),
            wrongs: Vec::new(),
            fault: None,
            map_bytes: None,
            random: 0x9e37_79b9_7f4a_7c15,
            background: super::background::Background::default(),
            limits: super::vm::limits(),
        }
    }

    /// The first value of a header; names compare without case.
    pub fn first(&self, name: &[u8]) -> Option<&Vec<u8>> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Takes a response; every host here refuses a second one, and a response that browsers or nginx would garble.
    pub fn answer(&mut self, reply: Reply) {
        if self.reply.is_some() {
            self.wrongs.push("a second local response".to_owned());
            return;
        }
        if !(200..=599).contains(&reply.status) {
            self.wrongs.push(format!("a local response with status {}", reply.status));
        }
        for (name, value) in &reply.headers {
            if !clean(value) || !clean(name) || name.is_empty() {
                self.wrongs.push(format!("response header {:?} has control characters", String::from_utf8_lossy(name)));
            }
        }
        self.reply = Some(reply);
    }
}

/// Whether bytes may stand in a header value.
pub fn clean(value: &[u8]) -> bool {
    value.iter().all(|b| *b == b'\t' || (*b >= 0x20 && *b != 0x7f))
}

/// Removes every value of a header.
pub fn remove_all(pairs: &mut Pairs, name: &[u8]) {
    pairs.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
}

/// Replaces all values of a header by one, in the place of the first.
pub fn replace_all(pairs: &mut Pairs, name: &[u8], value: &[u8]) {
    let at = pairs.iter().position(|(n, _)| n.eq_ignore_ascii_case(name));
    let rest: Pairs = match at {
        Some(at) => pairs.split_off(at),
        None => Vec::new(),
    };
    pairs.push((name.to_ascii_lowercase(), value.to_vec()));
    pairs.extend(rest.into_iter().filter(|(n, _)| !n.eq_ignore_ascii_case(name)));
}

/// The calls that the two hosts answer differently.
pub trait Abilities: Sync {
    /// Imports that this host has not, or has with another type: a module that asks for one does not load.
    fn missing_imports(&self) -> &'static [&'static str];
    /// Whether `on_vm_start` and `on_log` are called, and header counts are real.
    fn full_life(&self) -> bool;
    /// Whether this host has call `name`, which only answers a status here.
    fn knows(&self, name: &str) -> bool;
    /// Makes the header map of a request; an error is a status that the host answers by itself.
    fn prepare(&self, host: &mut Host, request: &crate::support::Request) -> Result<(), u16>;
    /// The host's clock call.
    fn time(&self, host: &Host) -> Result<u64, u32>;
    /// All request headers.
    fn all_headers(&self, host: &Host) -> Answer;
    /// One request header.
    fn header(&self, host: &Host, name: &[u8]) -> Answer;
    /// Sets a request header.
    fn replace(&self, host: &mut Host, name: &[u8], value: &[u8]) -> Answer;
    /// Appends a request header.
    fn add(&self, host: &mut Host, name: &[u8], value: &[u8]) -> Answer;
    /// Removes a request header.
    fn remove(&self, host: &mut Host, name: &[u8]) -> Answer;
    /// Reads a property; `path` has NUL between segments.
    fn property(&self, host: &Host, path: &[u8]) -> Answer;
    /// Writes a property.
    fn set_property(&self, host: &mut Host, path: &[u8], value: &[u8]) -> Answer;
    /// The plugin configuration.
    fn configuration(&self, host: &Host) -> Answer;
    /// Defines a metric; `None` is status 0 with the id left as it was.
    fn define_metric(&self, host: &mut Host, name: &str) -> Option<u32>;
    /// Adds to a metric.
    fn increment(&self, host: &mut Host, id: u32, by: i64) -> Answer;
    /// What the service behind the proxy gets.
    fn upstream(&self, host: &Host) -> Pairs;
    /// Status, headers and body that the caller gets for a response of the module.
    fn response(&self, host: &Host, reply: &Reply) -> (u16, Pairs, Vec<u8>);
}
