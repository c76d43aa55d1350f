//! Where workers meet: in Envoy its shared data; elsewhere nowhere, and each keeps to itself.

use super::abi;
use crate::jwks::board::{Board, OwnBoard};

/// Whether the host keeps shared data.
pub(super) fn is_shared() -> bool {
    const PROBE: &str = "gatekey/1/probe";
    abi::set_shared(PROBE, b"?", 0).is_ok() && abi::shared(PROBE).is_ok_and(|(value, _)| value == b"?")
}

/// Shared data of the VM's id. Other modules under the same id see and can change it.
pub(super) struct SharedBoard;

impl Board for SharedBoard {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        abi::shared(name).ok()
    }

    fn write(&self, name: &str, value: &[u8], mark: u32) -> bool {
        abi::set_shared(name, value, mark).is_ok()
    }
}

thread_local! {
    static OWN: OwnBoard = OwnBoard::default();
}

/// A place for this VM alone. It outlives the instances of the filter, which some hosts make anew now and then.
pub(super) struct VmBoard;

impl Board for VmBoard {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        OWN.try_with(|own| own.read(name)).ok().flatten()
    }

    fn write(&self, name: &str, value: &[u8], mark: u32) -> bool {
        OWN.try_with(|own| own.write(name, value, mark)).unwrap_or(false)
    }
}
