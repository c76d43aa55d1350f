//! The result of deciding: allowed or refused, for whom, by which route, and with which edits.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use crate::credential::Kinds;
use crate::deny::Reason;
use crate::edit::Edits;
use crate::identity::Identity;
use crate::jwks::record::Want;
use crate::password::Work;
use crate::password::ledger::PairDigest;
use crate::policy::Policy;
use crate::provider::preset::Preset;
use crate::reply::Reply;
use crate::route::Route;

/// What is to be done with a request.
#[must_use = "a request whose decision is dropped is neither let through nor refused"]
pub struct Decision<'a> {
    /// The policy that decided: the one that the request's route chose, else the one that holds by default.
    pub policy: &'a Policy,
    /// Whether it passes.
    pub verdict: Verdict,
    /// The route that matched.
    pub route: Option<&'a Route>,
    /// Who the caller is, in the order that the route names them; empty for nobody.
    pub identities: Vec<Identity<'a>>,
    /// Who showed a good credential and is refused all the same; for logs alone.
    pub refused: Vec<Identity<'a>>,
    /// What must change on the way to the service. On refusal they are not used.
    pub edits: Edits,
    /// Which kinds of credential were shown, good or bad.
    pub shown: Kinds,
    /// What might change the decision, if it could be had.
    pub wants: Option<Wish>,
    /// How much of the request's body it looks at, in octets, if it looks at it.
    pub reads_body: Option<usize>,
}

/// Something that a decision lacks and that may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Other keys of an issuer.
    Keys {
        /// The index of the issuer.
        issuer: usize,
        /// Why they are wanted.
        want: Want,
    },
    /// What an issuer says of a token.
    Introspection {
        /// The index of the issuer.
        issuer: usize,
        /// The token as it was shown. Whoever takes it must not tell it to anybody else.
        token: Vec<u8>,
    },
    /// Whether a password is the right one.
    Password(Rc<Question>),
    /// A list that is not there, by its index.
    List(usize),
    /// The body of the request.
    Body,
}

/// A password that is to be checked.
pub struct Question {
    /// The user that is named.
    pub user: String,
    /// Where the request comes from.
    pub source: Option<IpAddr>,
    /// The work; whatever comes of it, the password of somebody unknown is wrong.
    pub work: Cell<Option<Work>>,
    /// Whether there is such a user.
    pub known: bool,
    /// Whether the pair was right before when it came from there, so that what others guess does not matter.
    pub trusted: bool,
    /// Stands for the pair and what it is checked against.
    pub digest: PairDigest,
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Question {}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Whether a request passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Allow,
    /// It would be refused, but the policy only reports; it passes without identity.
    Report(Denial),
    /// It is refused.
    Deny(Denial),
    /// The filter answers it by itself, and well.
    Serve(Reply),
}

/// A refusal, with what its challenge needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// The kinds of credential that the route takes.
    pub takes: Kinds,
    /// The scopes that the route asks for, if they were missing.
    pub scopes: Vec<String>,
    /// In whose words the caller is told.
    pub shape: Shape,
}

/// In whose words a refusal is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// In ours, as the policy styles them.
    Own,
    /// As a token endpoint does (RFC 6749 section 5.2).
    OAuth,
    /// As a provider does.
    Provider(Preset),
}

impl Verdict {
    /// The word in metrics and filter state: `allow`, `report`, `deny` or `serve`.
    pub const fn word(&self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Report(_) => "report",
            Verdict::Deny(_) => "deny",
            Verdict::Serve(_) => "serve",
        }
    }

    /// Why the request is, or would be, refused.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Verdict::Allow | Verdict::Serve(_) => None,
            Verdict::Report(denial) | Verdict::Deny(denial) => Some(denial.reason),
        }
    }
}

/// Listens to the steps of a decision. The module listens to none, and then they cost nothing.
pub trait Trace {
    /// Takes note of a step, whose sentence is made only if somebody listens.
    fn step(&mut self, sentence: impl FnOnce() -> String);
}

/// Listens to nothing.
pub struct Silent;

impl Trace for Silent {
    fn step(&mut self, _sentence: impl FnOnce() -> String) {}
}

impl Trace for Vec<String> {
    fn step(&mut self, sentence: impl FnOnce() -> String) {
        self.push(sentence());
    }
}
