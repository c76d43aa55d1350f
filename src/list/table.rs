//! A compact table for up to a million small entries: built from many short arrays, so that no step of building it is
//! long, and found by binary search.

use std::collections::BinaryHeap;

use super::fault::Fault;

/// How many arrays there are, as a power of two; the first bits of a key say which.
const SHARD_BITS: u32 = 8;
const SHARDS: usize = 1 << SHARD_BITS;

/// The most entries of one table.
pub(super) const MOST: usize = 1_000_000;
/// The most entries of one array, four times what a full table has in each: to put one in order is one step of work,
/// and lookups walk entries of one key.
const MOST_OF_SHARD: usize = 16 * 1024;

/// Something that is found by a number in which every bit is as good as random.
pub(super) trait Entry: Copy + Ord {
    /// The number. Entries may share one; their order is that of their numbers.
    fn key(&self) -> u64;

    /// Whether this one, which comes after another of the same key, says all that the other does.
    fn covers(&self, _other: &Self) -> bool {
        false
    }
}

impl Entry for u64 {
    fn key(&self) -> u64 {
        *self
    }
}

/// Entries in the order of their keys.
#[derive(Debug)]
pub(super) struct Table<E> {
    shards: Box<[Vec<E>]>,
    len: usize,
}

/// A table while it is built: entries come in any order, and are put in order a few arrays at a time.
#[derive(Debug)]
pub(super) struct Building<E> {
    table: Table<E>,
    /// How many arrays are in order.
    sorted: usize,
    /// How many entries an array has room for at first.
    share: usize,
}

impl<E> Default for Table<E> {
    fn default() -> Self {
        Self { shards: Box::default(), len: 0 }
    }
}

impl<E> Default for Building<E> {
    fn default() -> Self {
        Self { table: Table::default(), sorted: 0, share: 8 }
    }
}

fn shard(key: u64) -> usize {
    usize::try_from(key >> (u64::BITS - SHARD_BITS)).unwrap_or_default()
}

impl<E: Entry> Building<E> {
    /// A table that so many entries are announced for.
    pub(super) fn with_room(entries: usize) -> Self {
        let mean = entries / SHARDS;
        // Three times the standard deviation beyond the mean: hardly any array has more.
        Self { share: mean + 3 * mean.isqrt() + 8, ..Self::default() }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`Fault::Many`] where there is no room, [`Fault::Alike`] where there is none for entries with such a number.
    pub(super) fn push(&mut self, entry: E) -> Result<(), Fault> {
        if self.table.shards.is_empty() {
            self.table.shards = std::iter::repeat_with(Vec::new).take(SHARDS).collect();
        }
        if self.table.len >= MOST {
            return Err(Fault::Many);
        }
        let shard = self.table.shards.get_mut(shard(entry.key())).ok_or(Fault::Many)?;
        if shard.len() >= MOST_OF_SHARD {
            return Err(Fault::Alike);
        }
        if shard.len() == shard.capacity() {
            // All arrays are of one size as nearly always, so that those of the next table fit where these were.
            shard.reserve_exact(if shard.capacity() == 0 { self.share } else { shard.len() / 16 + 8 });
        }
        shard.push(entry);
        self.table.len += 1;
        Ok(())
    }

    /// Puts so many more entries in order, or a few more than that, tells `check` of entries of one key that stand side by
    /// side, and drops those that another covers. Whether all arrays are in order.
    pub(super) fn sort<F>(
        &mut self,
        entries: usize,
        mut check: impl FnMut(&E, &E) -> Result<(), F>,
    ) -> Result<bool, F> {
        let mut done = 0;
        for shard in self.table.shards.iter_mut().skip(self.sorted) {
            if done >= entries {
                return Ok(false);
            }
            done += shard.len();
            // Nearly as quick here as a sort of the slice, and a fraction of the code.
            *shard = BinaryHeap::from(std::mem::take(shard)).into_sorted_vec();
            for (one, other) in shard.iter().zip(shard.iter().skip(1)) {
                if one.key() == other.key() {
                    check(one, other)?;
                }
            }
            let before = shard.len();
            shard.dedup_by(|later, kept| {
                let covers = later.key() == kept.key() && later.covers(kept);
                if covers {
                    *kept = *later;
                }
                covers
            });
            self.table.len = self.table.len.saturating_sub(before - shard.len());
            self.sorted += 1;
        }
        Ok(true)
    }

    /// The table, whose arrays are all in order.
    pub(super) fn finish(mut self) -> Table<E> {
        // What is not in order would be searched in vain.
        let all = self.sort(usize::MAX, |_, _| Ok::<(), std::convert::Infallible>(()));
        debug_assert_eq!(all, Ok(true));
        self.table
    }
}

impl<E: Entry> Table<E> {
    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The entries of a key.
    pub(super) fn find(&self, key: u64) -> impl Iterator<Item = &E> {
        let shard = self.shards.get(shard(key)).map(Vec::as_slice).unwrap_or_default();
        shard.get(first_not_before(shard, key)..).unwrap_or_default().iter().take_while(move |entry| entry.key() == key)
    }
}

/// Where the first entry of this key or a greater one stands. Keys are as good as random, so that it is near where a key of
/// its size should be: a search outward from there touches one or two places in memory, where halving touches a dozen.
fn first_not_before<E: Entry>(shard: &[E], key: u64) -> usize {
    /// A full table's entries stray so far from where they should be, as a rule.
    const NEAR: usize = 32;
    let share = u128::from(key << SHARD_BITS) * u128::try_from(shard.len()).unwrap_or_default();
    let guess = usize::try_from(share >> u64::BITS).unwrap_or_default();
    let is_before = |at: usize| shard.get(at).is_some_and(|entry| entry.key() < key);
    let (mut low, mut high, mut step) = (guess, guess, NEAR);
    if is_before(guess) {
        high = guess.saturating_add(step);
        while is_before(high) {
            (low, step) = (high, step * 2);
            high = high.saturating_add(step);
        }
    } else {
        low = guess.saturating_sub(step);
        while low > 0 && !is_before(low) {
            (high, step) = (low, step * 2);
            low = low.saturating_sub(step);
        }
    }
    let near = shard.get(low..high.min(shard.len())).unwrap_or_default();
    low + near.partition_point(|entry| entry.key() < key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_added() {
        let spread = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut building = Building::with_room(40_000);
        for n in 0..50_000_u64 {
            building.push(spread(n)).unwrap();
        }
        building.push(spread(7)).unwrap();
        let mut twice = Vec::new();
        let mut steps = 0;
        while !building
            .sort(3_300, |one, _| {
                twice.push(*one);
                Ok::<(), ()>(())
            })
            .unwrap()
        {
            steps += 1;
        }
        assert_eq!((steps, twice), (15, vec![spread(7)]));
        let table = building.finish();
        assert_eq!(table.len(), 50_001);
        for n in 0..50_000 {
            assert_eq!(table.find(spread(n)).count(), if n == 7 { 2 } else { 1 });
        }
        for n in 50_000..100_000 {
            assert_eq!(table.find(spread(n)).count(), 0);
        }
        for key in [0, 1, u64::MAX, u64::MAX - 1] {
            assert_eq!(table.find(key).count(), usize::from(key == 0));
        }
    }

    /// Wherever a key should stand, and wherever the entries do.
    #[test]
    fn finds_the_place_in_every_order() {
        let spread = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> SHARD_BITS;
        let orders: [Vec<u64>; 6] = [
            vec![],
            vec![7],
            (0..500).collect(),
            (0..500).map(|n| (u64::MAX >> SHARD_BITS) - n).rev().collect(),
            vec![9; 300],
            (0..3_000).map(spread).collect(),
        ];
        for mut shard in orders {
            shard.sort_unstable();
            let ends = [0, 1, 7, 8, 9, 10, 249, 499, 500, u64::MAX >> SHARD_BITS];
            let near = shard.iter().flat_map(|key| [key.saturating_sub(1), *key, key + 1]);
            for key in near.chain(ends).chain((0..2_000).map(|n| spread(n + 5_000))) {
                let place = shard.partition_point(|entry| *entry < key);
                assert_eq!(first_not_before(&shard, key), place, "{key} of {}", shard.len());
            }
        }
    }

    #[test]
    fn an_empty_one_holds_nothing() {
        let table = Building::<u64>::default().finish();
        assert_eq!((table.len(), table.find(5).count()), (0, 0));
    }

    #[test]
    fn has_an_end() {
        let mut building = Building::default();
        for n in 0..u64::try_from(MOST).unwrap() {
            building.push(n.reverse_bits()).unwrap();
        }
        assert_eq!(building.push(1), Err(Fault::Many));
    }

    #[test]
    fn entries_that_fall_together_have_an_end() {
        let mut building = Building::default();
        for n in 0..u64::try_from(MOST_OF_SHARD).unwrap() {
            building.push(n).unwrap();
        }
        assert_eq!(building.push(1), Err(Fault::Alike));
        building.push(u64::MAX).unwrap();
    }
}
