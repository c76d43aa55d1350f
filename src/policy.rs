//! The compiled policy: immutable, made only by `config`, shared by every request.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::audit::Audit;
use crate::cache::CacheSize;
use crate::cors::Cors;
use crate::credential::key::Clients;
use crate::credential::user::Users;
use crate::credential::{Location, Read};
use crate::deny::DenyStyle;
use crate::document::Document;
use crate::issue::endpoint::TokenEndpoint;
use crate::issue::exchange::Exchange;
use crate::issue::signer::Signer;
use crate::jose::issuer::Issuers;
use crate::jose::offload::Offload;
use crate::list::revoked::RevokedList;
use crate::list::source::{Content, ListSource};
use crate::ordered;
use crate::provider::Provider;
use crate::route::Route;
use crate::rule::Rule;
use crate::upstream::{Upstream, is_spelling};

/// A policy, ready to decide. Policies by name are policies of their own that share who is known.
pub struct Policy {
    /// Its place among all: 0 for the one that holds by default.
    pub(crate) index: usize,
    /// Its name, if it is one of several.
    pub(crate) name: Option<String>,
    /// Those that a proxy's route may choose in place of this one.
    pub(crate) named: BTreeMap<String, Policy>,
    pub(crate) mode: Mode,
    pub(crate) issuers: Rc<Issuers>,
    pub(crate) clients: Rc<Clients>,
    pub(crate) users: Rc<Users>,
    pub(crate) read: Rc<Read>,
    pub(crate) routing: Routing,
    pub(crate) upstream: Upstream,
    /// Services whose keys the gateway keeps.
    pub(crate) providers: Rc<[Provider]>,
    /// Who no longer counts, as the policy itself says.
    pub(crate) revoked: Rc<RevokedList>,
    /// The lists that are fetched.
    pub(crate) lists: Rc<[ListSource]>,
    pub(crate) deny: DenyStyle,
    /// Which decisions are written down.
    pub(crate) audit: Option<Audit>,
    /// Which origins may read our answers.
    pub(crate) cors: Option<Cors>,
    /// What is served to anybody.
    pub(crate) documents: Vec<Document>,
    /// Where clients get tokens.
    pub(crate) token_endpoint: Option<TokenEndpoint>,
    pub(crate) cache: CacheSize,
    /// How many proxies of ours stand before the host.
    pub(crate) hops: usize,
    /// Whether genuine CORS preflights pass on every route.
    pub(crate) preflight: bool,
    /// Names the policy in the start line: a digest of its canonical form without secrets.
    pub(crate) digest: String,
}

/// The word for the policy that holds where a route names none.
pub const DEFAULT: &str = "default";

/// What a refusal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The caller is refused.
    Enforce,
    /// The refusal is logged and counted, and the request passes without identity.
    Report,
}

/// How a request finds its rule.
pub enum Routing {
    /// One rule for all; the path is not looked at.
    Everything(Rule),
    /// The first route that matches; none is a refusal.
    Table(Vec<Route>),
}

impl Policy {
    /// Whether there are policies by name, of which the host is to be asked for one.
    pub fn has_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// Every policy: this one and those by name.
    pub fn all(&self) -> impl Iterator<Item = &Policy> + Clone {
        std::iter::once(self).chain(self.named.values())
    }

    /// What tells this policy's counters from those of others; `None` if it is the only one.
    pub fn label(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| self.has_named().then_some(DEFAULT))
    }

    /// Whether refusals are enforced or only reported.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// 16 hexadecimal digits that name the policy without telling its secrets.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The names under which filter state is published, if it is.
    pub fn publish(&self) -> Option<&str> {
        self.upstream.publish.as_deref()
    }

    /// Whether a header of this name, in any spelling, is removed from every request.
    pub fn owns(&self, name: &[u8]) -> bool {
        self.upstream.strip.covers(name)
    }

    /// Whether credentials are kept from the service. A request that is only watched goes on as it came.
    pub fn hides_credentials(&self) -> bool {
        !self.upstream.keep_credential && self.mode == Mode::Enforce
    }

    /// Whether a trailer of this name, in any spelling, could pass for an identity or for a header that was looked at,
    /// or holds a credential, under any of the policies: which one decided is not known any more when trailers come.
    pub fn owns_trailer(&self, name: &[u8]) -> bool {
        let is_credential = |location: &Location| match location {
            Location::Bearer => is_spelling(name, "authorization"),
            Location::Header(header) => is_spelling(name, header),
            Location::Cookie(_) => is_spelling(name, "cookie"),
            Location::Query(_) => false,
        };
        let is_password = || !self.users.is_empty() && is_spelling(name, "authorization");
        let all = || self.all();
        // A header of its own is one that we own; a report lets Authorization go on as it came.
        let sets_authorization = |policy: &Policy| {
            let token = policy.upstream.token.as_ref();
            policy.mode == Mode::Enforce && token.is_some_and(Exchange::takes_authorization)
        };
        all().any(|policy| policy.owns(name) || policy.upstream.compared.covers(name))
            || (all().any(sets_authorization) && is_spelling(name, "authorization"))
            || (all().any(Self::hides_credentials) && (self.read.locations().any(is_credential) || is_password()))
            || self.providers.iter().any(|provider| provider.takes(name))
    }

    /// Whether headers are removed by the beginning of their names, which a host must list them for.
    pub fn strips_by_prefix(&self) -> bool {
        self.all().any(|policy| policy.upstream.strip.has_prefixes())
    }

    /// Who signs tokens of ours.
    pub fn signers(&self) -> impl Iterator<Item = &Signer> {
        let profiles = self.all().flat_map(|policy| {
            let endpoint = policy.token_endpoint.as_ref().map(|endpoint| &endpoint.profile);
            endpoint.into_iter().chain(policy.upstream.token.as_ref().map(|token| &token.profile))
        });
        profiles.map(|profile| profile.signer.as_ref())
    }

    /// Whether each key that signs does so with the help of `offload`, if it needs any.
    pub fn signs_with(&self, offload: &dyn Offload) -> bool {
        // Policies by name repeat the keys of the default one, and each trial is a signature.
        let mut tried = Vec::new();
        self.signers().flat_map(Signer::keys).all(|key| {
            let mark = key.mark();
            tried.contains(&mark) || {
                tried.push(mark);
                key.signs_with(offload)
            }
        })
    }

    /// Whether the body of a request to this provider may be looked at, for the model that it names.
    pub fn checks_models(&self, provider: &Provider) -> bool {
        let listed = || provider.models.is_some() || self.clients.iter().any(|client| client.models.is_some());
        provider.preset.names_models() && listed()
    }

    /// Whether some decision needs the body of its request.
    pub fn reads_bodies(&self) -> bool {
        self.all().any(|policy| policy.token_endpoint.is_some())
            || self.providers.iter().any(|provider| self.checks_models(provider))
    }

    /// Whether decisions are written down.
    pub fn audits(&self) -> bool {
        self.audit.is_some()
    }

    /// Where credentials are looked for.
    pub fn read(&self) -> &Read {
        &self.read
    }

    /// Whose tokens are taken.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// Who has a password.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Who has keys.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The lists that are fetched, in an order that stays.
    pub fn lists(&self) -> &[ListSource] {
        &self.lists
    }

    /// The store of clients, and its index among the lists.
    pub fn client_store(&self) -> Option<(usize, &ListSource)> {
        self.lists.iter().enumerate().find(|(_, source)| source.content == Content::Clients)
    }

    /// Whether anybody has a key.
    pub fn has_keys(&self) -> bool {
        !self.clients.is_empty() || self.client_store().is_some()
    }

    /// How many verified tokens are kept, and how long.
    pub fn cache_size(&self) -> CacheSize {
        self.cache
    }

    /// How refusals look.
    pub fn deny_style(&self) -> &DenyStyle {
        &self.deny
    }

    /// How many routes there are.
    pub fn routes(&self) -> &[Route] {
        match &self.routing {
            Routing::Everything(_) => &[],
            Routing::Table(routes) => routes,
        }
    }

    /// What requests may have to meet.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let (one, many) = match &self.routing {
            Routing::Everything(rule) => (Some(rule), [].as_slice()),
            Routing::Table(routes) => (None, routes.as_slice()),
        };
        one.into_iter().chain(many.iter().map(|route| &route.rule))
    }

    /// The headers that routes match on and conditions compare with, lower-case.
    pub fn compared_headers(&self) -> impl Iterator<Item = &str> {
        let matched = self.routes().iter().flat_map(|route| &route.headers).map(|header| header.name.as_str());
        matched.chain(self.rules().flat_map(Rule::headers))
    }

    /// The request headers that a decision can depend on, lower-case, pseudo headers left out; for hosts
    /// that cannot list headers. Cookie and Authorization are there only if a credential is read from them.
    pub fn wanted_headers(&self) -> Vec<&str> {
        let mut names = vec!["connection"];
        let of_providers = self.providers.iter().flat_map(|provider| provider.read.locations());
        for location in self.read.locations().chain(of_providers) {
            match location {
                Location::Bearer => names.push("authorization"),
                Location::Header(name) => names.push(name),
                Location::Cookie(_) => names.push("cookie"),
                Location::Query(_) => {}
            }
        }
        if !self.users.is_empty() {
            names.push("authorization");
        }
        let routes = self.routes();
        if self.preflight || routes.iter().any(|route| route.preflight) {
            names.extend(["origin", "access-control-request-method"]);
        }
        names.extend(self.compared_headers());
        if !self.providers.is_empty() {
            names.push("upgrade");
        }
        if self.cors.is_some() {
            names.push("origin");
        }
        if self.deny.login.is_some() {
            names.extend(["accept", "sec-fetch-mode", "x-requested-with"]);
        }
        if self.hops > 0 {
            names.push(crate::forwarded::NAME);
        }
        ordered::set(names).into_iter().collect()
    }
}
