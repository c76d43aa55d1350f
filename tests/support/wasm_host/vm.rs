//! Drives the module as a proxy does: start, configure, one context per request, and clean-up after each.

use std::collections::BTreeMap;

use wasmtime::{Instance, Linker, Store, StoreLimits, StoreLimitsBuilder, WasmParams, WasmResults};

use super::Profile;
use super::background::{Background, Shared};
use super::module::compiled;
use super::state::{Calls, Fault, Host, Level, Pairs, Phase, Reply};
use crate::support::{Outcome, Request};

/// More than any callback needs; a loop without end stops here. One unit is about one instruction.
const FUEL: u64 = 2_000_000_000;
/// More memory than the module ever needs.
const MEMORY: usize = 64 << 20;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It went on to the service.
    Passed,
    /// The module answered.
    Replied,
    /// The host answered by itself, the module was not asked.
    HostRefused(u16),
    /// Paused for ever: Envoy hangs, an APISIX worker crashes.
    Stalled,
}

/// What else to do with a request.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Trailers (Envoy only).
    pub trailers: Option<Pairs>,
    /// A malformed header map to hand out.
    pub map_bytes: Option<Vec<u8>>,
}

/// A request that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(pub u32);

/// One plugin configuration inside the VM.
#[derive(Clone, Copy, Debug)]
pub struct Root {
    /// Its context.
    pub id: u32,
    /// What `on_configure` answered.
    pub configured: bool,
}

/// Everything that is known after a request.
#[derive(Debug)]
pub struct Trace {
    /// How it ended.
    pub end: End,
    /// In the form that the case table compares.
    pub outcome: Outcome,
    /// Host calls by name.
    pub calls: BTreeMap<String, Calls>,
    /// Metric increments.
    pub increments: Vec<(String, i64)>,
    /// Filter state set by this request.
    pub states: BTreeMap<String, Vec<u8>>,
    /// Lines logged by this request.
    pub logs: Vec<(Level, String)>,
    /// The trailers as the service gets them.
    pub trailers: Option<Pairs>,
    /// What no host forgives.
    pub wrongs: Vec<String>,
    /// Units of work, about one per instruction.
    pub work: u64,
}

impl Trace {
    /// The value of a label in the counter `gatekey_requests_total`.
    pub fn label(&self, name: &str) -> Option<&str> {
        let (counter, _) = self.increments.iter().find(|(name, _)| name.starts_with("gatekey_requests_total"))?;
        let order = ["result", "reason", "credential", "route"];
        let at = order.iter().position(|known| *known == name)?;
        let (_, rest) = counter.split_once(&format!(".{name}="))?;
        match order.get(at + 1) {
            Some(next) => rest.split_once(&format!(".{next}=")).map(|(value, _)| value),
            None => Some(rest),
        }
    }

    /// Calls that returned bytes, and all others.
    pub fn cost(&self) -> (usize, usize) {
        let bytes = self.calls.values().map(|calls| calls.bytes).sum();
        let all: usize = self.calls.values().map(|calls| calls.all).sum();
        (bytes, all - bytes)
    }
}

/// One VM: an instance of the module and the host around it.
pub struct Vm {
    profile: Profile,
    store: Store<Host>,
    instance: Instance,
    next: u32,
    free: Vec<u32>,
    broken: bool,
}

/// The cluster that the policies of the table name, and that is there only where a case says what it answers.
const ASKED: &str = "nowhere";

impl Vm {
    /// Loads the module and runs its start function.
    pub fn start(profile: Profile, env: &[(String, String)], now_unix_seconds: u64) -> Result<Vm, String> {
        Vm::start_with(profile, env, now_unix_seconds, compiled())
    }

    /// The same with another module.
    pub fn start_with(
        profile: Profile,
        env: &[(String, String)],
        now_unix_seconds: u64,
        module: &wasmtime::Module,
    ) -> Result<Vm, String> {
        let abilities = profile.abilities();
        let mut linker = Linker::new(module.engine());
        super::wasi::link(&mut linker).map_err(|error| format!("{error:?}"))?;
        super::calls::link(&mut linker, module, abilities).map_err(|error| format!("{error:?}"))?;
        let host = Host::new(abilities, env, now_unix_seconds * 1_000_000_000);
        let mut store = Store::new(module.engine(), host);
        store.limiter(|host| &mut host.limits);
        store.set_fuel(FUEL).map_err(|error| format!("{error:?}"))?;
        let instance = linker
            .instantiate(&mut store, module)
            .map_err(|error| format!("{profile:?} cannot load the module: {error:?}"))?;
        let mut vm = Vm { profile, store, instance, next: 1, free: Vec::new(), broken: false };
        for start in ["_start", "_initialize"] {
            if vm.has(start) {
                vm.call::<(), ()>(start, (), Phase::Other)?;
                break;
            }
        }
        Ok(vm)
    }

    /// Makes one host call fail from now on, or none.
    pub fn set_fault(&mut self, fault: Option<Fault>) {
        self.store.data_mut().fault = fault;
    }

    /// Sets the clock.
    pub fn set_now(&mut self, now_unix_seconds: u64) {
        self.store.data_mut().now_ns = now_unix_seconds * 1_000_000_000;
    }

    /// Everything logged since the start.
    pub fn logs(&self) -> &[(Level, String)] {
        &self.store.data().logs
    }

    /// What was done wrong outside of requests.
    pub fn take_wrongs(&mut self) -> Vec<String> {
        std::mem::take(&mut self.store.data_mut().wrongs)
    }

    /// Metric increments since the last request.
    pub fn increments(&self) -> &[(String, i64)] {
        &self.store.data().increments
    }

    /// Lets the module's memory grow to this many bytes.
    pub fn allow_memory(&mut self, bytes: usize) {
        self.store.data_mut().limits = StoreLimitsBuilder::new().memory_size(bytes).build();
    }

    /// The size of the module's memory in bytes.
    pub fn memory_size(&mut self) -> usize {
        self.instance.get_memory(&mut self.store, "memory").map_or(0, |memory| memory.data_size(&self.store))
    }

    fn has(&mut self, name: &str) -> bool {
        self.instance.get_func(&mut self.store, name).is_some()
    }

    /// Calls a callback. After a trap the VM is of no use, as on the real hosts.
    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P, phase: Phase) -> Result<R, String> {
        if self.broken {
            return Err("the VM has trapped before".to_owned());
        }
        let called = (|| {
            self.store.set_fuel(FUEL)?;
            let function = self.instance.get_typed_func::<P, R>(&mut self.store, name)?;
            self.store.data_mut().phase = phase;
            function.call(&mut self.store, params)
        })();
        self.store.data_mut().phase = Phase::Other;
        called.map_err(|error| {
            self.broken = true;
            let last = self.store.data().logs.last().map(|(_, text)| format!(" (last log line: {text})"));
            format!("TRAP in {name} on {:?}: {error:?}{}", self.profile, last.unwrap_or_default())
        })
    }

    fn new_id(&mut self) -> u32 {
        // nginx gives the ids of gone contexts out again.
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// Makes a root context with this configuration.
    pub fn root(&mut self, config: &[u8]) -> Result<Root, String> {
        let id = self.new_id();
        self.enter_context(id);
        self.call::<(u32, u32), ()>("proxy_on_context_create", (id, 0), Phase::Other)?;
        let mut root = Root { id, configured: false };
        if self.profile.abilities().full_life() && self.has("proxy_on_vm_start") {
            let started: u32 = self.call("proxy_on_vm_start", (id, 0_u32), Phase::Other)?;
            if started == 0 {
                return Ok(root);
            }
        }
        self.configure(&mut root, config)?;
        Ok(root)
    }

    /// Calls `on_configure` (again).
    pub fn configure(&mut self, root: &mut Root, config: &[u8]) -> Result<(), String> {
        self.store.data_mut().config = config.to_vec();
        self.store.data_mut().switch(root.id);
        let size = u32::try_from(config.len()).map_err(|error| error.to_string())?;
        let answer: u32 = self.call("proxy_on_configure", (root.id, size), Phase::Configure)?;
        root.configured = answer != 0;
        Ok(())
    }

    /// Deletes a root context.
    pub fn drop_root(&mut self, root: Root) -> Result<(), String> {
        if self.has("proxy_on_done") {
            self.call::<u32, u32>("proxy_on_done", root.id, Phase::Other)?;
        }
        self.call::<u32, ()>("proxy_on_delete", root.id, Phase::Other)?;
        self.free.push(root.id);
        Ok(())
    }

    /// Sends one request through the filter. An error is a trap.
    pub fn request(&mut self, root: Root, request: &Request) -> Result<Trace, String> {
        self.request_with(root, request, &Options::default())
    }

    /// The same with options.
    pub fn request_with(&mut self, root: Root, request: &Request, options: &Options) -> Result<Trace, String> {
        let full = self.profile.abilities().full_life();
        let id = self.new_id();
        self.store.data_mut().switch(id);
        let logged = self.reset(options);
        self.store.data_mut().peer = request.peer;
        self.store.data_mut().policy.clone_from(&request.policy);
        if let Err(status) = self.profile.abilities().prepare(self.store.data_mut(), request) {
            let outcome = Outcome {
                decision: None,
                status,
                reason: None,
                route: None,
                response: Vec::new(),
                body: Vec::new(),
                upstream: None,
            };
            self.free.push(id);
            return Ok(self.trace(End::HostRefused(status), outcome, logged, 0));
        }
        let asked =
            request.introspected.clone().map(|text| (vec![(b":status".to_vec(), b"200".to_vec())], text.into()));
        if asked.is_some() {
            self.store.data_mut().background.clusters.push(ASKED.into());
        }
        self.enter_context(id);
        self.call::<(u32, u32), ()>("proxy_on_context_create", (id, root.id), Phase::Other)?;
        let count = u32::try_from(self.store.data().headers.len()).unwrap_or(0);
        let body = request.body.clone().filter(|_| full).unwrap_or_default();
        let last = u32::from(!full || (options.trailers.is_none() && body.is_empty()));
        let mut action: u32 =
            self.call("proxy_on_request_headers", (id, if full { count } else { 0 }, last), Phase::Request)?;
        let work = FUEL - self.store.get_fuel().unwrap_or(FUEL);
        self.store.data_mut().switch(id);
        if !body.is_empty() && action <= 1 && self.store.data().reply.is_none() {
            action = self.body(id, &body, action, options.trailers.is_none())?;
        }
        // Calls end with the answer of the one who is asked about a token, else with the news that there is none.
        while (!full || asked.is_some())
            && let Some(token) = self.store.data().background.calls.first().map(|call| call.token)
        {
            self.answer(root, token, asked.clone())?;
            self.store.data_mut().switch(id);
        }
        self.store.data_mut().background.clusters.retain(|cluster| cluster != ASKED);
        // What takes the worker longer is done in its own time.
        let mut ticks = 0;
        while full && action != 0 && self.has("proxy_on_tick") && self.waits() && ticks < 100 {
            self.tick(root)?;
            self.store.data_mut().switch(id);
            ticks += 1;
        }
        let action = if self.store.data().background.resumed { 0 } else { action };
        let mut end = match (&self.store.data().reply, action) {
            (Some(_), _) => End::Replied,
            (None, 0) => End::Passed,
            (None, _) => End::Stalled,
        };
        if end == End::Passed && full && options.trailers.is_some() && self.has("proxy_on_request_trailers") {
            let count = options.trailers.as_ref().map_or(0, Vec::len);
            self.store.data_mut().trailers.clone_from(&options.trailers);
            let action: u32 =
                self.call("proxy_on_request_trailers", (id, u32::try_from(count).unwrap_or(0)), Phase::Request)?;
            if action != 0 && self.store.data().reply.is_none() {
                end = End::Stalled;
            } else if self.store.data().reply.is_some() {
                end = End::Replied;
            }
        }
        if end == End::Stalled {
            self.store
                .data_mut()
                .wrongs
                .push("paused without a response: Envoy hangs, an APISIX worker crashes".to_owned());
        }
        self.finish(id)?;
        let outcome = self.outcome(end);
        Ok(self.trace(end, outcome, logged, work))
    }

    /// Hands the body over in two parts, as Envoy does with `allow_on_headers_stop_iteration`; what comes of the head
    /// and it. Octets that are passed on are held no more.
    fn body(&mut self, id: u32, body: &[u8], action: u32, last: bool) -> Result<u32, String> {
        let mut action = action;
        for (end, part) in [(false, &body[..body.len() / 2]), (true, &body[body.len() / 2..])] {
            self.store.data_mut().body.extend(part);
            let size = u32::try_from(self.store.data().body.len()).unwrap_or(u32::MAX);
            let ended = u32::from(end && last);
            action = self.call("proxy_on_request_body", (id, size, ended), Phase::Request)?;
            self.store.data_mut().switch(id);
            if self.store.data().reply.is_some() {
                return Ok(1);
            }
            if action == 0 {
                self.store.data_mut().body.clear();
            }
        }
        Ok(action)
    }

    /// Whether the request at hand waits, and time might help.
    fn waits(&self) -> bool {
        let host = self.store.data();
        host.reply.is_none() && !host.background.resumed && host.background.calls.is_empty()
    }

    /// A stream that ends before its headers came.
    pub fn abandoned(&mut self, root: Root) -> Result<(), String> {
        let id = self.new_id();
        self.call::<(u32, u32), ()>("proxy_on_context_create", (id, root.id), Phase::Other)?;
        self.finish(id)
    }

    /// Lets this VM share data with others of its process.
    pub fn share(&mut self, shared: &Shared) {
        self.store.data_mut().background.shared = shared.clone();
    }

    /// What goes on beside requests.
    pub fn background(&mut self) -> &mut Background {
        &mut self.store.data_mut().background
    }

    /// Sets the clock, in milliseconds.
    pub fn set_now_millis(&mut self, now: u64) {
        self.store.data_mut().now_ns = now * 1_000_000;
    }

    /// Hands over a request, and leaves it waiting if it has to.
    pub fn begin(&mut self, root: Root, request: &Request) -> Result<Stream, String> {
        let (stream, action) = self.head(root, request, 1)?;
        let host = self.store.data_mut();
        if action != 0 && host.reply.is_none() && !host.abilities.full_life() && host.background.calls.is_empty() {
            host.wrongs.push("paused without a call or a response: an APISIX worker crashes".to_owned());
        }
        Ok(stream)
    }

    /// Hands over a head whose body is still to come; what the module says of it.
    pub fn begin_open(&mut self, root: Root, request: &Request) -> Result<(Stream, u32), String> {
        self.head(root, request, 0)
    }

    fn head(&mut self, root: Root, request: &Request, end: u32) -> Result<(Stream, u32), String> {
        let id = self.new_id();
        self.store.data_mut().switch(id);
        self.reset(&Options::default());
        self.store.data_mut().peer = request.peer;
        self.store.data_mut().policy.clone_from(&request.policy);
        self.profile.abilities().prepare(self.store.data_mut(), request).map_err(|status| format!("{status}"))?;
        self.enter_context(id);
        self.call::<(u32, u32), ()>("proxy_on_context_create", (id, root.id), Phase::Other)?;
        let count = u32::try_from(self.store.data().headers.len()).unwrap_or(0);
        let action: u32 = self.call("proxy_on_request_headers", (id, count, end), Phase::Request)?;
        let host = self.store.data_mut();
        host.switch(id);
        host.background.resumed = action == 0;
        Ok((Stream(id), action))
    }

    /// Hands over a part of a body that is held; what the module says of it.
    pub fn data(&mut self, stream: Stream, part: &[u8], end: bool) -> Result<u32, String> {
        self.store.data_mut().switch(stream.0);
        self.store.data_mut().body.extend(part);
        let size = u32::try_from(self.store.data().body.len()).unwrap_or(u32::MAX);
        let action = self.call("proxy_on_request_body", (stream.0, size, u32::from(end)), Phase::Request)?;
        self.store.data_mut().switch(stream.0);
        if action == 0 {
            self.store.data_mut().body.clear();
            self.store.data_mut().background.resumed = true;
        }
        Ok(action)
    }

    /// Hands over trailers; what the module says of them.
    pub fn trailers(&mut self, stream: Stream, trailers: Pairs) -> Result<u32, String> {
        self.store.data_mut().switch(stream.0);
        let count = u32::try_from(trailers.len()).unwrap_or(0);
        self.store.data_mut().trailers = Some(trailers);
        let action = self.call("proxy_on_request_trailers", (stream.0, count), Phase::Request)?;
        self.store.data_mut().switch(stream.0);
        self.store.data_mut().background.resumed |= action == 0;
        Ok(action)
    }

    /// The trailers of a request as they are now.
    pub fn trailers_now(&mut self, stream: Stream) -> Option<Pairs> {
        self.store.data_mut().switch(stream.0);
        self.store.data().trailers.clone()
    }

    /// The answer to a request, if there is one: its status and body.
    pub fn reply_now(&mut self, stream: Stream) -> Option<(u32, String)> {
        self.store.data_mut().switch(stream.0);
        let reply = self.store.data().reply.as_ref();
        reply.map(|reply| (reply.status, String::from_utf8_lossy(&reply.body).into_owned()))
    }

    /// Where a request stands: [`End::Stalled`] while it waits.
    pub fn stands(&mut self, stream: Stream) -> End {
        let host = self.store.data_mut();
        host.switch(stream.0);
        match (&host.reply, host.background.resumed) {
            (Some(_), _) => End::Replied,
            (None, true) => End::Passed,
            (None, false) => End::Stalled,
        }
    }

    /// What came of a request, whose stream ends; one that waits ends because its caller left.
    pub fn end(&mut self, stream: Stream) -> Result<Outcome, String> {
        let end = self.stands(stream);
        let outcome = self.outcome(end);
        let phase = Phase::Other;
        self.call::<u32, ()>("proxy_on_delete", stream.0, phase)?;
        let background = &mut self.store.data_mut().background;
        background.contexts.retain(|context| *context != stream.0);
        background.calls.retain(|call| call.context != stream.0);
        self.free.push(stream.0);
        Ok(outcome)
    }

    /// Calls `on_tick`.
    pub fn tick(&mut self, root: Root) -> Result<(), String> {
        self.store.data_mut().switch(root.id);
        self.call("proxy_on_tick", root.id, Phase::Request)
    }

    /// Answers a call; `None` is the news that there will be no answer.
    pub fn answer(&mut self, root: Root, token: u32, answer: Option<(Pairs, Vec<u8>)>) -> Result<(), String> {
        let host = self.store.data_mut();
        let full = host.abilities.full_life();
        let at = host.background.calls.iter().position(|call| call.token == token);
        let call = host.background.calls.remove(at.ok_or("no such call")?);
        host.switch(call.context);
        let (headers, size) = answer.as_ref().map_or((0, 0), |(headers, body)| (headers.len(), body.len()));
        host.background.response = answer;
        let made = host.background.made;
        // APISIX names the root whoever called.
        let context = if full { call.context } else { root.id };
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.call::<_, ()>(
            "proxy_on_http_call_response",
            (context, token, number(headers), number(size), 0_u32),
            Phase::Request,
        )?;
        let host = self.store.data_mut();
        host.background.response = None;
        if !full {
            host.switch(call.context);
            // Silence is consent there.
            if host.reply.is_none() && host.background.made == made && !host.background.resumed {
                host.wrongs.push("a call's answer without a decision: APISIX lets the request pass".to_owned());
            }
        }
        Ok(())
    }

    fn enter_context(&mut self, id: u32) {
        let contexts = &mut self.store.data_mut().background.contexts;
        if !contexts.contains(&id) {
            contexts.push(id);
        }
    }

    /// Clears what belongs to one request; gives the number of log lines so far.
    fn reset(&mut self, options: &Options) -> usize {
        let host = self.store.data_mut();
        host.headers.clear();
        host.target.clear();
        host.args = None;
        host.trailers = None;
        host.body.clear();
        host.states.clear();
        host.increments.clear();
        host.reply = None;
        host.background.resumed = false;
        host.calls.clear();
        host.map_bytes.clone_from(&options.map_bytes);
        host.logs.len()
    }

    /// The end of a stream, in the order of the host; only exported callbacks are called.
    fn finish(&mut self, id: u32) -> Result<(), String> {
        let full = self.profile.abilities().full_life();
        if self.has("proxy_on_done") {
            self.call::<u32, u32>("proxy_on_done", id, Phase::Other)?;
        }
        if full && self.has("proxy_on_log") {
            self.call::<u32, ()>("proxy_on_log", id, Phase::Other)?;
        }
        self.call::<u32, ()>("proxy_on_delete", id, Phase::Other)?;
        self.store.data_mut().background.contexts.retain(|context| *context != id);
        self.free.push(id);
        Ok(())
    }

    fn trace(&mut self, end: End, outcome: Outcome, logged: usize, work: u64) -> Trace {
        let host = self.store.data_mut();
        Trace {
            end,
            outcome,
            calls: std::mem::take(&mut host.calls),
            increments: std::mem::take(&mut host.increments),
            states: std::mem::take(&mut host.states),
            logs: host.logs.get(logged..).unwrap_or_default().to_vec(),
            trailers: host.trailers.take(),
            wrongs: std::mem::take(&mut host.wrongs),
            work,
        }
    }

    fn outcome(&mut self, end: End) -> Outcome {
        let host = self.store.data_mut();
        let text = |pairs: Pairs| -> Vec<(String, Vec<u8>)> {
            pairs.into_iter().map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), value)).collect()
        };
        let mut outcome = Outcome {
            decision: None,
            status: 0,
            reason: None,
            route: None,
            response: Vec::new(),
            body: Vec::new(),
            upstream: None,
        };
        match (end, host.reply.clone()) {
            (_, Some(reply)) => {
                let (status, headers, body) = host.abilities.response(host, &reply);
                check_reply(host, &reply, &headers, &body);
                let served = SERVED.contains(&reply.details.as_slice());
                outcome.decision = Some(if served { "serve" } else { "deny" }.to_owned());
                outcome.status = status;
                outcome.reason = reason(&reply);
                outcome.response = text(headers);
                outcome.body = body;
            }
            (End::Passed, None) => {
                outcome.decision = Some("allow".to_owned());
                outcome.status = 200;
                outcome.upstream = Some(text(host.abilities.upstream(host)));
            }
            _ => {}
        }
        outcome
    }
}

/// What the host is told where the module does not refuse.
const SERVED: [&[u8]; 2] = [b"gatekey_document", b"gatekey_token"];

/// The reason in `gatekey{REASON}`.
fn reason(reply: &Reply) -> Option<String> {
    let details = std::str::from_utf8(&reply.details).ok()?;
    details.strip_prefix("gatekey{")?.strip_suffix('}').map(str::to_owned)
}

/// Both hosts need a body, a content type and details of our form.
fn check_reply(host: &mut Host, reply: &Reply, headers: &Pairs, body: &[u8]) {
    let grpc = headers.iter().any(|(name, _)| name == b"grpc-status");
    if reason(reply).is_none() && !SERVED.contains(&reply.details.as_slice()) {
        host.wrongs
            .push(format!("response details are not gatekey{{REASON}}: {:?}", String::from_utf8_lossy(&reply.details)));
    }
    if body.is_empty() && (!grpc || !host.abilities.full_life()) {
        host.wrongs.push("a response without a body: APISIX sends an HTML page in its place".to_owned());
    }
    if !headers.iter().any(|(name, _)| name == b"content-type") {
        host.wrongs.push("a response without a content type".to_owned());
    }
}

/// The limits that every VM gets.
pub fn limits() -> StoreLimits {
    StoreLimitsBuilder::new().memory_size(MEMORY).build()
}
