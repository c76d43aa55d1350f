//! Who is at the other end of the connection, as far as the host knows.

use std::net::{IpAddr, SocketAddr};

/// The direct peer of a request. It is asked only what the policy needs to know, since a host is slow to tell.
pub trait Peer {
    /// The address that the connection comes from; `None` if it cannot be known.
    fn address(&self) -> Option<IpAddr>;

    /// The SHA-256 digest of the certificate (DER) that the peer proved to hold (RFC 8705 section 3); `None` if
    /// there is none.
    fn certificate(&self) -> Option<[u8; 32]>;
}

/// A peer of whom nothing is known.
pub struct Nobody;

impl Peer for Nobody {
    fn address(&self) -> Option<IpAddr> {
        None
    }

    fn certificate(&self) -> Option<[u8; 32]> {
        None
    }
}

/// What is known of a peer, told in advance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its address.
    pub address: Option<IpAddr>,
    /// The digest of its certificate.
    pub certificate: Option<[u8; 32]>,
}

impl Peer for Known {
    fn address(&self) -> Option<IpAddr> {
        self.address
    }

    fn certificate(&self) -> Option<[u8; 32]> {
        self.certificate
    }
}

/// Reads an address with or without a port. An IPv4 address in IPv6 form (RFC 4291 section 2.5.5.2) is the IPv4
/// address.
pub fn read_address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    let address = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

/// Reads a SHA-256 digest in hexadecimal digits.
pub fn read_digest(text: &[u8]) -> Option<[u8; 32]> {
    let pairs = text.as_chunks::<2>();
    let mut digest = [0; 32];
    if !pairs.1.is_empty() || pairs.0.len() != digest.len() {
        return None;
    }
    for (octet, [high, low]) in digest.iter_mut().zip(pairs.0) {
        *octet = crate::path::hex(*high)? * 16 + crate::path::hex(*low)?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        for (text, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:40000", "192.0.2.7"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
        ] {
            assert_eq!(read_address(text.as_bytes()).map(|a| a.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "unix:/x", "192.0.2.07", "192.0.2.7 ", "192.0.2", "x", "192.0.2.7:", "fe80::1%eth0", "\u{661}"]
        {
            assert_eq!(read_address(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read_address(b"\xff"), None);
    }

    #[test]
    fn reads_digests() {
        assert_eq!(read_digest("0aF0".repeat(16).as_bytes()), Some([0x0a, 0xf0].repeat(16).try_into().unwrap()));
        for text in ["", "0a", &"0a".repeat(31), &"0a".repeat(33), &"0g".repeat(32), &"0".repeat(63)] {
            assert_eq!(read_digest(text.as_bytes()), None, "{text}");
        }
    }
}
