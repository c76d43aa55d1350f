//! One request: head in, decision, edits or answer out.

use std::rc::Rc;

use super::abi::{self, Failure, Map};
use super::bodies::Part;
use super::fetcher::{Hope, Patience};
use super::host::{self, HeadOctets};
use super::peer::HostPeer;
use super::plugin::Plugin;
use super::vm::Action;
use crate::audit;
use crate::credential::key::NOTICE;
use crate::credential::{Kind, Kinds};
use crate::decision::{Decision, Denial, Shape, Verdict, Wish};
use crate::deny::{DenyStyle, Reason};
use crate::edit::Edits;
use crate::head::{Head, parse_map};
use crate::identity::Identity;
use crate::jwks::record::Want;
use crate::policy::Policy;
use crate::reply::{Asked, Reply, is_grpc};
use crate::time::Time;
use crate::upstream::{HeaderValue, Source};

/// How often one request is decided at once: keys, a list, the body, and once more.
const ROUNDS: usize = 4;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// It goes on to the service.
    Passed,
    /// The caller was answered.
    Answered,
    /// It waits for keys.
    Waits,
}

/// The head of a request has come.
pub(super) fn begin(plugin: &Rc<Plugin>, context: u32, ended: bool) -> Action {
    if plugin.policy.reads_bodies() {
        plugin.bodies.open(context, ended);
    }
    match handle(plugin, context, Patience::Fresh) {
        Ok(Stand::Passed) => Action::Continue,
        // A body that is looked at must come while the head is held.
        Ok(Stand::Waits) if plugin.host.has_background() && !plugin.bodies.is_wanted(context) => Action::PauseAll,
        Ok(Stand::Answered | Stand::Waits) => Action::Pause,
        Err(_) => {
            refuse_unheard(Some(plugin));
            Action::Pause
        }
    }
}

/// Decides a request that waited; its context is the effective one.
pub(super) fn resume(plugin: &Rc<Plugin>, context: u32, patience: Patience) {
    match handle(plugin, context, patience) {
        // A request that cannot be sent on hangs until its caller gives up. It does not pass.
        Ok(Stand::Passed) => drop(abi::continue_request()),
        Ok(Stand::Answered | Stand::Waits) => {}
        Err(_) => refuse_unheard(Some(plugin)),
    }
}

/// A part of a request's body has come. What nobody looks at passes.
pub(super) fn body(plugin: &Rc<Plugin>, context: u32, size: usize, ended: bool) -> Action {
    match plugin.bodies.arrive(context, size, ended) {
        Part::Pass => Action::Continue,
        Part::Hold => Action::Pause,
        Part::Decide => decide_with_body(plugin, context),
    }
}

fn decide_with_body(plugin: &Rc<Plugin>, context: u32) -> Action {
    match handle(plugin, context, Patience::Fresh) {
        Ok(Stand::Passed) => Action::Continue,
        Ok(Stand::Answered | Stand::Waits) => Action::Pause,
        Err(_) => {
            refuse_unheard(Some(plugin));
            Action::Pause
        }
    }
}

/// Refuses requests whose bodies do not come.
pub(super) fn refuse_overdue(plugin: &Rc<Plugin>, now: Time) {
    let late = plugin.bodies.overdue(now);
    if !late.is_empty() && plugin.bodies.is_news() {
        ::log::warn!(
            "no body came for a request that has one: on Envoy, this filter needs allow_on_headers_stop_iteration: true"
        );
    }
    for stream in &late {
        if abi::set_effective_context(*stream).is_ok() {
            resume(plugin, *stream, Patience::Over);
        }
    }
    if !late.is_empty() {
        plugin.fetcher.to_root();
    }
}

/// The trailers of a request have come. Some services read them as headers.
pub(super) fn trailers(plugin: &Rc<Plugin>, context: u32) -> Action {
    // First of all: a request that is held goes on without coming by here again.
    if plugin.strip_trailers().is_err() {
        plugin.bodies.release(context);
        refuse_unheard(Some(plugin));
        return Action::Pause;
    }
    match plugin.bodies.end(context) {
        Part::Pass => Action::Continue,
        Part::Hold => Action::Pause,
        Part::Decide => decide_with_body(plugin, context),
    }
}

/// Refuses a request that comes while there is no policy.
pub(super) fn refuse_without_policy() -> Action {
    refuse_unheard(None);
    Action::Pause
}

/// Decides the request at hand and carries the decision out, or holds the request until there are keys.
///
/// Any host call that fails here might leave an identity header in place, so all of them count.
fn handle(plugin: &Rc<Plugin>, context: u32, patience: Patience) -> Result<Stand, Failure> {
    let octets = plugin.host.head(&plugin.policy)?;
    let (pairs, complete) = match &octets {
        HeadOctets::Map(map) => (parse_map(map).ok_or(Failure::Refused)?, true),
        HeadOctets::Named(pairs) => {
            (pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect(), false)
        }
    };
    let head = Head { pairs: &pairs, complete };
    let now = plugin.host.now()?;
    // What is wanted may be there at once, and then the next thing is wanted: keys, a list, the body.
    let mut rounds = 0;
    let decision = loop {
        let mut octets = Vec::new();
        let body = plugin.bodies.get(context, &mut octets)?;
        let decision = plugin.decide(&head, body, now)?;
        if let Some(longest) = decision.reads_body {
            plugin.bodies.want(context, longest);
        }
        let Some(wish) = wanted(plugin, &decision, patience, now).filter(|_| rounds < ROUNDS) else {
            break decision;
        };
        rounds += 1;
        let hope = match wish {
            Wish::Keys { issuer, want } => plugin.fetcher.ask(plugin, (issuer, want), context, patience, now),
            Wish::Password(question) => plugin.checker.ask(plugin, &question, context, patience, now),
            Wish::Introspection { issuer, token } => {
                plugin.introspector.ask(plugin, (issuer, &token), context, patience, now)
            }
            Wish::List(index) => plugin.lists.ask(plugin, index, context, patience, now),
            Wish::Body if plugin.bodies.wait(context, now) => Hope::Wait,
            Wish::Body => Hope::Again,
        };
        match hope {
            Hope::Wait => return Ok(Stand::Waits),
            Hope::Again => {}
            Hope::None => break decision,
        }
    };
    let stand = plugin.carry_out(&decision, &head, now)?;
    match stand {
        Stand::Passed => plugin.bodies.release(context),
        Stand::Answered | Stand::Waits => plugin.bodies.hold(context),
    }
    Ok(stand)
}

/// What is wanted, for this request or because it is time and nobody else will see to it. One such thing is enough: who
/// has waited goes on.
fn wanted(plugin: &Plugin, decision: &Decision<'_>, patience: Patience, now: Time) -> Option<Wish> {
    if decision.wants.is_some() || !matches!(patience, Patience::Fresh) {
        return decision.wants.clone();
    }
    plugin.lists.due(plugin, now).map(Wish::List).or_else(|| {
        let issuer = decision.identities.iter().find_map(|identity| identity.issuer_index())?;
        plugin.fetcher.is_due(plugin, issuer, now).then_some(Wish::Keys { issuer, want: Want::Refresh })
    })
}

impl Plugin {
    fn carry_out(&self, decision: &Decision<'_>, head: &Head<'_>, now: Time) -> Result<Stand, Failure> {
        if let Ok(mut metrics) = self.metrics.try_borrow_mut() {
            metrics.decided(decision);
        }
        self.publish(decision, now);
        self.write_down(decision, head, now);
        match &decision.verdict {
            Verdict::Allow => {
                self.edit(&decision.edits)?;
                Ok(Stand::Passed)
            }
            Verdict::Report(denial) => {
                let route = decision.route.map_or("none", |route| route.label.as_str());
                let policy = decision.policy.label().map(|name| format!(" of policy {name}")).unwrap_or_default();
                ::log::info!("would refuse: {} on route {route}{policy}", denial.reason.word());
                self.edit(&decision.edits)?;
                Ok(Stand::Passed)
            }
            Verdict::Serve(reply) => {
                host::answer(reply);
                Ok(Stand::Answered)
            }
            Verdict::Deny(denial) => {
                if denial.reason == Reason::NoRoute {
                    self.tell_astray(decision);
                }
                self.deny(decision.policy, denial, head);
                Ok(Stand::Answered)
            }
        }
    }

    /// Tells once for each cluster that a request for a provider goes there, and not to the provider.
    fn tell_astray(&self, decision: &Decision<'_>) {
        const MOST: usize = 16;
        let provider = decision.route.and_then(|route| decision.policy.providers.get(route.provider?));
        let (Some(provider), Ok(mut told)) = (provider, self.astray.try_borrow_mut()) else {
            return;
        };
        // To ask a host takes its time.
        if told.len() >= MOST {
            return;
        }
        let news = (provider.name.clone(), self.host.cluster().unwrap_or_default());
        if !told.contains(&news) {
            let name = String::from_utf8_lossy(&news.1);
            ::log::warn!(
                "provider {}: a request was refused because the host sends it to the cluster {name:?}, which is none of the provider's",
                provider.name
            );
            told.push(news);
        }
    }

    /// Writes the decision into the host's log, if its policy wants that.
    fn write_down(&self, decision: &Decision<'_>, head: &Head<'_>, now: Time) {
        if decision.policy.audits() {
            let (id, peer) = (self.host.request_id(), HostPeer::new(self.host.as_ref()));
            if let Some(line) = audit::line(decision, head, id.as_deref(), &peer, now) {
                ::log::info!("audit {line}");
            }
        }
    }

    fn edit(&self, edits: &Edits) -> Result<(), Failure> {
        // Setting a header takes its old values away, so what is set need not be removed first.
        let is_set = |name: &[u8]| edits.all_set().any(|(n, _)| n.as_bytes() == name);
        for name in edits.remove.iter().filter(|name| !is_set(name)) {
            abi::remove_header(Map::Request, name)?;
        }
        for (name, value) in edits.all_set() {
            abi::replace_header(name, value)?;
        }
        edits.target.as_ref().map_or(Ok(()), |target| self.host.retarget(target))
    }

    fn deny(&self, policy: &Policy, denial: &Denial, head: &Head<'_>) {
        let id = self.host.request_id();
        let asked = Asked {
            id: id.as_deref().or_else(|| head.first("x-request-id")),
            head: Some(head),
            grpc: self.host.speaks_grpc() && head.first("content-type").is_some_and(is_grpc),
        };
        host::answer(&Reply::new(denial, policy, asked));
    }

    /// Tells other filters and logs who the caller is and how the decision went.
    fn publish(&self, decision: &Decision<'_>, now: Time) {
        let Some(prefix) = decision.policy.publish() else {
            return;
        };
        let tell = |field: &str, value: &str| self.host.publish(&format!("{prefix}_{field}"), value);
        tell("result", decision.verdict.word());
        if let Some(reason) = decision.verdict.reason() {
            tell("reason", reason.word());
        }
        if let Some(route) = decision.route {
            tell("route", &route.label);
        }
        // By these two a filter behind can make sure that the host's last word on the route is still what was judged.
        if let Some(policy) = decision.policy.label() {
            tell("policy", policy);
        }
        if let Some(provider) = decision.route.and_then(|route| decision.policy.providers.get(route.provider?)) {
            tell("provider", &provider.name);
        }
        let keys = decision.identities.iter().filter(|identity| identity.kind() == Kind::Key);
        if let Some(expires) = keys.filter_map(Identity::expires).min().filter(|end| *end < now.plus(NOTICE)) {
            tell("key_expires", &expires.to_string());
        }
        // Nothing comes after a refusal but the access log. What is only reported passes without identity.
        let seen = match decision.verdict {
            Verdict::Deny(_) => &decision.refused,
            _ => &decision.identities,
        };
        for (field, source) in [
            ("method", Source::Method),
            ("name", Source::Name),
            ("sub", Source::Sub),
            ("client", Source::Client),
            ("issuer", Source::Issuer),
            ("roles", Source::Roles),
            ("scopes", Source::Scopes),
        ] {
            // Written as in a header: a line of the host's log must not be made by a claim either.
            if let Ok(Some(value)) = HeaderValue::Source(source).render(seen, &[]) {
                tell(field, &value);
            }
        }
    }

    fn strip_trailers(&self) -> Result<(), Failure> {
        let map = abi::header_map(Map::RequestTrailers)?;
        for (name, _) in parse_map(&map).ok_or(Failure::Refused)? {
            if self.policy.owns_trailer(name) {
                abi::remove_header(Map::RequestTrailers, name)?;
            }
        }
        Ok(())
    }
}

/// Refuses a request that could not be decided: no policy, or a host that did not do its part.
fn refuse_unheard(plugin: Option<&Plugin>) {
    let plain = DenyStyle::bare();
    let denial = Denial { reason: Reason::Internal, takes: Kinds::default(), scopes: Vec::new(), shape: Shape::Own };
    let style = plugin.map_or(&plain, |plugin| plugin.policy.deny_style());
    host::answer(&Reply::plain(&denial, style, Asked::default()));
}
