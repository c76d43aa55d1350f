//! The field `allow` of a route: who may pass, and on which conditions.

use super::claims::{Captures, claim_map};
use super::error::quote;
use super::fields::{ALLOW, EITHER};
use super::names::{Names, Profiles};
use super::node::{Fields, Node};
use super::value::{blocks, scopes, texts};
use crate::conditions::Conditions;
use crate::json::Json;
use crate::ordered;
use crate::policy::Policy;
use crate::rule::{Combine, Party, Requirement, Rule};

/// The names that a route may allow, in the order of the policy.
#[derive(Default)]
pub(super) struct Parties {
    /// Issuers.
    pub(super) issuers: Vec<String>,
    /// Clients.
    pub(super) clients: Vec<String>,
    /// Users.
    pub(super) users: Vec<String>,
    /// Whether there are others in a store, whose names are not known.
    pub(super) store: bool,
    /// Providers, the mistaken ones too.
    pub(super) providers: Vec<String>,
    /// What clients and users have.
    pub(super) profiles: Profiles,
}

impl Parties {
    /// Whether anybody has a key.
    pub(super) fn has_keys(&self) -> bool {
        !self.clients.is_empty() || self.store
    }

    /// Everybody whom the policy knows.
    pub(super) fn everybody(&self) -> Vec<Party> {
        let issuers = (!self.issuers.is_empty()).then_some(Party::Issuers);
        let clients = self.has_keys().then_some(Party::Clients);
        let users = (!self.users.is_empty()).then_some(Party::Users);
        issuers.into_iter().chain(clients).chain(users).collect()
    }

    fn find(&self, name: &str) -> Option<Party> {
        let at = |names: &[String]| names.iter().position(|other| other == name);
        match name {
            "issuers" => Some(Party::Issuers),
            "clients" => Some(Party::Clients),
            "users" => Some(Party::Users),
            _ => at(&self.issuers)
                .map(Party::Issuer)
                .or_else(|| at(&self.clients).map(Party::Client))
                .or_else(|| at(&self.users).map(Party::User)),
        }
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        let kinds = ["issuers", "clients", "users", "public"];
        self.issuers.iter().chain(&self.clients).chain(&self.users).map(String::as_str).chain(kinds)
    }
}

/// Reads who may pass. `captures` are the names that every path and every host of the route captures.
pub(super) fn read(node: &Node<'_>, parties: &Parties, captures: &[String]) -> Rule {
    match node.value() {
        Json::Str(word) if word == "public" => Rule::Public,
        Json::Object(members) if !members.is_empty() => match node.fields(ALLOW) {
            Some(fields) => Rule::Require(conditions(node, &fields, parties, captures)),
            None => nobody(),
        },
        _ => Rule::Require(Requirement::any(names(node, parties))),
    }
}

/// The rule of a route whose `allow` is mistaken, until the mistake is reported.
pub(super) fn nobody() -> Rule {
    Rule::Require(Requirement::any(Vec::new()))
}

fn names(node: &Node<'_>, parties: &Parties) -> Vec<Party> {
    let mut found: Vec<Party> = Vec::new();
    for item in node.some_items("say who is allowed: `public`, a name or a list of names") {
        if matches!(item.value(), Json::Object(_)) {
            let cure = "`allow` is one object; groups of conditions of which one is enough stand in it, under `either`";
            item.error_cure("is an object in a list of names", cure);
            continue;
        }
        let Some(party) = item.text().and_then(|name| party(&item, name, parties)) else {
            continue;
        };
        if found.contains(&party) {
            item.warn("is named twice", None);
            continue;
        }
        found.push(party);
    }
    found
}

fn party(node: &Node<'_>, name: &str, parties: &Parties) -> Option<Party> {
    if name == "public" {
        node.error_cure(
            "public stands alone",
            "write `allow: public`, or `optional: true` to let callers pass without credential",
        );
        return None;
    }
    let found = parties.find(name);
    match found {
        None => node.unknown("credential", name, parties.words(), None),
        Some(Party::Issuers) if parties.issuers.is_empty() => node.error("there are no issuers"),
        Some(Party::Clients) if !parties.has_keys() => node.error("there are no clients"),
        Some(Party::Users) if parties.users.is_empty() => node.error("there are no users"),
        Some(_) => {}
    }
    found
}

fn conditions(node: &Node<'_>, fields: &Fields<'_>, parties: &Parties, captures: &[String]) -> Requirement {
    let (combine, who) = match (fields.get("any"), fields.get("all")) {
        (Some(_), Some(_)) => {
            node.error_cure("has both any and all", "keep one");
            (Combine::Any, Vec::new())
        }
        (Some(any), None) => (Combine::Any, names(&any, parties)),
        (None, Some(all)) => (Combine::All, all_of(&all, parties)),
        (None, None) => {
            if fields.is_empty() {
                node.error_cure("is empty", "say who is allowed: `public`, a name or a list of names");
            }
            (Combine::Any, parties.everybody())
        }
    };
    let names = Names::new(parties, &who);
    let conditions = group(fields, &names, captures);
    let either = fields.get("either").map(|node| groups(&node, &names, captures)).unwrap_or_default();
    let requirement = Requirement { combine, parties: who, conditions, either, optional: fields.flag("optional") };
    if requirement.optional && !requirement.groups().all(Conditions::is_empty) {
        node.warn("with optional, its conditions are asked only of callers who show a credential", None);
    }
    requirement
}

/// The conditions that stand together in one object.
fn group(fields: &Fields<'_>, names: &Names<'_>, captures: &[String]) -> Conditions {
    let items = |name: &str, cure: &str| fields.get(name).map(|node| node.some_items(cure)).unwrap_or_default();
    let (roles, scoped, clients) = (
        items("role", "leave it out, or name a role"),
        items("scope", "leave it out, or name a scope"),
        items("client", "leave it out, or name a client"),
    );
    [&roles, &scoped, &clients].into_iter().flatten().for_each(check_literal);
    names.roles(&roles);
    names.scopes(&scoped);
    names.clients(&clients);
    Conditions {
        roles: texts(&roles),
        scopes: scopes(&scoped),
        claims: fields.get("claim").map(|node| claim_map(&node, Captures::Route(captures))).unwrap_or_default(),
        clients: texts(&clients),
        from: blocks(&items("from", "leave it out, or name a block of addresses")),
    }
}

/// Reads `either: [ {...}, {...} ]`: one of these groups.
fn groups(node: &Node<'_>, names: &Names<'_>, captures: &[String]) -> Vec<Conditions> {
    let items = node.some_items("leave it out, or write groups of conditions");
    if let [_] = items.as_slice() {
        node.warn("has one group, which could stand for itself", None);
    }
    let read = |item: &Node<'_>| {
        let group = group(&item.fields(EITHER)?, names, captures);
        if group.is_empty() {
            item.error_cure("asks for nothing, so anybody would pass", "name a condition");
        }
        Some(group)
    };
    items.iter().filter_map(read).collect()
}

/// A request holds at most one credential of each kind, so `all` can ask for one of each and nothing else.
fn all_of(node: &Node<'_>, parties: &Parties) -> Vec<Party> {
    let found = names(node, parties);
    let twice = found.iter().enumerate().any(|(at, party)| found.iter().take(at).any(|p| p.kind() == party.kind()));
    let known = |item: &Node<'_>| item.value().as_str().is_some_and(|name| parties.find(name).is_some());
    if node.items().iter().all(known) && (twice || found.len() < 2) {
        node.error_cure(
            "takes several kinds, one of each: a request shows at most one token, one key and one password",
            "name an issuer and a client, for instance",
        );
    }
    found
}

/// Refuses a name that is to be filled in from the request: names are compared as they stand, so nobody would have it.
fn check_literal(item: &Node<'_>) {
    const PARTS: [&str; 4] = ["{path.", "{host.", "{header.", "{issuer."];
    if let Some(text) = item.value().as_str().filter(|text| PARTS.iter().any(|part| text.contains(part))) {
        let cure = "the request is compared with claims, as in claim: { tenant: \"{path.tenant}\" }";
        item.error_cure(format!("{} is a name as it stands, nothing is filled in", quote(text)), cure);
    }
}

/// Warns about issuers and clients that no route takes.
pub(super) fn warn_unused<'r>(
    policies: impl Iterator<Item = &'r Policy>,
    issuers: &[(&str, Node<'_>)],
    clients: &[(&str, Node<'_>)],
    users: &[(&str, Node<'_>)],
) {
    let of = |policy: &'r Policy| {
        let endpoint = policy.token_endpoint.iter().map(|endpoint| &endpoint.allow);
        let rules = policy.rules().filter_map(|rule| match rule {
            Rule::Public => None,
            Rule::Require(requirement) => Some(requirement),
        });
        rules.chain(endpoint).flat_map(|requirement| requirement.parties.iter().copied())
    };
    let taken: Vec<Party> = policies.flat_map(of).collect();
    let told = |nodes: &[(&str, Node<'_>)], all: Party, one: &dyn Fn(usize) -> Party, what: &str| {
        if !taken.contains(&all) {
            for (index, (_, node)) in nodes.iter().enumerate() {
                if !taken.contains(&one(index)) {
                    node.warn(format!("no route takes its {what}"), None);
                }
            }
        }
    };
    told(issuers, Party::Issuers, &Party::Issuer, "tokens");
    told(clients, Party::Clients, &Party::Client, "keys");
    told(users, Party::Users, &Party::User, "passwords");
}

/// The entries of a section; none where it is no object, which its reader reports.
pub(super) fn entries_of<'j>(section: Option<&Node<'j>>) -> Vec<(&'j str, Node<'j>)> {
    match section {
        Some(node) if matches!(node.value(), Json::Object(_)) => node.entries(),
        _ => Vec::new(),
    }
}

/// Refuses clients and users that are called like somebody of another kind: a route could not tell them apart.
pub(super) fn check_shared(clients: &[(&str, Node<'_>)], users: &[(&str, Node<'_>)], parties: &Parties) {
    let set = |names: &[String]| ordered::set(names.iter().cloned());
    let (issuers, known) = (set(&parties.issuers), set(&parties.clients));
    for (name, node) in clients.iter().chain(users).filter(|(name, _)| issuers.contains(*name)) {
        node.error(format!("{} is an issuer already", quote(name)));
    }
    for (name, node) in users.iter().filter(|(name, _)| known.contains(*name)) {
        node.error(format!("{} is a client already", quote(name)));
    }
}
