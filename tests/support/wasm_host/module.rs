//! Finds the release module and compiles it with the wasm features that wasmtime 0.38 had, the oldest engine it must load in.

#![allow(dead_code, unreachable_pub)] // Two test binaries use a part of this each.

use std::path::PathBuf;
use std::sync::OnceLock;

use wasmparser::WasmFeatures;

/// Where the module is: `GATEKEY_WASM`, else `dist/gatekey.wasm`.
pub fn path() -> PathBuf {
    std::env::var_os("GATEKEY_WASM")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/gatekey.wasm")), PathBuf::from)
}

/// The bytes of the module. Ends the test when there is none.
pub fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let path = path();
        std::fs::read(&path).unwrap_or_else(|error| {
            panic!("cannot read the module {}: {error}; run `make wasm` first (or set GATEKEY_WASM)", path.display())
        })
    })
}

/// What wasmtime 0.38 takes, which is what APISIX links: WebAssembly 2.0 without anything later.
/// Measured there: extended-const, tail-call, relaxed-SIMD, memory64 and multi-memory are refused.
pub fn oldest_features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::FLOATS
        | WasmFeatures::GC_TYPES
}

/// Validates the module with [`oldest_features`].
pub fn validate(bytes: &[u8]) -> Result<(), String> {
    wasmparser::Validator::new_with_features(oldest_features())
        .validate_all(bytes)
        .map(|_| ())
        .map_err(|error| format!("the module needs a wasm feature that wasmtime 0.38 lacks: {error}"))
}

/// The engine of these tests, without the features that wasmtime 0.38 lacks.
pub fn engine() -> &'static wasmtime::Engine {
    static ENGINE: OnceLock<wasmtime::Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = wasmtime::Config::new();
        config
            .wasm_tail_call(false)
            .wasm_relaxed_simd(false)
            .wasm_memory64(false)
            .wasm_multi_memory(false)
            .wasm_extended_const(false)
            .wasm_wide_arithmetic(false)
            .wasm_custom_page_sizes(false)
            // A loop without end must stop.
            .consume_fuel(true)
            // Compile time is most of the time of these tests.
            .cranelift_opt_level(wasmtime::OptLevel::None)
            .cranelift_regalloc_algorithm(wasmtime::RegallocAlgorithm::SinglePass);
        wasmtime::Engine::new(&config).expect("engine")
    })
}

/// The module, compiled once for all tests of a binary and for both hosts.
pub fn compiled() -> &'static wasmtime::Module {
    static MODULE: OnceLock<wasmtime::Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        validate(bytes()).unwrap_or_else(|error| panic!("{error}"));
        wasmtime::Module::new(engine(), bytes()).unwrap_or_else(|error| panic!("{}: {error:?}", path().display()))
    })
}

/// The names in `env` that the module imports: the host calls that it can make.
pub fn host_calls() -> Vec<String> {
    compiled().imports().filter(|import| import.module() == "env").map(|import| import.name().to_owned()).collect()
}
