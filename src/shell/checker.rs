//! Checks passwords a little at a time, between requests: to check one takes longer than a worker may stand still.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;

use super::abi;
use super::fetcher::{Hope, Patience};
use super::plugin::Plugin;
use super::stream;
use crate::decision::Question;
use crate::password::Work;
use crate::time::Time;

/// How often some work is done while there is any, in milliseconds.
pub(super) const TICK: u32 = 4;
/// How long the worker may be held up by that, in nanoseconds: while requests come, and while none do.
const SLICE: u64 = 500_000;
const QUIET_SLICE: u64 = 8_000_000;
/// What took longer than this at once, in nanoseconds, is followed by a rest of so many times its length.
const LONG: u64 = 10_000_000;
const REST: i64 = 4;
/// The most passwords that wait to be checked; of these, the most of one user and of one source.
const MOST: usize = 32;
const MOST_OF_ONE: usize = 4;
/// The most requests that wait for one.
const MOST_WAITING: usize = 256;
/// How long a request waits, in milliseconds.
const PATIENCE: i64 = 10_000;

/// The passwords that one instance has to check.
#[derive(Default)]
pub(super) struct Checker {
    queue: RefCell<VecDeque<Job>>,
    /// Since and until when no work is done. A rest that begins in the future, after the clock was put back, is none.
    rest: Cell<Option<(Time, Time)>>,
    /// Requests since the last slice of work.
    requests: Cell<u32>,
}

/// A password that is to be checked, or is being checked.
struct Job {
    question: Rc<Question>,
    work: Option<Work>,
    waiting: Vec<Waiting>,
    deadline: Time,
}

/// A request that waits for the verdict.
struct Waiting {
    stream: u32,
    source: Option<IpAddr>,
}

impl Job {
    fn streams(&self) -> Vec<u32> {
        self.waiting.iter().map(|waiting| waiting.stream).collect()
    }
}

impl Checker {
    /// A request has come.
    pub(super) fn note_request(&self) {
        self.requests.set(self.requests.get().saturating_add(1));
    }

    /// Takes a password to check for a request.
    pub(super) fn ask(
        &self,
        plugin: &Plugin,
        question: &Rc<Question>,
        stream: u32,
        patience: Patience,
        now: Time,
    ) -> Hope {
        let Ok(mut queue) = self.queue.try_borrow_mut() else {
            return Hope::None;
        };
        // It waited already, and the password was not checked.
        if !patience.may_ask() {
            return Hope::None;
        }
        if let Some(same) = queue.iter_mut().find(|job| job.question.digest == question.digest) {
            if same.waiting.len() >= MOST_WAITING {
                return Hope::None;
            }
            same.waiting.push(Waiting { stream, source: question.source });
            return Hope::Wait;
        }
        let of = |is: &dyn Fn(&Question) -> bool| queue.iter().filter(|job| is(&job.question)).count() >= MOST_OF_ONE;
        let crowded = (!question.trusted && of(&|other| other.user == question.user))
            || (question.source.is_some() && of(&|other| other.source == question.source));
        if crowded || queue.len() >= MOST {
            return Hope::None;
        }
        queue.push_back(Job {
            question: Rc::clone(question),
            work: question.work.take(),
            waiting: vec![Waiting { stream, source: question.source }],
            deadline: now.plus(PATIENCE),
        });
        drop(queue);
        plugin.fetcher.hurry_from(stream);
        Hope::Wait
    }

    /// Does some work, in the root context. Whether there is more.
    pub(super) fn work(&self, plugin: &Rc<Plugin>, now: Time) -> bool {
        let requests = self.requests.take();
        let expired = self.take(|job| job.deadline <= now);
        for job in expired {
            charge(plugin, &job, now);
            plugin.fetcher.resume_all(plugin, &job.streams(), Patience::answered(now));
        }
        if !self.rest.get().is_some_and(|(since, until)| since <= now && now < until) {
            let slice = if requests == 0 { QUIET_SLICE } else { SLICE };
            if let Some(verdict) = self.step(plugin, slice, now) {
                self.settle(plugin, verdict, now);
            }
        }
        self.queue.try_borrow().is_ok_and(|queue| !queue.is_empty())
    }

    /// Works on the first password for a while; the verdict if that was the end of it.
    fn step(&self, plugin: &Plugin, slice: u64, now: Time) -> Option<bool> {
        let mut queue = self.queue.try_borrow_mut().ok()?;
        let Some(work) = queue.front_mut()?.work.as_mut() else {
            return Some(false);
        };
        let start = plugin.host.nanoseconds();
        let (verdict, took) = loop {
            let verdict = work.step();
            let took = plugin.host.nanoseconds().saturating_sub(start);
            if verdict.is_some() || took >= slice {
                break (verdict, took);
            }
        };
        if took >= LONG {
            let rest = i64::try_from(took / 1_000_000).unwrap_or(0).saturating_mul(REST);
            self.rest.set(Some((now, now.plus(rest))));
        }
        verdict
    }

    /// Takes note of a verdict, and decides who waited for it.
    fn settle(&self, plugin: &Rc<Plugin>, right: bool, now: Time) {
        let Some(job) = self.queue.try_borrow_mut().ok().and_then(|mut queue| queue.pop_front()) else {
            return;
        };
        if let Ok(mut ledger) = plugin.ledger.try_borrow_mut() {
            let question = &job.question;
            if right && question.known {
                for waiting in &job.waiting {
                    ledger.note_right(question.digest, waiting.source, now);
                }
            } else {
                ledger.note_wrong(question.digest, question.user.as_bytes(), question.source, now);
            }
        }
        plugin.fetcher.resume_all(plugin, &job.streams(), Patience::answered(now));
    }

    /// Forgets a request whose stream ends, and a password that nobody waits for any more.
    pub(super) fn forget(&self, plugin: &Plugin, stream: u32) {
        if let Ok(mut queue) = self.queue.try_borrow_mut()
            && !queue.is_empty()
        {
            queue.iter_mut().for_each(|job| job.waiting.retain(|waiting| waiting.stream != stream));
        }
        let left = self.take(|job| job.waiting.is_empty());
        if !left.is_empty()
            && let Ok(now) = plugin.host.now()
        {
            left.iter().for_each(|job| charge(plugin, job, now));
        }
    }

    fn take(&self, is: impl Fn(&Job) -> bool) -> VecDeque<Job> {
        let Ok(mut queue) = self.queue.try_borrow_mut() else {
            return VecDeque::new();
        };
        if queue.is_empty() {
            return VecDeque::new();
        }
        let (taken, rest): (VecDeque<Job>, VecDeque<Job>) = std::mem::take(&mut *queue).into_iter().partition(is);
        *queue = rest;
        taken
    }
}

/// Counts a password that was not checked to the end against who had it checked: to leave, or to crowd the queue, must
/// not be cheaper than to be wrong.
fn charge(plugin: &Plugin, job: &Job, now: Time) {
    if let Ok(mut ledger) = plugin.ledger.try_borrow_mut() {
        ledger.note_left(job.question.source, now);
    }
}

impl super::fetcher::Fetcher {
    /// Decides requests whose own question was answered, each in its context.
    pub(super) fn resume_all(&self, plugin: &Rc<Plugin>, streams: &[u32], patience: Patience) {
        for stream in streams {
            // A stream that is gone has no context any more.
            if abi::set_effective_context(*stream).is_ok() {
                stream::resume(plugin, *stream, patience);
            }
        }
        self.to_root();
    }
}
