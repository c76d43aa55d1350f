//! The official libraries of OpenAI and Anthropic through a real Envoy, with keys that only gatekey knows, to a stand-in
//! for the providers.

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::envoy::{AfterTrap, Envoy, Setup, available, turn};
use support::http::get;
use support::load_one;
use support::now_seconds;
use support::say;
use support::service::{Service, libraries};

const KEY: &str = "gk_live_acme0123456789";
/// Keys of providers, as the policy of the table has them.
const REAL: [&str; 3] = ["sk-real-openai-0123456789", "sk-real-beta-0123456789", "sk-ant-real-0123456789"];

#[test]
fn official_libraries_chat_with_virtual_keys() {
    let Some((launch, module)) = available() else { return };
    // Before the libraries are installed, which two must not do at once.
    let _turn = turn();
    let Some(packages) = libraries() else { return };
    let provider = Service::start("provider.py", &[], "");
    let policy = load_one("providers", now_seconds()).policy;
    let setup = Setup {
        module: std::fs::read(module).expect("the module"),
        policies: vec![("main".into(), policy.clone())],
        env: Vec::new(),
        after_trap: AfterTrap::FailReload,
        workers: 2,
        upstream: provider.address,
        clusters: Vec::new(),
        offload: true,
        tls: false,
    };
    let envoy = Envoy::start(&launch, &setup).unwrap_or_else(|why| panic!("{why}"));
    let (told, errors) = chat(&envoy, &packages);
    let seen: Value =
        serde_json::from_slice(&get(provider.address, "/seen", &[]).expect("an answer").body).expect("JSON");
    // Two calls of each library came; refusals did not.
    assert_eq!(seen.as_array().expect("a list").len(), 4, "{seen}");
    assert!(!seen.to_string().contains(KEY), "a virtual key went on to the provider");
    let request = format!(
        r#"{{"method":"POST","path":"/openai/v1/chat/completions","headers":[["Authorization","Bearer {KEY}"]],"body":"{{\"model\":\"gpt-4o\"}}"}}"#
    );
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (file, list) = (folder.join("providers.json"), folder.join("providers.jsonl"));
    std::fs::write(&file, policy.to_string()).expect("written");
    std::fs::write(&list, request).expect("written");
    let explained =
        Command::new(env!("CARGO_BIN_EXE_gatekey")).arg("explain").arg(&file).arg("--requests").arg(&list).output();
    let explained = String::from_utf8(explained.expect("the command").stdout).expect("text");
    assert!(
        explained.contains(r#""authorization":"***""#) && explained.contains(r#""decision":"allow""#),
        "{explained}"
    );
    for (what, text) in [
        ("the libraries", told.as_str()),
        ("their errors", &errors),
        ("the log", &envoy.log()),
        ("explain", &explained),
    ] {
        for key in REAL {
            assert!(!text.contains(key), "{what} show a key of a provider");
        }
    }
    assert!(!envoy.log().contains(KEY), "the log shows a virtual key");
    assert_eq!(envoy.crashes(), Vec::<String>::new());
}

/// Has the libraries chat, and looks at what came of it: what they print, and their errors.
fn chat(envoy: &Envoy, packages: &str) -> (String, String) {
    let gateway = format!("http://{}", envoy.listener("main"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services/sdk.py");
    let run = Command::new("python3").arg(script).args([&gateway, KEY]).env("PYTHONPATH", packages).output();
    let run = run.expect("python3");
    let (told, errors) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{errors}");
    let answer: Value = serde_json::from_str(&told).expect("JSON");
    for (library, whole) in [("openai", "hello from gpt-4o"), ("anthropic", "hello from claude-sonnet-4")] {
        let of = &answer[library];
        assert_eq!(of["whole"], whole);
        assert_eq!(of["stream"]["text"], "one two three", "{library}");
        // The words come one by one: nothing holds the stream back.
        assert!(of["stream"]["spread"].as_f64().expect("seconds") > 0.2, "{library}: {of}");
        for what in ["model", "model of a stream"] {
            assert_eq!(
                (&of[what]["kind"], &of[what]["status"]),
                (&json!("PermissionDeniedError"), &json!(403)),
                "{of}"
            );
            assert!(of[what]["text"].as_str().expect("text").contains("This key may not use the model"), "{of}");
        }
        assert_eq!((&of["key"]["kind"], &of["key"]["status"]), (&json!("AuthenticationError"), &json!(401)), "{of}");
    }
    say(&format!(
        "PROVIDERS: openai and anthropic {} chat whole and as a stream; other models and keys are refused in their words",
        answer["versions"]
    ));
    (told.into_owned(), errors.into_owned())
}

/// The sample of `envoy/`, whole but for the addresses of the providers, their TLS, and the hash of the key.
#[test]
fn the_sample_serves_the_same() {
    let Some((launch, module)) = available() else { return };
    // Before the libraries are installed, which two must not do at once.
    let _turn = turn();
    let Some(packages) = libraries() else { return };
    let provider = Service::start("provider.py", &[], "");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/ai.yaml");
    let mut text = std::fs::read_to_string(sample).expect("the sample");
    for (address, port) in
        [("0.0.0.0", 10000), ("127.0.0.1", 9901), ("api.openai.com", 443), ("api.anthropic.com", 443)]
    {
        let to = if port == 443 { provider.address.port() } else { 0 };
        let old = format!("{{ address: {address}, port_value: {port} }}");
        assert_eq!(text.matches(&old).count(), 1, "{old}");
        text = text.replace(&old, &format!("{{ address: 127.0.0.1, port_value: {to} }}"));
    }
    while let Some(start) = text.find("      transport_socket:\n") {
        let end = text[start..].find("      load_assignment:").expect("it follows") + start;
        text.replace_range(start..end, "");
    }
    // A route by a header that the filter removes: without it, another one is right.
    let first = "\n                      routes:\n";
    let trap = r#"
                        - match: { prefix: /openai/trap, headers: [ { name: openai-project, present_match: true } ] }
                          route: { cluster: openai }
                        - match: { prefix: /openai/trap }
                          route: { cluster: anthropic }
"#;
    assert_eq!(text.matches(first).count(), 1);
    text = text.replace(first, &format!("{first}{trap}"));
    let digest: String = Sha256::digest(KEY).iter().map(|octet| format!("{octet:02x}")).collect();
    let at = text.find("key: sha256:").expect("a key") + "key: sha256:".len();
    text.replace_range(at..at + 64, &digest);
    let env = [("OPENAI_KEY", REAL[0]), ("ANTHROPIC_KEY", REAL[2])];
    let module = std::fs::read(module).expect("the module");
    let envoy = Envoy::start_with(&launch, &module, &text, &env).unwrap_or_else(|why| panic!("{why}"));
    chat(&envoy, &packages);
    // Our route takes this too, and Envoy's does not.
    let bearer = format!("Bearer {KEY}");
    let beside = get(envoy.listener("main"), "/openai", &[("authorization", &bearer)]);
    assert_eq!(beside.expect("an answer").status, 403);
    for project in [Some("p"), None] {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(project.map(|project| ("openai-project", project)));
        let answer = get(envoy.listener("main"), "/openai/trap", &headers).expect("an answer");
        assert_eq!(answer.status, 403, "{project:?}: {answer:?}");
    }
    assert_eq!(envoy.crashes(), Vec::<String>::new());
    assert!(REAL.iter().chain(&[KEY]).all(|key| !envoy.log().contains(key)));
}
