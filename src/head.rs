//! The request head as the core sees it: pairs of octets, nothing interpreted yet.

use crate::upstream::is_spelling;

/// The head of one request. Names are compared without case; values are octets as received.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Pseudo headers (`:method`, `:path`, `:authority`) and headers, in the order received.
    pub pairs: &'a [(&'a [u8], &'a [u8])],
    /// Whether `pairs` holds every header of the request. A host that cannot list them gives only
    /// those that [`crate::policy::Policy::wanted_headers`] names, and then identity headers are
    /// removed by name, unseen.
    pub complete: bool,
}

impl<'a> Head<'a> {
    /// Every value of a header, in order.
    pub fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'a [u8]> + 'h {
        self.pairs.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| *value)
    }

    /// The first value of a header.
    pub fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.values(name).next()
    }

    /// The value of a header that stands exactly once and is not empty.
    pub fn only(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        let value = values.next()?;
        (values.next().is_none() && !value.is_empty()).then_some(value)
    }

    /// The values of a header whose every spelling is as it is written here; `None` if one is not. A service may take
    /// `x_a` for `x-a`, so that one of them says nothing of what it goes by.
    pub fn spelled<'h>(&'h self, name: &'h str) -> Option<impl Iterator<Item = &'a [u8]> + 'h> {
        let odd = |n: &[u8]| is_spelling(n, name) && !n.eq_ignore_ascii_case(name.as_bytes());
        (!self.pairs.iter().any(|(n, _)| odd(n))).then(|| self.values(name))
    }

    /// The value of a header that stands exactly once in whatever spelling, in this one, and is not empty.
    pub fn only_spelled(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.spelled(name)?;
        let value = values.next()?;
        (values.next().is_none() && !value.is_empty()).then_some(value)
    }

    /// The path asked for, as it came, without its query.
    pub fn path(&self) -> Option<&'a [u8]> {
        self.first(":path").and_then(|target| target.split(|b| *b == b'?').next())
    }

    /// The host asked for: `:authority`, else the Host header.
    pub fn host(&self) -> Option<&'a [u8]> {
        self.first(":authority").or_else(|| self.first("host"))
    }
}

/// Whether an octet may stand in a token (RFC 9110 section 5.6.2), as names of headers, methods and schemes are.
pub fn is_token_octet(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// Reads the host's form of a header map: a count, the lengths of all names and values, then names and
/// values, each ended by NUL. Nothing in it is believed: `None` unless every length is borne out.
pub fn parse_map(map: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let (count, rest) = take_u32(map)?;
    let (mut lengths, mut octets) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (name_length, rest) = take_u32(lengths)?;
        let (value_length, rest) = take_u32(rest)?;
        lengths = rest;
        let (name, rest) = take_ended(octets, name_length)?;
        let (value, rest) = take_ended(rest, value_length)?;
        octets = rest;
        pairs.push((name, value));
    }
    octets.is_empty().then_some(pairs)
}

/// Writes pairs in the form that [`parse_map`] reads; `None` if one is longer than the form can say.
pub fn write_map(pairs: &[(&[u8], &[u8])]) -> Option<Vec<u8>> {
    let mut map = u32::try_from(pairs.len()).ok()?.to_le_bytes().to_vec();
    for (name, value) in pairs {
        map.extend(u32::try_from(name.len()).ok()?.to_le_bytes());
        map.extend(u32::try_from(value.len()).ok()?.to_le_bytes());
    }
    for octets in pairs.iter().flat_map(|(name, value)| [name, value]) {
        map.extend_from_slice(octets);
        map.push(0);
    }
    Some(map)
}

fn take_u32(octets: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = octets.split_first_chunk::<4>()?;
    let number = usize::try_from(u32::from_le_bytes(*number)).ok()?;
    Some((number, rest))
}

fn take_ended(octets: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = octets.split_at_checked(length)?;
    let (end, rest) = rest.split_first()?;
    (*end == 0).then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let pairs: [(&[u8], &[u8]); 3] = [(b":path", b"/"), (b"a", b""), (b"b", b"\xff\0x")];
        let map = write_map(&pairs).unwrap();
        assert_eq!(parse_map(&map).as_deref(), Some(pairs.as_slice()));
        assert_eq!(parse_map(&write_map(&[]).unwrap()), Some(vec![]));
    }

    #[test]
    fn believes_no_length() {
        let map = write_map(&[(b"name", b"value")]).unwrap();
        for cut in 0..map.len() {
            assert_eq!(parse_map(&map[..cut]), None);
        }
        for index in 0..12 {
            let mut lying = map.clone();
            lying[index] = 0xff;
            assert_eq!(parse_map(&lying), None);
        }
        let trailing: Vec<u8> = map.iter().copied().chain([0]).collect();
        assert_eq!(parse_map(&trailing), None);
    }
}
