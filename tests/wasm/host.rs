//! The test host itself: it notices what a real worker would not survive.

use crate::lab::get;
use crate::support::now_seconds;
use crate::wasm_host::{End, Profile, Trace, Vm, module};

/// A module whose `on_request_headers` runs `body`.
fn toy(imports: &str, body: &str) -> wasmtime::Module {
    let text = format!(
        r#"(module {imports}
        (memory (export "memory") 1)
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 4096)
        (func (export "proxy_on_context_create") (param i32 i32))
        (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const 1)
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {body})
        (func (export "proxy_on_delete") (param i32))
        (data (i32.const 0) ":authorityx"))"#
    );
    let bytes = wat::parse_str(text).expect("a module");
    wasmtime::Module::new(module::engine(), bytes).expect("a module")
}

fn run(profile: Profile, toy: &wasmtime::Module, http10: bool) -> Result<Trace, String> {
    let mut vm = Vm::start_with(profile, &[], now_seconds(), toy)?;
    let root = vm.root(b"{}")?;
    let mut request = get("/", &[]);
    if http10 {
        request.http10 = true;
        request.headers.clear();
    }
    vm.request(root, &request)
}

#[test]
fn imports_that_apisix_lacks() {
    for import in [
        r#"(import "env" "proxy_get_log_level" (func (param i32) (result i32)))"#,
        r#"(import "env" "proxy_get_metric" (func (param i32 i32) (result i32)))"#,
    ] {
        let toy = toy(import, "i32.const 0");
        assert!(run(Profile::Envoy, &toy, false).is_ok());
        let error = run(Profile::Apisix, &toy, false).expect_err("must not load");
        assert!(error.contains("cannot load"), "{error}");
    }
}

#[test]
fn a_pause_without_answer() {
    let toy = toy("", "i32.const 1");
    for profile in Profile::ALL {
        let trace = run(profile, &toy, false).expect("no trap");
        assert_eq!((trace.end, trace.wrongs.len()), (End::Stalled, 1), "{profile:?}");
    }
}

#[test]
fn traps_and_loops_without_end() {
    for body in ["unreachable", "(loop $again (br $again)) i32.const 0"] {
        let toy = toy("", body);
        for profile in Profile::ALL {
            let error = run(profile, &toy, false).expect_err("must not come back");
            assert!(error.contains("TRAP in proxy_on_request_headers"), "{error}");
        }
    }
}

#[test]
fn calls_that_crash_an_apisix_worker() {
    let pairs = toy(
        r#"(import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))"#,
        "(call $pairs (i32.const 0) (i32.const 100) (i32.const 104))",
    );
    assert!(run(Profile::Envoy, &pairs, false).is_ok());
    assert!(run(Profile::Apisix, &pairs, false).is_err_and(|error| error.contains("all request headers")));
    let authority = toy(
        r#"(import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))"#,
        "(call $get (i32.const 0) (i32.const 0) (i32.const 10) (i32.const 100) (i32.const 104))",
    );
    assert!(run(Profile::Apisix, &authority, false).is_ok());
    assert!(run(Profile::Apisix, &authority, true).is_err_and(|error| error.contains(":authority")));
    let trace = run(Profile::Envoy, &authority, true).expect("no trap");
    assert_eq!(trace.end, End::HostRefused(400));
}

#[test]
fn features_newer_than_the_oldest_engine() {
    for text in [
        "(module (func $f (return_call $f)))",
        "(module (memory i64 1))",
        "(module (memory 1) (memory 1))",
        "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
        "(module (func (param v128 v128 v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2))))",
    ] {
        let bytes = wat::parse_str(text).expect("a module");
        assert!(module::validate(&bytes).is_err(), "{text}");
        assert!(wasmtime::Module::new(module::engine(), &bytes).is_err(), "{text}");
    }
}
