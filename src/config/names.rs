//! Checks the names that a route asks for, of roles, scopes and clients, against those that there are. What tokens and
//! stores bring cannot be known; there only a name that is nearly one of ours is told.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::allow::Parties;
use super::error::quote;
use super::node::Node;
use super::suggest::nearest;
use crate::credential::key::{Client, Clients};
use crate::credential::user::Users;
use crate::rule::Party;

/// What the policy's own clients and users have.
#[derive(Default)]
pub(super) struct Profiles {
    clients: Rc<Clients>,
    users: Rc<Users>,
    of_clients: Granted,
    of_users: Granted,
}

/// Roles and scopes that somebody has.
#[derive(Default)]
struct Granted {
    roles: BTreeSet<String>,
    scopes: BTreeSet<String>,
}

impl Granted {
    fn of<'c>(all: impl Iterator<Item = &'c Client>) -> Self {
        let mut granted = Self::default();
        for client in all {
            granted.roles.extend(client.roles.iter().cloned());
            granted.scopes.extend(client.scopes.iter().cloned());
        }
        granted
    }
}

impl Profiles {
    pub(super) fn new(clients: &Rc<Clients>, users: &Rc<Users>) -> Self {
        Self {
            of_clients: Granted::of(clients.iter()),
            of_users: Granted::of(users.iter().map(|user| &user.profile)),
            clients: Rc::clone(clients),
            users: Rc::clone(users),
        }
    }
}

/// Checks names that one route asks for.
pub(super) struct Names<'p> {
    parties: &'p Parties,
    /// Those whom the route takes.
    taken: &'p [Party],
    /// Whether some of these bring what the policy cannot know.
    open: bool,
    /// What those have of whom all are taken, and who else is.
    all: Vec<&'p Granted>,
    some: Vec<&'p Client>,
}

impl<'p> Names<'p> {
    pub(super) fn new(parties: &'p Parties, taken: &'p [Party]) -> Self {
        let brings = |party: &Party| match party {
            Party::Issuer(_) | Party::Issuers => true,
            Party::Clients => parties.store,
            Party::Client(_) | Party::User(_) | Party::Users => false,
        };
        // Where nobody is left, a mistake was told already.
        let open = taken.is_empty() || taken.iter().any(brings);
        let profiles = &parties.profiles;
        let mut names = Self { parties, taken, open, all: Vec::new(), some: Vec::new() };
        for party in if open { &[Party::Clients, Party::Users] } else { taken } {
            match *party {
                Party::Clients => names.all.push(&profiles.of_clients),
                Party::Users => names.all.push(&profiles.of_users),
                Party::Client(index) => names.some.extend(profiles.clients.iter().nth(index)),
                Party::User(index) => names.some.extend(profiles.users.iter().nth(index).map(|user| &user.profile)),
                Party::Issuer(_) | Party::Issuers => {}
            }
        }
        names
    }

    pub(super) fn roles(&self, items: &[Node<'_>]) {
        let all: Vec<_> = self.all.iter().map(|granted| &granted.roles).collect();
        let some: Vec<_> = self.some.iter().map(|client| client.roles.as_slice()).collect();
        self.held(items, "role", &all, &some);
    }

    pub(super) fn scopes(&self, items: &[Node<'_>]) {
        let all: Vec<_> = self.all.iter().map(|granted| &granted.scopes).collect();
        let some: Vec<_> = self.some.iter().map(|client| client.scopes.as_slice()).collect();
        self.held(items, "scope", &all, &some);
    }

    fn held(&self, items: &[Node<'_>], what: &str, all: &[&BTreeSet<String>], some: &[&[String]]) {
        let known = || all.iter().copied().flatten().chain(some.iter().copied().flatten()).map(String::as_str);
        let has = |name: &str| {
            all.iter().any(|names| names.contains(name)) || some.iter().any(|names| names.iter().any(|n| n == name))
        };
        for (item, name) in items.iter().filter_map(name).filter(|(_, name)| !has(name)) {
            match (self.open, meant(name, known())) {
                (false, meant) => {
                    let message = format!("nobody whom this route takes has the {what} {}", quote(name));
                    item.warn(message, meant.as_deref());
                }
                (true, Some(meant)) => {
                    item.warn(format!("no client or user has the {what} {}", quote(name)), Some(&meant));
                }
                (true, None) => {}
            }
        }
    }

    pub(super) fn clients(&self, items: &[Node<'_>]) {
        let known = || self.parties.clients.iter().map(String::as_str);
        for (item, name) in items.iter().filter_map(name) {
            match self.parties.clients.iter().position(|client| client == name) {
                Some(index) => {
                    if !self.open && !self.taken.iter().any(|p| [Party::Clients, Party::Client(index)].contains(p)) {
                        item.warn(format!("this route does not take the keys of {}", quote(name)), None);
                    }
                }
                None if !self.open => item.unknown("client", name, known(), None),
                None => {
                    if let Some(meant) = meant(name, known()) {
                        item.warn(format!("{} is no client of this policy", quote(name)), Some(&meant));
                    }
                }
            }
        }
    }
}

fn name<'n, 'j>(item: &'n Node<'j>) -> Option<(&'n Node<'j>, &'j str)> {
    item.value().as_str().map(|name| (item, name))
}

/// With how many names one is compared: a warning must not hold up a start.
const MOST: usize = 200;

/// The name that may be meant; not one that differs in its number, such as `tier-1` and `tier-2`.
fn meant<'c>(name: &str, known: impl Iterator<Item = &'c str>) -> Option<String> {
    let bare = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    let meant = nearest(name, known.take(MOST)).filter(|meant| bare(meant) != bare(name))?;
    Some(format!("did you mean {}?", quote(meant)))
}
