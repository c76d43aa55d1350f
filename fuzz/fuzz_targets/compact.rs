//! Feeds the invariants of `compact`.
#![no_main]

#[path = "../../tests/support/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|data: &[u8]| invariants::compact::check(data));
