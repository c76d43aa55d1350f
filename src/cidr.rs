//! Blocks of addresses (RFC 4632, RFC 4291 section 2.3): `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::net::IpAddr;

/// A block of addresses. An IPv4 address in IPv6 form counts as the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The first address of the block.
    first: IpAddr,
    /// How many leading bits all of them share.
    length: u32,
}

impl Cidr {
    /// Reads a block.
    ///
    /// # Errors
    /// A sentence about what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORM: &str = "is no block of addresses such as 10.0.0.0/8 or 2001:db8::/32";
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| String::from(FORM))?;
        if first != first.to_canonical() {
            return Err(format!("is an IPv4 address in IPv6 form, write {}", first.to_canonical()));
        }
        let most = if first.is_ipv4() { 32 } else { 128 };
        let plain = |length: &&str| {
            !length.is_empty()
                && length.bytes().all(|b| b.is_ascii_digit())
                && (*length == "0" || !length.starts_with('0'))
        };
        let length = match length {
            None => most,
            Some(length) => {
                let length = Some(length).filter(plain).and_then(|length| length.parse().ok());
                length.filter(|length| *length <= most).ok_or_else(|| String::from(FORM))?
            }
        };
        let block = Self { first, length };
        let start = block.start_of(first);
        if start != first {
            return Err(format!("begins in the middle of its block, which is {start}/{length}"));
        }
        Ok(block)
    }

    /// Whether an address is one of the block.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && self.start_of(address) == self.first
    }

    /// The first address of the block of this length that an address is in.
    fn start_of(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - self.length.min(32)).unwrap_or(0);
                IpAddr::from((address.to_bits() & mask).to_be_bytes())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - self.length.min(128)).unwrap_or(0);
                IpAddr::from((address.to_bits() & mask).to_be_bytes())
            }
        }
    }
}

/// Whether an address is in one of these blocks; an unknown one is in none.
pub fn any_contains(blocks: &[Cidr], address: Option<IpAddr>) -> bool {
    address.is_some_and(|address| blocks.iter().any(|block| block.contains(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_blocks() {
        for text in
            ["10.0.0.0/8", "0.0.0.0/0", "192.0.2.7", "192.0.2.7/32", "2001:db8::/32", "::/0", "::1", "2001:db8::1/128"]
        {
            assert!(Cidr::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0/8",
            "10.0.0.1/8",
            "2001:db8::1/32",
            "::/129",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/8/8",
            "x",
            "10.0.0.0/-1",
            "10.0.0.0 /8",
        ] {
            assert!(Cidr::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn agrees_with_counting_bits() {
        let bits = |address: IpAddr| -> Vec<bool> {
            let octets = match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1)).collect()
        };
        let addresses: Vec<IpAddr> = [
            "0.0.0.0",
            "10.0.0.1",
            "10.255.255.255",
            "11.0.0.0",
            "127.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "2001:db8::",
            "2001:db9::",
            "ffff::",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        for first in &addresses {
            for length in 0..=bits(*first).len() {
                let Ok(block) = Cidr::parse(&format!("{first}/{length}")) else {
                    continue;
                };
                for address in &addresses {
                    let same =
                        first.is_ipv4() == address.is_ipv4() && bits(*first)[..length] == bits(*address)[..length];
                    assert_eq!(block.contains(*address), same, "{address} in {first}/{length}");
                }
            }
        }
        assert!(Cidr::parse("10.0.0.0/8").unwrap().contains("::ffff:10.1.2.3".parse().unwrap()));
    }
}
