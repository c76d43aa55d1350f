//! Envoy's configuration: one listener per filter, each answering by itself, so that nothing but the
//! filter differs.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::policies;
use crate::variants::Filter;

/// The configuration for these listeners.
pub fn bootstrap(filters: &[Filter], module: &Path) -> Value {
    json!({
        "admin": { "address": loopback() },
        "static_resources": { "listeners": filters.iter().map(|filter| listener(*filter, module)).collect::<Vec<_>>() },
    })
}

fn loopback() -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } })
}

fn listener(filter: Filter, module: &Path) -> Value {
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    });
    let mut http_filters: Vec<Value> = http_filter(filter, module).into_iter().collect();
    http_filters.push(router);
    // The first route shows what the service would get; it is asked only before measuring.
    let seen =
        |name: &str| json!({ "header": { "key": format!("x-seen-{name}"), "value": format!("%REQ(x-{name})%") } });
    json!({
        "name": filter.name(),
        "address": loopback(),
        "filter_chains": [{ "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": filter.name(),
                "codec_type": "HTTP1",
                "route_config": { "virtual_hosts": [{
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": { "prefix": "/orders/seen" },
                            "direct_response": { "status": 200, "body": { "inline_string": "ok\n" } },
                            "response_headers_to_add": [seen("user"), seen("tenant"), seen("client")],
                        },
                        {
                            "match": { "prefix": "/" },
                            "direct_response": { "status": 200, "body": { "inline_string": "ok\n" } },
                        },
                    ],
                }] },
                "http_filters": http_filters,
            },
        }] }],
    })
}

fn http_filter(filter: Filter, module: &Path) -> Option<Value> {
    let native = |name: &str, config: Value| Some(json!({ "name": name, "typed_config": config }));
    match filter {
        Filter::None => None,
        Filter::Nothing => Some(gatekey(filter, &json!({}), &nothing())),
        Filter::Empty => Some(gatekey(filter, &policies::empty(), module)),
        Filter::Token(alg) => Some(gatekey(filter, &policies::token(alg), module)),
        Filter::Key => Some(gatekey(filter, &policies::key(), module)),
        Filter::Exchange => Some(gatekey(filter, &policies::exchange(), module)),
        Filter::Production => Some(gatekey(filter, &policies::production(), module)),
        Filter::NativeToken(alg) => native("envoy.filters.http.jwt_authn", policies::native_token(alg, false)),
        Filter::NativeTokenCached(alg) => native("envoy.filters.http.jwt_authn", policies::native_token(alg, true)),
        Filter::NativeKey => native("envoy.filters.http.api_key_auth", policies::native_key()),
    }
}

/// Where the module that does nothing stands.
fn nothing() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("nothing.wasm")
}

fn gatekey(filter: Filter, policy: &Value, module: &Path) -> Value {
    json!({
        "name": "gatekey",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": filter.name(),
                "root_id": filter.name(),
                "failure_policy": "FAIL_RELOAD",
                "vm_config": {
                    "vm_id": if filter == Filter::Nothing { "nothing" } else { "gatekey" },
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": module } },
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": policy.to_string(),
                },
            },
        },
    })
}
