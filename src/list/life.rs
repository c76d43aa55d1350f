//! The life of one fetched list in one worker: when it is asked for, what is asked next, and what of it serves. The
//! last good list goes through everything that a server can do wrong.

use super::fault::Flaw;
use super::lists::Lists;
use super::load::{Load, Step};
use super::source::ListSource;
use crate::jwks::fetch::{Answer, Request};
use crate::jwks::record::{Record, Want};
use crate::time::Time;

/// How long one load may take, in milliseconds: a million entries at a slow server.
const PATIENCE: i64 = 600_000;

/// One fetched list, in one worker.
#[derive(Debug)]
pub struct ListLife {
    index: usize,
    source: ListSource,
    seed: u64,
    /// Whether it is asked for in pieces and read a little at a time, rather than at once.
    pieces: bool,
    record: Record,
    /// The entity tag of the list that serves.
    etag: Vec<u8>,
    load: Option<Load>,
    /// Whether an answer is awaited.
    asked: bool,
}

/// What can be done for somebody who wants a list.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// This request is to be made; what it leads to is worth waiting for.
    Fetch(Request),
    /// It is being fetched, which is worth waiting for.
    Wait,
    /// Nothing will come soon.
    Nothing,
}

/// What an answer or a step of work led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another request is to be made.
    Fetch(Request),
    /// [`ListLife::work`] is to be called.
    Work,
    /// Nothing is to be done.
    Idle,
    /// The fetch is over.
    Ended(Outcome),
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Another list came, and serves.
    Changed,
    /// The list that serves is still the right one.
    Unchanged,
    /// There was no answer, or one that says so: a host may make up a 503 or 504.
    Unreachable,
    /// The answer had a status other than 200, 206 and 304; a redirect is one of these and is not followed.
    Status,
    /// The document is not as it must be.
    Document(Flaw),
    /// The document is too long, or so long that it must come in pieces, and the server gives none.
    Whole,
    /// A piece is not the one that was asked for.
    Range,
    /// Pieces without a strong entity tag, which could be of different documents.
    Untagged,
    /// The document changed again and again while it was fetched.
    Unsettled,
}

impl Outcome {
    /// The word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Changed => "changed",
            Outcome::Unchanged => "unchanged",
            Outcome::Unreachable => "unreachable",
            Outcome::Status => "status",
            Outcome::Document(_) => "document",
            Outcome::Whole => "too_long",
            Outcome::Range => "range",
            Outcome::Untagged => "untagged",
            Outcome::Unsettled => "unsettled",
        }
    }

    /// What happened, for people.
    pub fn sentence(self) -> String {
        let fixed = match self {
            Outcome::Changed => "another list came",
            Outcome::Unchanged => "the list is the same",
            Outcome::Unreachable => {
                "no answer, or 502, 503 or 504 in place of one; is `cluster` right, and the server up?"
            }
            Outcome::Status => "the status is none of 200, 206 and 304; redirects are not followed",
            Outcome::Document(flaw) => return flaw.to_string(),
            Outcome::Whole => "the document is too long, or too long for a server that does not answer ranges",
            Outcome::Range => "the server sent another part than the one that was asked for",
            Outcome::Untagged => "a document in several parts needs a strong entity tag (ETag)",
            Outcome::Unsettled => "the document changed again and again while it was fetched",
        };
        String::from(fixed)
    }

    /// Whether the list is known to be the right one after it.
    pub const fn is_success(self) -> bool {
        matches!(self, Outcome::Changed | Outcome::Unchanged)
    }
}

impl ListLife {
    /// The life of the list with this index. `seed` keys its fingerprints; `pieces` tells whether there is time to ask
    /// for it in pieces, and to read it a little at a time.
    pub fn new(index: usize, source: &ListSource, seed: u64, pieces: bool) -> Self {
        Self {
            index,
            source: source.clone(),
            seed,
            pieces,
            record: Record::default(),
            etag: Vec::new(),
            load: None,
            asked: false,
        }
    }

    /// The index of the list.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether there is work to be done.
    pub fn is_busy(&self) -> bool {
        self.load.is_some() && !self.asked
    }

    /// Whether the list should be fetched again.
    pub fn is_due(&self, now: Time) -> bool {
        self.load.is_none() && self.record.is_due(self.source.schedule, Want::Refresh, now)
    }

    /// Does what can be done for somebody who wants the list.
    pub fn ask(&mut self, now: Time) -> Next {
        if self.load.is_some() {
            // An answer that never comes must not end all fetching.
            let over = self.record.tried.is_none_or(|began| now < began || now >= began.plus(PATIENCE));
            if !over {
                return Next::Wait;
            }
            self.load = None;
            self.record = self.record.failed();
        }
        if !self.is_due(now) {
            return Next::Nothing;
        }
        // Nobody else looks at the record, and a load may take longer than a lease.
        self.record = Record { leased: None, ..self.record.lease(Want::Refresh, now) };
        let load = Load::new(self.source.content, self.seed, self.etag.clone());
        let request = self.source.request(load.held(), self.pieces.then(|| load.part()));
        self.load = Some(load);
        self.asked = true;
        Next::Fetch(request)
    }

    /// Takes the answer to a request.
    pub fn answered(&mut self, answer: Answer, lists: &mut Lists, now: Time) -> Progress {
        if !self.asked {
            return Progress::Idle;
        }
        self.asked = false;
        match self.load.as_mut().map(|load| load.take(answer, self.pieces)) {
            Some(step) => self.follow(step, lists, now),
            None => Progress::Idle,
        }
    }

    /// Does one step of work, which takes a few milliseconds at most.
    pub fn work(&mut self, lists: &mut Lists, now: Time) -> Progress {
        if self.asked {
            return Progress::Idle;
        }
        match self.load.as_mut().map(Load::work) {
            Some(step) => self.follow(step, lists, now),
            None => Progress::Idle,
        }
    }

    fn follow(&mut self, step: Result<Step, Outcome>, lists: &mut Lists, now: Time) -> Progress {
        let outcome = match step {
            Ok(Step::Work) => return Progress::Work,
            Ok(Step::Ask(part)) => {
                self.asked = true;
                let held = self.load.as_ref().map(Load::held).unwrap_or_default();
                return Progress::Fetch(self.source.request(held, self.pieces.then_some(part)));
            }
            Ok(Step::Done(list, etag)) => {
                lists.install(self.index, list, now);
                self.etag = etag;
                self.record = self.record.succeeded(true, now);
                Outcome::Changed
            }
            Err(Outcome::Unchanged) => {
                lists.confirm(self.index, now);
                self.record = self.record.succeeded(false, now);
                Outcome::Unchanged
            }
            Err(outcome) => {
                lists.failed(self.index);
                self.record = self.record.failed();
                outcome
            }
        };
        self.load = None;
        Progress::Ended(outcome)
    }

    /// The answer to its request will not come, and not because of the server.
    pub fn abandoned(&mut self) {
        if self.asked {
            self.load = None;
            self.asked = false;
            self.record = self.record.abandoned();
        }
    }
}
