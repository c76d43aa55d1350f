//! gatekey: authenticates requests at the proxy by one policy.
//!
//! The crate has three faces. As a `cdylib` for WebAssembly it is the filter that Envoy and APISIX
//! load; as an `rlib` it is the same core for tests, fuzzing and benches; as a native binary
//! (feature `cli`) it checks policies and explains decisions.
//!
//! The core is pure: no host calls, no clock, no randomness, no logging, no input or output. Time,
//! the request head and the policy are arguments, a [`decision::Decision`] is the result, and nothing
//! panics. Only `shell` knows the host.

#![cfg_attr(
    not(test),
    deny(
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

pub mod answer;
pub mod audit;
pub mod cache;
pub mod cidr;
pub mod claims;
pub mod cluster;
pub mod condition;
pub mod conditions;
pub mod config;
pub mod cors;
pub mod credential;
pub mod decision;
pub mod deny;
pub mod document;
pub mod edit;
pub mod engine;
pub mod explain;
pub mod forwarded;
pub mod globs;
pub mod head;
pub mod identity;
pub mod issue;
pub mod jose;
pub mod json;
pub mod jwks;
pub mod list;
pub mod login;
pub mod means;
mod ordered;
pub mod password;
pub mod path;
pub mod peer;
pub mod percent;
pub mod policy;
pub mod provider;
pub mod redact;
pub mod reply;
pub mod resource;
pub mod revoke;
pub mod route;
pub mod rule;
pub mod time;
pub mod upstream;

#[cfg(target_arch = "wasm32")]
mod shell;

/// The version of this build, as in the start line and `gatekey --version`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
