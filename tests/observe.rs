//! The dashboard and the alerts ask only for what there is: metrics and tags of docs/metrics.md, reasons of the closed list.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use gatekey::deny::Reason;
use serde_json::Value;

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Every PromQL expression of the samples.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/gatekey.json")).expect("JSON");
    let rules: Value = serde_saphyr::from_str(&text("deploy/prometheus/rules.yaml")).expect("YAML");
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            found.push(target["expr"].as_str().expect("an expression").to_owned());
        }
    }
    for rule in rules["groups"][0]["rules"].as_array().expect("rules") {
        found.push(rule["expr"].as_str().expect("an expression").to_owned());
    }
    found
}

/// The words of a text that begin so.
fn words<'t>(text: &'t str, start: &'t str) -> impl Iterator<Item = &'t str> + 't {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(move |word| word.starts_with(start))
}

#[test]
fn samples_ask_only_for_what_there_is() {
    let docs = text("docs/metrics.md");
    let metrics: BTreeSet<&str> = words(&docs, "gatekey_").filter(|word| *word != "gatekey_").collect();
    let bootstrap = text("envoy/envoy.yaml");
    let tags: BTreeSet<&str> =
        bootstrap.lines().filter_map(|line| line.trim().strip_prefix("- { tag_name: ")?.split(',').next()).collect();
    let reasons: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.word()).collect();
    let expressions = expressions();
    let mut asked = BTreeSet::new();
    for expression in &expressions {
        for name in words(expression, "gatekey_") {
            assert!(metrics.contains(name), "{name} of {expression}");
            asked.insert(name);
        }
        for list in expression.split("by (").skip(1) {
            for label in list.split(')').next().expect("an end").split(", ") {
                assert!(tags.contains(label), "{label} of {expression}");
            }
        }
        for matcher in
            expression.split('{').skip(1).flat_map(|rest| rest.split('}').next().expect("an end").split(", "))
        {
            let (label, values) = matcher.split_once(['=', '!']).expect("a matcher");
            assert!(tags.contains(label), "{label} of {expression}");
            let values = values.trim_start_matches(['=', '~']).trim_matches('"').split('|');
            for value in values {
                match label {
                    "reason" => assert!(reasons.contains(value), "{value} of {expression}"),
                    "result" => {
                        assert!(["allow", "deny", "report", "serve", "hit", "miss", "ok", "error"].contains(&value))
                    }
                    _ => panic!("{label} of {expression}: nobody checks its values"),
                }
            }
        }
    }
    assert!(expressions.len() >= 15 && asked.len() >= 8, "{} expressions for {asked:?}", expressions.len());
    // Every metric is on the dashboard.
    assert_eq!(asked, metrics);
}

/// Prometheus itself reads the rules, where it is installed.
#[test]
fn prometheus_takes_the_rules() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus/rules.yaml");
    match Command::new("promtool").args(["check", "rules"]).arg(rules).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => println!("promtool is not installed: the rules were read by the test beside this only"),
    }
}
