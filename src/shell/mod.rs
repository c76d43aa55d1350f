//! The filter: the only folder that knows the host. It turns a request into a head, lets the engine
//! decide, and turns the decision into host calls.

mod abi;
mod board;
mod bodies;
mod checker;
mod configure;
mod envoy;
mod exports;
mod fetcher;
mod host;
mod introspector;
mod known_answers;
mod lists;
mod log;
mod metrics;
mod nginx;
mod offload;
mod peer;
mod plugin;
mod stream;
mod vm;
