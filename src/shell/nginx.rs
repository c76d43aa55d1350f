//! APISIX and other hosts on nginx: headers by name, properties of one segment, the WASI clock.

use std::net::IpAddr;

use super::abi::{self, Failure, Map};
use super::board::VmBoard;
use super::host::{HeadOctets, Host, millis};
use crate::edit::Target;
use crate::jose::pem;
use crate::jwks::board::Board;
use crate::peer;
use crate::policy::Policy;
use crate::time::Time;

/// nginx with the wasm module of APISIX. To list all headers or to ask for `:authority` can end its worker.
pub(super) struct Nginx;

impl Host for Nginx {
    fn describe(&self) -> &'static str {
        "nginx (headers by name, WASI clock; no filter state, no metrics)"
    }

    fn now(&self) -> Result<Time, Failure> {
        abi::wasi_time().map(millis)
    }

    fn objection(&self, policy: &Policy) -> Option<&'static str> {
        if policy.has_named() {
            return Some("policies: on this host each route has a configuration of its own; give it its policy there");
        }
        if policy.reads_bodies() {
            return Some("token_endpoint, models: they need the bodies of requests, which are not read on this host");
        }
        if policy.providers.iter().any(|provider| !provider.clusters.is_empty()) {
            return Some(
                "providers: this host has no clusters; leave `cluster` out, each route has an upstream of its own",
            );
        }
        policy
            .strips_by_prefix()
            .then_some("upstream.strip: this host cannot list headers, so a prefix cannot be removed; name the headers")
    }

    fn head(&self, policy: &Policy) -> Result<HeadOctets, Failure> {
        let mut pairs = Vec::new();
        for name in [":method", ":path", "host"].into_iter().chain(policy.wanted_headers()) {
            for value in values(name)? {
                pairs.push((String::from(name), value));
            }
        }
        Ok(HeadOctets::Named(pairs))
    }

    // A new `:path` would have its question mark escaped; the query is a variable of its own.
    fn retarget(&self, target: &Target) -> Result<(), Failure> {
        abi::set_property("args", &target.query)
    }

    fn request_id(&self) -> Option<Vec<u8>> {
        abi::property("request_id").ok()
    }

    fn chosen_policy(&self) -> Result<Option<Vec<u8>>, Failure> {
        Ok(None)
    }

    fn cluster(&self) -> Option<Vec<u8>> {
        None
    }

    fn peer_address(&self) -> Option<IpAddr> {
        peer::read_address(&abi::property("remote_addr").ok()?)
    }

    // The digest that nginx itself offers is of SHA-1.
    fn peer_certificate(&self) -> Option<[u8; 32]> {
        let text = abi::property("ssl_client_raw_cert").ok()?;
        // nginx tells how the check of the certificate went; one that failed proves nothing.
        let checked = abi::property("ssl_client_verify").is_ok_and(|result| result == b"SUCCESS");
        pem::certificate_digest(&text).filter(|_| checked)
    }

    // The ABI's gRPC answer does not work here. Clients read the HTTP status instead.
    fn speaks_grpc(&self) -> bool {
        false
    }

    fn nanoseconds(&self) -> u64 {
        abi::wasi_time().unwrap_or(0)
    }

    fn board(&self) -> &'static dyn Board {
        &VmBoard
    }

    // No callback in time, and a call belongs to the request that makes it.
    fn has_background(&self) -> bool {
        false
    }

    fn publish(&self, _name: &str, _value: &str) {}
}

/// The values of a header. The host tells the first; its variable tells them joined. Where these differ
/// there is more than one, and how many does not matter.
fn values(name: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let first = match abi::header(Map::Request, name) {
        Ok(value) => value,
        Err(Failure::NotFound) => return Ok(Vec::new()),
        Err(Failure::Refused) => return Err(Failure::Refused),
    };
    if name.starts_with(':') {
        return Ok(vec![first]);
    }
    match abi::property(&format!("http_{}", name.replace('-', "_"))) {
        // Several Cookie headers mean the same as one (RFC 6265 section 5.4 lets a client send one only).
        Ok(joined) if name == "cookie" => Ok(vec![joined]),
        Ok(joined) if joined != first => Ok(vec![first, joined]),
        Ok(_) | Err(Failure::NotFound) => Ok(vec![first]),
        Err(Failure::Refused) => Err(Failure::Refused),
    }
}
