//! Every policy, command and output that the documents show is run here.
//!
//! A block marked `yaml policy` must load. One marked `yaml file=NAME` is written to a file of that name,
//! one marked `yaml envoy` must stand in `envoy/envoy.yaml`, one marked `yaml envoy/NAME` in that file, and a `console`
//! block is typed in, line by line, in the folder with those files; a line `...` stands for any output.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

struct Block {
    kind: String,
    text: String,
    place: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn blocks(document: &Path) -> Vec<Block> {
    let text = fs::read_to_string(document).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(kind), None) => {
                open = Some(Block {
                    kind: kind.to_owned(),
                    text: String::new(),
                    place: format!("{}:{}", document.display(), number + 1),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{} ends within a block", document.display());
    blocks
}

fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut documents: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    documents.push(root().join("README.md"));
    documents.sort();
    documents
}

/// The command in a folder of its own, found under the name that people type.
fn shell(folder: &Path, line: &str) -> String {
    let binaries = Path::new(env!("CARGO_BIN_EXE_gatekey")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path)
        .env("JWT_SECRET", "0123456789abcdef0123456789abcdef")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// Whether an output is the one shown, where `...` stands for any lines.
fn agrees(shown: &[&str], output: &[&str]) -> bool {
    match shown.split_first() {
        None => output.is_empty(),
        Some((&"...", rest)) => (0..=output.len()).any(|skip| agrees(rest, &output[skip..])),
        Some((line, rest)) => output.split_first().is_some_and(|(first, tail)| fits(line, first) && agrees(rest, tail)),
    }
}

/// Whether a line is the one shown, where `...` stands for any text.
fn fits(shown: &str, line: &str) -> bool {
    match shown.split_once("...") {
        None => shown == line,
        Some((start, end)) => line.len() >= start.len() + end.len() && line.starts_with(start) && line.ends_with(end),
    }
}

#[test]
fn policies_load() {
    let folder = tempfile("policies");
    let mut count = 0;
    for block in documents().iter().flat_map(|document| blocks(document)) {
        if block.kind == "yaml policy" || block.kind.starts_with("yaml file=") {
            fs::write(folder.join("policy.yaml"), &block.text).unwrap();
            let output = shell(&folder, "gatekey check --allow-missing-env policy.yaml && echo passed");
            assert!(output.lines().any(|line| line == "passed"), "{}: {output}", block.place);
            count += 1;
        }
    }
    assert!(count > 5, "only {count} policies found");
    println!("{count} policies of the documents load");
}

#[test]
fn commands_print_what_is_shown() {
    let mut count = 0;
    for document in documents() {
        let folder = tempfile(&format!("commands-{}", document.file_stem().unwrap().to_str().unwrap()));
        for block in blocks(&document) {
            if let Some(name) = block.kind.split_once("file=").map(|(_, name)| name) {
                fs::write(folder.join(name), &block.text).unwrap();
            }
            if block.kind != "console" {
                continue;
            }
            for command in block.text.split_inclusive('\n').collect::<String>().split("$ ").skip(1) {
                let (line, shown) = command.split_once('\n').unwrap();
                let output = shell(&folder, line);
                let shown: Vec<&str> = shown.lines().collect();
                let lines: Vec<&str> = output.lines().collect();
                assert!(agrees(&shown, &lines), "{}: `{line}` printed\n{output}", block.place);
                count += 1;
            }
        }
    }
    assert!(count > 5, "only {count} commands found");
    println!("{count} commands of the documents print what is shown");
}

#[test]
fn envoy_snippets_stand_in_the_sample() {
    let squeezed = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    for block in documents().iter().flat_map(|document| blocks(document)) {
        let Some(file) = block.kind.strip_prefix("yaml envoy") else { continue };
        let file = if file.is_empty() { "envoy/envoy.yaml" } else { &block.kind["yaml ".len()..] };
        let sample = fs::read_to_string(root().join(file)).unwrap();
        assert!(squeezed(&sample).contains(squeezed(&block.text).trim()), "{} is not in {file}", block.place);
    }
}

/// A policy for a host, wherever it stands in the host's own configuration.
fn policies_within(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) if members.contains_key("issuers") => found.push(value.to_string()),
        serde_json::Value::Object(members) => members.values().for_each(|value| policies_within(value, found)),
        serde_json::Value::Array(items) => items.iter().for_each(|value| policies_within(value, found)),
        serde_json::Value::String(text) if text.contains("\"issuers\"") => found.push(text.clone()),
        _ => {}
    }
}

#[test]
fn policies_of_host_samples_load() {
    for sample in [
        "envoy/envoy.yaml",
        "demo/policy.yaml",
        "deploy/istio/wasmplugin.yaml",
        "deploy/envoy-gateway/extensionpolicy.yaml",
        "deploy/apisix/apisix.yaml",
    ] {
        let text = fs::read_to_string(root().join(sample)).unwrap();
        let mut policies = Vec::new();
        policies_within(&serde_saphyr::from_str(&text).unwrap(), &mut policies);
        assert_eq!(policies.len(), 1, "{sample}");
        let secret = |_: &str| Some("0123456789abcdef0123456789abcdef".to_owned());
        let loaded = gatekey::config::load(policies[0].as_bytes(), &secret);
        let errors = loaded.err().unwrap_or_default();
        assert!(errors.is_empty(), "{sample}: {errors:?}");
    }
}

#[test]
fn every_reason_is_documented() {
    let page = fs::read_to_string(root().join("docs/reasons.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    for reason in gatekey::deny::Reason::ALL {
        let row = rows.iter().find(|row| row[1] == reason.word());
        let row = row.unwrap_or_else(|| panic!("{} is not documented", reason.word()));
        assert_eq!(row[2], reason.code().status().to_string(), "{}", reason.word());
        assert_eq!(row[3], reason.code().word(), "{}", reason.word());
    }
    assert_eq!(rows.len(), gatekey::deny::Reason::ALL.len());
}

fn tempfile(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
