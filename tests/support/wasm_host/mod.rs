//! An in-process host for the release module: the part of proxy-wasm ABI 0.2.1 that it uses, as Envoy or as APISIX answers it.
//!
//! Why not the crate `proxy-wasm-host`: it owns the answers of the host calls (a map that exists answers 0, a call that
//! is missing fails to link), so it cannot answer 1, 2, 10 or 12 per call as APISIX does, leave out an import or give it
//! another type, count the calls of a request, hand out a malformed map, or fail one call on purpose. It also needs a
//! newer `wasmtime` with more features. All of that is a few hundred lines on `wasmtime` directly.
//!
//! `state` holds what a host knows, `calls` is the ABI, `envoy` and `apisix` are the two ways to answer it, `vm` drives
//! the callbacks as a proxy does, `background` is what goes on beside requests, `wasi` and `memory` are plumbing, `module` finds and compiles the file.

#![allow(dead_code, unreachable_pub)] // Not every test needs all of it.

pub mod apisix;
pub mod background;
pub mod calls;
pub mod envoy;
pub mod memory;
pub mod module;
pub mod state;
pub mod vm;
pub mod wasi;

pub use state::{Abilities, Fault, Level};
pub use vm::{End, Options, Root, Trace, Vm};

/// The two hosts that the module is run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// Envoy 1.40: every call works.
    Envoy,
    /// APISIX 3.18 (wasm-nginx-module 0.7.0): many calls answer 2, 10 or 12, and some crash the worker.
    Apisix,
}

impl Profile {
    /// Both of them.
    pub const ALL: [Profile; 2] = [Profile::Envoy, Profile::Apisix];

    /// The name of the rung on this host.
    pub fn rung(self) -> &'static str {
        match self {
            Profile::Envoy => "wasm-envoy",
            Profile::Apisix => "wasm-apisix",
        }
    }

    /// How this host answers.
    pub fn abilities(self) -> &'static dyn Abilities {
        match self {
            Profile::Envoy => &envoy::Envoy,
            Profile::Apisix => &apisix::Apisix,
        }
    }
}
