//! Decides: route, credentials, conditions, edits. The heart of gatekey, and a pure function.

mod provider;
mod serve;
mod verify;

use std::borrow::Cow;

use crate::condition::Facts;
use crate::conditions::Unmet;
use crate::credential::read;
use crate::credential::{Kinds, Read};
use crate::decision::{Decision, Denial, Shape, Trace, Verdict, Wish};
use crate::deny::Reason;
use crate::edit::Edits;
use crate::head::Head;
use crate::identity::Identity;
use crate::issue::exchange::{Exchange, Untold};
use crate::means::{Body, Means};
use crate::path::NormalPath;
use crate::policy::{Mode, Policy, Routing};
use crate::route::{self, Route, Target};
use crate::rule::{Requirement, Rule};
use crate::time::Time;

/// Decides one request, by the policy that its route chose if there are several.
pub fn decide<'a>(
    policy: &'a Policy,
    head: &Head<'a>,
    now: Time,
    means: &mut Means<'_>,
    trace: &mut impl Trace,
) -> Decision<'a> {
    let (policy, unknown) = match means.chosen.filter(|_| policy.has_named()) {
        None => (policy, false),
        Some(name) => {
            let named = str::from_utf8(name).ok().and_then(|name| policy.named.get(name));
            (named.unwrap_or(policy), named.is_none())
        }
    };
    let mut case = Case {
        policy,
        head,
        now,
        means,
        trace,
        route: None,
        shown: Kinds::default(),
        wants: None,
        scopes: Vec::new(),
        refused: Vec::new(),
        reads_body: None,
        edits: Edits::strip(&policy.upstream, head),
    };
    let served = if unknown { None } else { case.serve() };
    let mut outcome = match served {
        Some(_) => Ok(Vec::new()),
        None if unknown => Err(case.disown()),
        None => case.judge(),
    };
    let strays = served.is_none() && case.strays_to_provider();
    if strays && outcome.is_ok() {
        case.trace.step(|| String::from("the host sends it to a provider, and no route here does"));
        outcome = Err(case.unrouted(Reason::NoRoute));
    }
    let (route, shown, wants, reads_body) = (case.route, case.shown, case.wants.take(), case.reads_body);
    let refused = std::mem::take(&mut case.refused);
    let decision = |verdict, identities, edits| Decision {
        policy,
        verdict,
        route,
        identities,
        refused,
        edits,
        shown,
        wants,
        reads_body,
    };
    if let Some((verdict, identities)) = served {
        return decision(verdict, identities, Edits::default());
    }
    let denial = match outcome {
        Ok(identities) => return decision(Verdict::Allow, identities, case.edits),
        Err(denial) => denial,
    };
    // Without a key of its provider such a request could come to nothing, and would take the caller's key there.
    let unread = denial.reason == Reason::PathAmbiguous && !policy.providers.is_empty();
    let leads = strays || unread || matches!(denial.shape, Shape::Provider(_));
    let mode = if leads { Mode::Enforce } else { policy.mode };
    match mode {
        Mode::Enforce => decision(Verdict::Deny(denial), Vec::new(), Edits::default()),
        // Whatever was to be set for a caller is forgotten; what is stripped is stripped all the same.
        Mode::Report => decision(Verdict::Report(denial), Vec::new(), Edits::strip(&policy.upstream, head)),
    }
}

/// One request while it is decided.
struct Case<'a, 'r, 'm, T> {
    policy: &'a Policy,
    head: &'r Head<'a>,
    now: Time,
    means: &'r mut Means<'m>,
    trace: &'r mut T,
    route: Option<&'a Route>,
    shown: Kinds,
    /// What might change the outcome if it could be had.
    wants: Option<Wish>,
    /// The scopes that were missing.
    scopes: Vec<String>,
    /// Who showed a good credential and may not do this.
    refused: Vec<Identity<'a>>,
    /// How much of the body is looked at.
    reads_body: Option<usize>,
    edits: Edits,
}

impl<'a, T: Trace> Case<'a, '_, '_, T> {
    /// The refusal of a request whose route names a policy that there is not: whatever it was to be, it is none that
    /// stands here.
    fn disown(&mut self) -> Denial {
        self.trace.step(|| String::from("the proxy's route names a policy that there is not"));
        self.unrouted(Reason::PolicyUnknown)
    }

    /// A refusal before any route matched.
    fn unrouted(&self, reason: Reason) -> Denial {
        Denial {
            reason,
            takes: Kinds {
                token: !self.policy.issuers.is_empty(),
                key: self.policy.has_keys(),
                password: !self.policy.users.is_empty(),
            },
            scopes: Vec::new(),
            shape: Shape::Own,
        }
    }

    /// Who the caller is, in the order that the route names them.
    fn judge(&mut self) -> Result<Vec<Identity<'a>>, Denial> {
        let policy = self.policy;
        let asked = requested_method(self.head);
        let routes = match &policy.routing {
            Routing::Everything(_) if policy.preflight && asked.is_some() => return Ok(self.pass_preflight()),
            Routing::Everything(rule) => return self.meet(rule, &[]),
            Routing::Table(routes) => routes,
        };
        let raw = self.head.first(":path").ok_or_else(|| self.unrouted(Reason::RequestMalformed))?;
        let path = NormalPath::read(raw).map_err(|_| {
            self.trace.step(|| String::from("the path does not begin with `/`, or could be read in two ways"));
            self.unrouted(Reason::PathAmbiguous)
        })?;
        self.trace.step(|| format!("the path is read as `{}`", path.display()));
        let method = text(self.head.first(":method")).ok_or_else(|| self.unrouted(Reason::RequestMalformed))?;
        let host = normal_host(routes, self.head).map_err(|reason| self.unrouted(reason))?;
        let target = |method| Target { method, path: &path, host: host.as_deref(), head: self.head };
        if let Some((route, _)) = asked.and_then(|asked| route::first_match(routes, &target(asked)))
            && (policy.preflight || route.preflight)
        {
            self.route = Some(route);
            return Ok(self.pass_preflight());
        }
        let Some((route, captures)) = route::first_match(routes, &target(method)) else {
            self.trace.step(|| String::from("no route matches"));
            return Err(self.unrouted(Reason::NoRoute));
        };
        self.trace.step(|| format!("route `{}` matches", route.label));
        self.route = Some(route);
        self.meet(&route.rule, &captures)
    }

    fn pass_preflight(&mut self) -> Vec<Identity<'a>> {
        self.trace.step(|| String::from("a CORS preflight passes without credential"));
        match self.provider() {
            Some(provider) => self.hide_from(provider),
            None => self.hide_credentials(),
        }
        Vec::new()
    }

    fn meet(&mut self, rule: &'a Rule, captures: &[(&str, Cow<'_, str>)]) -> Result<Vec<Identity<'a>>, Denial> {
        let requirement = match rule {
            Rule::Public => {
                self.trace.step(|| String::from("the route is public"));
                self.hide_credentials();
                return Ok(Vec::new());
            }
            Rule::Require(requirement) => requirement,
        };
        self.satisfy(requirement, captures).map_err(|reason| {
            self.trace.step(|| format!("refused: {}", reason.word()));
            let scopes = std::mem::take(&mut self.scopes);
            let shape = self.provider().map_or(Shape::Own, |provider| Shape::Provider(provider.preset));
            Denial { reason, takes: requirement.wants(), scopes, shape }
        })
    }

    fn satisfy(
        &mut self,
        wanted: &'a Requirement,
        captures: &[(&str, Cow<'_, str>)],
    ) -> Result<Vec<Identity<'a>>, Reason> {
        self.expect_body();
        let found = read::read(self.places(), wanted.wants(), self.head)?;
        self.shown =
            Kinds { token: found.token.is_some(), key: found.key.is_some(), password: found.password.is_some() };
        if self.shown.is_empty() {
            if wanted.optional {
                self.trace.step(|| String::from("no credential is shown, and none is needed"));
                self.hide_credentials();
                return Ok(Vec::new());
            }
            return Err(Reason::CredentialMissing);
        }
        let identities = wanted.admit(self.verify(&found)?)?;
        match self.prepare(wanted, &identities, captures) {
            Ok(()) => Ok(identities),
            Err(reason) => {
                self.refused = identities;
                Err(reason)
            }
        }
    }

    /// Makes sure that these callers may do this, and prepares what the service gets to see.
    fn prepare(
        &mut self,
        wanted: &'a Requirement,
        identities: &[Identity<'a>],
        captures: &[(&str, Cow<'_, str>)],
    ) -> Result<(), Reason> {
        let facts = Facts { captures, head: Some(self.head) };
        let address = || self.address();
        if let Some(Unmet { reason, asked, names }) = wanted.unmet(identities, &facts, &address) {
            if reason == Reason::ScopeMissing {
                self.scopes = names.to_vec();
            }
            self.trace.step(|| match names {
                [] => format!("the route asks for {asked}"),
                names => format!("the route asks for {asked} {}", quoted(names)),
            });
            if reason == Reason::AddressForbidden {
                self.tell_address();
            }
            self.trace
                .step(|| format!("the caller has the roles {}", quoted(identities.iter().flat_map(Identity::roles))));
            self.trace.step(|| format!("and the scopes {}", quoted(identities.iter().flat_map(Identity::scopes))));
            return Err(reason);
        }
        let upstream = &self.policy.upstream;
        self.edits.identify(upstream, identities, captures).map_err(|_| {
            self.trace.step(|| String::from("a value for a header has control characters or is too long"));
            Reason::ClaimMismatch
        })?;
        self.hide_credentials();
        if let Some(provider) = self.provider() {
            return self.forward(provider, identities);
        }
        if let Some(exchange) = &upstream.token {
            let with = (&mut *self.means.mint, self.means.offload);
            let value = exchange.value(self.policy.index, identities, captures, with, self.now);
            let value = value.map_err(|why| match why {
                Untold::Claims => {
                    self.trace
                        .step(|| String::from("the token for the service cannot tell a claim exactly, or is too long"));
                    Reason::ClaimMismatch
                }
                Untold::Signature => self.unsigned(),
            })?;
            if let Some(value) = value {
                self.trace.step(|| format!("a token for the service goes into the header {}", exchange.header));
                self.edits.set_secret(&exchange.header, value);
            }
        }
        Ok(())
    }

    /// Where credentials stand in this request.
    fn places(&self) -> &'a Read {
        self.provider().map_or(&self.policy.read, |provider| &provider.read)
    }

    fn hide_credentials(&mut self) {
        if self.policy.hides_credentials() {
            if !self.policy.users.is_empty() {
                self.edits.hide_password(self.head);
            }
            if self.policy.upstream.token.as_ref().is_some_and(Exchange::takes_authorization) {
                self.edits.hide_header("authorization", self.head);
            }
            self.edits.hide_credentials(self.places(), self.head);
        }
    }
}

impl<'m, T: Trace> Case<'_, '_, 'm, T> {
    /// The body, of which so much is looked at, or the wish for it.
    fn body(&mut self, longest: usize) -> Result<&'m [u8], Reason> {
        match self.means.body {
            Body::Awaited => {
                self.wants = Some(Wish::Body);
                Err(Reason::Internal)
            }
            Body::Whole(body) if body.len() <= longest => Ok(body),
            Body::Whole(_) | Body::TooLong => Err(Reason::BodyTooLarge),
            Body::Missing => {
                self.trace.step(|| String::from("the host does not hand over the body"));
                Err(Reason::Internal)
            }
        }
    }
}

/// The method that a genuine CORS preflight asks for (Fetch standard, CORS-preflight request): OPTIONS
/// with one origin and one method.
fn requested_method<'a>(head: &Head<'a>) -> Option<&'a str> {
    if head.first(":method") != Some(b"OPTIONS") {
        return None;
    }
    let several = |b: &u8| *b == b',' || b.is_ascii_whitespace();
    let one = |name| head.only(name).filter(|value| !value.iter().any(several));
    one("origin")?;
    text(one("access-control-request-method"))
}

/// Names for a step of an explanation.
fn quoted<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::from("(none)") } else { names.join(", ") }
}

/// The normalised host, if any route looks at it and the request has one.
fn normal_host(routes: &[Route], head: &Head<'_>) -> Result<Option<String>, Reason> {
    if routes.iter().all(|route| route.hosts.is_empty()) {
        return Ok(None);
    }
    let normal = |host| route::normal_host(host).ok_or(Reason::RequestMalformed);
    head.host().map(normal).transpose()
}

fn text(octets: Option<&[u8]>) -> Option<&str> {
    octets.and_then(|octets| str::from_utf8(octets).ok()).filter(|text| !text.is_empty())
}
