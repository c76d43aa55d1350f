//! The release module in an in-process host: the whole case table as Envoy and as APISIX, and what only a host can show.

mod support;
#[path = "support/wasm_host/mod.rs"]
mod wasm_host;

#[path = "wasm/audit.rs"]
mod audit;
#[path = "wasm/bodies.rs"]
mod bodies;
#[path = "wasm/config.rs"]
mod config;
#[path = "wasm/faults.rs"]
mod faults;
#[path = "wasm/fetch.rs"]
mod fetch;
#[path = "wasm/host.rs"]
mod host;
#[path = "wasm/introspect.rs"]
mod introspect;
#[path = "wasm/lab.rs"]
mod lab;
#[path = "wasm/life.rs"]
mod life;
#[path = "wasm/lists.rs"]
mod lists;

#[path = "wasm/passwords.rs"]
mod passwords;

#[path = "wasm/offload.rs"]
mod offload;

use std::collections::BTreeMap;

use serde_json::Value;
use support::{Case, CaseFile, Rung, Tally, check, load_all, now_seconds};
use wasm_host::{End, Profile, Root, Trace, Vm};

#[test]
fn table_as_envoy() {
    run_table(Profile::Envoy);
}

#[test]
fn table_as_apisix() {
    run_table(Profile::Apisix);
}

fn rung(profile: Profile) -> Rung {
    match profile {
        Profile::Envoy => Rung::Wasm,
        Profile::Apisix => Rung::Apisix,
    }
}

/// One VM for all files, as one Envoy with many listeners: roots must not disturb each other.
struct Table {
    profile: Profile,
    env: Vec<(String, String)>,
    now: u64,
    vm: Vm,
}

impl Table {
    fn new(profile: Profile, files: &[CaseFile], now: u64) -> Table {
        let mut env: Vec<(String, String)> = files.iter().flat_map(|file| file.env.clone()).collect();
        env.sort();
        env.dedup();
        let vm = Vm::start(profile, &env, now).unwrap_or_else(|error| panic!("{error}"));
        Table { profile, env, now, vm }
    }

    fn root(&mut self, policy: &Value) -> Result<Root, String> {
        let text = match self.profile {
            Profile::Envoy => policy.to_string(),
            Profile::Apisix => lab::mangle(policy).to_string(),
        };
        let seen = self.vm.logs().len();
        let root = self.vm.root(text.as_bytes())?;
        if root.configured {
            return Ok(root);
        }
        let said: Vec<&str> = self.vm.logs()[seen..].iter().map(|(_, text)| text.as_str()).collect();
        Err(format!("on_configure refused the policy: {}", said.join(" | ")))
    }

    fn restart(&mut self) {
        self.vm = Vm::start(self.profile, &self.env, self.now).unwrap_or_else(|error| panic!("{error}"));
    }
}

fn run_table(profile: Profile) {
    let now = now_seconds();
    let files = load_all(now);
    let mut table = Table::new(profile, &files, now);
    let mut tally = Tally::new(profile.rung());
    let mut costs = Costs::default();
    for file in &files {
        if profile == Profile::Apisix && lab::beyond_apisix(&file.policy) {
            let what = "a policy that this host cannot carry out is refused";
            tally.add(&file.name, what, refused_policy(&mut table, &file.policy));
            continue;
        }
        let mut root = table.root(&file.policy);
        for case in &file.cases {
            if !case.rungs.contains(&rung(profile)) || case.request.raw.is_some() {
                continue;
            }
            let result = match &root {
                Err(error) => Err(error.clone()),
                Ok(ready) => table.vm.request(*ready, &case.request).and_then(|trace| {
                    costs.add(case, &trace);
                    judge(profile, file, case, trace)
                }),
            };
            if result.as_ref().is_err_and(|error| error.contains("TRAP")) {
                table.restart();
                root = table.root(&file.policy);
            }
            tally.add(&file.name, &case.name, result);
        }
        tally.add(&file.name, "nothing confidential is logged", lab::no_secrets(&file.confidential, table.vm.logs()));
    }
    costs.print(profile);
    tally.finish();
    if profile == Profile::Envoy {
        costs.check();
    }
}

/// A policy that this host cannot carry out: refused when it is configured, and every request with it.
fn refused_policy(table: &mut Table, policy: &Value) -> Result<(), String> {
    let root = table.vm.root(lab::mangle(policy).to_string().as_bytes())?;
    if root.configured {
        return Err("the policy was taken".to_owned());
    }
    for (name, _, request) in lab::requests() {
        let trace = table.vm.request(root, &request)?;
        if (trace.end, trace.outcome.status) != (End::Replied, 503) {
            return Err(format!("{name}: {:?} {}", trace.end, trace.outcome.status));
        }
    }
    Ok(())
}

/// Compares one request with its case, after what every request must keep to.
fn judge(profile: Profile, file: &CaseFile, case: &Case, mut trace: Trace) -> Result<(), String> {
    if let End::HostRefused(status) = trace.end {
        // The host answered by itself; the module never saw the request.
        return if (400..500).contains(&status) { Ok(()) } else { Err(format!("the host answered {status}")) };
    }
    if !trace.wrongs.is_empty() {
        return Err(trace.wrongs.join("; "));
    }
    for secret in &file.confidential {
        let shown = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        if shown(&trace.outcome.body) || trace.outcome.response.iter().any(|(_, value)| shown(value)) {
            return Err("the response shows a token or a secret".to_owned());
        }
    }
    let mut seen_as = rung(profile);
    if profile == Profile::Envoy {
        counters(&mut trace)?;
        if case.expect.grpc_status.is_some() && case.expect.envoy_status.is_none() {
            // This host turns the answer into a gRPC one, as the real Envoy does.
            seen_as = Rung::Envoy;
        }
    } else if file.policy.get("mode").and_then(Value::as_str) == Some("report") {
        // No counter shows the decision there.
        trace.outcome.decision = None;
    }
    check(case, seen_as, &trace.outcome)
}

/// The counter must move once and tell the same story as the answer; what only it tells goes into the outcome.
fn counters(trace: &mut Trace) -> Result<(), String> {
    let requests: Vec<_> =
        trace.increments.iter().filter(|(name, _)| name.starts_with("gatekey_requests_total")).collect();
    if requests.len() != 1 || requests[0].1 != 1 {
        return Err(format!("gatekey_requests_total must count each request once: {:?}", trace.increments));
    }
    let label =
        |name: &str| trace.label(name).map(str::to_owned).ok_or_else(|| format!("no label {name} in {requests:?}"));
    let (result, reason, route) = (label("result")?, label("reason")?, label("route")?);
    if matches!(result.as_str(), "deny" | "serve") != (trace.end == End::Replied) {
        return Err(format!("counted as {result}, but the request was {:?}", trace.end));
    }
    let reason = (reason != "none").then_some(reason);
    if result == "deny" && reason != trace.outcome.reason {
        return Err(format!("counted as {reason:?}, response details say {:?}", trace.outcome.reason));
    }
    for (name, value) in &trace.states {
        let value = String::from_utf8_lossy(value);
        if (name.ends_with("_result") && value != result)
            || (name.ends_with("_reason") && Some(value.as_ref()) != reason.as_deref())
        {
            return Err(format!("filter state {name} is {value}, the counter says {result} {reason:?}"));
        }
    }
    trace.outcome.decision = Some(result);
    trace.outcome.reason = reason;
    trace.outcome.route = Some(route);
    Ok(())
}

/// Host calls of allowed requests, by what was presented.
#[derive(Default)]
struct Costs(BTreeMap<&'static str, Vec<(usize, usize, u64)>>);

impl Costs {
    fn add(&mut self, case: &Case, trace: &Trace) {
        let kind = match (trace.end, trace.label("credential")) {
            (End::Passed, Some(shown)) if shown.contains("basic") => "good password",
            (End::Passed, _) if trace.calls.contains_key("proxy_http_call") => "good, after asking its issuer",
            (End::Passed, _) if trace.calls.contains_key("proxy_get_buffer_bytes") => "good, after a look at the body",
            (End::Passed, _) if trace.calls.contains_key("proxy_get_property") => "good, after a look at the peer",
            (End::Passed, _) if trace.calls.contains_key("proxy_call_foreign_function") => {
                "good, with a signature that the host checks or makes"
            }
            (End::Passed, Some("jwt")) => "good token",
            (End::Passed, Some("key")) => "good key",
            (End::Passed, Some("none")) => "public",
            (End::Passed, None) => "allowed",
            (End::Replied, _) => "refused",
            _ => return,
        };
        if case.expect.decision == "report" {
            return;
        }
        let (bytes, others) = trace.cost();
        self.0.entry(kind).or_default().push((bytes, others, trace.work));
    }

    fn print(&self, profile: Profile) {
        for (kind, costs) in &self.0 {
            let pick = |of: fn(&(usize, usize, u64)) -> u64| {
                let mut all: Vec<u64> = costs.iter().map(of).collect();
                all.sort_unstable();
                (all[all.len() / 2], all[all.len() - 1])
            };
            let (bytes, bytes_most) = pick(|cost| cost.0.try_into().expect("small"));
            let (others, others_most) = pick(|cost| cost.1.try_into().expect("small"));
            let (work, work_most) = pick(|cost| cost.2);
            println!(
                "host calls ({}): {kind}: {bytes} returning bytes, {others} others (at most {bytes_most} and {others_most}); \
                 {work} instructions (at most {work_most}); {} requests",
                profile.rung(),
                costs.len()
            );
        }
    }

    /// Each call that returns bytes costs as much as a small request does otherwise: one is the budget.
    fn check(&self) {
        for kind in ["good token", "good key"] {
            let most = self.0.get(kind).and_then(|costs| costs.iter().map(|cost| cost.0).max());
            let most = most.unwrap_or_else(|| panic!("the table has no {kind}"));
            assert!(most <= 1, "{kind}: {most} host calls that return bytes, one is allowed");
        }
        // The head once more, the body, and where it goes.
        let most = self.0.get("good, after a look at the body").and_then(|costs| costs.iter().map(|cost| cost.0).max());
        assert!(most <= Some(4), "{most:?} host calls that return bytes for a look at the body");
        let most = self.0.get("good, after a look at the peer").and_then(|costs| costs.iter().map(|cost| cost.0).max());
        assert!(most <= Some(2), "{most:?} host calls that return bytes for one thing more to know");
    }
}
