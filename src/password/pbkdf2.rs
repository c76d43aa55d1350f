//! PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2), that can stop and go on.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::same;

/// The check of one password: the first block of the derived key, which is all that a stored hash of at most 32 octets has.
pub struct Pbkdf2 {
    mac: Hmac<Sha256>,
    hash: Vec<u8>,
    block: Zeroizing<[u8; 32]>,
    last: Zeroizing<[u8; 32]>,
    left: u32,
}

impl Pbkdf2 {
    /// Begins a check.
    pub fn new(rounds: u32, salt: &[u8], hash: &[u8], password: &[u8]) -> Self {
        // HMAC takes keys of any length (RFC 2104 section 3).
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(password)
            .unwrap_or_else(|_| <Hmac<Sha256> as KeyInit>::new(&Default::default()));
        let mut first = mac.clone();
        first.update(salt);
        first.update(&1_u32.to_be_bytes());
        let first: [u8; 32] = first.finalize().into_bytes().into();
        Self {
            mac,
            hash: hash.to_vec(),
            block: Zeroizing::new(first),
            last: Zeroizing::new(first),
            left: rounds.saturating_sub(1),
        }
    }

    /// Does some rounds; the verdict after the last.
    pub fn step(&mut self, rounds: u32) -> Option<bool> {
        let now = self.left.min(rounds);
        for _ in 0..now {
            let mut next = self.mac.clone();
            next.update(self.last.as_slice());
            *self.last = next.finalize().into_bytes().into();
            self.block.iter_mut().zip(self.last.iter()).for_each(|(sum, octet)| *sum ^= octet);
        }
        self.left -= now;
        (self.left == 0).then(|| self.block.split_at_checked(self.hash.len()).is_some_and(|(b, _)| same(b, &self.hash)))
    }
}
