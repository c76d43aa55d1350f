//! One configured instance of the filter, as its streams share it.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;

use foldhash::fast::FixedState;

use super::abi::Failure;
use super::bodies::Bodies;
use super::checker::Checker;
use super::fetcher::{Fetcher, Waiting};
use super::host::Host;
use super::introspector::Introspector;
use super::lists::ListFetcher;
use super::metrics::Metrics;
use super::offload::HostOffload;
use super::peer::{HostDestination, HostPeer};
use super::stream;
use super::vm::Purpose;
use crate::VERSION;
use crate::cache::Cache;
use crate::decision::{Decision, Silent};
use crate::engine;
use crate::head::Head;
use crate::issue::mint::Mint;
use crate::issue::signer::Signer;
use crate::jwks::fetch::Answer;
use crate::means::{Body, Means};
use crate::password::ledger::Ledger;
use crate::policy::{Mode, Policy};
use crate::time::Time;

/// A policy and what goes with it in one worker.
pub(super) struct Plugin {
    /// The policy.
    pub(super) policy: Policy,
    /// The host.
    pub(super) host: Box<dyn Host>,
    /// The counters.
    pub(super) metrics: RefCell<Metrics>,
    /// The keys that are fetched, and who waits for them.
    pub(super) fetcher: Fetcher,
    /// Questions about tokens, and who waits for them.
    pub(super) introspector: Introspector,
    /// Passwords that are to be checked.
    pub(super) checker: Checker,
    /// Passwords that were checked.
    pub(super) ledger: RefCell<Ledger>,
    /// The lists that are fetched.
    pub(super) lists: ListFetcher,
    /// Tokens that were seen before.
    pub(super) cache: RefCell<Cache>,
    /// What tokens are made with.
    mint: RefCell<Mint>,
    /// Providers, and clusters that are not theirs, of which it was told.
    pub(super) astray: RefCell<Vec<(String, Vec<u8>)>>,
    /// The bodies of requests.
    pub(super) bodies: Bodies,
    offload: HostOffload,
}

impl Plugin {
    /// The instance of a root context.
    pub(super) fn new(root: u32, policy: Policy, host: Box<dyn Host>, offload: HostOffload) -> Self {
        let seed = seed(&policy, host.as_ref());
        let cache = Cache::new(policy.cache_size(), seed);
        let fetcher = Fetcher::new(root, policy.issuers(), !policy.lists().is_empty());
        let lists = ListFetcher::new(root, policy.lists(), seed, host.has_background());
        Self {
            metrics: RefCell::default(),
            fetcher,
            introspector: Introspector::new(root),
            checker: Checker::default(),
            ledger: RefCell::new(Ledger::new(&secret_seed(&policy, host.as_ref()))),
            lists,
            cache: RefCell::new(cache),
            mint: RefCell::new(Mint::new(&secret_seed(&policy, host.as_ref()))),
            astray: RefCell::default(),
            bodies: Bodies::default(),
            offload,
            policy,
            host,
        }
    }

    /// Begins to work: tells that it does, and fetches keys before anybody needs them.
    pub(super) fn start(self: &Rc<Self>) {
        let mode = match self.policy.mode() {
            Mode::Enforce => "enforce",
            Mode::Report => "report",
        };
        let names: Vec<&str> = self.offload.algorithms().iter().map(|alg| alg.name()).collect();
        let checked = if names.is_empty() { String::from("none") } else { names.join(" ") };
        ::log::info!(
            "{VERSION} started: policy {}, mode {mode}, host {}, signatures checked by the host: {checked}",
            self.policy.digest(),
            self.host.describe()
        );
        self.fetcher.start(self);
    }

    /// Time has passed.
    pub(super) fn tick(self: &Rc<Self>) {
        let Ok(now) = self.host.now() else {
            return;
        };
        let checks = self.checker.work(self, now);
        let busy = self.lists.tick(self, now);
        let waits = self.fetcher.tick(self, now);
        stream::refuse_overdue(self, now);
        self.fetcher.pace(checks, busy, waits);
        if checks || busy || waits {
            return;
        }
        self.lists.report(self, now);
        // Rare enough to tell what was counted in between.
        if let (Ok(mut metrics), Ok(mut cache)) = (self.metrics.try_borrow_mut(), self.cache.try_borrow_mut()) {
            metrics.cached(std::mem::take(&mut cache.counts));
        }
    }

    /// The answer to a call has come, or the news that none will.
    pub(super) fn answered(self: &Rc<Self>, purpose: Purpose, answer: Answer, held: Option<Waiting>) {
        match purpose {
            Purpose::Keys(issuer) => self.fetcher.answered(self, issuer, answer, held),
            Purpose::Introspection(number) => self.introspector.answered(self, number, &answer, held),
            Purpose::List(index) => self.lists.answered(self, index, answer, held),
        }
    }

    /// Whoever a call was made for is gone, and its answer will not come.
    pub(super) fn abandoned(&self, purpose: Purpose) {
        match purpose {
            Purpose::Keys(issuer) => self.fetcher.abandoned(self, issuer),
            Purpose::Introspection(number) => self.introspector.abandoned(number),
            Purpose::List(index) => self.lists.abandoned(index),
        }
    }

    /// Decides a request with what is there now.
    pub(super) fn decide<'a>(&'a self, head: &Head<'a>, body: Body<'_>, now: Time) -> Result<Decision<'a>, Failure> {
        let keyring = self.fetcher.keyring()?;
        let mut cache = self.cache.try_borrow_mut().map_err(|_| Failure::Refused)?;
        let chosen = if self.policy.has_named() { self.host.chosen_policy()? } else { None };
        let chosen = chosen.as_deref();
        let peer = HostPeer::new(self.host.as_ref());
        let mut ledger = self.ledger.try_borrow_mut().map_err(|_| Failure::Refused)?;
        let lists = self.lists.held()?;
        let mut mint = self.mint.try_borrow_mut().map_err(|_| Failure::Refused)?;
        self.checker.note_request();
        let mut means = Means {
            keyring: &keyring,
            lists: &lists,
            cache: &mut cache,
            ledger: &mut ledger,
            at_once: !self.host.has_background(),
            offload: &self.offload,
            peer: &peer,
            destination: &HostDestination(self.host.as_ref()),
            chosen,
            mint: &mut mint,
            body,
        };
        Ok(engine::decide(&self.policy, head, now, &mut means, &mut Silent))
    }
}

/// What nobody can tell: the salts and hashes of all users go into it, what the policy signs with, and the time of this
/// start.
fn secret_seed(policy: &Policy, host: &dyn Host) -> Vec<u8> {
    let mut seed = seed(policy, host).to_le_bytes().to_vec();
    policy.users().iter().for_each(|user| seed.extend(user.stored.mark()));
    policy.signers().flat_map(Signer::keys).for_each(|key| seed.extend(key.mark()));
    seed
}

/// Something that differs from worker to worker and start to start, and that callers cannot find out. It keeps
/// them from choosing tokens that fall together in the cache; what that would cost is some hits.
fn seed(policy: &Policy, host: &dyn Host) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(policy.digest().as_bytes());
    hasher.write_u64(host.nanoseconds());
    hasher.finish()
}
