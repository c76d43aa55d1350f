//! What the two kinds of host do differently, behind one trait; which one this is, is found out once.

use std::net::IpAddr;

use super::abi::{self, Failure};
use super::envoy::Envoy;
use super::nginx::Nginx;
use crate::edit::Target;
use crate::jwks::board::Board;
use crate::policy::Policy;
use crate::reply::Reply;
use crate::time::Time;

/// A request head in the octets that the host gave.
pub(super) enum HeadOctets {
    /// The whole header map, in the host's form.
    Map(Vec<u8>),
    /// The headers that were asked for by name.
    Named(Vec<(String, Vec<u8>)>),
}

/// What differs between hosts.
pub(super) trait Host {
    /// What this host can do, for the start line.
    fn describe(&self) -> &'static str;

    /// The wall clock.
    fn now(&self) -> Result<Time, Failure>;

    /// Why this policy cannot be carried out here, if it cannot.
    fn objection(&self, policy: &Policy) -> Option<&'static str>;

    /// The request head, as far as the policy looks at it.
    fn head(&self, policy: &Policy) -> Result<HeadOctets, Failure>;

    /// Replaces the request target by one that lost a query parameter.
    fn retarget(&self, target: &Target) -> Result<(), Failure>;

    /// The id under which the host logs the request, where it does not stand in the head.
    fn request_id(&self) -> Option<Vec<u8>>;

    /// The policy that the route names; `None` if it names none.
    fn chosen_policy(&self) -> Result<Option<Vec<u8>>, Failure>;

    /// The cluster that the host's route leads to, where it has such and tells.
    fn cluster(&self) -> Option<Vec<u8>>;

    /// The address that the request's connection comes from.
    fn peer_address(&self) -> Option<IpAddr>;

    /// The SHA-256 digest of the certificate that the peer showed, in DER.
    fn peer_certificate(&self) -> Option<[u8; 32]>;

    /// Whether gRPC calls are answered with a gRPC status.
    fn speaks_grpc(&self) -> bool;

    /// The wall clock, as finely as it goes; 0 if there is none.
    fn nanoseconds(&self) -> u64;

    /// Where the workers meet; a place for one alone if they do not.
    fn board(&self) -> &'static dyn Board;

    /// Whether work is done beside requests: callbacks in time, and calls that belong to no request.
    fn has_background(&self) -> bool;

    /// Tells other filters and logs, where there is a way.
    fn publish(&self, name: &str, value: &str);
}

/// Finds out which host this is. One that knows the time by the ABI's own call also lists headers and
/// keeps filter state; the other is built on nginx, where listing headers can end the worker. In doubt
/// it is the latter, which asks less of the host.
pub(super) fn detect() -> Box<dyn Host> {
    match abi::host_time() {
        Ok(_) => Box::new(Envoy::new()),
        Err(_) => Box::new(Nginx),
    }
}

/// Milliseconds from the nanoseconds of a clock.
pub(super) fn millis(nanoseconds: u64) -> Time {
    Time::from_millis(i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX))
}

/// Answers the caller. Should the host refuse the answer, it gets a bare one: a request that is paused
/// without any answer hangs, and one that is not paused passes.
pub(super) fn answer(reply: &Reply) {
    let pairs: Vec<(&[u8], &[u8])> =
        reply.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let headers = crate::head::write_map(&pairs).unwrap_or_default();
    if abi::reply(reply.status, &reply.details, &headers, &reply.body, reply.grpc_status).is_err() {
        let _ = abi::reply(reply.status, "", &[], &reply.body, None);
    }
}
