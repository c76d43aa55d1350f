//! The built module imports and exports what is listed and nothing else, is small, loads on old engines, and tells nothing about the machine that built it.

#[path = "support/wasm_host/module.rs"]
mod module;

use std::collections::BTreeSet;

use wasmparser::{Operator, Parser, Payload};

/// The size that users load at most, in bytes.
const BUDGET: usize = 1_300 * 1000;

/// Texts that only the machine that built it would put there. The standard library and the crates keep their panic
/// locations, under names that are the same on every machine.
const MACHINE: &[&str] = &["/root/", "/home/", "/Users/", "/tmp/", "/.cargo", "/work/", "/target/"];

/// Our files that log.
const LOGGING: &[&str] = &[
    "src/shell/configure.rs",
    "src/shell/fetcher.rs",
    "src/shell/introspector.rs",
    "src/shell/lists.rs",
    "src/shell/plugin.rs",
    "src/shell/stream.rs",
];

fn list(name: &str) -> BTreeSet<String> {
    let path = format!("{}/tools/trim/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        if !words.is_empty() {
            assert!(names.insert(words.join(" ")), "{path}: {words:?} is there twice");
        }
    }
    names
}

#[test]
fn imports_are_the_listed_ones() {
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module::bytes()) {
        if let Payload::ImportSection(section) = payload.expect("a module") {
            for import in section.into_imports() {
                let import = import.expect("an import");
                assert!(
                    found.insert(format!("{} {}", import.module, import.name)),
                    "{} is imported twice",
                    import.name
                );
            }
        }
    }
    let listed = list("imports.txt");
    let extra: Vec<_> = found.difference(&listed).collect();
    assert!(extra.is_empty(), "imported, but not in tools/trim/imports.txt: {extra:?}");
    let unused: Vec<_> = listed.difference(&found).collect();
    assert!(unused.is_empty(), "in tools/trim/imports.txt, but not imported: {unused:?}");
    for refused in ["env proxy_get_log_level", "env proxy_get_metric"] {
        assert!(!listed.contains(refused), "a module that imports {refused} does not load in APISIX");
    }
}

#[test]
fn exports_are_the_listed_ones() {
    let mut found = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module::bytes()) {
        if let Payload::ExportSection(section) = payload.expect("a module") {
            for export in section {
                found.insert(export.expect("an export").name.to_owned());
            }
        }
    }
    let listed = list("exports.txt");
    assert_eq!(found, listed, "the exports (left) must be those of tools/trim/exports.txt (right)");
}

#[test]
fn the_module_is_small() {
    let size = module::bytes().len();
    println!("module size: {size} bytes");
    assert!(size < BUDGET, "the module has {size} bytes, {BUDGET} are allowed");
}

#[test]
fn the_module_tells_nothing_about_the_build() {
    let bytes = module::bytes();
    let mut found = Vec::new();
    for text in MACHINE {
        if let Some(at) = bytes.windows(text.len()).position(|part| part == text.as_bytes()) {
            let start = at.saturating_sub(40);
            let end = (at + 60).min(bytes.len());
            found.push(format!("{text}: ...{}...", bytes[start..end].escape_ascii()));
        }
    }
    assert!(found.is_empty(), "the module holds paths of the build machine:\n{}", found.join("\n"));
    // A place in our own sources is where a panic could start: there must be none. Log lines carry theirs too.
    let own: Vec<String> = (1..bytes.len())
        .filter(|at| bytes[*at..].starts_with(b"src/") && bytes[at - 1] != b'/')
        .map(|at| bytes[at..].split(|byte| *byte == 0).next().unwrap_or_default().escape_ascii().to_string())
        .filter(|place| !LOGGING.contains(&place.as_str()))
        .collect();
    assert!(own.is_empty(), "our own code can panic in: {own:?}");
    for payload in Parser::new(0).parse_all(bytes) {
        if let Payload::CustomSection(section) = payload.expect("a module") {
            let harmless = ["target_features"].contains(&section.name());
            assert!(harmless, "the module has a custom section {:?}", section.name());
        }
    }
}

/// RSA is twice as fast with the instruction that multiplies halves of two vectors into a whole one, and the compiler
/// finds it only as long as both of them come from memory as they are.
#[test]
fn the_module_multiplies_limbs_in_pairs() {
    let mut all = 0;
    for payload in Parser::new(0).parse_all(module::bytes()) {
        if let Payload::CodeSectionEntry(body) = payload.expect("a module") {
            let (mut pairs, mut slow) = (0, 0);
            for operator in body.get_operators_reader().expect("code") {
                match operator.expect("an instruction") {
                    Operator::I64x2ExtMulLowI32x4U | Operator::I64x2ExtMulHighI32x4U => pairs += 1,
                    Operator::I64x2Mul => slow += 1,
                    _ => {}
                }
            }
            // Others, such as Argon2, need whole products.
            assert!(pairs == 0 || slow == 0, "{pairs} multiplications of halves, {slow} of whole vectors");
            all += pairs;
        }
    }
    assert!(all >= 8, "{all} multiplications of halves");
}

#[test]
fn the_module_loads_on_old_engines() {
    module::validate(module::bytes()).unwrap_or_else(|error| panic!("{error}"));
}
