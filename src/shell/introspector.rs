//! Asks issuers about tokens, each token once however many requests show it, and holds the requests meanwhile.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use zeroize::Zeroizing;

use super::abi;
use super::fetcher::{Hope, Patience, Waiting};
use super::plugin::Plugin;
use super::stream;
use super::vm::{self, Purpose};
use crate::head::write_map;
use crate::jose::introspection::{self, Outcome};
use crate::jose::issuer::Keys;
use crate::jwks::fetch::Answer;
use crate::time::Time;

/// The most tokens that are asked about at once; those beyond are refused for now.
const MOST_ASKED: usize = 256;
/// The most requests that wait for one answer.
const MOST_WAITING: usize = 1_024;
/// So many questions in a row without any answer mean that the issuer is away: then one token at a time is asked about.
/// One that answers with an error is there: it may be the token that it chokes on.
const AWAY: u32 = 4;

/// The questions of one instance that are under way.
pub(super) struct Introspector {
    root: u32,
    asked: RefCell<Vec<Asked>>,
    next: Cell<u32>,
    failures: Cell<u32>,
    silent: Cell<u32>,
}

/// A token that an issuer is asked about.
struct Asked {
    /// Which question this is.
    number: u32,
    issuer: usize,
    token: Zeroizing<Vec<u8>>,
    /// The requests that wait for the answer.
    waiting: Vec<u32>,
}

impl Introspector {
    /// Nobody is asked anything yet.
    pub(super) fn new(root: u32) -> Self {
        Self { root, asked: RefCell::default(), next: Cell::new(0), failures: Cell::new(0), silent: Cell::new(0) }
    }

    /// Does what can be done for a request whose token only its issuer knows.
    pub(super) fn ask(
        &self,
        plugin: &Rc<Plugin>,
        (issuer, token): (usize, &[u8]),
        stream: u32,
        patience: Patience,
        now: Time,
    ) -> Hope {
        // It waited already, and what came was no answer.
        if !patience.may_ask() {
            return Hope::None;
        }
        let background = plugin.host.has_background();
        let number = {
            let Ok(mut asked) = self.asked.try_borrow_mut() else {
                return Hope::None;
            };
            let same = |other: &&mut Asked| other.issuer == issuer && other.token.as_slice() == token;
            // Where a call belongs to a request, nobody else would be told of its answer.
            if background && let Some(same) = asked.iter_mut().find(same) {
                if same.waiting.len() >= MOST_WAITING {
                    return Hope::None;
                }
                same.waiting.push(stream);
                return Hope::Wait;
            }
            let most = if self.silent.get() >= AWAY { 1 } else { MOST_ASKED };
            if asked.len() >= most {
                return Hope::None;
            }
            let number = self.next.get();
            self.next.set(number.wrapping_add(1));
            asked.push(Asked { number, issuer, token: Zeroizing::new(token.to_vec()), waiting: vec![stream] });
            number
        };
        let called = if background {
            // The call is the root's, so that it outlives this request.
            let called =
                abi::set_effective_context(self.root).is_ok() && self.call(plugin, issuer, token, number, None);
            called & abi::set_effective_context(stream).is_ok()
        } else {
            let purpose = Purpose::Introspection(number);
            self.call(plugin, issuer, token, number, Some(Waiting { stream, purpose, deadline: now }))
        };
        if called {
            return Hope::Wait;
        }
        self.take(number);
        self.note(plugin, issuer, Outcome::Unreachable);
        Hope::None
    }

    /// Makes the call. Whether it was made.
    fn call(&self, plugin: &Rc<Plugin>, issuer: usize, token: &[u8], number: u32, held: Option<Waiting>) -> bool {
        let Some(Keys::Asked(endpoint)) = plugin.policy.issuers().get(issuer).map(|issuer| &issuer.keys) else {
            return false;
        };
        let question = endpoint.question(token);
        let pairs: Vec<(&[u8], &[u8])> =
            question.head.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
        let Some(headers) = write_map(&pairs).map(Zeroizing::new) else {
            return false;
        };
        let timeout = u32::try_from(question.timeout).unwrap_or(u32::MAX);
        match abi::call(&endpoint.cluster, &headers, &question.body, timeout) {
            Ok(token) => {
                vm::expect(token, plugin, self.root, Purpose::Introspection(number), held);
                true
            }
            Err(_) => false,
        }
    }

    /// Takes the answer to a question, and decides who waited for it.
    pub(super) fn answered(&self, plugin: &Rc<Plugin>, number: u32, answer: &Answer, held: Option<Waiting>) {
        let Some(Asked { issuer, token, waiting, .. }) = self.take(number) else {
            return;
        };
        let now = plugin.host.now().ok();
        let outcome = now.map_or(Outcome::Unreachable, |now| plugin.settle(issuer, &token, answer, now));
        self.note(plugin, issuer, outcome);
        let patience = now.map_or(Patience::Over, Patience::answered);
        if let Some(held) = held {
            // This host waits for a word about just this request, and takes silence for consent.
            return stream::resume(plugin, held.stream, patience);
        }
        plugin.fetcher.resume_all(plugin, &waiting, patience);
    }

    /// Forgets a question whose answer will not come.
    pub(super) fn abandoned(&self, number: u32) {
        self.take(number);
    }

    /// Forgets a request whose stream ends.
    pub(super) fn forget(&self, stream: u32) {
        if let Ok(mut asked) = self.asked.try_borrow_mut() {
            asked.iter_mut().for_each(|asked| asked.waiting.retain(|waiting| *waiting != stream));
        }
    }

    /// Counts how asking ended, and tells when that changes: during an outage not for every token.
    fn note(&self, plugin: &Plugin, issuer: usize, outcome: Outcome) {
        let issuers = plugin.policy.issuers();
        if let Ok(mut metrics) = plugin.metrics.try_borrow_mut() {
            metrics.introspected(issuers, issuer, outcome);
        }
        let before = self.failures.get();
        self.failures.set(if outcome.is_answer() { 0 } else { before.saturating_add(1) });
        let silent = outcome == Outcome::Unreachable;
        self.silent.set(if silent { self.silent.get().saturating_add(1) } else { 0 });
        let name = issuers.get(issuer).map_or("", |issuer| issuer.name.as_str());
        match (outcome.is_answer(), before) {
            (false, 0) => ::log::warn!("issuer {name} cannot be asked about tokens: {}", outcome.sentence()),
            (true, AWAY..) => ::log::info!("issuer {name} answers about tokens again"),
            _ => {}
        }
    }

    fn take(&self, number: u32) -> Option<Asked> {
        let mut asked = self.asked.try_borrow_mut().ok()?;
        let at = asked.iter().position(|asked| asked.number == number)?;
        Some(asked.swap_remove(at))
    }
}

impl Plugin {
    /// Keeps what an issuer says of a token.
    fn settle(&self, issuer: usize, token: &[u8], answer: &Answer, now: Time) -> Outcome {
        match (self.policy.issuers().get(issuer), self.cache.try_borrow_mut()) {
            (Some(it), Ok(mut cache)) => introspection::settle(issuer, it, token, answer, &mut cache, now),
            _ => Outcome::Unreachable,
        }
    }
}
