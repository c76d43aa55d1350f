//! The host's header map: whatever is read, writing it again gives the same octets.

use gatekey::head::{parse_map, write_map};

/// Takes any octets as a map, and as the content of one.
pub fn check(data: &[u8]) {
    if let Some(pairs) = parse_map(data) {
        let octets: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(octets <= data.len(), "more was read than was there");
        assert_eq!(write_map(&pairs).as_deref(), Some(data), "read differently than written");
    }
    let pairs: Vec<(&[u8], &[u8])> = data.chunks(7).map(|chunk| chunk.split_at(chunk.len() / 2)).collect();
    let map = write_map(&pairs).expect("short texts");
    assert_eq!(parse_map(&map).as_deref(), Some(pairs.as_slice()), "written differently than read");
}
