//! The audit line: one JSON object per decision, for people who have to tell later who did what. It holds nothing that
//! was not verified, and no credential.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

use crate::decision::{Decision, Verdict};
use crate::head::Head;
use crate::json::write_text;
use crate::peer::Peer;
use crate::policy::Policy;
use crate::time::Time;

/// The longest value, in octets; what is cut ends in an ellipsis.
const LONGEST: usize = 128;

/// Which decisions are written down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audit {
    /// Requests that passed.
    pub allow: bool,
    /// Those that were refused.
    pub deny: bool,
    /// Those that would have been.
    pub report: bool,
    /// Those that were answered by the filter itself.
    pub serve: bool,
    /// Of how many requests that passed one is written down; the others all are.
    pub one_of: u64,
}

impl Audit {
    /// Whether this decision is written down. Of requests that passed, which ones depends on their ids alone, so that all
    /// proxies on the way of a request pick the same.
    fn takes(&self, verdict: &Verdict, id: &[u8]) -> bool {
        match verdict {
            Verdict::Allow => self.allow && (self.one_of <= 1 || hash(id).is_multiple_of(self.one_of)),
            Verdict::Deny(_) => self.deny,
            Verdict::Report(_) => self.report,
            Verdict::Serve(_) => self.serve,
        }
    }
}

/// The line of a decision, if its policy wants one. `id` is that under which the host logs the request.
pub fn line(decision: &Decision<'_>, head: &Head<'_>, id: Option<&[u8]>, peer: &dyn Peer, now: Time) -> Option<String> {
    let policy: &Policy = decision.policy;
    let audit = policy.audit.as_ref()?;
    let id = id.or_else(|| head.first("x-request-id")).unwrap_or_default();
    if !audit.takes(&decision.verdict, id) {
        return None;
    }
    let mut line = Line(String::from("{"));
    line.put("time", Some(&now.to_string()));
    line.put("id", str::from_utf8(id).ok().filter(|id| !id.is_empty()));
    line.put("decision", Some(decision.verdict.word()));
    line.put("reason", decision.verdict.reason().map(|reason| reason.word()));
    line.put("policy", policy.label());
    line.put("route", decision.route.map(|route| route.label.as_str()));
    line.put("credential", Some(decision.shown.word()));
    if let Some(identity) = decision.identities.first().or_else(|| decision.refused.first()) {
        line.put("method", Some(identity.method()));
        line.put("name", Some(identity.name()));
        line.put("sub", identity.sub());
        line.put("client", identity.client());
        line.put("issuer", identity.issuer());
        line.put("jti", identity.jti());
    }
    let address = crate::forwarded::caller(head, peer, policy.hops).map(|address| address.to_string());
    line.put("address", address.as_deref());
    line.0.push('}');
    Some(line.0)
}

/// A JSON object that grows.
struct Line(String);

impl Line {
    /// Adds a member, if it has a value.
    fn put(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value else {
            return;
        };
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        let short: String =
            value.char_indices().take_while(|(at, c)| at + c.len_utf8() <= LONGEST).map(|(_, c)| c).collect();
        let cut = short.len() < value.len();
        // Writing into a String cannot fail.
        let _ = write_text(&if cut { short + "…" } else { short }, &mut self.0);
    }
}

fn hash(id: &[u8]) -> u64 {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(id);
    hasher.finish()
}
