//! Carries out the fetching of keys: calls and their answers, and the requests that wait for them.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use super::abi::{self, Failure};
use super::checker;
use super::plugin::Plugin;
use super::stream;
use super::vm::{self, Purpose};
use crate::head::write_map;
use crate::jose::issuer::Issuers;
use crate::jose::keyring::Keyring;
use crate::jwks::fetch::{Answer, Outcome, Request};
use crate::jwks::life::{Life, Next, Progress};
use crate::jwks::record::Want;
use crate::jwks::source::TIMEOUT;
use crate::time::Time;

/// How long a request waits for keys, in milliseconds.
const PATIENCE: i64 = TIMEOUT + 1_000;
/// The most requests that wait at once; those beyond are decided with what is there.
const MOST_WAITING: usize = 4_096;
/// How often it is looked whether something is to be done, in milliseconds: at first, while requests wait, and else.
const FIRST_TICK: u32 = 50;
const FAST_TICK: u32 = 20;
/// The same while a list is read, a little each time.
const WORK_TICK: u32 = 10;
const SLOW_TICK: u32 = 1_000;
/// The same where nothing is fetched, and only counters are told.
const IDLE_TICK: u32 = 5_000;

/// The fetched keys of one instance.
pub(super) struct Fetcher {
    root: u32,
    keyring: RefCell<Keyring>,
    lives: RefCell<Vec<Life>>,
    waiting: RefCell<Vec<Waiting>>,
    period: Cell<u32>,
    /// Whether anything is fetched, keys or lists.
    fetches: bool,
}

/// A request that waits for something.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    pub(super) stream: u32,
    /// For what.
    pub(super) purpose: Purpose,
    pub(super) deadline: Time,
}

/// How long a request may still wait.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    /// It has not waited yet.
    Fresh,
    /// It has waited for keys or lists, and may until then.
    Until(Time),
    /// It has waited for a word about its own credential, which does not come again; for keys and lists it may wait
    /// until then.
    Answered(Time),
    /// It is to be decided now.
    Over,
}

impl Waiting {
    /// How long it may wait for the next thing.
    pub(super) fn patience(self, now: Time) -> Patience {
        if now < self.deadline { Patience::Until(self.deadline) } else { Patience::Over }
    }
}

impl Patience {
    /// That of a request whose own question was answered now, or never will be.
    pub(super) fn answered(now: Time) -> Self {
        Self::Answered(now.plus(PATIENCE))
    }

    /// Whether a question about its credential is worth asking.
    pub(super) fn may_ask(self) -> bool {
        matches!(self, Self::Fresh | Self::Until(_))
    }
}

/// Until when a request waits for keys or lists; `None` if it does not.
pub(super) fn deadline(patience: Patience, now: Time) -> Option<Time> {
    match patience {
        Patience::Fresh => Some(now.plus(PATIENCE)),
        Patience::Until(deadline) | Patience::Answered(deadline) => Some(deadline).filter(|deadline| now < *deadline),
        Patience::Over => None,
    }
}

/// What comes of asking for keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hope {
    /// Others are there: decide again.
    Again,
    /// The request is held until they come.
    Wait,
    /// None will come soon.
    None,
}

impl Fetcher {
    /// The keys of these issuers, before any are fetched.
    pub(super) fn new(root: u32, issuers: &Issuers, has_lists: bool) -> Self {
        let lives: Vec<Life> =
            issuers.iter().enumerate().filter_map(|(index, issuer)| Life::new(index, issuer)).collect();
        Self {
            root,
            keyring: RefCell::new(Keyring::new(issuers)),
            fetches: has_lists || !lives.is_empty(),
            lives: RefCell::new(lives),
            waiting: RefCell::default(),
            period: Cell::new(0),
        }
    }

    /// The keys that are there.
    pub(super) fn keyring(&self) -> Result<Ref<'_, Keyring>, Failure> {
        self.keyring.try_borrow().map_err(|_| Failure::Refused)
    }

    /// Takes what other workers have fetched, and sees to it that the rest is fetched soon.
    pub(super) fn start(&self, plugin: &Plugin) {
        let board = plugin.host.board();
        let now = plugin.host.now();
        let (Ok(mut lives), Ok(mut keyring)) = (self.lives.try_borrow_mut(), self.keyring.try_borrow_mut()) else {
            return;
        };
        for life in lives.iter_mut() {
            life.enter(board);
            if let Ok(now) = now {
                life.sync(board, &mut keyring, now);
            }
        }
        if plugin.host.has_background()
            && (self.fetches || !plugin.policy.issuers().is_empty() || plugin.policy.reads_bodies())
        {
            self.set_period(if self.fetches { FIRST_TICK } else { IDLE_TICK });
        }
    }

    /// Looks what is to be done, in the root context. Whether requests wait, so that the next look is soon.
    pub(super) fn tick(&self, plugin: &Rc<Plugin>, now: Time) -> bool {
        let board = plugin.host.board();
        let mut settled = Vec::new();
        let mut requests = Vec::new();
        if let (Ok(mut lives), Ok(mut keyring)) = (self.lives.try_borrow_mut(), self.keyring.try_borrow_mut()) {
            for life in lives.iter_mut() {
                match life.ask(Want::Refresh, board, &mut keyring, now) {
                    Next::Fetch(request) => requests.push((life.issuer(), request)),
                    Next::Again | Next::Nothing => settled.push(life.issuer()),
                    Next::Wait => {}
                }
            }
        }
        for (issuer, request) in requests {
            if !self.call(plugin, Purpose::Keys(issuer), &request, None) {
                self.answered(plugin, issuer, Answer::default(), None);
            }
        }
        self.wake(plugin, now, |waiting| {
            waiting.deadline <= now || matches!(waiting.purpose, Purpose::Keys(issuer) if settled.contains(&issuer))
        });
        let waits = self.waiting.try_borrow().is_ok_and(|waiting| !waiting.is_empty());
        if let Ok(lives) = self.lives.try_borrow()
            && !waits
            && let Ok(mut metrics) = plugin.metrics.try_borrow_mut()
        {
            for life in lives.iter() {
                metrics.keys_age(plugin.policy.issuers(), life.issuer(), life.age(now));
            }
        }
        waits
    }

    /// Has the next look be as soon as it should be: work is to be done, requests wait, or neither.
    pub(super) fn pace(&self, checks: bool, busy: bool, waits: bool) {
        let slow = if self.fetches { SLOW_TICK } else { IDLE_TICK };
        self.set_period(if checks {
            checker::TICK
        } else if busy {
            WORK_TICK
        } else if waits {
            FAST_TICK
        } else {
            slow
        });
    }

    /// Has the next look be soon, in the root context.
    pub(super) fn hurry(&self) {
        self.set_period(WORK_TICK);
    }

    /// Does what can be done for a request that wants keys.
    pub(super) fn ask(
        &self,
        plugin: &Rc<Plugin>,
        (issuer, want): (usize, Want),
        stream: u32,
        patience: Patience,
        now: Time,
    ) -> Hope {
        let Some(deadline) = deadline(patience, now) else {
            return Hope::None;
        };
        let waiting = Waiting { stream, purpose: Purpose::Keys(issuer), deadline };
        let background = plugin.host.has_background();
        let next = {
            let (Ok(mut lives), Ok(mut keyring)) = (self.lives.try_borrow_mut(), self.keyring.try_borrow_mut()) else {
                return Hope::None;
            };
            let Some(life) = lives.iter_mut().find(|life| life.issuer() == issuer) else {
                return Hope::None;
            };
            life.ask(want, plugin.host.board(), &mut keyring, now)
        };
        match next {
            Next::Again => Hope::Again,
            // Where there is no background, nobody would resume the request.
            Next::Wait if background => self.park(waiting),
            Next::Wait | Next::Nothing => Hope::None,
            Next::Fetch(request) if background => {
                // The call is the root's, so that it outlives this request.
                let called = abi::set_effective_context(self.root).is_ok()
                    && self.call(plugin, Purpose::Keys(issuer), &request, None);
                if abi::set_effective_context(stream).is_err() {
                    return Hope::None;
                }
                if called {
                    return self.park(waiting);
                }
                self.settle(plugin, issuer, Answer::default());
                Hope::None
            }
            Next::Fetch(request) => {
                if self.call(plugin, Purpose::Keys(issuer), &request, Some(waiting)) {
                    return Hope::Wait;
                }
                self.settle(plugin, issuer, Answer::default());
                Hope::None
            }
        }
    }

    /// Whether the keys of an issuer are to be fetched again, and nobody does it in the background.
    pub(super) fn is_due(&self, plugin: &Plugin, issuer: usize, now: Time) -> bool {
        !plugin.host.has_background()
            && self.lives.try_borrow().is_ok_and(|lives| {
                lives.iter().any(|life| life.issuer() == issuer && life.is_due(plugin.host.board(), now))
            })
    }

    /// Takes the answer to a call, and decides who waited for it.
    pub(super) fn answered(&self, plugin: &Rc<Plugin>, issuer: usize, answer: Answer, held: Option<Waiting>) {
        let mut progress = self.settle(plugin, issuer, answer);
        while let Some(request) = progress {
            if self.call(plugin, Purpose::Keys(issuer), &request, held) {
                return;
            }
            progress = self.settle(plugin, issuer, Answer::default());
        }
        let now = plugin.host.now();
        match (held, now) {
            // This host waits for a word about just this request, and takes silence for consent.
            (Some(held), now) => {
                let patience = now.map_or(Patience::Over, |now| held.patience(now));
                stream::resume(plugin, held.stream, patience);
            }
            (None, Ok(now)) => self.wake(plugin, now, |waiting| waiting.purpose == Purpose::Keys(issuer)),
            (None, Err(_)) => {}
        }
    }

    /// Lets others fetch the keys of an issuer, after the request that this worker fetched them for is gone.
    pub(super) fn abandoned(&self, plugin: &Plugin, issuer: usize) {
        if let Ok(mut lives) = self.lives.try_borrow_mut()
            && let Some(life) = lives.iter_mut().find(|life| life.issuer() == issuer)
        {
            life.abandoned(plugin.host.board());
        }
    }

    /// Hands an answer to the key set it is for; the next request, if there is one.
    fn settle(&self, plugin: &Plugin, issuer: usize, answer: Answer) -> Option<Request> {
        let now = plugin.host.now().ok()?;
        let progress = {
            let (mut lives, mut keyring) = (self.lives.try_borrow_mut().ok()?, self.keyring.try_borrow_mut().ok()?);
            let life = lives.iter_mut().find(|life| life.issuer() == issuer)?;
            life.answered(answer, plugin.host.board(), &mut keyring, now)
        };
        match progress {
            Progress::Fetch(request) => Some(request),
            Progress::Ended(outcome) => {
                tell(plugin, issuer, outcome);
                None
            }
        }
    }

    /// Makes a call of the effective context. Whether it was made.
    pub(super) fn call(&self, plugin: &Rc<Plugin>, purpose: Purpose, request: &Request, held: Option<Waiting>) -> bool {
        let head = request.head();
        let pairs: Vec<(&[u8], &[u8])> = head.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
        let timeout = u32::try_from(request.timeout).unwrap_or(u32::MAX);
        match write_map(&pairs).map(|headers| abi::call(&request.cluster, &headers, &[], timeout)) {
            Some(Ok(token)) => {
                vm::expect(token, plugin, self.root, purpose, held);
                true
            }
            _ => false,
        }
    }

    /// Holds a request.
    pub(super) fn park(&self, waiting: Waiting) -> Hope {
        let Ok(mut list) = self.waiting.try_borrow_mut() else {
            return Hope::None;
        };
        if list.len() >= MOST_WAITING {
            return Hope::None;
        }
        list.push(waiting);
        drop(list);
        if self.period.get() > FAST_TICK && abi::set_effective_context(self.root).is_ok() {
            self.set_period(FAST_TICK);
            let _ = abi::set_effective_context(waiting.stream);
        }
        Hope::Wait
    }

    /// Decides the waiting requests that something has come for.
    pub(super) fn wake(&self, plugin: &Rc<Plugin>, now: Time, has_come: impl Fn(&Waiting) -> bool) {
        let woken: Vec<Waiting> = {
            let Ok(mut list) = self.waiting.try_borrow_mut() else {
                return;
            };
            let (woken, rest) = list.iter().copied().partition(&has_come);
            *list = rest;
            woken
        };
        if woken.is_empty() {
            return;
        }
        for waiting in woken {
            // A stream that is gone has no context any more.
            if abi::set_effective_context(waiting.stream).is_ok() {
                stream::resume(plugin, waiting.stream, waiting.patience(now));
            }
        }
        let _ = abi::set_effective_context(self.root);
    }

    /// Forgets a request whose stream ends.
    pub(super) fn forget(&self, stream: u32) {
        if let Ok(mut list) = self.waiting.try_borrow_mut()
            && !list.is_empty()
        {
            list.retain(|waiting| waiting.stream != stream);
        }
    }

    /// Has the next look be soon, from within a stream, to check a password.
    pub(super) fn hurry_from(&self, stream: u32) {
        if self.period.get() != checker::TICK && abi::set_effective_context(self.root).is_ok() {
            self.set_period(checker::TICK);
            let _ = abi::set_effective_context(stream);
        }
    }

    /// Makes the root context the effective one again.
    pub(super) fn to_root(&self) {
        let _ = abi::set_effective_context(self.root);
    }

    fn set_period(&self, period: u32) {
        if self.period.get() != period && abi::set_tick_period(period).is_ok() {
            self.period.set(period);
        }
    }
}

/// Tells how a fetch ended.
fn tell(plugin: &Plugin, issuer: usize, outcome: Outcome) {
    let issuers = plugin.policy.issuers();
    if let Ok(mut metrics) = plugin.metrics.try_borrow_mut() {
        metrics.fetched(issuers, issuer, outcome);
    }
    let name = issuers.get(issuer).map_or("", |issuer| issuer.name.as_str());
    match outcome {
        Outcome::Changed => ::log::info!("keys of issuer {name}: fetched, and changed"),
        Outcome::Unchanged => ::log::debug!("keys of issuer {name}: fetched, and the same"),
        failed => ::log::warn!("keys of issuer {name}: cannot be fetched: {}", failed.sentence()),
    }
}
