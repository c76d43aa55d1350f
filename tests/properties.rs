//! Properties that hold for every input, over generated ones. The invariants are those of the fuzz targets.

#[path = "support/invariants/mod.rs"]
mod invariants;

#[path = "properties/bytes.rs"]
mod bytes;
#[path = "properties/decide.rs"]
mod decide;
#[path = "properties/hide.rs"]
mod hide;
#[path = "properties/life.rs"]
mod life;
#[path = "properties/lists.rs"]
mod lists;
#[path = "properties/path.rs"]
mod path;
#[path = "properties/token.rs"]
mod token;

use proptest::prelude::*;

/// How often a property is tried; few, since the fuzz targets try more.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// One of these texts.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(texts).prop_map(String::from)
}
