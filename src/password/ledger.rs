//! What one worker has found out about passwords: which were right, which were wrong, and who failed how often. It
//! holds keyed digests, never a password.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::same;
use super::throttle::Throttle;
use crate::time::Time;

/// How long it is remembered that a password was right, in milliseconds.
const GOOD_TTL: i64 = 60_000;
/// The same for a wrong one.
const BAD_TTL: i64 = 10_000;
/// How many right ones are remembered.
const GOOD: usize = 4_096;
/// The same for wrong ones, which flood in.
const BAD: usize = 256;
/// Slots that one digest can fall into.
const WAYS: usize = 4;

/// Stands for a user, a password and what it was checked against, all together.
pub type PairDigest = [u8; 32];

/// What one worker knows.
pub struct Ledger {
    key: Zeroizing<[u8; 32]>,
    good: Vec<Option<Known>>,
    bad: Vec<Known>,
    bad_next: usize,
    users: Throttle,
    sources: Throttle,
}

#[derive(Clone, Copy)]
struct Known {
    digest: PairDigest,
    until: Time,
}

impl Ledger {
    /// A ledger with nothing in it. The seed should be another for each worker and start, and known to nobody.
    pub fn new(seed: &[u8]) -> Self {
        let key: [u8; 32] = Sha256::digest(seed).into();
        let (number, _) = key.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let number = u64::from_le_bytes(*number);
        Self {
            key: Zeroizing::new(key),
            good: Vec::new(),
            bad: Vec::new(),
            bad_next: 0,
            users: Throttle::new(number),
            sources: Throttle::new(number.rotate_left(32)),
        }
    }

    /// The digest of a user, a password, and what it is to be checked against. Lengths are part of it: no two pairs
    /// can be read as one.
    pub fn digest(&self, user: &[u8], password: &[u8], against: &[u8]) -> PairDigest {
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(self.key.as_slice()) else {
            return [0; 32];
        };
        for part in [user, password, against] {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// What is known of a pair.
    pub fn verdict(&self, digest: &PairDigest, now: Time) -> Option<bool> {
        let is = |known: &Known| now < known.until && same(&known.digest, digest);
        if self.good.get(Self::ways(digest)).unwrap_or_default().iter().flatten().any(is) {
            return Some(true);
        }
        self.bad.iter().any(is).then_some(false)
    }

    /// Whether this user, or this source, has failed too often to be checked again now.
    pub fn is_throttled(&self, user: &[u8], source: Option<IpAddr>, now: Time) -> bool {
        self.users.is_over(user, now) || source.is_some_and(|source| self.sources.is_over(&octets(source), now))
    }

    /// Takes note of the outcome of a check.
    pub fn note(&mut self, digest: PairDigest, user: &[u8], source: Option<IpAddr>, right: bool, now: Time) {
        if right {
            if self.good.is_empty() {
                self.good = vec![None; GOOD];
            }
            let slots = self.good.get_mut(Self::ways(&digest)).unwrap_or_default();
            // One that is over, else the one that is over first.
            let slot = slots.iter_mut().min_by_key(|slot| slot.map(|known| known.until));
            if let Some(slot) = slot {
                *slot = Some(Known { digest, until: now.plus(GOOD_TTL) });
            }
            return;
        }
        self.users.fail(user, now);
        if let Some(source) = source {
            self.sources.fail(&octets(source), now);
        }
        let known = Known { digest, until: now.plus(BAD_TTL) };
        match self.bad.get_mut(self.bad_next) {
            Some(old) => *old = known,
            None => self.bad.push(known),
        }
        self.bad_next = (self.bad_next + 1) % BAD;
    }

    fn ways(digest: &PairDigest) -> std::ops::Range<usize> {
        let sets = GOOD / WAYS;
        let [a, b, ..] = digest;
        let start = usize::from(u16::from_le_bytes([*a, *b])) % sets * WAYS;
        start..start + WAYS
    }
}

/// The address of a source; all of a /64 are one, since one host has them all.
fn octets(source: IpAddr) -> Vec<u8> {
    match source {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().split_at(8).0.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_for_a_while() {
        let now = Time::from_seconds(1_800_000_000);
        let mut ledger = Ledger::new(b"seed");
        let (right, wrong) = (ledger.digest(b"a", b"bc", b"h"), ledger.digest(b"ab", b"c", b"h"));
        assert_ne!(right, wrong);
        assert_ne!(right, Ledger::new(b"other").digest(b"a", b"bc", b"h"));
        ledger.note(right, b"a", None, true, now);
        ledger.note(wrong, b"ab", None, false, now);
        assert_eq!((ledger.verdict(&right, now), ledger.verdict(&wrong, now)), (Some(true), Some(false)));
        assert_eq!(ledger.verdict(&wrong, now.plus(BAD_TTL)), None);
        assert_eq!(
            (ledger.verdict(&right, now.plus(GOOD_TTL - 1)), ledger.verdict(&right, now.plus(GOOD_TTL))),
            (Some(true), None)
        );
    }

    #[test]
    fn a_flood_of_wrong_ones_pushes_out_no_right_one() {
        let now = Time::from_seconds(1_800_000_000);
        let mut ledger = Ledger::new(b"seed");
        let right = ledger.digest(b"a", b"b", b"h");
        ledger.note(right, b"a", None, true, now);
        for number in 0..10_000_u32 {
            let wrong = ledger.digest(b"a", &number.to_be_bytes(), b"h");
            ledger.note(wrong, b"a", None, false, now);
        }
        assert_eq!(ledger.verdict(&right, now), Some(true));
        assert!(ledger.is_throttled(b"a", None, now) && !ledger.is_throttled(b"b", None, now));
    }
}
