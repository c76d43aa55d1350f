//! What must hold for every input: one module per fuzz target, shared with the corpus replay and the property tests.
//!
//! An invariant is checked against a second, naive reading of the input that uses nothing of the crate.
#![allow(dead_code, unreachable_pub)] // Every user takes a part of this.

pub mod bodies;
pub mod compact;
pub mod config;
pub mod credential;
pub mod decide;
pub mod fixture;
pub mod head_map;
pub mod keys;
pub mod life;
pub mod lists;
pub mod naive;
pub mod path;
pub mod script;

/// Checks one input. It panics if an invariant is broken.
pub type Check = fn(&[u8]);

/// Every fuzz target by name; its corpus is `fuzz/corpus/NAME`.
pub const TARGETS: [(&str, Check); 10] = [
    ("bodies", bodies::bodies),
    ("compact", compact::check),
    ("config", config::check),
    ("credential", credential::check),
    ("decide", decide::check),
    ("head_map", head_map::check),
    ("keys", keys::check),
    ("life", life::check),
    ("lists", lists::documents),
    ("path", path::check),
];
