//! Trims a built module to what hosts call, and refuses one that some host could not load.
//!
//! `trim IN.wasm OUT.wasm` keeps the exports of `exports.txt`, removes code that they cannot
//! reach, drops the custom sections, and then checks the imports against `imports.txt` and the
//! instructions against the oldest features we run on.

use std::collections::BTreeSet;
use std::process::ExitCode;

use walrus::{Module, ModuleConfig};
use wasmparser::{Validator, WasmFeatures};

const EXPORTS: &str = include_str!("../exports.txt");
const IMPORTS: &str = include_str!("../imports.txt");

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [input, output] = args.as_slice() else {
        eprintln!("usage: trim IN.wasm OUT.wasm");
        return ExitCode::from(2);
    };
    match trim(input, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trim: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads `input`, trims it, checks it, and writes `output` only if all is well.
fn trim(input: &str, output: &str) -> Result<(), String> {
    let before = std::fs::read(input).map_err(|e| format!("{input}: {e}"))?;
    let mut module = ModuleConfig::new()
        .generate_name_section(false)
        .generate_producers_section(false)
        .parse(&before)
        .map_err(|e| format!("{input}: {e:#}"))?;

    let dropped = drop_exports(&mut module)?;
    drop_custom_sections(&mut module);
    walrus::passes::gc::run(&mut module);
    check_imports(&module)?;

    let after = module.emit_wasm();
    check_features(&after)?;
    if let Some(folder) = std::path::Path::new(output).parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    std::fs::write(output, &after).map_err(|e| format!("{output}: {e}"))?;
    println!(
        "trim: {} -> {} bytes, {dropped} exports dropped, {} kept, {} imports",
        before.len(),
        after.len(),
        module.exports.iter().count(),
        module.imports.iter().count(),
    );
    Ok(())
}

/// Drops every export that is not listed; says how many. A listed callback may be absent, since
/// not every landing needs all of them, but without these three no host can run the module.
fn drop_exports(module: &mut Module) -> Result<usize, String> {
    let keep: BTreeSet<&str> = lines(EXPORTS).collect();
    let found: BTreeSet<&str> = module.exports.iter().map(|e| e.name.as_str()).collect();
    for needed in ["memory", "_initialize", "proxy_abi_version_0_2_1"] {
        if !found.contains(needed) {
            return Err(format!("the module does not export {needed}"));
        }
    }
    let extra: Vec<_> =
        module.exports.iter().filter(|export| !keep.contains(export.name.as_str())).map(|export| export.id()).collect();
    for id in &extra {
        module.exports.delete(*id);
    }
    Ok(extra.len())
}

/// Custom sections carry no code: names, tool versions, feature lists.
fn drop_custom_sections(module: &mut Module) {
    let ids: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for id in ids {
        module.customs.delete(id);
    }
}

/// Refuses imports that are not listed, all of them at once.
fn check_imports(module: &Module) -> Result<(), String> {
    let allowed = pairs(IMPORTS);
    let refused: Vec<String> = module
        .imports
        .iter()
        .filter(|import| !allowed.contains(&(import.module.as_str(), import.name.as_str())))
        .map(|import| format!("{} {}", import.module, import.name))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(format!("imports that are not allowed (tools/trim/imports.txt says why): {}", refused.join(", ")))
}

/// Refuses instructions newer than SIMD128: the wasmtime inside APISIX knows none of them.
fn check_features(wasm: &[u8]) -> Result<(), String> {
    let features = WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::GC_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::FLOATS
        | WasmFeatures::SIMD;
    Validator::new_with_features(features)
        .validate_all(wasm)
        .map(|_| ())
        .map_err(|e| format!("the module needs more than SIMD128-era wasm: {e}"))
}

/// The "module name" pairs of a list.
fn pairs(text: &str) -> BTreeSet<(&str, &str)> {
    lines(text).filter_map(|line| line.split_once(' ')).collect()
}

/// The lines of a list, without comments and empty lines.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split_once('#').map_or(line, |(name, _)| name).trim()).filter(|line| !line.is_empty())
}
