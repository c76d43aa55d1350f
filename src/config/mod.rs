//! Reads policies: text in, a [`Policy`] or the full list of mistakes out.

mod allow;
mod answers;
mod apart;
mod audit;
mod browsers;
mod cache;
mod claims;
mod clients;
mod cors;
mod deny;
mod digest;
mod error;
mod fields;
mod forwarded;
mod introspect;
mod issuers;
mod jwks;
mod keys;
mod lists;
mod login;
mod names;
mod node;
mod policies;
mod providers;
mod reach;
mod read;
mod remote;
mod resource;
mod revoked;
mod routes;
mod secret;
mod suggest;
mod template;
mod token_endpoint;
mod token_profile;
mod upstream;
mod users;
mod value;
mod wire;

use std::rc::Rc;

pub use error::{ConfigError, Warning};
pub use value::is_name;

use crate::credential::key::Clients;
use crate::credential::user::Users;
use crate::jose::issuer::Issuers;
use crate::json::{self, Json, Limits};
use crate::policy::Policy;
use crate::redact::Secret;
use allow::Parties;
use names::Profiles;
use node::{Fields, Node, Report};
use policies::Shared;
use secret::Secrets;

/// The longest policy text that is read, in octets.
pub const MAX_TEXT: usize = 4 * 1024 * 1024;

/// How much structure a policy may have.
pub const LIMITS: Limits = Limits { depth: 32, members: 1_000_000 };

/// A policy that can be used, and what is odd about it.
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// What works, but hardly as meant.
    pub warnings: Vec<Warning>,
}

/// Reads a policy from JSON: an object, or a text that holds one, as some hosts pass it; or from the wire
/// form of a protobuf Struct, as Envoy passes one. `env` looks up variables of the host's VM environment.
///
/// # Errors
/// Everything that is wrong with the policy, in the order of its text as far as the sections go.
pub fn load(text: &[u8], env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Vec<ConfigError>> {
    // A text that begins with a line break could be either; JSON is tried first and its mistakes are told.
    let outer = match parse(text) {
        Ok(value) => value,
        Err(errors) => wire::read(text).filter(|_| text.first() == Some(&b'\n')).ok_or(errors)?,
    };
    match &outer {
        Json::Str(text) => load_value(&parse(text.as_bytes())?, env),
        value => load_value(value, env),
    }
}

fn load_value(value: &Json<'_>, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Vec<ConfigError>> {
    let report = Report::default();
    let policy = compile(value, &report, env);
    let warnings = report.finish()?;
    match policy {
        Some(policy) => Ok(Loaded { policy, warnings }),
        None => Err(vec![whole(String::from("cannot be compiled"))]),
    }
}

/// The secret that `{ env: NAME }` or `{ value: TEXT }` stands for, for those who make test tokens.
///
/// # Errors
/// What is wrong with it; not its length.
pub fn secret(value: &Json<'_>, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, Vec<ConfigError>> {
    let report = Report::default();
    let secret = Secrets::new(env).read_any(&Node::root(value, &report));
    report.finish()?;
    secret.ok_or_else(|| vec![whole(String::from("is no secret"))])
}

/// A policy value in its canonical form: members sorted, null members left out, whole numbers as integers.
/// Secrets stay in it.
pub fn canonical<'a>(value: &'a Json<'_>) -> Json<'a> {
    digest::canonical(value, true)
}

fn parse(text: &[u8]) -> Result<Json<'_>, Vec<ConfigError>> {
    if text.len() > MAX_TEXT {
        return Err(vec![whole(format!("is longer than {MAX_TEXT} octets"))]);
    }
    if text.trim_ascii().is_empty() {
        return Err(vec![whole(String::from("is empty"))]);
    }
    json::read(text, LIMITS).map_err(|error| {
        // The reader names places and member names, never values.
        let message: String = error.to_string().chars().take(200).collect();
        let cure = Some(String::from("hosts take JSON, which `gatekey fmt` makes of YAML"));
        vec![ConfigError { cure, ..whole(format!("is no JSON: {message}")) }]
    })
}

fn whole(message: String) -> ConfigError {
    ConfigError { path: String::new(), message, cure: None }
}

fn compile(value: &Json<'_>, report: &Report, env: &dyn Fn(&str) -> Option<String>) -> Option<Policy> {
    let root = Node::root(value, report);
    let top = root.fields(fields::POLICY)?;
    check_version(&top);
    let (issuer_section, client_section) = (top.get("issuers"), top.get("clients"));
    let user_section = top.get("users");
    let issuer_nodes = allow::entries_of(issuer_section.as_ref());
    let client_nodes = allow::entries_of(client_section.as_ref());
    let user_nodes = allow::entries_of(user_section.as_ref());
    let provider_section = top.get("providers");
    let provider_nodes = allow::entries_of(provider_section.as_ref());
    let names = |nodes: &[(&str, Node<'_>)]| nodes.iter().map(|(name, _)| String::from(*name)).collect();
    let store = top.get("clients_from");
    let mut parties = Parties {
        issuers: names(&issuer_nodes),
        clients: names(&client_nodes),
        users: users::names(user_section.as_ref()),
        store: store.is_some(),
        profiles: Profiles::default(),
        providers: names(&provider_nodes),
    };
    let mut secrets = Secrets::new(env);
    let issuers = issuer_section.as_ref().map_or_else(Issuers::default, |node| issuers::read(node, &mut secrets));
    let clients = Rc::new(client_section.as_ref().map_or_else(Clients::default, clients::read));
    let users = Rc::new(user_section.as_ref().map_or_else(Users::default, users::read));
    parties.profiles = Profiles::new(&clients, &users);
    allow::check_shared(&client_nodes, &user_nodes, &parties);
    let nobody = |section: Option<&Node<'_>>| section.is_none_or(|node| node.is_empty());
    if nobody(issuer_section.as_ref())
        && nobody(client_section.as_ref())
        && nobody(user_section.as_ref())
        && store.is_none()
    {
        root.error_cure("knows nobody", "name at least one of `issuers`, `clients` and `users`");
    }

    let mut providers = provider_section
        .as_ref()
        .map(|node| providers::read(node, &secrets, &parties.clients, parties.store))
        .unwrap_or_default();
    let read = read::read(
        top.get("read").as_ref(),
        !parties.issuers.is_empty(),
        parties.has_keys(),
        issuers.asked().is_some(),
    );
    providers.iter_mut().for_each(|provider| provider.read_as(&read, parties.has_keys()));
    let (revoked, mut lists) = revoked::read(top.get("revoked").as_ref(), &parties, &issuers);
    lists.extend(store.as_ref().and_then(lists::clients));
    let shared = Shared {
        clients,
        read: Rc::new(read),
        revoked: Rc::new(revoked),
        lists: lists.into(),
        hops: forwarded::read(top.get("forwarded").as_ref()),
        cache: cache::read(top.get("cache").as_ref(), issuers.asked().is_some()),
        users,
        issuers: Rc::new(issuers),
        digest: digest::of(value),
        secrets,
        providers: providers.into(),
        parties,
    };
    let policy = policies::read(&top, &shared);
    allow::warn_unused(policy.all(), &issuer_nodes, &client_nodes, &user_nodes);
    providers::warn_unused(&provider_nodes, &policy);
    providers::warn_unserved(&client_nodes, &policy);
    clients::check_routes(&client_nodes, &policy);
    clients::check_routes(&user_nodes, &policy);
    Some(policy)
}

fn check_version(top: &Fields<'_>) {
    let Some(node) = top.scalar("version") else {
        return;
    };
    match value::whole_numbers(node.value().clone()) {
        Json::Int(1) => {}
        Json::Int(version) => node.error(format!("version {version} is not known, this gatekey reads version 1")),
        _ => node.expected("the number 1"),
    }
}
