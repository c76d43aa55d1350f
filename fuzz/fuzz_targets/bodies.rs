//! Feeds the invariants of `bodies`.
#![no_main]

#[path = "../../tests/support/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|data: &[u8]| invariants::bodies::bodies(data));
