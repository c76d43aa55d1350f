//! The peer of a request, asked of the host at most once for each thing, and where the request goes.

use std::cell::OnceCell;
use std::net::IpAddr;

use super::host::Host;
use crate::cluster::{Cluster, Destination};
use crate::peer::Peer;

/// The peer of the request at hand.
pub(super) struct HostPeer<'h> {
    host: &'h dyn Host,
    address: OnceCell<Option<IpAddr>>,
    certificate: OnceCell<Option<[u8; 32]>>,
}

impl<'h> HostPeer<'h> {
    /// The peer that this host knows.
    pub(super) fn new(host: &'h dyn Host) -> Self {
        Self { host, address: OnceCell::new(), certificate: OnceCell::new() }
    }
}

impl Peer for HostPeer<'_> {
    fn address(&self) -> Option<IpAddr> {
        *self.address.get_or_init(|| self.host.peer_address())
    }

    fn certificate(&self) -> Option<[u8; 32]> {
        *self.certificate.get_or_init(|| self.host.peer_certificate())
    }
}

/// Where the request at hand goes.
pub(super) struct HostDestination<'h>(pub(super) &'h dyn Host);

impl Destination for HostDestination<'_> {
    fn cluster(&self) -> Cluster {
        self.0.cluster().map_or(Cluster::Unknown, Cluster::Named)
    }
}
