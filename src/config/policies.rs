//! Policies by name: each says for itself what is allowed and what is seen, and shares with all who is known.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::allow::{self, Parties};
use super::fields::NAMED;
use super::node::{Fields, Node};
use super::secret::Secrets;
use super::value::{check_label, one_of};
use super::{audit, browsers, cors, deny, reach, resource, routes, token_endpoint, upstream};
use crate::cache::CacheSize;
use crate::credential::Read;
use crate::credential::key::Clients;
use crate::credential::user::Users;
use crate::deny::DenyStyle;
use crate::document::Document;
use crate::issue::documents::{JWKS_PATH, key_set, metadata};
use crate::issue::endpoint::TokenEndpoint;
use crate::issue::exchange::Exchange;
use crate::jose::alg::Alg;
use crate::jose::issuer::Issuers;
use crate::list::revoked::RevokedList;
use crate::list::source::ListSource;
use crate::policy::{DEFAULT, Mode, Policy, Routing};
use crate::provider::Provider;
use crate::resource::Resource;
use crate::rule::{Requirement, Rule};
use crate::upstream::Strip;

/// What all policies share.
pub(super) struct Shared<'c> {
    pub(super) parties: Parties,
    pub(super) issuers: Rc<Issuers>,
    pub(super) clients: Rc<Clients>,
    pub(super) users: Rc<Users>,
    pub(super) read: Rc<Read>,
    pub(super) revoked: Rc<RevokedList>,
    pub(super) lists: Rc<[ListSource]>,
    pub(super) cache: CacheSize,
    pub(super) hops: usize,
    pub(super) digest: String,
    pub(super) secrets: Secrets<'c>,
    pub(super) providers: Rc<[Provider]>,
}

/// Reads the policy that holds by default, with those by name in it.
pub(super) fn read(top: &Fields<'_>, shared: &Shared<'_>) -> Policy {
    let mut main = read_one(&Sections { own: None, top }, shared);
    if let Some(node) = top.get("policies") {
        main.named = named(&node, top, shared);
    }
    share_strip(&mut main);
    warn(top, &main, &main);
    for (name, node) in allow::entries_of(top.get("policies").as_ref()) {
        if let (Some(own), Some(policy)) = (node.open_fields(), main.named.get(name)) {
            warn(&own, policy, &main);
        }
    }
    main
}

/// Warns of what can be seen only where all policies are known. The sections are those that a policy has itself.
fn warn(sections: &Fields<'_>, policy: &Policy, main: &Policy) {
    if let Some(routes) = sections.get("routes") {
        reach::warn_served(policy, &routes.items());
    }
    audit::warn(sections, policy, main);
    browsers::warn(sections, policy, main);
}

fn named(node: &Node<'_>, top: &Fields<'_>, shared: &Shared<'_>) -> BTreeMap<String, Policy> {
    if node.is_empty() {
        node.error_cure("is empty", "leave it out, or name a policy");
    }
    let mut found = BTreeMap::new();
    for (index, (name, node)) in node.entries().into_iter().enumerate() {
        check_label(name, &node);
        if name == DEFAULT {
            node.error_cure(format!("`{DEFAULT}` is the policy that stands beside `policies`"), "choose another name");
        }
        let Some(own) = node.fields(NAMED) else {
            continue;
        };
        for field in NAMED {
            // Left empty by a template, it would be that of another policy.
            own.refuse_null(field);
        }
        if own.is_empty() {
            node.warn("says nothing, so it is the same as the default", None);
        }
        let mut policy = read_one(&Sections { own: Some(&own), top }, shared);
        (policy.index, policy.name) = (index + 1, Some(String::from(name)));
        found.insert(String::from(name), policy);
    }
    found
}

/// The sections of one policy: its own, and for those that it has not, those of the default.
struct Sections<'f, 'j> {
    own: Option<&'f Fields<'j>>,
    top: &'f Fields<'j>,
}

impl<'j> Sections<'_, 'j> {
    fn get(&self, name: &str) -> Option<Node<'j>> {
        self.own.and_then(|own| own.get(name)).or_else(|| self.top.get(name))
    }

    fn scalar(&self, name: &str) -> Option<Node<'j>> {
        self.own.and_then(|own| own.scalar(name)).or_else(|| self.top.scalar(name))
    }

    /// Where this policy says who may pass: both fields of one place, since either overrides both of the other.
    fn access(&self) -> (Option<Node<'j>>, Option<Node<'j>>) {
        let of = |fields: &Fields<'j>| (fields.get("routes"), fields.get("allow"));
        match self.own.map(of) {
            Some((None, None)) | None => of(self.top),
            Some(own) => own,
        }
    }
}

fn read_one(sections: &Sections<'_, '_>, shared: &Shared<'_>) -> Policy {
    let modes = [("enforce", Mode::Enforce), ("report", Mode::Report)];
    let mode = sections.scalar("mode").and_then(|node| {
        let mode = one_of(&node, "mode", &modes);
        if mode == Some(Mode::Report) {
            node.warn("refuses nobody: every request passes", None);
        }
        mode
    });
    let routing = routing(sections, &shared.parties, &shared.providers);
    let table = match &routing {
        Routing::Table(routes) => routes.as_slice(),
        Routing::Everything(_) => &[],
    };
    let preflight = sections.scalar("preflight").is_some_and(|node| node.flag());
    let resource = sections.get("resource").and_then(|node| resource::read(&node, &shared.issuers, &shared.read));
    let token_endpoint =
        sections.get("token_endpoint").and_then(|node| token_endpoint::read(&node, &shared.parties, &shared.secrets));
    let around = upstream::Around {
        routes: table,
        read: &shared.read,
        preflight,
        reports: mode == Some(Mode::Report),
        secrets: &shared.secrets,
        endpoint: sections.get("token_endpoint").map(|_| token_endpoint.as_ref().map(|endpoint| &endpoint.profile)),
    };
    let upstream = upstream::read(sections.get("upstream").as_ref(), &around);
    let documents = documents(sections, resource.as_ref(), token_endpoint.as_ref(), upstream.token.as_ref());
    let mut policy = Policy {
        index: 0,
        name: None,
        named: BTreeMap::new(),
        mode: mode.unwrap_or(Mode::Enforce),
        issuers: Rc::clone(&shared.issuers),
        clients: Rc::clone(&shared.clients),
        users: Rc::clone(&shared.users),
        read: Rc::clone(&shared.read),
        routing,
        upstream,
        providers: Rc::clone(&shared.providers),
        revoked: Rc::clone(&shared.revoked),
        lists: Rc::clone(&shared.lists),
        deny: DenyStyle {
            metadata: resource.as_ref().map(|resource| resource.address.clone()),
            ..deny::read(sections.get("deny").as_ref())
        },
        audit: sections.get("audit").and_then(|node| audit::read(&node)),
        cors: sections.get("cors").and_then(|node| cors::read(&node)),
        documents,
        token_endpoint,
        cache: shared.cache,
        hops: shared.hops,
        preflight,
        digest: shared.digest.clone(),
    };
    policy.upstream.compared = Strip::new(policy.compared_headers(), []);
    policy
}

/// What is served to anybody: the metadata of the resource, and of the token endpoint, and the keys of what is signed.
fn documents(
    sections: &Sections<'_, '_>,
    resource: Option<&Resource>,
    endpoint: Option<&TokenEndpoint>,
    exchange: Option<&Exchange>,
) -> Vec<Document> {
    let written = sections.scalar("jwks_endpoint");
    let path = written.as_ref().and_then(token_endpoint::path).or_else(|| endpoint.map(|_| String::from(JWKS_PATH)));
    let profiles = endpoint.map(|endpoint| &endpoint.profile).into_iter().chain(exchange.map(|token| &token.profile));
    let keys = path.and_then(|path| key_set(&path, profiles.map(|profile| profile.signer.as_ref())));
    if let (Some(node), Some(endpoint), Some(keys)) = (&written, endpoint, &keys)
        && endpoint.path == keys.path
    {
        node.error("is the path of the token endpoint");
    }
    if let (None, Some(exchange), None) = (endpoint, exchange, &written)
        && exchange.profile.signer.alg().is_some_and(Alg::is_asymmetric)
        && let Some(node) = sections.get("upstream")
    {
        node.warn(
            "signs tokens, and serves no keys to check them by",
            Some("`jwks_endpoint` says where they are served"),
        );
    }
    if let (Some(node), None) = (&written, &keys) {
        node.error_cure("there are no public keys to serve", "sign with a `private_key`, or leave it out");
    }
    let metadata = endpoint.and_then(|endpoint| metadata(&endpoint.profile.issuer, &endpoint.path, keys.as_ref()));
    resource.map(|resource| resource.document.clone()).into_iter().chain(keys).chain(metadata).collect()
}

fn routing(sections: &Sections<'_, '_>, parties: &Parties, providers: &[Provider]) -> Routing {
    match sections.access() {
        (Some(table), Some(allow)) => {
            allow.error_cure("stands beside `routes`", "keep one: each route has an `allow` of its own");
            Routing::Table(routes::read(&table, parties, providers))
        }
        (Some(table), None) => Routing::Table(routes::read(&table, parties, providers)),
        (None, Some(allow)) => Routing::Everything(allow::read(&allow, parties, &[])),
        (None, None) => Routing::Everything(Rule::Require(Requirement::any(parties.everybody()))),
    }
}

/// Makes every policy remove what any of them sets: a service behind one may believe the headers of another.
fn share_strip(main: &mut Policy) {
    if !main.named.is_empty() {
        let strip = Strip::union(main.all().map(|policy| &policy.upstream.strip));
        for policy in main.named.values_mut() {
            policy.upstream.strip = strip.clone();
        }
        main.upstream.strip = strip;
    }
}
