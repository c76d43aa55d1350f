//! Explains one decision in full: what was read, which route matched, what was checked, what would change.

use std::borrow::Cow;

use crate::cache::{Cache, CacheSize};
use crate::cluster::Cluster;
use crate::decision::{Verdict, Wish};
use crate::deny::Reason;
use crate::edit::Edits;
use crate::engine;
use crate::head::Head;
use crate::identity::Identity;
use crate::issue::mint::Mint;
use crate::jose::introspection::{self, Outcome};
use crate::jose::keyring::Keyring;
use crate::jose::offload::Offload;
use crate::jose::rsa_private::RsaPrivate;
use crate::json::Json;
use crate::jwks::fetch::Answer;
use crate::list::lists::Lists;
use crate::means::{Body, Means};
use crate::password::ledger::Ledger;
use crate::peer::{self, Peer};
use crate::policy::Policy;
use crate::reply::{Asked, Reply, is_grpc};
use crate::time::Time;

/// A decision with everything that led to it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// `allow`, `deny`, `serve` for what the filter answers by itself, or `report` for a refusal that is only reported.
    pub decision: &'static str,
    /// The status of the refusal, or 200.
    pub status: u16,
    /// The word for the reason of a refusal, reported ones included.
    pub reason: Option<&'static str>,
    /// The policy that decided, where there are several.
    pub policy: Option<String>,
    /// The label of the route that matched.
    pub route: Option<String>,
    /// Who the caller is: one member per field that is known. With several credentials, the first.
    pub identity: Json<'static>,
    /// The other identities, where the route asks for several.
    pub others: Vec<Json<'static>>,
    /// Headers set for the service.
    pub set: Vec<(String, String)>,
    /// Headers of this request that the service does not get to see as they came.
    pub removed: Vec<String>,
    /// What was done, in order.
    pub steps: Vec<String>,
    /// The answer to the caller, if the filter gives one.
    pub reply: Option<Reply>,
    /// The edits, if it passes.
    pub edits: Edits,
}

/// What a request meets beside the policy.
pub struct Circumstances<'c> {
    /// The keys that were fetched.
    pub keyring: &'c Keyring,
    /// The lists that were fetched.
    pub lists: &'c Lists,
    /// Who is at the other end of the connection.
    pub peer: &'c dyn Peer,
    /// The cluster that the proxy's route leads to.
    pub cluster: Cluster,
    /// The policy that the proxy's route names.
    pub chosen: Option<&'c str>,
    /// What an issuer that is asked says of the request's token (RFC 7662 section 2.2).
    pub introspected: Option<&'c [u8]>,
    /// The body of the request.
    pub body: &'c [u8],
}

/// Stands for a host that signs with RSA keys. What an explanation tells of a token has no signature in it.
struct SignsAsHost;

impl Offload for SignsAsHost {
    fn sign(&self, _key: &RsaPrivate, _message: &[u8]) -> Option<Vec<u8>> {
        Some(b"signed by the host".to_vec())
    }
}

/// Decides a request and tells how. What the policy has fetched is not there.
pub fn explain(policy: &Policy, head: &Head<'_>, now: Time) -> Explanation {
    let keyring = Keyring::new(&policy.issuers);
    let lists = Lists::new(policy.lists.len());
    let around = Circumstances {
        keyring: &keyring,
        lists: &lists,
        peer: &peer::Nobody,
        cluster: Cluster::Right,
        chosen: None,
        introspected: None,
        body: b"",
    };
    explain_with(policy, &around, head, now)
}

/// Decides a request under some circumstances, and tells how.
pub fn explain_with(policy: &Policy, around: &Circumstances<'_>, head: &Head<'_>, now: Time) -> Explanation {
    let mut steps = Vec::new();
    // Every step is to be told, so nothing is remembered from one request to the next; but for an answer about the
    // token of this one.
    let size = CacheSize { tokens: usize::from(around.introspected.is_some()), ttl: 1_000 };
    let mut means = Means {
        keyring: around.keyring,
        lists: around.lists,
        cache: &mut Cache::new(size, 0),
        ledger: &mut Ledger::new(b""),
        at_once: true,
        offload: &SignsAsHost,
        peer: around.peer,
        destination: &around.cluster,
        chosen: around.chosen.map(str::as_bytes),
        mint: &mut Mint::new(b""),
        body: Body::Whole(around.body),
    };
    let mut decision = engine::decide(policy, head, now, &mut means, &mut steps);
    if let (Some(Wish::Introspection { issuer, token }), Some(body)) = (&decision.wants, around.introspected)
        && let Some(asked) = policy.issuers.get(*issuer)
    {
        let answer = Answer { status: Some(200), body: Some(body.to_vec()), ..Answer::default() };
        let outcome = introspection::settle(*issuer, asked, token, &answer, means.cache, now);
        let mut after = Vec::new();
        decision = engine::decide(policy, head, now, &mut means, &mut after);
        let says = says(outcome, decision.verdict.reason());
        steps = vec![format!("issuer `{}` is asked about the token: {says}", asked.name)];
        steps.append(&mut after);
    }
    let grpc = head.first("content-type").is_some_and(is_grpc);
    let asked = Asked { id: head.first("x-request-id"), grpc, head: Some(head) };
    let reply = match &decision.verdict {
        Verdict::Deny(denial) => Some(Reply::new(denial, decision.policy, asked)),
        Verdict::Serve(reply) => Some(reply.clone()),
        Verdict::Allow | Verdict::Report(_) => None,
    };
    let edits = decision.edits;
    let mut identities = decision.identities.iter().map(describe);
    let shown = edits.set.iter().map(|(name, value)| (name.clone(), lossy(value)));
    let set = shown.chain(edits.secret.iter().map(|(name, _)| (name.clone(), String::from("***"))));
    Explanation {
        decision: decision.verdict.word(),
        status: reply.as_ref().map_or(200, |reply| reply.status),
        reason: decision.verdict.reason().map(|reason| reason.word()),
        policy: decision.policy.label().map(String::from),
        route: decision.route.map(|route| route.label.clone()),
        identity: identities.next().unwrap_or(Json::Null),
        others: identities.collect(),
        set: if reply.is_none() { set.collect() } else { Vec::new() },
        removed: if reply.is_none() { removed(&edits, head) } else { Vec::new() },
        steps,
        reply,
        edits,
    }
}

impl Explanation {
    /// The explanation as a JSON object; `id` is handed through.
    pub fn to_json(&self, id: Json<'static>) -> Json<'static> {
        let text = |text: &str| Json::Str(String::from(text).into());
        let optional = |value: Option<&str>| value.map_or(Json::Null, text);
        let list = |items: &[String]| Json::Array(items.iter().map(|item| text(item)).collect());
        let set = self.set.iter().map(|(name, value)| (name.clone().into(), text(value)));
        let mut members = vec![
            ("id".into(), id),
            ("decision".into(), text(if self.decision == "report" { "allow" } else { self.decision })),
            ("status".into(), Json::Int(i128::from(self.status))),
            ("reason".into(), optional(self.reason)),
            ("route".into(), optional(self.route.as_deref())),
            ("identity".into(), self.identity.clone()),
        ];
        if let Some(policy) = &self.policy {
            members.push(("policy".into(), text(policy)));
        }
        if self.decision == "report" {
            members.push(("reported".into(), Json::Bool(true)));
        }
        if !self.others.is_empty() {
            members.push(("others".into(), Json::Array(self.others.clone())));
        }
        members.push(("set".into(), Json::Object(set.collect())));
        members.push(("removed".into(), list(&self.removed)));
        members.push(("steps".into(), list(&self.steps)));
        members.extend(self.reply.as_ref().map(|reply| ("answer".into(), answer(reply))));
        Json::Object(members)
    }
}

/// What an issuer's answer comes to: a token that it calls active may be meant for others, or be of another kind.
fn says(outcome: Outcome, reason: Option<Reason>) -> &'static str {
    match outcome {
        Outcome::Inactive if reason != Some(Reason::TokenInactive) => "active, but not for us",
        Outcome::Document => outcome.sentence(),
        outcome => outcome.word(),
    }
}

/// What the caller gets to see. Headers are pairs, as in requests: there may be several challenges.
fn answer(reply: &Reply) -> Json<'static> {
    let text = |text: &str| Json::Str(String::from(text).into());
    let pair = |(name, value): &(Cow<'static, str>, String)| Json::Array(vec![text(name), text(value)]);
    let mut members = vec![
        ("status".into(), Json::Int(i128::from(reply.status))),
        ("headers".into(), Json::Array(reply.headers.iter().map(pair).collect())),
        ("body".into(), text(&reply.shown())),
    ];
    members.extend(reply.grpc_status.map(|status| ("grpc_status".into(), Json::Int(i128::from(status)))));
    Json::Object(members)
}

/// The names of the request's own headers that are removed or overwritten, `:path` for a changed query.
fn removed(edits: &Edits, head: &Head<'_>) -> Vec<String> {
    let changed = |name: &[u8]| {
        edits.remove.iter().any(|n| n.eq_ignore_ascii_case(name))
            || edits.all_set().any(|(n, _)| n.as_bytes().eq_ignore_ascii_case(name))
            || (name == b":path" && edits.target.is_some())
    };
    let mut names: Vec<String> = Vec::new();
    for (name, _) in head.pairs.iter().filter(|(name, _)| changed(name)) {
        let name = lossy(name).to_ascii_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn describe(identity: &Identity<'_>) -> Json<'static> {
    let text = |text: &str| Json::Str(String::from(text).into());
    let list = |items: &[String]| Json::Array(items.iter().map(|item| text(item)).collect());
    let mut members = vec![("method".into(), text(identity.method())), ("name".into(), text(identity.name()))];
    for (name, value) in [("sub", identity.sub()), ("client", identity.client()), ("issuer", identity.issuer())] {
        if let Some(value) = value {
            members.push((name.into(), text(value)));
        }
    }
    members.push(("roles".into(), list(identity.roles())));
    members.push(("scopes".into(), list(identity.scopes())));
    members.push(("claims".into(), identity.claims().clone().into_owned()));
    Json::Object(members)
}

fn lossy(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
