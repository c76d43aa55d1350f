//! Host calls that fail and maps that lie: the module never traps, and nobody gets in because of it.

use crate::lab::{Kind, env, policy, requests, vm};
use crate::support::{Request, now_seconds};
use crate::wasm_host::memory::encode;
use crate::wasm_host::state::Host;
use crate::wasm_host::{End, Fault, Options, Profile, Root, Trace, Vm, module};

/// Statuses that hosts really answer.
const STATUSES: [u32; 4] = [1, 2, 10, 12];

/// Calls that return bytes may also answer 0 and give none.
fn statuses(call: &str) -> impl Iterator<Item = u32> {
    let gives =
        ["_bytes", "_pairs", "_value", "_property"].iter().any(|end| call.ends_with(end)) && call.contains("_get_");
    STATUSES.into_iter().chain(gives.then_some(0))
}

/// What must hold whatever the host does.
fn safe(kind: Kind, trace: &Trace) -> Result<(), String> {
    if kind == Kind::Bad && trace.end == End::Passed {
        return Err("passed without a good credential".to_owned());
    }
    for (name, value) in trace.outcome.upstream.iter().flatten() {
        if value == b"mallory" {
            return Err(format!("the service got the client's own {name}: mallory"));
        }
    }
    Ok(())
}

/// All kinds of requests while `fault` holds; gives what went wrong.
fn under(vm: &mut Vm, root: Root, fault: &Fault) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, kind, request) in requests() {
        let trace = match vm.request(root, &request) {
            Ok(trace) => trace,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                return wrong;
            }
        };
        if let Err(error) = safe(kind, &trace) {
            wrong.push(format!("{name}: {error}"));
        }
        if trace.end == End::Passed && !root.configured {
            wrong.push(format!("{name}: passed although on_configure had refused"));
        }
        let unanswered = fault.call == "proxy_send_local_response";
        wrong.extend(trace.wrongs.iter().filter(|_| !unanswered).map(|wrong| format!("{name}: {wrong}")));
    }
    wrong
}

/// The VM must be as good as new once the host is well again.
fn recovers(vm: &mut Vm, root: Root) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, kind, request) in requests() {
        match vm.request(root, &request) {
            Ok(trace) if (trace.end == End::Passed) == (kind != Kind::Bad) => {}
            Ok(trace) => wrong.push(format!("afterwards, {name}: {:?} {:?}", trace.end, trace.outcome.reason)),
            Err(error) => wrong.push(format!("afterwards, {name}: {error}")),
        }
    }
    wrong
}

fn inject(profile: Profile) {
    let calls = module::host_calls();
    assert!(calls.iter().any(|call| call == "proxy_send_local_response"), "{calls:?}");
    let mut wrong = Vec::new();
    let mut runs = 0;
    for call in &calls {
        for status in statuses(call) {
            let fault = Fault { call: call.clone(), status };
            for early in [false, true] {
                runs += 1;
                let mut found = Vec::new();
                let mut vm = Vm::start(profile, &env(), now_seconds()).unwrap_or_else(|error| panic!("{error}"));
                vm.set_fault(early.then(|| fault.clone()));
                match vm.root(policy().to_string().as_bytes()) {
                    Err(error) => found.push(error),
                    Ok(root) => {
                        vm.set_fault(Some(fault.clone()));
                        found.extend(under(&mut vm, root, &fault));
                        vm.set_fault(None);
                        if root.configured && !found.iter().any(|text| text.contains("TRAP")) {
                            found.extend(recovers(&mut vm, root));
                        }
                    }
                }
                let when = if early { "from the start" } else { "in requests" };
                wrong.extend(found.into_iter().map(|text| format!("{call} answers {status} {when}: {text}")));
            }
        }
    }
    println!("faults ({}): {runs} runs over {} host calls, {} wrong", profile.rung(), calls.len(), wrong.len());
    assert!(wrong.is_empty(), "{:?}:\n{}", profile, wrong.join("\n"));
}

#[test]
fn failing_host_calls_as_envoy() {
    inject(Profile::Envoy);
}

#[test]
fn failing_host_calls_as_apisix() {
    inject(Profile::Apisix);
}

/// The map that Envoy would hand out for a request.
fn map_of(request: &Request) -> Vec<u8> {
    let abilities = Profile::Envoy.abilities();
    let mut host = Host::new(abilities, &[], 0);
    abilities.prepare(&mut host, request).expect("a good request");
    encode(&host.headers)
}

/// Broken forms of a map: cut anywhere, counts and sizes that lie, bytes behind the end.
fn broken(map: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut out: Vec<(String, Vec<u8>)> =
        (0..map.len()).map(|len| (format!("cut to {len}"), map[..len].to_vec())).collect();
    let count = u32::from_le_bytes([map[0], map[1], map[2], map[3]]);
    let words = usize::try_from(count).expect("small") * 2 + 1;
    for word in 0..words {
        let at = word * 4;
        let old = u32::from_le_bytes([map[at], map[at + 1], map[at + 2], map[at + 3]]);
        for new in [
            0,
            1,
            old.wrapping_add(1),
            old.wrapping_sub(1),
            0x00ff_ffff,
            0x1fff_ffff,
            0x2000_0000,
            0x7fff_ffff,
            0x8000_0000,
            u32::MAX,
        ] {
            if new != old {
                let mut bytes = map.to_vec();
                bytes[at..at + 4].copy_from_slice(&new.to_le_bytes());
                out.push((format!("word {word} is {new}"), bytes));
            }
        }
    }
    let longer = [map, b"x-user\0root\0"].concat();
    out.push(("bytes behind the end".to_owned(), longer));
    for size in [1, 3, 4, 5, 12, 64] {
        out.push((format!("{size} times 0xff"), vec![0xff; size]));
        out.push((format!("{size} times 0"), vec![0; size]));
    }
    out
}

#[test]
fn malformed_header_maps_never_trap() {
    let (mut vm, mut root) = vm(Profile::Envoy);
    let mut wrong = Vec::new();
    let mut runs = 0;
    for (name, kind, request) in requests() {
        for (what, bytes) in broken(&map_of(&request)) {
            runs += 1;
            let options = Options { map_bytes: Some(bytes), ..Options::default() };
            match vm.request_with(root, &request, &options) {
                // A map that lies may hide the client's header from the module: only who gets in is judged here.
                Ok(trace) if kind == Kind::Bad && trace.end == End::Passed => {
                    wrong.push(format!("{name}, {what}: passed without a good credential"));
                }
                Ok(trace) => wrong.extend(trace.wrongs.iter().map(|wrong| format!("{name}, {what}: {wrong}"))),
                Err(error) => {
                    wrong.push(format!("{name}, {what}: {error}"));
                    (vm, root) = crate::lab::vm(Profile::Envoy);
                }
            }
        }
    }
    wrong.extend(recovers(&mut vm, root));
    println!("malformed maps: {runs} runs, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
