//! The address of the caller where proxies of ours stand before this one: the one that they put into
//! X-Forwarded-For, counted from the right, since what stands farther left is the caller's own word.

use std::net::IpAddr;

use crate::head::Head;
use crate::peer::{Peer, read_address};

/// The header.
pub const NAME: &str = "x-forwarded-for";

/// The address of the caller behind so many trusted proxies; `None` if it cannot be known.
pub fn caller(head: &Head<'_>, peer: &dyn Peer, hops: usize) -> Option<IpAddr> {
    let direct = peer.address()?;
    if hops == 0 {
        return Some(direct);
    }
    let entries: Vec<&[u8]> =
        head.values(NAME).flat_map(|value| value.split(|b| *b == b',')).map(<[u8]>::trim_ascii).collect();
    // Some hosts have put the direct peer at the end of the list already.
    let listed = entries.last().and_then(|last| read_address(last)) == Some(direct);
    // A host that was told of its proxies has walked past them already: it says whom it takes for the caller, so that
    // counting from the end would take the caller's own word.
    if !listed && entries.iter().any(|entry| read_address(entry) == Some(direct)) {
        return None;
    }
    let behind = if listed { hops } else { hops - 1 };
    let at = entries.len().checked_sub(behind)?.checked_sub(1)?;
    read_address(entries.get(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Known;

    fn caller_of(values: &[&str], peer: &str, hops: usize) -> Option<String> {
        let pairs: Vec<(&[u8], &[u8])> = values.iter().map(|value| (NAME.as_bytes(), value.as_bytes())).collect();
        let peer = Known { address: peer.parse().ok(), certificate: None };
        caller(&Head { pairs: &pairs, complete: true }, &peer, hops).map(|address| address.to_string())
    }

    #[test]
    fn counts_from_the_right() {
        let is = |values: &[&str], hops, expected: Option<&str>| {
            assert_eq!(caller_of(values, "10.0.0.9", hops).as_deref(), expected, "{values:?} {hops}");
        };
        is(&["6.6.6.6, 192.0.2.7"], 0, Some("10.0.0.9"));
        is(&["6.6.6.6, 192.0.2.7"], 1, Some("192.0.2.7"));
        is(&["6.6.6.6, 192.0.2.7, 10.0.0.9"], 1, Some("192.0.2.7"));
        is(&["6.6.6.6", "192.0.2.7", "10.0.0.9"], 1, Some("192.0.2.7"));
        is(&["6.6.6.6, 192.0.2.7, 10.0.0.8"], 2, Some("192.0.2.7"));
        is(&["6.6.6.6, 192.0.2.7, 10.0.0.8, 10.0.0.9"], 2, Some("192.0.2.7"));
        is(&["2001:db8::1"], 1, Some("2001:db8::1"));
        is(&["::ffff:192.0.2.7"], 1, Some("192.0.2.7"));
        is(&["192.0.2.7:4711"], 1, Some("192.0.2.7"));
        // The host has walked past our proxies by itself: the direct peer that it tells is the caller.
        is(&["6.6.6.6, 10.0.0.9, 192.0.2.7"], 0, Some("10.0.0.9"));
        is(&["6.6.6.6, 10.0.0.9, 192.0.2.7"], 1, None);
        is(&["6.6.6.6, 10.0.0.9:4711, 192.0.2.7", "192.0.2.8"], 2, None);
        is(&["6.6.6.6, 10.0.0.9, 10.0.0.9"], 1, Some("10.0.0.9"));
        // Fewer than there must be, or none that can be read.
        is(&[], 1, None);
        is(&["10.0.0.9"], 1, None);
        is(&["192.0.2.7"], 2, None);
        is(&["192.0.2.7, unknown"], 1, None);
        is(&["192.0.2.7, "], 1, None);
        is(&["192.0.2.7,,10.0.0.9"], 1, None);
        assert_eq!(caller_of(&["192.0.2.7"], "", 1), None);
        assert_eq!(caller_of(&["192.0.2.7"], "10.0.0.9", usize::MAX), None);
    }
}
