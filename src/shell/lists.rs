//! Carries out the fetching of lists: calls and their answers, and the work that is done a little at a time.

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use super::abi::{self, Failure};
use super::fetcher::{Hope, Patience, Waiting, deadline};
use super::plugin::Plugin;
use super::stream;
use super::vm::Purpose;
use crate::jwks::fetch::{Answer, Request};
use crate::list::life::{ListLife, Next, Outcome, Progress};
use crate::list::lists::Lists;
use crate::list::source::ListSource;
use crate::time::Time;

/// The fetched lists of one instance.
pub(super) struct ListFetcher {
    root: u32,
    held: RefCell<Lists>,
    lives: RefCell<Vec<ListLife>>,
}

impl ListFetcher {
    /// These lists, before any is fetched.
    pub(super) fn new(root: u32, sources: &[ListSource], seed: u64, background: bool) -> Self {
        let life = |(index, source)| ListLife::new(index, source, seed, background);
        Self {
            root,
            held: RefCell::new(Lists::new(sources.len())),
            lives: RefCell::new(sources.iter().enumerate().map(life).collect()),
        }
    }

    /// The lists that are there.
    pub(super) fn held(&self) -> Result<Ref<'_, Lists>, Failure> {
        self.held.try_borrow().map_err(|_| Failure::Refused)
    }

    /// Looks what is to be done, in the root context, and does a little of it. Whether there is more to be done soon.
    pub(super) fn tick(&self, plugin: &Rc<Plugin>, now: Time) -> bool {
        let mut requests = Vec::new();
        if let Ok(mut lives) = self.lives.try_borrow_mut() {
            for life in lives.iter_mut() {
                if let Next::Fetch(request) = life.ask(now) {
                    requests.push((life.index(), request));
                }
            }
        }
        for (index, request) in requests {
            self.call(plugin, index, request, None, now);
        }
        // One list at a time: what a tick may take is for all of them together.
        let busy = self.with(|life| life.is_busy().then(|| life.index()));
        if let Some(index) = busy {
            self.work(plugin, index, now);
        }
        self.with(|life| life.is_busy().then_some(())).is_some()
    }

    /// Does what can be done for a request that wants a list.
    pub(super) fn ask(&self, plugin: &Rc<Plugin>, index: usize, stream: u32, patience: Patience, now: Time) -> Hope {
        let Some(deadline) = deadline(patience, now) else {
            return Hope::None;
        };
        let waiting = Waiting { stream, purpose: Purpose::List(index), deadline };
        let next = {
            let Ok(mut lives) = self.lives.try_borrow_mut() else {
                return Hope::None;
            };
            lives.get_mut(index).map_or(Next::Nothing, |life| life.ask(now))
        };
        let background = plugin.host.has_background();
        match next {
            // Where there is no background, nobody would resume the request.
            Next::Wait if background => plugin.fetcher.park(waiting),
            Next::Wait | Next::Nothing => Hope::None,
            Next::Fetch(request) if background => {
                // The call is the root's, so that it outlives this request.
                let called =
                    abi::set_effective_context(self.root).is_ok() && self.call(plugin, index, request, None, now);
                if abi::set_effective_context(stream).is_err() || !called {
                    return Hope::None;
                }
                plugin.fetcher.park(waiting)
            }
            Next::Fetch(request) => {
                if self.call(plugin, index, request, Some(waiting), now) {
                    Hope::Wait
                } else {
                    Hope::None
                }
            }
        }
    }

    /// A list that is to be fetched again, where nobody does it in the background.
    pub(super) fn due(&self, plugin: &Plugin, now: Time) -> Option<usize> {
        if plugin.host.has_background() {
            return None;
        }
        self.with(|life| life.is_due(now).then(|| life.index()))
    }

    /// Takes the answer to a call.
    pub(super) fn answered(&self, plugin: &Rc<Plugin>, index: usize, answer: Answer, held: Option<Waiting>) {
        let now = plugin.host.now();
        if let Ok(now) = now {
            let progress = self.step(index, |life, lists| life.answered(answer, lists, now));
            match held {
                // The first step at once: a short list needs no other.
                None if progress == Progress::Work => self.work(plugin, index, now),
                None => self.proceed(plugin, index, progress, now),
                // There is no later: all of it is read now.
                Some(_) => {
                    let mut progress = progress;
                    while progress == Progress::Work {
                        progress = self.step(index, |life, lists| life.work(lists, now));
                    }
                    if let Progress::Ended(outcome) = progress {
                        tell(plugin, index, outcome);
                    }
                }
            }
        }
        // This host waits for a word about just this request, and takes silence for consent.
        if let Some(held) = held {
            stream::resume(plugin, held.stream, now.map_or(Patience::Over, |now| held.patience(now)));
        }
    }

    /// The request that a list was fetched for is gone, and the answer with it.
    pub(super) fn abandoned(&self, index: usize) {
        if let Ok(mut lives) = self.lives.try_borrow_mut()
            && let Some(life) = lives.get_mut(index)
        {
            life.abandoned();
        }
    }

    /// Tells how large and how old the lists are.
    pub(super) fn report(&self, plugin: &Plugin, now: Time) {
        let (Ok(held), Ok(mut metrics)) = (self.held.try_borrow(), plugin.metrics.try_borrow_mut()) else {
            return;
        };
        for (index, source) in plugin.policy.lists().iter().enumerate() {
            if let Some((entries, age)) = held.state(index, now) {
                metrics.list_state(&source.name, index, entries, age);
            }
        }
    }

    fn work(&self, plugin: &Rc<Plugin>, index: usize, now: Time) {
        let progress = self.step(index, |life, lists| life.work(lists, now));
        self.proceed(plugin, index, progress, now);
    }

    fn proceed(&self, plugin: &Rc<Plugin>, index: usize, progress: Progress, now: Time) {
        match progress {
            Progress::Fetch(request) => drop(self.call(plugin, index, request, None, now)),
            Progress::Work => plugin.fetcher.hurry(),
            Progress::Idle => {}
            Progress::Ended(outcome) => self.ended(plugin, index, outcome, now),
        }
    }

    /// Tells how a fetch ended, and decides who waited for it.
    fn ended(&self, plugin: &Rc<Plugin>, index: usize, outcome: Outcome, now: Time) {
        tell(plugin, index, outcome);
        plugin.fetcher.wake(plugin, now, |waiting| waiting.purpose == Purpose::List(index));
    }

    /// Makes a call of the effective context. Whether it was made; if not, the fetch has failed.
    fn call(&self, plugin: &Rc<Plugin>, index: usize, request: Request, held: Option<Waiting>, now: Time) -> bool {
        let mut next = Some(request);
        while let Some(request) = next.take() {
            if plugin.fetcher.call(plugin, Purpose::List(index), &request, held) {
                return true;
            }
            match self.step(index, |life, lists| life.answered(Answer::default(), lists, now)) {
                Progress::Fetch(request) => next = Some(request),
                Progress::Ended(outcome) => self.ended(plugin, index, outcome, now),
                Progress::Work | Progress::Idle => {}
            }
        }
        false
    }

    /// Lets one list take a step; no host call is made meanwhile.
    fn step(&self, index: usize, step: impl FnOnce(&mut ListLife, &mut Lists) -> Progress) -> Progress {
        match (self.lives.try_borrow_mut(), self.held.try_borrow_mut()) {
            (Ok(mut lives), Ok(mut held)) => lives.get_mut(index).map_or(Progress::Idle, |life| step(life, &mut held)),
            _ => Progress::Idle,
        }
    }

    fn with<T>(&self, look: impl Fn(&ListLife) -> Option<T>) -> Option<T> {
        self.lives.try_borrow().ok()?.iter().find_map(look)
    }
}

/// Tells how a fetch ended.
fn tell(plugin: &Plugin, index: usize, outcome: Outcome) {
    let name = plugin.policy.lists().get(index).map_or("", |source| source.name.as_str());
    if let Ok(mut metrics) = plugin.metrics.try_borrow_mut() {
        metrics.list_fetched(name, outcome);
    }
    match outcome {
        Outcome::Changed => ::log::info!("list {name}: fetched, and changed"),
        Outcome::Unchanged => ::log::debug!("list {name}: fetched, and the same"),
        Outcome::Document(flaw) => ::log::warn!("list {name}: the document is not taken: {flaw}"),
        failed => ::log::warn!("list {name}: cannot be fetched: {}", failed.sentence()),
    }
}
