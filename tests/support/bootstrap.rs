//! The configuration of the Envoy under test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::envoy::{AfterTrap, Setup};
use super::keys;

/// The bootstrap configuration: an echo cluster and one listener per policy.
pub fn bootstrap(setup: &Setup, folder: &Path) -> Value {
    let listeners: Vec<Value> = setup.policies.iter().enumerate().map(|(i, p)| listener(setup, folder, i, p)).collect();
    let loopback = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let tag = |name: &str| json!({ "tag_name": name, "regex": format!("(\\.{name}=([^.]*))") });
    let mut clusters = vec![json!({
        "name": "echo",
        "type": "STATIC",
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
            },
        },
        "load_assignment": assignment("echo", setup.upstream),
    })];
    clusters.extend(setup.clusters.iter().map(|(name, address)| {
        json!({ "name": name, "type": "STATIC", "connect_timeout": "2s", "load_assignment": assignment(name, *address) })
    }));
    json!({
        "admin": { "address": loopback(0) },
        "stats_config": { "stats_tags": [
            tag("policy"), tag("result"), tag("reason"), tag("credential"), tag("route"), tag("issuer"), tag("list"), tag("outcome"),
        ] },
        "static_resources": {
            "listeners": listeners,
            "clusters": clusters,
        },
    })
}

/// One address as a cluster has it.
fn assignment(name: &str, address: SocketAddr) -> Value {
    let socket = json!({ "address": address.ip().to_string(), "port_value": address.port() });
    json!({
        "cluster_name": name,
        "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": { "socket_address": socket } } }] }],
    })
}

/// All that the module imports and exports, but the function that checks signatures.
fn capabilities() -> Value {
    const IMPORTS: &str = include_str!("../../tools/trim/imports.txt");
    const EXPORTS: &str = include_str!("../../tools/trim/exports.txt");
    let lines = IMPORTS.lines().chain(EXPORTS.lines()).filter(|line| !line.starts_with('#'));
    let names =
        lines.filter_map(|line| line.split_whitespace().last()).filter(|name| *name != "proxy_call_foreign_function");
    Value::Object(names.map(|name| (name.to_owned(), json!({}))).collect())
}

/// TLS that takes any certificate of tests/keys, or none.
fn transport_socket(folder: &Path) -> Value {
    let known = folder.join("certificates.pem");
    std::fs::write(&known, keys::certificates()).expect("the certificates");
    json!({
        "name": "tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": { "inline_string": keys::text("rsa2048.crt") },
                    "private_key": { "inline_string": keys::text("rsa2048.pem") },
                }],
                "validation_context": { "trusted_ca": { "filename": known.display().to_string() } },
            },
        },
    })
}

/// By this header, a request of the table finds the route that names its policy.
pub const ROUTE: &str = "x-test-route";
/// Under this domain, after the name, it finds the virtual host that does.
pub const DOMAIN: &str = ".policy.test";

/// One host for everything, with a route for each policy by name; and a host for each.
fn virtual_hosts(policy: &Value) -> Vec<Value> {
    let metadata = |name: &str| json!({ "filter_metadata": { "gatekey": { "policy": name } } });
    let rest = json!({ "match": { "prefix": "" }, "route": { "cluster": "echo" } });
    let named: Vec<&str> = match policy["policies"].as_object() {
        // One of them is a policy that there is not.
        Some(named) => named.keys().map(String::as_str).chain(["nowhere"]).collect(),
        None => Vec::new(),
    };
    let routes = named.iter().map(|name| {
        json!({
            "match": { "prefix": "", "headers": [{ "name": ROUTE, "string_match": { "exact": name } }] },
            "route": { "cluster": "echo" },
            "metadata": metadata(name),
        })
    });
    let routes: Vec<Value> = routes.chain([rest.clone()]).collect();
    let hosts = named.iter().map(|name| {
        json!({ "name": name, "domains": [format!("{name}{DOMAIN}")], "routes": [rest], "metadata": metadata(name) })
    });
    hosts.chain([json!({ "name": "all", "domains": ["*"], "routes": routes })]).collect()
}

/// Whether some decision of a policy needs the body of its request, which Envoy then has to hand over.
fn reads_bodies(policy: &Value) -> bool {
    ["token_endpoint", "providers"].iter().any(|section| !policy[*section].is_null())
}

/// The listener whose filter is never handed a body.
pub const HELD: &str = "held";

/// The listener where a filter that only pauses is overtaken by the body of its request.
pub const LOOSE: &str = "loose";

/// Policies go in as a Struct, and as text or octets: each of the ways that Envoy has. Those that do not go in as
/// a Struct under one failure policy do so under the other.
fn listener(setup: &Setup, folder: &Path, index: usize, (name, policy): &(String, Value)) -> Value {
    let (kind, value) = match (setup.after_trap, index % 2) {
        (AfterTrap::FailClosed, 0) => ("StringValue", json!(policy.to_string())),
        (AfterTrap::FailReload, 1) => ("BytesValue", json!(STANDARD.encode(policy.to_string()))),
        _ => ("Struct", policy.clone()),
    };
    let configuration = json!({ "@type": format!("type.googleapis.com/google.protobuf.{kind}"), "value": value });
    let env: BTreeMap<&String, &String> = setup.env.iter().map(|(name, value)| (name, value)).collect();
    let failure_policy = match setup.after_trap {
        AfterTrap::FailClosed => "FAIL_CLOSED",
        AfterTrap::FailReload => "FAIL_RELOAD",
    };
    let mut vm = json!({
        "vm_id": "gatekey",
        "runtime": "envoy.wasm.runtime.v8",
        "code": { "local": { "filename": folder.join("module.wasm").display().to_string() } },
        "environment_variables": { "key_values": env },
    });
    if !setup.offload {
        vm["capability_restriction_config"] = json!({ "allowed_capabilities": capabilities() });
    }
    let state = |name: &str| format!("%FILTER_STATE(wasm.auth_{name}:PLAIN)%");
    json!({
        "name": name,
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        // Cases that name a peer introduce it.
        "listener_filters": [{
            "name": "proxy_protocol",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
                "allow_requests_without_proxy_protocol": true,
            },
        }],
        "filter_chains": [{ "transport_socket": setup.tls.then(|| transport_socket(folder)), "filters": [{
            "name": "hcm",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "use_remote_address": true,
                "max_request_headers_kb": 96,
                "common_http_protocol_options": { "max_headers_count": 1000 },
                "http_protocol_options": {
                    "accept_http_10": true,
                    "default_host_for_http_10": "gatekey.test",
                    "enable_trailers": true,
                },
                "access_log": [{
                    "name": "file",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                        "path": folder.join("access.log").display().to_string(),
                        "log_format": { "json_format": {
                            "peer": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
                            "status": "%RESPONSE_CODE%",
                            "details": "%RESPONSE_CODE_DETAILS%",
                            "auth_result": state("result"),
                            "auth_reason": state("reason"),
                            "auth_method": state("method"),
                            "auth_name": state("name"),
                            "auth_sub": state("sub"),
                            "auth_client": state("client"),
                        } },
                    },
                }],
                "route_config": {
                    "virtual_hosts": virtual_hosts(policy),
                    "response_headers_to_add": [{ "header": { "key": "x-key-expires", "value": state("key_expires") } }],
                },
                "http_filters": [
                    {
                        "name": "gatekey",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                            "config": {
                                "name": name,
                                "root_id": name,
                                "failure_policy": failure_policy,
                                "allow_on_headers_stop_iteration": name == LOOSE || (reads_bodies(policy) && name != HELD),
                                "configuration": configuration,
                                "vm_config": vm,
                            },
                        },
                    },
                    {
                        "name": "router",
                        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
                    },
                ],
            },
        }] }],
    })
}
