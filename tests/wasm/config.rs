//! How the module takes its configuration: in every form that a host hands over, good and bad.

use serde_json::{Value, json};

use crate::lab::{ENV, SECRET, env, get, mangle, no_secrets, policy, requests, vm};
use crate::support::now_seconds;
use crate::wasm_host::{End, Level, Profile, Root, Vm};

fn start(profile: Profile, env: &[(String, String)]) -> Vm {
    Vm::start(profile, env, now_seconds()).unwrap_or_else(|error| panic!("{error}"))
}

fn configure(vm: &mut Vm, config: &str) -> Root {
    vm.root(config.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn errors(vm: &Vm) -> Vec<String> {
    vm.logs().iter().filter(|(level, _)| *level >= Level::Error).map(|(_, text)| text.clone()).collect()
}

/// Every kind of request behaves under this configuration as under the plain one.
fn works(profile: Profile, what: &str, config: &str) {
    let mut vm = start(profile, &env());
    let root = configure(&mut vm, config);
    assert!(root.configured, "{profile:?}, {what}: refused: {:?}", vm.logs());
    for (name, kind, request) in requests() {
        let trace = vm.request(root, &request).unwrap_or_else(|error| panic!("{what}, {name}: {error}"));
        let passed = trace.end == End::Passed;
        assert_eq!(
            passed,
            kind != crate::lab::Kind::Bad,
            "{profile:?}, {what}, {name}: {:?} {:?}",
            trace.end,
            trace.outcome
        );
    }
}

#[test]
fn every_form_of_a_policy() {
    let mut wide = policy();
    wide["version"] = json!(1);
    wide["mode"] = json!("enforce");
    wide["revoked"] = json!({ "jti": [], "sub": [], "client": [] });
    wide["upstream"]["strip"] = json!([]);
    wide["deny"] = Value::Null;
    let mut spaced = serde_json::to_string_pretty(&wide).expect("JSON");
    spaced.push('\n');
    for profile in Profile::ALL {
        works(profile, "object", &wide.to_string());
        works(profile, "object with white space", &spaced);
        works(profile, "string that holds the object", &json!(wide.to_string()).to_string());
        works(profile, "as APISIX re-encodes it", &mangle(&wide).to_string());
        works(profile, "a string that holds the re-encoded object", &json!(mangle(&wide).to_string()).to_string());
    }
    assert!(mangle(&wide).to_string().contains("\"version\":1.0"), "the test mangles numbers");
    assert!(mangle(&wide).to_string().contains("\"jti\":{}"), "the test mangles lists");
}

#[test]
fn a_bad_policy_is_refused_and_says_why_once() {
    let bad = json!({ "issuers": { "app": { "secret": "a-bare-secret-0123456789abcdef01234567" } }, "bogus": 1, "mode": "off" });
    for profile in Profile::ALL {
        let mut vm = start(profile, &env());
        let mut root = configure(&mut vm, &bad.to_string());
        assert!(!root.configured, "{profile:?}: a bad policy was taken");
        let said = errors(&vm);
        for part in ["bogus", "mode", "secret"] {
            assert!(said.iter().any(|line| line.contains(part)), "{profile:?}: no error names {part}: {said:?}");
        }
        no_secrets(&["a-bare-secret-0123456789abcdef01234567".to_owned()], vm.logs())
            .expect("no secret in a config error");
        // APISIX configures again in each request, twice: the same context or a new one.
        for _ in 0..3 {
            vm.configure(&mut root, bad.to_string().as_bytes()).expect("no trap");
            assert!(!root.configured);
            let again = configure(&mut vm, &bad.to_string());
            assert!(!again.configured);
            for (name, _, request) in requests() {
                let trace = vm.request(again, &request).expect("no trap");
                assert_eq!(
                    (trace.end, trace.outcome.status),
                    (End::Replied, 503),
                    "{profile:?}, {name}: {:?}",
                    trace.outcome
                );
            }
            vm.drop_root(again).expect("no trap");
        }
        let after = errors(&vm);
        assert_eq!(said, after, "{profile:?}: each config error is logged once");
        let mut unique = after.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), after.len(), "{profile:?}: {after:?}");
    }
}

#[test]
fn a_root_that_was_good_and_is_reconfigured_badly_fails_closed() {
    for profile in Profile::ALL {
        let (mut vm, mut root) = vm(profile);
        vm.configure(&mut root, b"{\"nonsense\": true}").expect("no trap");
        assert!(!root.configured);
        for (name, kind, request) in requests() {
            let trace = vm.request(root, &request).expect("no trap");
            if kind == crate::lab::Kind::Bad {
                assert_eq!(trace.end, End::Replied, "{profile:?}, {name}");
            }
        }
    }
}

#[test]
fn what_is_no_policy_at_all() {
    let deep = "[".repeat(100_000);
    let long = format!("{{\"issuers\":{{\"{}\":{{}}}}}}", "a".repeat(100_000));
    let texts = [
        "",
        " ",
        "null",
        "{}",
        "[]",
        "1",
        "\"\"",
        "\"{\"",
        "{",
        "{\"issuers\":{}}",
        "\u{0}",
        "\u{feff}{}",
        "true",
        &deep,
        &long,
    ];
    for profile in Profile::ALL {
        for text in texts {
            let mut vm = start(profile, &env());
            let root = configure(&mut vm, text);
            let shown = text.get(..30).unwrap_or(text);
            assert!(!root.configured, "{profile:?}: {shown:?} was taken as a policy");
            assert!(!errors(&vm).is_empty(), "{profile:?}: {shown:?} is refused without a word");
            assert_eq!(vm.take_wrongs(), Vec::<String>::new(), "{profile:?}: {shown:?}");
            for (name, _, request) in requests() {
                let trace = vm.request(root, &request).expect("no trap");
                assert_eq!((trace.end, trace.outcome.status), (End::Replied, 503), "{profile:?}, {shown:?}, {name}");
            }
        }
        let mut vm = start(profile, &env());
        let root = vm.root(b"{\"issuers\":\xff\xfe}").expect("no trap");
        assert!(!root.configured, "{profile:?}: bytes that are not UTF-8 were taken");
    }
}

#[test]
fn a_missing_variable_is_a_config_error() {
    for profile in Profile::ALL {
        for env in [vec![], vec![(ENV.to_owned(), String::new())], vec![("OTHER".to_owned(), SECRET.to_owned())]] {
            let mut vm = start(profile, &env);
            let root = configure(&mut vm, &policy().to_string());
            assert!(!root.configured, "{profile:?}: a policy without its secret was taken ({env:?})");
            let place = "issuers.app.secret";
            assert!(errors(&vm).iter().any(|line| line.contains(place)), "{profile:?}: {:?}", vm.logs());
        }
    }
}

#[test]
fn the_start_is_logged_once_and_shows_no_secret() {
    for profile in Profile::ALL {
        let (mut vm, root) = vm(profile);
        let starts = |vm: &Vm| vm.logs().iter().filter(|(level, _)| *level == Level::Info).count();
        assert_eq!(starts(&vm), 1, "{profile:?}: {:?}", vm.logs());
        for _ in 0..5 {
            for (_, _, request) in requests() {
                vm.request(root, &request).expect("no trap");
            }
        }
        assert_eq!(starts(&vm), 1, "{profile:?}: {:?}", vm.logs());
        let digest =
            policy()["clients"]["acme"]["keys"][0].as_str().expect("a key").trim_start_matches("sha256:").to_owned();
        no_secrets(&[SECRET.to_owned(), crate::lab::KEY.to_owned(), digest], vm.logs()).expect("clean logs");
    }
}

#[test]
fn the_configuration_is_counted() {
    let mut vm = start(Profile::Envoy, &env());
    configure(&mut vm, &policy().to_string());
    let good = ("gatekey_config_total.result=ok".to_owned(), 1);
    assert!(vm.increments().contains(&good), "{:?}", vm.increments());
    configure(&mut vm, "{}");
    let bad = ("gatekey_config_total.result=error".to_owned(), 1);
    assert!(vm.increments().contains(&bad), "{:?}", vm.increments());
}

/// A provider's key goes to its cluster alone; a host without clusters has one upstream for each policy.
#[test]
fn each_host_knows_where_a_providers_key_goes() {
    let policy = |cluster: Value| {
        let mut provider = json!({ "header": "x-secret", "secret": { "value": "real-0123456789" } });
        provider["cluster"] = cluster;
        json!({
            "clients": { "acme": { "key": { "plain": "gk_live_acme0123456789" } } },
            "providers": { "p": provider },
            "routes": [{ "allow": "acme", "provider": "p" }],
        })
    };
    for (profile, cluster, taken) in [
        (Profile::Envoy, json!("echo"), true),
        (Profile::Envoy, Value::Null, false),
        (Profile::Apisix, Value::Null, true),
        (Profile::Apisix, json!("echo"), false),
    ] {
        let mut vm = start(profile, &[]);
        let root = configure(&mut vm, &policy(cluster).to_string());
        assert_eq!(root.configured, taken, "{profile:?}");
        if taken {
            let trace = vm.request(root, &get("/x", &[("X-Api-Key", "gk_live_acme0123456789")])).expect("no trap");
            let upstream = trace.outcome.upstream.expect("it passes");
            let sent = |name: &str| upstream.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice());
            assert_eq!((sent("x-secret"), sent("x-api-key")), (Some(b"real-0123456789".as_slice()), None));
        } else {
            assert!(errors(&vm).iter().any(|line| line.contains("cluster")), "{profile:?}: {:?}", vm.logs());
        }
    }
}

/// A slip in the name of a cluster is told, once for each cluster that requests go to.
#[test]
fn a_provider_behind_another_cluster_is_told_once() {
    let policy = json!({
        "clients": { "acme": { "key": { "plain": "gk_live_acme0123456789" } } },
        "providers": { "p": { "header": "x-secret", "cluster": "eccho", "secret": { "value": "real-0123456789" } } },
        "routes": [{ "path": "/p/**", "allow": "acme", "provider": "p" }],
    });
    let mut vm = start(Profile::Envoy, &[]);
    let root = configure(&mut vm, &policy.to_string());
    for path in ["/p/x", "/else", "/p/x"] {
        let trace = vm.request(root, &get(path, &[("X-Api-Key", "gk_live_acme0123456789")])).expect("no trap");
        assert_eq!(trace.outcome.reason.as_deref(), Some("no_route"), "{path}");
    }
    let told: Vec<_> = vm.logs().iter().filter(|(_, line)| line.contains("to the cluster \"echo\"")).collect();
    assert!(told.len() == 1 && told[0].1.contains("provider p:"), "{:?}", vm.logs());
}
