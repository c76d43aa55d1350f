//! The lists of a policy that one worker has at one moment.

use super::clients::ClientList;
use super::revoked::RevokedList;
use super::source::{ListSource, OnOutage};
use crate::time::Time;

/// A list that serves.
#[derive(Debug)]
pub enum List {
    /// Who no longer counts.
    Revoked(RevokedList),
    /// Whose keys count.
    Clients(ClientList),
}

/// The fetched lists of a policy, by their index; one per policy and worker.
#[derive(Debug, Default)]
pub struct Lists {
    slots: Vec<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    list: Option<List>,
    /// When it was last confirmed by its server.
    fetched: Option<Time>,
    /// Whether the first attempt to fetch it has ended, however.
    tried: bool,
}

/// What a list can say.
#[derive(Debug)]
pub enum Standing<'l, T> {
    /// This.
    Serves(&'l T),
    /// Nothing, and there is nothing to be done about it.
    Silent,
    /// Nothing yet: it is being fetched for the first time, or should be.
    Awaited,
    /// Nothing, and nobody whom it might speak about may pass.
    Missing,
}

impl List {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match self {
            List::Revoked(list) => list.len(),
            List::Clients(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Lists {
    /// Room for so many lists, none of which is there.
    pub fn new(number: usize) -> Self {
        Self { slots: std::iter::repeat_with(Slot::default).take(number).collect() }
    }

    /// Puts a list in place of the one before.
    pub fn install(&mut self, index: usize, list: List, now: Time) {
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Slot { list: Some(list), fetched: Some(now), tried: true };
        }
    }

    /// Takes note that a list is still the right one.
    pub fn confirm(&mut self, index: usize, now: Time) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.fetched = Some(now);
        }
    }

    /// Takes note that an attempt to fetch a list failed.
    pub fn failed(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.tried = true;
        }
    }

    /// How many entries a list has, and how long ago it was confirmed, in milliseconds.
    pub fn state(&self, index: usize, now: Time) -> Option<(usize, i64)> {
        let slot = self.slots.get(index)?;
        let age = now.millis().saturating_sub(slot.fetched?.millis()).max(0);
        Some((slot.list.as_ref()?.len(), age))
    }

    /// What a revocation list can say.
    pub fn revoked(&self, index: usize, source: &ListSource, now: Time) -> Standing<'_, RevokedList> {
        match self.standing(index, source, now) {
            Standing::Serves(List::Revoked(list)) => Standing::Serves(list),
            Standing::Serves(List::Clients(_)) | Standing::Missing => Standing::Missing,
            Standing::Silent => Standing::Silent,
            Standing::Awaited => Standing::Awaited,
        }
    }

    /// The store of clients, if there is one that serves. A key that is not known while there is none may be a good
    /// one.
    pub fn clients(&self, index: usize, source: &ListSource, now: Time) -> Option<&ClientList> {
        match self.standing(index, source, now) {
            Standing::Serves(List::Clients(list)) => Some(list),
            _ => None,
        }
    }

    fn standing(&self, index: usize, source: &ListSource, now: Time) -> Standing<'_, List> {
        let Some(slot) = self.slots.get(index) else {
            return Standing::Missing;
        };
        let schedule = source.schedule;
        // After the clock was put back, the list is as old as can be told.
        let fresh = |fetched: Time| now < fetched.min(now).plus(schedule.refresh).plus(schedule.keep_stale);
        match (&slot.list, source.on_outage) {
            (Some(list), OnOutage::Keep) => Standing::Serves(list),
            (Some(list), OnOutage::Deny) if slot.fetched.is_some_and(fresh) => Standing::Serves(list),
            (_, OnOutage::Deny) => Standing::Missing,
            (None, OnOutage::Keep) if slot.tried => Standing::Silent,
            (None, OnOutage::Keep) => Standing::Awaited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Content;
    use super::*;
    use crate::jwks::source::{Schedule, Uri};

    const NOW: Time = Time::from_seconds(1_800_000_000);

    fn word(lists: &Lists, on_outage: OnOutage, now: Time) -> &'static str {
        let source = ListSource {
            name: "revoked".into(),
            cluster: "lists".into(),
            uri: Uri::parse("https://lists.test/").unwrap(),
            schedule: Schedule { refresh: 10_000, keep_stale: 5_000 },
            on_outage,
            content: Content::Revoked,
        };
        match lists.revoked(0, &source, now) {
            Standing::Serves(_) => "serves",
            Standing::Silent => "silent",
            Standing::Awaited => "awaited",
            Standing::Missing => "missing",
        }
    }

    #[test]
    fn an_outage_means_what_was_chosen() {
        let mut lists = Lists::new(1);
        let both = |lists: &Lists, now| [word(lists, OnOutage::Keep, now), word(lists, OnOutage::Deny, now)];
        assert_eq!(both(&lists, NOW), ["awaited", "missing"]);
        lists.failed(0);
        assert_eq!(both(&lists, NOW), ["silent", "missing"]);
        lists.install(0, List::Revoked(RevokedList::default()), NOW);
        assert_eq!(both(&lists, NOW.plus(14_999)), ["serves", "serves"]);
        assert_eq!(both(&lists, NOW.plus(15_000)), ["serves", "missing"]);
        lists.failed(0);
        assert_eq!(both(&lists, NOW.plus(15_000)), ["serves", "missing"]);
        lists.confirm(0, NOW.plus(20_000));
        assert_eq!(both(&lists, NOW.plus(34_999)), ["serves", "serves"]);
        assert_eq!(both(&lists, NOW.plus(-1_000_000)), ["serves", "serves"]);
        assert_eq!(lists.state(0, NOW.plus(21_000)), Some((0, 1_000)));
        // A list that is not there, or of another kind, lets nobody pass.
        assert_eq!(both(&Lists::new(0), NOW), ["missing", "missing"]);
        lists.install(0, List::Clients(ClientList::default()), NOW);
        assert_eq!(both(&lists, NOW), ["missing", "missing"]);
    }
}
