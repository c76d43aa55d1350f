//! One request: head in, decision, edits or answer out.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use super::abi::{self, Failure, Map};
use super::host::{self, HeadOctets};
use super::root::Plugin;
use crate::decision::{Decision, Denial, Silent, Verdict};
use crate::deny::{Body, DenyStyle, Reason};
use crate::edit::Edits;
use crate::engine;
use crate::head::{Head, parse_map};
use crate::jose::Memory;
use crate::reply::{Asked, Reply, is_grpc};
use crate::upstream::{HeaderValue, Source};

/// The stream context of one request.
pub(super) struct Stream {
    plugin: Option<Rc<Plugin>>,
}

impl Stream {
    /// A stream of an instance; without one it refuses.
    pub(super) fn new(plugin: Option<Rc<Plugin>>) -> Self {
        Self { plugin }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        let passed = match &self.plugin {
            Some(plugin) => plugin.handle(),
            None => Err(Failure::Refused),
        };
        match passed {
            Ok(true) => Action::Continue,
            Ok(false) => Action::Pause,
            Err(_) => {
                refuse_unheard(self.plugin.as_deref());
                Action::Pause
            }
        }
    }

    // Some services read trailers as headers.
    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        match self.plugin.as_deref().map(Plugin::strip_trailers) {
            Some(Ok(())) => Action::Continue,
            _ => {
                refuse_unheard(self.plugin.as_deref());
                Action::Pause
            }
        }
    }
}

impl Plugin {
    /// Decides the request at hand and carries the decision out. Whether it passes.
    ///
    /// Any host call that fails here might leave an identity header in place, so all of them count.
    fn handle(&self) -> Result<bool, Failure> {
        let octets = self.host.head(&self.policy)?;
        let (pairs, complete) = match &octets {
            HeadOctets::Map(map) => (parse_map(map).ok_or(Failure::Refused)?, true),
            HeadOctets::Named(pairs) => {
                (pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect(), false)
            }
        };
        let head = Head { pairs: &pairs, complete };
        let memory = Memory::default();
        let decision = engine::decide(&self.policy, &head, self.host.now()?, &memory, &mut Silent);
        if let Ok(mut metrics) = self.metrics.try_borrow_mut() {
            metrics.decided(&decision);
        }
        self.publish(&decision);
        match &decision.verdict {
            Verdict::Allow => {
                self.edit(&decision.edits)?;
                Ok(true)
            }
            Verdict::Report(denial) => {
                let route = decision.route.map_or("none", |route| route.label.as_str());
                ::log::info!("would refuse: {} on route {route}", denial.reason.word());
                self.edit(&decision.edits)?;
                Ok(true)
            }
            Verdict::Deny(denial) => {
                self.deny(denial, &head);
                Ok(false)
            }
        }
    }

    fn edit(&self, edits: &Edits) -> Result<(), Failure> {
        // Setting a header takes its old values away, so what is set need not be removed first.
        let is_set = |name: &[u8]| edits.set.iter().any(|(n, _)| n.as_bytes() == name);
        for name in edits.remove.iter().filter(|name| !is_set(name)) {
            abi::remove_header(Map::Request, name)?;
        }
        for (name, value) in &edits.set {
            abi::replace_header(name, value)?;
        }
        edits.target.as_ref().map_or(Ok(()), |target| self.host.retarget(target))
    }

    fn deny(&self, denial: &Denial, head: &Head<'_>) {
        let id = self.host.request_id();
        let asked = Asked {
            id: id.as_deref().or_else(|| head.first("x-request-id")),
            grpc: self.host.speaks_grpc() && head.first("content-type").is_some_and(is_grpc),
        };
        host::answer(&Reply::new(denial, self.policy.deny_style(), asked));
    }

    /// Tells other filters and logs who the caller is and how the decision went.
    fn publish(&self, decision: &Decision<'_>) {
        let Some(prefix) = self.policy.publish() else {
            return;
        };
        let tell = |field: &str, value: &str| self.host.publish(&format!("{prefix}_{field}"), value);
        tell("result", decision.verdict.word());
        if let Some(reason) = decision.verdict.reason() {
            tell("reason", reason.word());
        }
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
            if let Ok(Some(value)) = HeaderValue::Source(source).render(&decision.identities, &[]) {
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
    let plain = DenyStyle { body: Body::Problem, realm: String::new(), show_reason: false };
    let denial = Denial { reason: Reason::Internal, takes_token: false, takes_key: false, scopes: Vec::new() };
    let style = plugin.map_or(&plain, |plugin| plugin.policy.deny_style());
    host::answer(&Reply::new(&denial, style, Asked::default()));
}
