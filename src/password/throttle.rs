//! Counts failures per somebody within a while, in bounded memory: guessing costs work, and must not go on for ever.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

use crate::time::Time;

/// How long failures count, in milliseconds.
pub const WINDOW: i64 = 60_000;
/// How many are allowed within that.
pub const MOST: u32 = 20;
/// How many can be kept apart at least; of more, those with the fewest failures are forgotten.
const SLOTS: usize = 1_024;
/// Slots that one hash can fall into.
const WAYS: usize = 4;

/// The failures of many.
pub struct Throttle {
    hasher: FixedState,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u64,
    failures: u32,
    since: Option<Time>,
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new(seed: u64) -> Self {
        Self { hasher: FixedState::with_seed(seed), slots: vec![Slot::default(); SLOTS] }
    }

    /// Whether somebody has failed too often to try again now.
    pub fn is_over(&self, who: &[u8], now: Time) -> bool {
        let hash = self.hash(who);
        self.slots
            .get(Self::ways(hash))
            .unwrap_or_default()
            .iter()
            .any(|slot| slot.is(hash, now) && slot.failures >= MOST)
    }

    /// Counts a failure.
    pub fn fail(&mut self, who: &[u8], now: Time) {
        let hash = self.hash(who);
        let slots = self.slots.get_mut(Self::ways(hash)).unwrap_or_default();
        if let Some(slot) = slots.iter_mut().find(|slot| slot.is(hash, now)) {
            slot.failures = slot.failures.saturating_add(1);
            return;
        }
        if let Some(slot) = slots.iter_mut().min_by_key(|slot| if slot.is_open(now) { slot.failures } else { 0 }) {
            *slot = Slot { hash, failures: 1, since: Some(now) };
        }
    }

    fn hash(&self, who: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(who);
        hasher.finish()
    }

    fn ways(hash: u64) -> std::ops::Range<usize> {
        let sets = u64::try_from(SLOTS / WAYS).unwrap_or(1);
        let start = usize::try_from(hash % sets).unwrap_or(0) * WAYS;
        start..start + WAYS
    }
}

impl Slot {
    fn is(&self, hash: u64, now: Time) -> bool {
        self.hash == hash && self.is_open(now)
    }

    /// Whether its while is not over. One that begins in the future, after the clock was put back, is.
    fn is_open(&self, now: Time) -> bool {
        self.since.is_some_and(|since| since <= now && now < since.plus(WINDOW))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_within_a_while() {
        let (start, mut throttle) = (Time::from_seconds(1_800_000_000), Throttle::new(1));
        for _ in 0..MOST {
            assert!(!throttle.is_over(b"a", start));
            throttle.fail(b"a", start);
        }
        assert!(throttle.is_over(b"a", start.plus(WINDOW - 1)) && !throttle.is_over(b"b", start));
        assert!(!throttle.is_over(b"a", start.plus(WINDOW)) && !throttle.is_over(b"a", start.plus(-1)));
    }

    #[test]
    fn a_flood_of_others_does_not_set_somebody_free() {
        let (now, mut throttle) = (Time::from_seconds(1_800_000_000), Throttle::new(7));
        (0..MOST).for_each(|_| throttle.fail(b"a", now));
        (0..100_000_u32).for_each(|other| throttle.fail(&other.to_be_bytes(), now));
        assert!(throttle.is_over(b"a", now));
    }
}
