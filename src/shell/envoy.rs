//! Envoy and everything built on it: one read of all headers, the host's clock, filter state.

use std::net::IpAddr;

use super::abi::{self, Failure, Map};
use super::board::{self, SharedBoard, VmBoard};
use super::host::{HeadOctets, Host, millis};
use crate::edit::Target;
use crate::jwks::board::Board;
use crate::peer;
use crate::policy::Policy;
use crate::time::Time;

/// Envoy.
pub(super) struct Envoy {
    board: &'static dyn Board,
}

impl Envoy {
    /// Finds out whether workers can meet; where they cannot, each fetches keys for itself.
    pub(super) fn new() -> Self {
        Self { board: if board::is_shared() { &SharedBoard } else { &VmBoard } }
    }
}

impl Host for Envoy {
    fn describe(&self) -> &'static str {
        "envoy (clock, header list, filter state, shared data)"
    }

    fn now(&self) -> Result<Time, Failure> {
        abi::host_time().map(millis)
    }

    fn objection(&self, policy: &Policy) -> Option<&'static str> {
        policy
            .providers
            .iter()
            .any(|provider| provider.clusters.is_empty())
            .then_some("providers: one has no `cluster`; on this host each needs it, so that its key goes nowhere else")
    }

    // Only the whole map shows headers that stand twice; it costs less than two single reads.
    fn head(&self, _policy: &Policy) -> Result<HeadOctets, Failure> {
        abi::header_map(Map::Request).map(HeadOctets::Map)
    }

    fn retarget(&self, target: &Target) -> Result<(), Failure> {
        abi::replace_header(":path", &target.path)
    }

    fn request_id(&self) -> Option<Vec<u8>> {
        None
    }

    // The route's own word first, then that of its virtual host.
    fn chosen_policy(&self) -> Result<Option<Vec<u8>>, Failure> {
        for place in ["route", "virtual_host"] {
            match abi::property(&format!("xds\0{place}_metadata\0filter_metadata\0gatekey\0policy")) {
                Ok(name) => return Ok(Some(name)),
                Err(Failure::NotFound) => {}
                Err(Failure::Refused) => return Err(Failure::Refused),
            }
        }
        Ok(None)
    }

    fn cluster(&self) -> Option<Vec<u8>> {
        abi::property("xds\0cluster_name").ok()
    }

    fn peer_address(&self) -> Option<IpAddr> {
        peer::read_address(&abi::property("source\0address").ok()?)
    }

    fn peer_certificate(&self) -> Option<[u8; 32]> {
        peer::read_digest(&abi::property("connection\0sha256_peer_certificate_digest").ok()?)
    }

    fn speaks_grpc(&self) -> bool {
        true
    }

    fn nanoseconds(&self) -> u64 {
        abi::host_time().unwrap_or(0)
    }

    fn board(&self) -> &'static dyn Board {
        self.board
    }

    fn has_background(&self) -> bool {
        true
    }

    // A name of one segment becomes the filter state `wasm.<name>`. If it is not kept, whoever relies on
    // it finds nothing and refuses.
    fn publish(&self, name: &str, value: &str) {
        let _ = abi::set_property(name, value.as_bytes());
    }
}
