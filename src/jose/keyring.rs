//! The keys of all issuers at one moment: those that stand in the policy, and those that were fetched.

use super::issuer::{Issuer, Issuers, Keys};
use super::keyset::KeySet;
use crate::time::Time;

/// The fetched keys of a policy's issuers, by their index; one per policy and worker.
#[derive(Default)]
pub struct Keyring {
    slots: Vec<Slot>,
}

/// The fetched keys of one issuer.
#[derive(Default)]
struct Slot {
    keys: Option<KeySet>,
    /// Until when they serve.
    until: Option<Time>,
    /// Counts the sets that stood here: what was verified by one set is not verified by the next.
    generation: u64,
}

impl Keyring {
    /// A keyring for these issuers, without any fetched key.
    pub fn new(issuers: &Issuers) -> Self {
        Self { slots: issuers.iter().map(|_| Slot::default()).collect() }
    }

    /// The keys that serve now; `None` if they were never fetched, or too long ago.
    pub fn keys<'k>(&'k self, index: usize, issuer: &'k Issuer, now: Time) -> Option<&'k KeySet> {
        match &issuer.keys {
            Keys::Fixed(keys) => Some(keys),
            Keys::Remote(_) => self.slots.get(index)?.serving(now),
            Keys::Asked(_) => None,
        }
    }

    /// Which of the sets that an issuer had serves now; `None` where none does.
    pub fn generation(&self, index: usize, issuer: &Issuer, now: Time) -> Option<u64> {
        match &issuer.keys {
            Keys::Fixed(_) | Keys::Asked(_) => Some(0),
            Keys::Remote(_) => {
                let slot = self.slots.get(index)?;
                slot.serving(now).map(|_| slot.generation)
            }
        }
    }

    /// Puts a fetched set in place of the one before.
    pub fn install(&mut self, index: usize, keys: KeySet, until: Time) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.keys = Some(keys);
            slot.until = Some(until);
            slot.generation = slot.generation.wrapping_add(1);
        }
    }

    /// Lets the set that stands serve until another time: the key server said that it is still the right one.
    pub fn extend(&mut self, index: usize, until: Time) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.until = Some(until);
        }
    }
}

impl Slot {
    fn serving(&self, now: Time) -> Option<&KeySet> {
        self.keys.as_ref().filter(|_| self.until.is_some_and(|until| now < until))
    }
}
