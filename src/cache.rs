//! Verified tokens, kept for a while: a token that is shown again is compared, not verified.
//!
//! A token is found by a seeded hash and then compared octet by octet. What is kept of it counts only while
//! the keys are those that it was verified with, and its time claims are checked again each time. Bad tokens
//! are kept apart, in a ring of their own, so that no flood of them pushes out good ones.

use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;

use foldhash::fast::FixedState;

use crate::deny::Reason;
use crate::jose::token::Token;
use crate::time::Time;

/// Slots that one hash can fall into.
const WAYS: usize = 8;
/// The longest token that is kept, in octets.
pub const LONGEST: usize = 8 * 1024;
/// All that tokens may take, as [`weight`] reckons.
const MOST: usize = 8 * 1024 * 1024;
/// How many bad tokens are kept, each of up to [`LONGEST`] octets: half a MiB at most.
const BAD: usize = 64;

/// How many verified tokens are kept, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSize {
    /// Tokens per worker; none switches the cache off.
    pub tokens: usize,
    /// How long one is kept, in milliseconds.
    pub ttl: i64,
}

/// The tokens that one worker has seen under one policy.
pub struct Cache {
    hasher: FixedState,
    ttl: i64,
    slots: Vec<Slot>,
    weight: usize,
    /// Where room is made next.
    hand: usize,
    uses: u32,
    bad: Vec<Bad>,
    bad_next: usize,
    /// What was asked of it since the last look.
    pub counts: Counts,
}

/// How often a token was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// It was there.
    pub hits: u64,
    /// It was not.
    pub misses: u64,
}

/// Under what a token was judged: it counts only while this is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The index of the issuer.
    pub issuer: usize,
    /// Which of its key sets.
    pub generation: u64,
}

#[derive(Default)]
struct Slot {
    hash: u64,
    used: u32,
    entry: Option<Entry>,
}

struct Entry {
    text: Box<[u8]>,
    token: Rc<Token>,
    basis: Basis,
    span: Span,
    weight: usize,
}

struct Bad {
    hash: u64,
    text: Box<[u8]>,
    token: BadToken,
    span: Span,
}

/// How long something counts. What begins in the future, after the clock was put back, does not: it could last for ever.
#[derive(Clone, Copy)]
struct Span {
    since: Time,
    until: Time,
}

impl Span {
    fn holds(self, now: Time) -> bool {
        self.since <= now && now < self.until
    }
}

/// What is known of a token that does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadToken {
    /// Under what it was judged.
    pub basis: Basis,
    /// Why it does not.
    pub reason: Reason,
    /// Whether keys that came later might have made its signature.
    pub open: bool,
}

impl Cache {
    /// An empty cache. Nobody who does not know the seed can choose tokens that fall together.
    pub fn new(size: CacheSize, seed: u64) -> Self {
        let slots = if size.tokens == 0 { 0 } else { size.tokens.next_multiple_of(WAYS) };
        Self {
            hasher: FixedState::with_seed(seed),
            ttl: size.ttl,
            slots: std::iter::repeat_with(Slot::default).take(slots).collect(),
            weight: 0,
            hand: 0,
            uses: 0,
            bad: Vec::new(),
            bad_next: 0,
            counts: Counts::default(),
        }
    }

    /// A cache that keeps nothing.
    pub fn off() -> Self {
        Self::new(CacheSize { tokens: 0, ttl: 0 }, 0)
    }

    /// The place of a token, to be asked for once per request; `None` if it is not worth keeping.
    pub fn place(&self, text: &[u8]) -> Option<Place> {
        if self.slots.is_empty() || text.len() > LONGEST {
            return None;
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write(text);
        Some(Place(hasher.finish()))
    }

    /// A token that was verified before, and under what.
    pub fn find(&mut self, place: Place, text: &[u8], now: Time) -> Option<(Rc<Token>, Basis)> {
        self.uses = self.uses.wrapping_add(1);
        let uses = self.uses;
        let found = self.set(place).iter_mut().find_map(|slot| {
            let entry = slot.entry.as_ref().filter(|entry| slot.hash == place.0 && same(&entry.text, text))?;
            slot.used = uses;
            entry.span.holds(now).then(|| (Rc::clone(&entry.token), entry.basis))
        });
        match found {
            Some(_) => self.counts.hits += 1,
            None => self.counts.misses += 1,
        }
        found
    }

    /// What is known of a token that does not count.
    pub fn find_bad(&self, place: Place, text: &[u8], now: Time) -> Option<BadToken> {
        let is = |bad: &&Bad| bad.hash == place.0 && bad.span.holds(now) && same(&bad.text, text);
        self.bad.iter().find(is).map(|bad| bad.token)
    }

    /// How long something is kept that is to be kept for at most so long, in milliseconds.
    fn lasting(&self, most: Option<i64>) -> i64 {
        most.map_or(self.ttl, |most| most.min(self.ttl))
    }

    /// Keeps a verified token, in place of the one of its neighbours that was not used for longest, at most for
    /// `most` milliseconds.
    pub fn keep(&mut self, place: Place, text: &[u8], token: &Rc<Token>, basis: Basis, most: Option<i64>, now: Time) {
        let weight = weight(text, token);
        if weight > MOST / 16 {
            return;
        }
        let span = Span { since: now, until: now.plus(self.lasting(most)) };
        let uses = self.uses;
        let entry = Entry { text: text.into(), token: Rc::clone(token), basis, span, weight };
        // One that is there already goes first; then empty ones and those whose time is over.
        let rank = |slot: &Slot| match &slot.entry {
            Some(entry) if slot.hash == place.0 && same(&entry.text, text) => (0, 0),
            None => (1, 0),
            Some(entry) if !entry.span.holds(now) => (2, 0),
            // How long ago it was used, the longest first; counting may have begun anew.
            Some(_) => (3, u32::MAX - uses.wrapping_sub(slot.used)),
        };
        let Some(slot) = self.set(place).iter_mut().min_by_key(|slot| rank(slot)) else {
            return;
        };
        let freed = slot.entry.as_ref().map_or(0, |entry| entry.weight);
        *slot = Slot { hash: place.0, used: uses, entry: Some(entry) };
        self.weight = self.weight.saturating_sub(freed).saturating_add(weight);
        self.make_room(place);
    }

    /// Keeps a token that does not count, in place of the oldest such, at most for `most` milliseconds.
    pub fn keep_bad(&mut self, place: Place, text: &[u8], token: BadToken, most: Option<i64>, now: Time) {
        // As long as a token that an issuer may be asked about, or it would be asked about every time.
        if text.len() > LONGEST {
            return;
        }
        let span = Span { since: now, until: now.plus(self.lasting(most)) };
        let bad = Bad { hash: place.0, text: text.into(), token, span };
        match self.bad.get_mut(self.bad_next) {
            Some(old) => *old = bad,
            None => self.bad.push(bad),
        }
        self.bad_next = (self.bad_next + 1) % BAD;
    }

    /// Drops tokens, round and round, until all fit; never the one just kept.
    fn make_room(&mut self, kept: Place) {
        let mut looked = 0;
        while self.weight > MOST && looked < self.slots.len() {
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            looked += 1;
            if let Some(slot) = self.slots.get_mut(self.hand).filter(|slot| slot.hash != kept.0)
                && let Some(entry) = slot.entry.take()
            {
                self.weight = self.weight.saturating_sub(entry.weight);
            }
        }
    }

    /// The slots that a hash can fall into.
    fn set(&mut self, place: Place) -> &mut [Slot] {
        let sets = u64::try_from(self.slots.len() / WAYS).unwrap_or(1).max(1);
        // The high bits choose evenly among any number of sets.
        let set = usize::try_from((u128::from(place.0) * u128::from(sets)) >> 64).unwrap_or(0);
        self.slots.get_mut(set * WAYS..(set + 1) * WAYS).unwrap_or_default()
    }
}

/// The hash of one token.
#[derive(Clone, Copy, Debug)]
pub struct Place(u64);

/// What a token takes, roughly, in octets: its text, its claims as values, and the roles and scopes among them.
fn weight(text: &[u8], token: &Token) -> usize {
    let names: usize = token.roles.iter().chain(&token.scopes).map(|name| name.len().saturating_add(24)).sum();
    text.len().saturating_add(token.claims.json().weight()).saturating_add(names).saturating_add(256)
}

/// Whether two texts are the same, eight octets at a time: WebAssembly compares one at a time otherwise. The
/// time it takes tells only whether the lengths differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let difference = a.iter().zip(b).fold(0, |all, (a, b)| all | (u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b)));
    let rest = a_rest.iter().zip(b_rest).fold(0, |all, (a, b)| all | (a ^ b));
    difference == 0 && rest == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_seconds(1_800_000_000);

    fn bad(cache: &mut Cache, text: &[u8]) -> Place {
        let place = cache.place(text).unwrap();
        let basis = Basis { issuer: 0, generation: 0 };
        cache.keep_bad(place, text, BadToken { basis, reason: Reason::TokenInactive, open: false }, None, NOW);
        place
    }

    #[test]
    fn keeps_bad_tokens_as_long_as_any_that_has_a_place() {
        let mut cache = Cache::new(CacheSize { tokens: 8, ttl: 10_000 }, 1);
        let longest = vec![b'a'; LONGEST];
        let place = bad(&mut cache, &longest);
        assert!(cache.find_bad(place, &longest, NOW).is_some());
        assert!(cache.place(&vec![b'a'; LONGEST + 1]).is_none());
    }

    #[test]
    fn a_clock_that_is_put_back_makes_nothing_last() {
        let mut cache = Cache::new(CacheSize { tokens: 8, ttl: 10_000 }, 1);
        let place = bad(&mut cache, b"a");
        for (after, found) in [(0, true), (9_999, true), (10_000, false), (-1, false), (-3_600_000, false)] {
            assert_eq!(cache.find_bad(place, b"a", NOW.plus(after)).is_some(), found, "{after}");
        }
    }
}
