//! Users with passwords (RFC 7617), found by name.

use std::collections::BTreeMap;

use super::key::Client;
use crate::ordered;
use crate::password::stored::Stored;

/// Somebody who calls with a name and a password: known by the same things as a client.
#[derive(Debug)]
pub struct User {
    /// Name, roles, scopes, claims.
    pub profile: Client,
    /// The password, as it is stored.
    pub stored: Stored,
}

/// All users of a policy.
#[derive(Debug, Default)]
pub struct Users {
    list: Vec<User>,
    by_name: BTreeMap<String, usize>,
    /// What the password of somebody unknown is checked against: it takes as long as the longest check.
    nobody: Option<Stored>,
}

impl Users {
    /// Takes users whose names differ.
    pub fn new(list: Vec<User>) -> Self {
        let by_name = ordered::map(list.iter().enumerate().map(|(index, user)| (user.profile.name.clone(), index)));
        let nobody = list.iter().map(|user| &user.stored).max_by_key(|stored| stored.work()).cloned();
        Self { list, by_name, nobody }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The users in the order of the policy.
    pub fn iter(&self) -> impl Iterator<Item = &User> {
        self.list.iter()
    }

    /// The user of this name.
    pub fn find(&self, name: &str) -> Option<(usize, &User)> {
        let index = *self.by_name.get(name)?;
        Some((index, self.list.get(index)?))
    }

    /// What a password is checked against if nobody has the name.
    pub fn nobody(&self) -> Option<&Stored> {
        self.nobody.as_ref()
    }
}
