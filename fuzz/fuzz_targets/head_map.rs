//! Feeds the invariants of `head_map`.
#![no_main]

#[path = "../../tests/support/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|data: &[u8]| invariants::head_map::check(data));
