//! What one worker has found out about passwords: which were right, which were wrong, and who failed how often. It
//! holds keyed digests, never a password.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::same;
use super::throttle::Throttle;
use crate::time::Time;

/// How long a password that was right is right without another look, in milliseconds.
const GOOD_TTL: i64 = 60_000;
/// How long who showed it may have it checked again whatever others guess, in milliseconds.
const TRUST: i64 = 86_400_000;
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

/// Stands for where a pair comes from. All of an IPv6 /64 are one source, since one host has them all.
type Source = [u8; 9];

/// What one worker knows.
pub struct Ledger {
    key: Zeroizing<[u8; 32]>,
    /// Right ones, each with the source that showed it: from elsewhere it has to be checked again, lest a source that
    /// may guess no more goes on against what is remembered of others.
    good: Vec<Option<(Known, Source)>>,
    bad: Vec<Known>,
    bad_next: usize,
    users: Throttle,
    sources: Throttle,
}

#[derive(Clone, Copy)]
struct Known {
    digest: PairDigest,
    since: Time,
}

impl Known {
    /// Whether this is the pair, and not longer ago than so many milliseconds. What lies in the future, after the clock
    /// was put back, is over.
    fn is(&self, digest: &PairDigest, now: Time, most: i64) -> bool {
        self.since <= now && now < self.since.plus(most) && same(&self.digest, digest)
    }
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

    /// What is known of a pair that comes from a source: that it was right from there, or wrong from anywhere.
    pub fn verdict(&self, digest: &PairDigest, source: Option<IpAddr>, now: Time) -> Option<bool> {
        if self.was_right(digest, source, now, GOOD_TTL) {
            return Some(true);
        }
        self.bad.iter().any(|known| known.is(digest, now, BAD_TTL)).then_some(false)
    }

    /// Whether a pair was right within the last day when this source showed it, so that it is checked again whatever
    /// others guessed meanwhile. A source that is not known may be anybody.
    pub fn is_trusted(&self, digest: &PairDigest, source: Option<IpAddr>, now: Time) -> bool {
        source.is_some() && self.was_right(digest, source, now, TRUST)
    }

    fn was_right(&self, digest: &PairDigest, source: Option<IpAddr>, now: Time, most: i64) -> bool {
        let source = octets(source);
        let good = self.good.get(Self::ways(digest, &source)).unwrap_or_default();
        good.iter().flatten().any(|(known, from)| *from == source && known.is(digest, now, most))
    }

    /// Whether this user, or this source, has failed too often to be checked again now.
    pub fn is_throttled(&self, user: &[u8], source: Option<IpAddr>, now: Time) -> bool {
        self.users.is_over(user, now) || (source.is_some() && self.sources.is_over(&octets(source), now))
    }

    /// Takes note that a pair was right, for the source that showed it.
    pub fn note_right(&mut self, digest: PairDigest, source: Option<IpAddr>, now: Time) {
        if self.good.is_empty() {
            self.good = vec![None; GOOD];
        }
        let source = octets(source);
        let slots = self.good.get_mut(Self::ways(&digest, &source)).unwrap_or_default();
        // Its own, else one that is free, else the oldest; what lies in the future is over.
        let rank = |slot: &Option<(Known, Source)>| match slot {
            Some((known, from)) if *from == source && same(&known.digest, &digest) => (0, None),
            None => (1, None),
            Some((known, _)) if known.since > now => (1, None),
            Some((known, _)) => (2, Some(known.since)),
        };
        if let Some(slot) = slots.iter_mut().min_by_key(|slot| rank(slot)) {
            *slot = Some((Known { digest, since: now }, source));
        }
    }

    /// Takes note that a pair was wrong, and counts it for the user and for the source.
    pub fn note_wrong(&mut self, digest: PairDigest, user: &[u8], source: Option<IpAddr>, now: Time) {
        self.users.fail(user, now);
        if source.is_some() {
            self.sources.fail(&octets(source), now);
        }
        let known = Known { digest, since: now };
        match self.bad.get_mut(self.bad_next) {
            Some(old) => *old = known,
            None => self.bad.push(known),
        }
        self.bad_next = (self.bad_next + 1) % BAD;
    }

    /// Takes note that a pair was not checked to the end, since nobody waited for it any more. The work was done for the
    /// source; the user has nothing to do with it.
    pub fn note_left(&mut self, source: Option<IpAddr>, now: Time) {
        if source.is_some() {
            self.sources.fail(&octets(source), now);
        }
    }

    /// Where a pair from a source may stand. Many sources of one pair fall far apart.
    fn ways(digest: &PairDigest, source: &Source) -> std::ops::Range<usize> {
        let sets = GOOD / WAYS;
        let [a, b, ..] = digest;
        let pair = usize::from(u16::from_le_bytes([*a, *b]));
        let place = source.iter().fold(pair, |all, octet| all.wrapping_mul(31).wrapping_add(usize::from(*octet)));
        let start = place % sets * WAYS;
        start..start + WAYS
    }
}

/// The octets of a source; one that is not known is a source too.
fn octets(source: Option<IpAddr>) -> Source {
    match source {
        None => [0; 9],
        Some(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            [4, a, b, c, d, 0, 0, 0, 0]
        }
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, e, f, g, h, ..] = address.octets();
            [6, a, b, c, d, e, f, g, h]
        }
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
        ledger.note_right(right, None, now);
        ledger.note_wrong(wrong, b"ab", None, now);
        let verdict = |digest, now| ledger.verdict(digest, None, now);
        assert_eq!((verdict(&right, now), verdict(&wrong, now)), (Some(true), Some(false)));
        assert_eq!(verdict(&wrong, now.plus(BAD_TTL)), None);
        assert_eq!(
            (verdict(&right, now.plus(-1)), verdict(&wrong, now.plus(-1))),
            (None, None),
            "the clock was put back"
        );
        assert_eq!((verdict(&right, now.plus(GOOD_TTL - 1)), verdict(&right, now.plus(GOOD_TTL))), (Some(true), None));
    }

    #[test]
    fn a_right_pair_is_right_only_where_it_came_from() {
        let now = Time::from_seconds(1_800_000_000);
        let mut ledger = Ledger::new(b"seed");
        let pair = ledger.digest(b"a", b"b", b"h");
        let from = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        ledger.note_right(pair, from("10.0.0.1"), now);
        ledger.note_right(pair, from("2001:db8::1"), now);
        for (source, verdict) in [
            (from("10.0.0.1"), Some(true)),
            (from("10.0.0.2"), None),
            (from("2001:db8::2"), Some(true)),
            (from("2001:db8:1::1"), None),
            (None, None),
        ] {
            assert_eq!(ledger.verdict(&pair, source, now), verdict, "{source:?}");
        }
        // Each of many sources that share a pair is remembered.
        let many = |n: u8| Some(IpAddr::from([10, 0, 1, n]));
        (0..=255).for_each(|n| ledger.note_right(pair, many(n), now));
        assert!((0..=255).all(|n| ledger.verdict(&pair, many(n), now) == Some(true)));
    }

    #[test]
    fn who_was_right_is_trusted_for_a_day() {
        let now = Time::from_seconds(1_800_000_000);
        let mut ledger = Ledger::new(b"seed");
        let pair = ledger.digest(b"a", b"b", b"h");
        let (here, there) = (Some(IpAddr::from([10, 0, 0, 1])), Some(IpAddr::from([10, 0, 0, 2])));
        ledger.note_right(pair, here, now);
        ledger.note_right(pair, None, now);
        let trusted = |source, after| ledger.is_trusted(&pair, source, now.plus(after));
        assert!(trusted(here, 0) && trusted(here, TRUST - 1));
        assert!(!trusted(here, TRUST) && !trusted(here, -1) && !trusted(there, 0) && !trusted(None, 0));
        // To be right again does not take another slot.
        (0..100).for_each(|n| ledger.note_right(pair, here, now.plus(n)));
        assert_eq!(ledger.good.iter().flatten().count(), 2);
    }

    #[test]
    fn a_flood_of_wrong_ones_pushes_out_no_right_one() {
        let now = Time::from_seconds(1_800_000_000);
        let mut ledger = Ledger::new(b"seed");
        let right = ledger.digest(b"a", b"b", b"h");
        ledger.note_right(right, None, now);
        for number in 0..10_000_u32 {
            let wrong = ledger.digest(b"a", &number.to_be_bytes(), b"h");
            ledger.note_wrong(wrong, b"a", None, now);
        }
        assert_eq!(ledger.verdict(&right, None, now), Some(true));
        assert!(ledger.is_throttled(b"a", None, now) && !ledger.is_throttled(b"b", None, now));
    }
}
