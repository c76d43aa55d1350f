//! The bodies of requests, for the few decisions that look at them: they are held back until the last octet has come.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::abi::{self, Failure};
use crate::means::Body;
use crate::time::Time;

/// How long the first octets may take, in milliseconds. A host that never hands any over is told apart by that.
const PATIENCE: i64 = 10_000;

/// The bodies of one instance's requests, by their streams. Only policies that look at bodies have any here.
#[derive(Default)]
pub(super) struct Bodies {
    arriving: RefCell<HashMap<u32, Arriving, FixedState>>,
    /// Whether any body has come, ever.
    come: Cell<bool>,
    /// Whether it was told that none does.
    told: Cell<bool>,
}

struct Arriving {
    /// How much of it has come, in octets.
    size: usize,
    /// Whether that is all.
    whole: bool,
    /// Whether any of it came.
    seen: bool,
    /// How much of it is looked at, if it is looked at.
    wanted: Option<usize>,
    /// Since when the request waits for it alone, if it does.
    awaited: Option<Time>,
    /// Whether it was waited for long enough.
    missing: bool,
}

/// What is to be done with a part of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Pass it on, nobody looks at it.
    Pass,
    /// Hold it back.
    Hold,
    /// It was the last: decide.
    Decide,
}

impl Bodies {
    /// A request begins, which may have no body.
    pub(super) fn open(&self, stream: u32, ended: bool) {
        if let Ok(mut bodies) = self.arriving.try_borrow_mut() {
            let none = Arriving { size: 0, whole: ended, seen: false, wanted: None, awaited: None, missing: false };
            bodies.insert(stream, none);
        }
    }

    /// The body of a request, if its decision is known to look at it. `octets` is where it is put.
    pub(super) fn get<'o>(&self, stream: u32, octets: &'o mut Vec<u8>) -> Result<Body<'o>, Failure> {
        let bodies = self.arriving.try_borrow().map_err(|_| Failure::Refused)?;
        let Some(body) = bodies.get(&stream) else {
            return Ok(Body::Awaited);
        };
        if body.missing {
            return Ok(Body::Missing);
        }
        let longest = body.wanted.unwrap_or(usize::MAX);
        if body.size > longest {
            return Ok(Body::TooLong);
        }
        if !body.whole || (body.wanted.is_none() && body.size > 0) {
            return Ok(Body::Awaited);
        }
        let size = body.size;
        drop(bodies);
        if size > 0 {
            *octets = abi::request_body(size)?;
            // Less than there is could be read in another way than the whole.
            if octets.len() != size {
                return Err(Failure::Refused);
            }
        }
        Ok(Body::Whole(octets))
    }

    /// A decision looks at so much of a body.
    pub(super) fn want(&self, stream: u32, longest: usize) {
        self.with(stream, |body| body.wanted = Some(longest));
    }

    /// A request waits for its body alone. Whether there is one to wait for.
    pub(super) fn wait(&self, stream: u32, now: Time) -> bool {
        let wait = |body: &mut Arriving| {
            body.awaited = Some(now);
            !body.whole
        };
        self.with(stream, wait).unwrap_or(false)
    }

    /// Whether a decision looks at the body of a request.
    pub(super) fn is_wanted(&self, stream: u32) -> bool {
        self.with(stream, |body| body.wanted.is_some()).unwrap_or(false)
    }

    /// A part of a body has come; `size` is that of all that is held.
    pub(super) fn arrive(&self, stream: u32, size: usize, ended: bool) -> Part {
        let arrive = |body: &mut Arriving| {
            let Some(longest) = body.wanted else {
                return Part::Pass;
            };
            body.size = size.max(body.size);
            body.seen |= size > 0;
            self.come.set(self.come.get() || size > 0);
            let over = ended || body.size > longest;
            body.whole |= ended;
            if over && body.awaited.take().is_some() { Part::Decide } else { Part::Hold }
        };
        self.with(stream, arrive).unwrap_or(Part::Pass)
    }

    /// The trailers have come, so that what was held is all of the body.
    pub(super) fn end(&self, stream: u32) -> Part {
        let size = self.with(stream, |body| body.size).unwrap_or_default();
        self.arrive(stream, size, true)
    }

    /// A request goes on to the service.
    pub(super) fn release(&self, stream: u32) {
        self.with(stream, |body| (body.wanted, body.awaited) = (None, None));
    }

    /// A request was answered: what comes of its body yet is held back for good.
    pub(super) fn hold(&self, stream: u32) {
        self.with(stream, |body| body.awaited = None);
    }

    /// Requests that have waited long for a body of which nothing came; they wait no more.
    pub(super) fn overdue(&self, now: Time) -> Vec<u32> {
        let Ok(mut bodies) = self.arriving.try_borrow_mut() else {
            return Vec::new();
        };
        // A clock that was put back says nothing of how long it has been.
        let over = |since: Time| now < since || since.plus(PATIENCE) <= now;
        let late = |body: &Arriving| !body.seen && body.awaited.is_some_and(over);
        let late: Vec<u32> = bodies.iter().filter(|(_, body)| late(body)).map(|(stream, _)| *stream).collect();
        for stream in &late {
            if let Some(body) = bodies.get_mut(stream) {
                (body.awaited, body.missing) = (None, true);
            }
        }
        late
    }

    /// Whether it is the first time that a body does not come, and none ever has: that is not because of the callers, and
    /// worth a word.
    pub(super) fn is_news(&self) -> bool {
        !self.come.get() && !self.told.replace(true)
    }

    /// A stream ends.
    pub(super) fn forget(&self, stream: u32) {
        if let Ok(mut bodies) = self.arriving.try_borrow_mut() {
            bodies.remove(&stream);
        }
    }

    fn with<R>(&self, stream: u32, run: impl FnOnce(&mut Arriving) -> R) -> Option<R> {
        self.arriving.try_borrow_mut().ok()?.get_mut(&stream).map(run)
    }
}
