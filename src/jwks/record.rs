//! What all workers know of one remote key set: when it was fetched, who is fetching it, how often that failed.
//!
//! A record is a value. Every event turns one into the next, by the clock that is given, and whoever
//! manages to put its next record in place of the one that it read has the lease.

use super::source::{Schedule, TIMEOUT};
use crate::time::Time;

/// How long a lease holds, in milliseconds: two requests, and some patience. Whoever took it and died
/// is replaced after that.
pub const LEASE: i64 = 2 * TIMEOUT + 2_000;

/// The least time between two fetches because of a key that nobody knows, in milliseconds.
pub const COOLDOWN: i64 = 30_000;

/// How long after its beginning an attempt that was abandoned still keeps others from fetching, in milliseconds.
const AFTER_ABANDON: i64 = 1_000;

/// The longest pause after a failure, in milliseconds.
const LONGEST_PAUSE: i64 = 30_000;

/// Why keys are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// It is time, whether anybody asks or not.
    Refresh,
    /// A request cannot be decided without any.
    Missing,
    /// A token names a key that the set does not have.
    Newer,
}

/// What is known of a key set. Times are `None` where there was no such event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When the set was last confirmed by its server.
    pub fetched: Option<Time>,
    /// Counts documents: whoever holds another number holds an older set.
    pub generation: u64,
    /// When the last attempt began.
    pub tried: Option<Time>,
    /// When the last attempt began that was made for a key that nobody knew.
    pub forced: Option<Time>,
    /// Until when somebody is fetching.
    pub leased: Option<Time>,
    /// Attempts that failed since the last that did not.
    pub failures: u32,
}

impl Record {
    /// Whether somebody is fetching now.
    pub fn is_leased(&self, now: Time) -> bool {
        // One that ends later than any lease can was not written by us, or by another clock.
        self.leased.is_some_and(|until| now < until && until <= now.plus(LEASE))
    }

    /// Whether the set is to be fetched now.
    pub fn is_due(&self, schedule: Schedule, want: Want, now: Time) -> bool {
        if self.is_leased(now) || within(self.tried.filter(|_| self.failures > 0), self.pause(), now) {
            return false;
        }
        match want {
            Want::Refresh => !within(self.fetched, schedule.refresh - self.jitter(schedule.refresh), now),
            Want::Missing => true,
            Want::Newer => !within(self.forced, COOLDOWN, now),
        }
    }

    /// The record of somebody who fetches from now on.
    #[must_use]
    pub fn lease(self, want: Want, now: Time) -> Self {
        let forced = if want == Want::Newer { Some(now) } else { self.forced };
        Self { tried: Some(now), forced, leased: Some(now.plus(LEASE)), ..self }
    }

    /// The record after an answer; `changed` if it brought another document.
    #[must_use]
    pub fn succeeded(self, changed: bool, now: Time) -> Self {
        // A record that was lost begins again, and its numbers must not: a worker would take the new document for
        // the one that it holds.
        let least = u64::try_from(now.millis()).unwrap_or_default();
        let generation = if changed { self.generation.wrapping_add(1).max(least) } else { self.generation };
        Self { fetched: Some(now), generation, leased: None, failures: 0, ..self }
    }

    /// The record after a failure.
    #[must_use]
    pub fn failed(self) -> Self {
        Self { leased: None, failures: self.failures.saturating_add(1), ..self }
    }

    /// The record after whoever fetched went away. Others may fetch soon, but callers who come and go must not be
    /// able to send the key server one request each.
    #[must_use]
    pub fn abandoned(self) -> Self {
        Self { leased: self.tried.map(|tried| tried.plus(AFTER_ABANDON)), ..self }
    }

    /// Until when the set serves; `None` if there is none.
    pub fn serves_until(&self, schedule: Schedule, now: Time) -> Option<Time> {
        let fetched = self.fetched?.min(now);
        Some(fetched.plus(schedule.refresh).plus(schedule.keep_stale))
    }

    /// The pause after the last failure: 1, 2, 4 ... seconds, each a little longer for some than for others.
    fn pause(&self) -> i64 {
        let pause = 1_000_i64.checked_shl(self.failures.saturating_sub(1)).unwrap_or(LONGEST_PAUSE);
        let pause = if self.failures > 5 { LONGEST_PAUSE } else { pause.min(LONGEST_PAUSE) };
        pause.saturating_add(self.jitter(pause))
    }

    /// Up to a tenth of a span. It follows from times that no two gateways share to the millisecond, so that
    /// many of them do not ask at once, while all workers of one agree on it.
    fn jitter(&self, span: i64) -> i64 {
        let seed = self.fetched.or(self.tried).map_or(0, Time::millis);
        let spread = seed.wrapping_mul(0x9e37_79b9).rem_euclid(1_009);
        (span / 10).saturating_mul(spread) / 1_009
    }

    /// The record as octets, for a place that holds nothing else.
    pub fn to_octets(&self) -> Vec<u8> {
        let mut octets = vec![VERSION];
        for time in [self.fetched, self.tried, self.forced, self.leased] {
            octets.extend(time.map_or(NEVER, Time::millis).to_le_bytes());
        }
        octets.extend(self.generation.to_le_bytes());
        octets.extend(self.failures.to_le_bytes());
        octets
    }

    /// Reads what [`Record::to_octets`] wrote; anything else is nothing.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let rest = octets.strip_prefix(&[VERSION])?;
        let (fetched, rest) = take_time(rest)?;
        let (tried, rest) = take_time(rest)?;
        let (forced, rest) = take_time(rest)?;
        let (leased, rest) = take_time(rest)?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let failures = u32::from_le_bytes(rest.try_into().ok()?);
        Some(Self { fetched, generation: u64::from_le_bytes(*generation), tried, forced, leased, failures })
    }
}

/// The form of [`Record::to_octets`].
const VERSION: u8 = 1;
/// Stands for no time.
const NEVER: i64 = i64::MIN;

fn take_time(octets: &[u8]) -> Option<(Option<Time>, &[u8])> {
    let (millis, rest) = octets.split_first_chunk::<8>()?;
    let millis = i64::from_le_bytes(*millis);
    Some(((millis != NEVER).then(|| Time::from_millis(millis)), rest))
}

/// Whether less than a span has passed since an event. One that lies ahead, after the clock was put back, is over.
fn within(event: Option<Time>, span: i64, now: Time) -> bool {
    event.is_some_and(|event| event <= now && now < event.plus(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_seconds(1_800_000_000);

    const SCHEDULE: Schedule = Schedule { refresh: 600_000, keep_stale: 3_600_000 };

    #[test]
    fn a_lease_keeps_others_away_until_it_ends() {
        let record = Record::default();
        for want in [Want::Refresh, Want::Missing, Want::Newer] {
            assert!(record.is_due(SCHEDULE, want, NOW));
            let leased = record.lease(want, NOW);
            assert!(leased.is_leased(NOW.plus(LEASE - 1)));
            for other in [Want::Refresh, Want::Missing, Want::Newer] {
                assert!(!leased.is_due(SCHEDULE, other, NOW.plus(LEASE - 1)));
            }
            assert!(leased.is_due(SCHEDULE, Want::Missing, NOW.plus(LEASE)));
        }
        let endless = Record { leased: Some(NOW.plus(1_000_000)), ..record };
        assert!(!endless.is_leased(NOW));
    }

    #[test]
    fn a_refresh_comes_a_little_early_and_never_late() {
        for start in 0..200 {
            let now = NOW.plus(start * 37);
            let fetched = Record::default().lease(Want::Refresh, now).succeeded(true, now);
            assert!(!fetched.is_due(SCHEDULE, Want::Refresh, now.plus(539_999)));
            assert!(fetched.is_due(SCHEDULE, Want::Refresh, now.plus(600_000)));
        }
    }

    #[test]
    fn an_unknown_key_forces_one_fetch_per_cooldown() {
        let forced = Record::default().lease(Want::Newer, NOW).succeeded(false, NOW.plus(50));
        assert!(!forced.is_due(SCHEDULE, Want::Newer, NOW.plus(COOLDOWN - 1)));
        assert!(forced.is_due(SCHEDULE, Want::Newer, NOW.plus(COOLDOWN)));
    }

    #[test]
    fn failures_pause_longer_and_longer() {
        let mut record = Record::default();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            record = record.lease(Want::Missing, NOW).failed();
            let pause = (0..=40_000).step_by(100).find(|p| record.is_due(SCHEDULE, Want::Missing, NOW.plus(*p)));
            pauses.push(pause.unwrap());
        }
        for (pause, least) in pauses.iter().zip([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
            assert!((least..=least + least / 10 + 100).contains(pause), "{pause} {least}");
        }
        assert!(pauses.iter().all(|pause| *pause <= 33_100));
        assert_eq!(record.succeeded(true, NOW).failures, 0);
    }

    #[test]
    fn a_clock_put_back_stops_nothing() {
        let fetched = Record::default().lease(Want::Newer, NOW).succeeded(true, NOW);
        let before = NOW.plus(-1_000_000);
        assert!(fetched.is_due(SCHEDULE, Want::Refresh, before));
        assert!(fetched.is_due(SCHEDULE, Want::Newer, before));
        assert_eq!(fetched.serves_until(SCHEDULE, before), Some(before.plus(4_200_000)));
        assert!(fetched.failed().is_due(SCHEDULE, Want::Missing, before));
    }

    #[test]
    fn a_record_that_was_lost_does_not_count_from_the_start() {
        let held = Record::default().succeeded(true, NOW);
        let anew = Record::default().succeeded(true, NOW.plus(1));
        assert!(anew.generation > held.generation);
        assert_eq!(held.succeeded(true, NOW.plus(-5)).generation, held.generation + 1);
        assert_eq!(held.succeeded(false, NOW.plus(5)).generation, held.generation);
    }

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let record =
            Record { generation: 7, failures: 3, fetched: Some(NOW), ..Record::default() }.lease(Want::Newer, NOW);
        let octets = record.to_octets();
        assert_eq!(Record::from_octets(&octets), Some(record));
        for length in 0..octets.len() {
            assert_eq!(Record::from_octets(&octets[..length]), None);
        }
        assert_eq!(Record::from_octets(&[octets.as_slice(), b"x"].concat()), None);
        assert_eq!(Record::from_octets(&[2; 45]), None);
    }
}
