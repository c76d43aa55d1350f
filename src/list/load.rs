//! One load of a list: asks for its document piece by piece, reads what came a little at a time, and gives up where a
//! server does not keep its word. Nothing is handed out before all of it is there.

use super::fault::{Fault, Flaw};
use super::life::Outcome;
use super::lists::List;
use super::reader::Reader;
use super::source::Content;
use super::{clients, revoked};
use crate::jwks::fetch::{Answer, Part};

/// How many octets are asked for at once.
pub const PIECE: u64 = 256 * 1024;
/// The longest document that is taken in pieces, in octets.
pub const LONGEST: u64 = 192 * 1024 * 1024;
/// The longest document that is taken in one piece from a server that gives no other.
pub const LONGEST_WHOLE: usize = 8 * 1024 * 1024;
/// The same where no work is done beside requests: it is all read while one waits.
pub const LONGEST_AT_ONCE: usize = 1024 * 1024;
/// How often a document may change while it is loaded.
const MOST_RESTARTS: u8 = 3;
/// How many octets are read, and how many entries put in order, in one step of work.
pub const STEP: usize = 64 * 1024;
const STEP_ENTRIES: usize = 2 * 1024;

/// A load under way.
#[derive(Debug)]
pub(super) struct Load {
    content: Content,
    seed: u64,
    /// The entity tag that is held already, which the first request names.
    held: Vec<u8>,
    /// The entity tag of the document that is loaded.
    etag: Vec<u8>,
    /// How long it is, once that was said.
    total: Option<u64>,
    /// How many octets of it have come.
    came: u64,
    restarts: u8,
    /// What came and was not read to the end yet, and how far it was.
    piece: Vec<u8>,
    read: usize,
    reading: Reading,
}

/// What the document becomes.
#[derive(Debug)]
enum Reading {
    Revoked(Box<Reader<revoked::Builder>>),
    RevokedJson(Vec<u8>),
    Clients(Box<Reader<clients::Builder>>),
    /// All was read, and is put in order.
    SortRevoked(Box<revoked::Builder>),
    SortClients(Box<clients::Builder>),
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// This part is to be asked for.
    Ask(Part),
    /// There is more to be done.
    Work,
    /// The list is there, with the entity tag of its document.
    Done(List, Vec<u8>),
}

impl Load {
    /// Begins, holding a document with this entity tag.
    pub(super) fn new(content: Content, seed: u64, held: Vec<u8>) -> Self {
        Self {
            content,
            seed,
            held,
            etag: Vec::new(),
            total: None,
            came: 0,
            restarts: 0,
            piece: Vec::new(),
            read: 0,
            reading: Reading::new(content, seed),
        }
    }

    /// The part to ask for next.
    pub(super) fn part(&self) -> Part {
        let last = (self.came + PIECE).min(self.total.unwrap_or(u64::MAX)) - 1;
        Part { first: self.came, last, of: self.etag.clone() }
    }

    /// The entity tag that a request for this part names as held.
    pub(super) fn held(&self) -> Vec<u8> {
        if self.came == 0 && self.restarts == 0 { self.held.clone() } else { Vec::new() }
    }

    /// Takes an answer; `parts` tells whether a part was asked for.
    ///
    /// # Errors
    /// Why the load is over. [`Outcome::Unchanged`] is one reason.
    pub(super) fn take(&mut self, answer: Answer, parts: bool) -> Result<Step, Outcome> {
        match answer.status {
            None | Some(502..=504) => Err(Outcome::Unreachable),
            // Only who sent an entity tag is told this.
            Some(304) if !self.held().is_empty() => Err(Outcome::Unchanged),
            Some(200) => self.take_whole(answer),
            Some(206) if parts => self.take_part(answer),
            Some(_) => Err(Outcome::Status),
        }
    }

    fn take_whole(&mut self, answer: Answer) -> Result<Step, Outcome> {
        let Some(body) = answer.body else {
            // A server that knows parts sends all when the document has changed.
            return if self.came > 0 { self.restart() } else { Err(Outcome::Whole) };
        };
        if self.came > 0 {
            self.restart()?;
        }
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        (self.total, self.came, self.etag) = (Some(length), length, strong(answer.etag));
        (self.piece, self.read) = (body, 0);
        Ok(Step::Work)
    }

    fn take_part(&mut self, answer: Answer) -> Result<Step, Outcome> {
        let etag = strong(answer.etag);
        if self.came > 0 && etag != self.etag {
            return self.restart();
        }
        let (first, last, total) = content_range(&answer.content_range).ok_or(Outcome::Range)?;
        let body = answer.body.ok_or(Outcome::Range)?;
        if total > LONGEST {
            return Err(Outcome::Whole);
        }
        let end = (self.came + PIECE).min(total);
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if first != self.came || last.checked_add(1) != Some(end) || end.checked_sub(first) != Some(length) {
            return Err(Outcome::Range);
        }
        if self.total.is_some_and(|known| known != total) {
            return Err(Outcome::Range);
        }
        if end < total && etag.is_empty() {
            return Err(Outcome::Untagged);
        }
        (self.total, self.came, self.etag) = (Some(total), end, etag);
        (self.piece, self.read) = (body, 0);
        Ok(Step::Work)
    }

    /// Begins again, since the document has changed.
    fn restart(&mut self) -> Result<Step, Outcome> {
        if self.restarts >= MOST_RESTARTS {
            return Err(Outcome::Unsettled);
        }
        self.restarts += 1;
        (self.total, self.came, self.etag) = (None, 0, Vec::new());
        (self.piece, self.read) = (Vec::new(), 0);
        self.reading = Reading::new(self.content, self.seed);
        Ok(Step::Ask(self.part()))
    }

    /// Does one step of work with what has come.
    ///
    /// # Errors
    /// [`Outcome::Document`] if the document is not as it must be.
    pub(super) fn work(&mut self) -> Result<Step, Outcome> {
        loop {
            let step = self.step()?;
            // A short document is all read in one go.
            let short = self.total.is_some_and(|total| usize::try_from(total).is_ok_and(|total| total <= STEP));
            if !matches!(step, Step::Work) || !short {
                return Ok(step);
            }
        }
    }

    fn step(&mut self) -> Result<Step, Outcome> {
        let text = self.piece.get(self.read..).unwrap_or_default();
        if !text.is_empty() {
            let text = text.get(..STEP).unwrap_or(text);
            self.reading.feed(text).map_err(Outcome::Document)?;
            self.read += text.len();
            return Ok(Step::Work);
        }
        if self.total.is_some_and(|total| self.came < total) {
            self.piece = Vec::new();
            self.read = 0;
            return Ok(Step::Ask(self.part()));
        }
        self.piece = Vec::new();
        let reading = std::mem::replace(&mut self.reading, Reading::RevokedJson(Vec::new()));
        match reading.proceed(self.seed).map_err(Outcome::Document)? {
            Proceeded::List(list) => Ok(Step::Done(list, std::mem::take(&mut self.etag))),
            Proceeded::Reading(reading) => {
                self.reading = reading;
                Ok(Step::Work)
            }
        }
    }
}

enum Proceeded {
    Reading(Reading),
    List(List),
}

impl Reading {
    fn new(content: Content, seed: u64) -> Self {
        match content {
            Content::Revoked => Reading::Revoked(Box::new(Reader::revoked(seed))),
            Content::RevokedJson => Reading::RevokedJson(Vec::new()),
            Content::Clients => Reading::Clients(Box::new(Reader::clients(seed))),
        }
    }

    fn feed(&mut self, text: &[u8]) -> Result<(), Flaw> {
        match self {
            Reading::Revoked(reader) => reader.feed(text),
            Reading::Clients(reader) => reader.feed(text),
            Reading::RevokedJson(document) if document.len() + text.len() <= revoked::MAX_JSON => {
                document.extend_from_slice(text);
                Ok(())
            }
            _ => Err(Flaw { line: 0, fault: Fault::Long }),
        }
    }

    /// Goes on after the end of the document.
    fn proceed(self, seed: u64) -> Result<Proceeded, Flaw> {
        Ok(match self {
            Reading::Revoked(reader) => Proceeded::Reading(Reading::SortRevoked(Box::new(reader.end()?))),
            Reading::RevokedJson(text) => {
                Proceeded::Reading(Reading::SortRevoked(Box::new(revoked::read_json(&text, seed)?)))
            }
            Reading::Clients(reader) => Proceeded::Reading(Reading::SortClients(Box::new(reader.end()?))),
            Reading::SortRevoked(mut builder) => {
                if builder.sort(STEP_ENTRIES) {
                    Proceeded::List(List::Revoked(builder.finish()))
                } else {
                    Proceeded::Reading(Reading::SortRevoked(builder))
                }
            }
            Reading::SortClients(mut builder) => {
                if builder.sort(STEP_ENTRIES)? {
                    Proceeded::List(List::Clients(builder.finish()))
                } else {
                    Proceeded::Reading(Reading::SortClients(builder))
                }
            }
        })
    }
}

/// Reads a whole document at once.
///
/// # Errors
/// What is wrong with it.
pub fn read(content: Content, seed: u64, text: &[u8]) -> Result<List, Flaw> {
    let mut reading = Reading::new(content, seed);
    reading.feed(text)?;
    loop {
        match reading.proceed(seed)? {
            Proceeded::List(list) => return Ok(list),
            Proceeded::Reading(next) => reading = next,
        }
    }
}

/// An entity tag that tells documents apart octet by octet (RFC 9110 section 8.8.1); parts go by no other.
fn strong(etag: Vec<u8>) -> Vec<u8> {
    if etag.starts_with(b"\"") { etag } else { Vec::new() }
}

/// `bytes FIRST-LAST/TOTAL` (RFC 9110 section 14.4).
fn content_range(text: &[u8]) -> Option<(u64, u64, u64)> {
    let (range, total) = str::from_utf8(text).ok()?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    (first <= last && last < total).then_some((first, last, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_content_ranges() {
        let read = |text: &str| content_range(text.as_bytes());
        assert_eq!(read("bytes 0-9/10"), Some((0, 9, 10)));
        for text in [
            "",
            "bytes 0-9",
            "bytes 0-9/*",
            "bytes */10",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "octets 0-9/10",
            "bytes=0-9/10",
            "bytes +0-9/10",
            "bytes 0-9/99999999999999999999",
            "bytes  0-9/10",
            "bytes -9/10",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
