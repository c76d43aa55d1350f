//! The life of one remote key set in one worker: takes what other workers left on the board, fetches when it
//! is this worker's turn, and keeps the last good set through everything that goes wrong.

use super::board::{Board, Document, read_record, write_record};
use super::discovery;
use super::fetch::{Answer, Outcome, Request};
use super::record::{Record, Want};
use super::source::{Place, Source, Uri};
use crate::jose::document;
use crate::jose::issuer::{Issuer, Keys};
use crate::jose::keyring::Keyring;
use crate::time::Time;

/// One remote key set, in one worker.
pub struct Life {
    /// The index of its issuer.
    issuer: usize,
    source: Source,
    /// Its name on the board.
    name: String,
    /// The number of the document that was last looked at.
    seen: Option<u64>,
    /// The number of the document whose keys this worker has.
    holds: Option<u64>,
    /// When the set was last confirmed, as far as this worker knows.
    fetched: Option<Time>,
    /// The fetch that this worker has begun.
    fetch: Option<Fetch>,
}

/// A fetch under way.
struct Fetch {
    /// When it began, which tells our lease from others'.
    began: Time,
    /// The key set that is asked for; `None` while the metadata are.
    set: Option<Uri>,
    /// What the board had when it began.
    document: Option<Document>,
}

/// What can be done for somebody who wants keys.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Others have come: look again.
    Again,
    /// This request is to be made; its answer is worth waiting for.
    Fetch(Request),
    /// Somebody else is fetching, which is worth waiting for.
    Wait,
    /// Nothing will come soon.
    Nothing,
}

/// What an answer led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another request is to be made.
    Fetch(Request),
    /// The fetch is over.
    Ended(Outcome),
}

impl Life {
    /// The life of an issuer's key set; `None` if its keys stand in the policy.
    pub fn new(index: usize, issuer: &Issuer) -> Option<Self> {
        let Keys::Remote(source) = &issuer.keys else {
            return None;
        };
        Some(Self {
            issuer: index,
            name: source.key(),
            source: source.as_ref().clone(),
            seen: None,
            holds: None,
            fetched: None,
            fetch: None,
        })
    }

    /// The index of its issuer.
    pub fn issuer(&self) -> usize {
        self.issuer
    }

    /// How long ago the set was last confirmed, in milliseconds; `None` if there never was one.
    pub fn age(&self, now: Time) -> Option<i64> {
        self.fetched.map(|fetched| now.millis().saturating_sub(fetched.millis()).max(0))
    }

    /// Makes sure that there is a record: from then on, only one worker can replace it.
    pub fn enter(&self, board: &dyn Board) {
        if board.read(&self.name).is_none() {
            write_record(board, &self.name, &Record::default(), 0);
        }
    }

    /// Takes over what others left on the board. Whether another set came.
    pub fn sync(&mut self, board: &dyn Board, keyring: &mut Keyring, now: Time) -> bool {
        let (record, _) = read_record(board, &self.name);
        self.take(&record, board, keyring, now)
    }

    fn take(&mut self, record: &Record, board: &dyn Board, keyring: &mut Keyring, now: Time) -> bool {
        let Some(until) = record.serves_until(self.source.schedule, now) else {
            return false;
        };
        let came = self.seen != Some(record.generation) && self.load(board, keyring, until);
        // A document that cannot be read here does not lengthen the life of the keys before it.
        if self.holds == Some(record.generation) && self.fetched != record.fetched {
            self.fetched = record.fetched;
            keyring.extend(self.issuer, until);
        }
        came
    }

    /// Reads the document on the board; whether its keys were taken.
    fn load(&mut self, board: &dyn Board, keyring: &mut Keyring, until: Time) -> bool {
        let Some(document) = Document::read(board, &self.name) else {
            return false;
        };
        if self.seen == Some(document.generation) {
            return false;
        }
        self.seen = Some(document.generation);
        match document::read(&document.text, self.source.algorithms.as_deref()) {
            Ok(keys) => {
                keyring.install(self.issuer, keys, until);
                self.holds = self.seen;
                true
            }
            Err(_) => false,
        }
    }

    /// Whether the set should be fetched again, whoever does it.
    pub fn is_due(&self, board: &dyn Board, now: Time) -> bool {
        read_record(board, &self.name).0.is_due(self.source.schedule, Want::Refresh, now)
    }

    /// Does what can be done for somebody who wants keys.
    pub fn ask(&mut self, want: Want, board: &dyn Board, keyring: &mut Keyring, now: Time) -> Next {
        let (record, mark) = read_record(board, &self.name);
        if self.take(&record, board, keyring, now) {
            return Next::Again;
        }
        if record.is_leased(now) {
            return Next::Wait;
        }
        if !record.is_due(self.source.schedule, want, now) {
            return Next::Nothing;
        }
        if !write_record(board, &self.name, &record.lease(want, now), mark) {
            // Somebody was quicker, by less than this call took; or the board does not work.
            let fetched = read_record(board, &self.name).0.is_leased(now);
            return if fetched { Next::Wait } else { Next::Nothing };
        }
        let document = Document::read(board, &self.name);
        let (uri, set, etag) = match &self.source.place {
            Place::Set(uri) => (uri, Some(uri.clone()), etag(document.as_ref())),
            Place::Metadata { uri, .. } => (uri, None, Vec::new()),
        };
        let request = Request::new(&self.source, uri, etag);
        self.fetch = Some(Fetch { began: now, set, document });
        Next::Fetch(request)
    }

    /// Takes the answer to a request that [`Life::ask`] or this asked for.
    pub fn answered(&mut self, answer: Answer, board: &dyn Board, keyring: &mut Keyring, now: Time) -> Progress {
        let Some(mut fetch) = self.fetch.take() else {
            return Progress::Ended(Outcome::Unreachable);
        };
        let outcome = match (&fetch.set, &self.source.place) {
            (None, Place::Metadata { issuer, uri }) => {
                match answer.document().and_then(|text| discovery::jwks_uri(text, issuer, uri).ok_or(Outcome::Issuer)) {
                    Ok(set) => {
                        // An entity tag is one address's own (RFC 9110 section 8.8.3), and the set may have moved.
                        fetch.document = None;
                        let request = Request::new(&self.source, &set, Vec::new());
                        fetch.set = Some(set);
                        self.fetch = Some(fetch);
                        return Progress::Fetch(request);
                    }
                    Err(outcome) => outcome,
                }
            }
            _ => self.judge(&answer, &fetch, board, now),
        };
        if outcome.is_success() {
            self.sync(board, keyring, now);
        } else {
            self.give_back(fetch.began, board);
        }
        Progress::Ended(outcome)
    }

    /// The answer to its request will not come, and not because of the server.
    pub fn abandoned(&mut self, board: &dyn Board) {
        let Some(fetch) = self.fetch.take() else {
            return;
        };
        let (record, mark) = read_record(board, &self.name);
        if record.tried == Some(fetch.began) {
            write_record(board, &self.name, &record.abandoned(), mark);
        }
    }

    /// Takes a document that is good and leaves it on the board, or says why it is not.
    fn judge(&self, answer: &Answer, fetch: &Fetch, board: &dyn Board, now: Time) -> Outcome {
        // Only who sent an entity tag is told this.
        if answer.status == Some(304) && fetch.document.as_ref().is_some_and(|document| !document.etag.is_empty()) {
            return self.confirm(None, fetch.began, board, now);
        }
        match answer.document() {
            Ok(text) if document::read(text, self.source.algorithms.as_deref()).is_err() => Outcome::Document,
            Ok(text) => self.confirm(Some((&answer.etag, text)), fetch.began, board, now),
            Err(outcome) => outcome,
        }
    }

    /// Writes down that the set was fetched, and the document if it is another one.
    fn confirm(&self, fetched: Option<(&[u8], &[u8])>, began: Time, board: &dyn Board, now: Time) -> Outcome {
        // Workers rarely meet here, and one that lost every time leaves the next attempt to others.
        for _ in 0..4 {
            let (record, mark) = read_record(board, &self.name);
            let standing =
                Document::read(board, &self.name).filter(|document| document.generation == record.generation);
            let changed = match (&fetched, &standing) {
                (None, _) => false,
                (Some((_, text)), Some(standing)) => *text != standing.text,
                (Some(_), None) => true,
            };
            let mut next = record.succeeded(changed, now);
            if record.tried != Some(began) {
                // This answer came late, and the lease is somebody else's by now.
                next.leased = record.leased;
            }
            if let Some((etag, text)) = fetched {
                // The document first: a record that tells of it must find it.
                let document = Document { generation: next.generation, etag: etag.to_vec(), text: text.to_vec() };
                if !document.write(board, &self.name) {
                    return Outcome::Unkept;
                }
            }
            if write_record(board, &self.name, &next, mark) {
                return if changed { Outcome::Changed } else { Outcome::Unchanged };
            }
        }
        Outcome::Unchanged
    }

    /// Gives a lease back after a failure, unless somebody else has it by now.
    fn give_back(&self, began: Time, board: &dyn Board) {
        let (record, mark) = read_record(board, &self.name);
        if record.tried == Some(began) {
            write_record(board, &self.name, &record.failed(), mark);
        }
    }
}

fn etag(document: Option<&Document>) -> Vec<u8> {
    document.map(|document| document.etag.clone()).unwrap_or_default()
}
