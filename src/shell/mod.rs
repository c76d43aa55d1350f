//! The filter: the only folder that knows the host. It turns a request into a head, lets the engine
//! decide, and turns the decision into host calls.

mod abi;
mod envoy;
mod host;
mod log;
mod metrics;
mod nginx;
mod root;
mod stream;

proxy_wasm::main! {{
    log::install();
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}
