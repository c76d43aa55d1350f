//! The section `users`: who calls with a name and a password. No message of this file quotes a password or its hash.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::clients::profile;
use super::error::quote;
use super::fields::USER;
use super::node::Node;
use super::value::RESERVED;
use crate::credential::key::Client;
use crate::credential::user::{User, Users};
use crate::json::Json;
use crate::password::stored::{Fault, Stored};

/// How a password is written.
const FORM: &str = "`gatekey hash --password` makes a hash of one";

/// The names of the users of a section, for those who name them.
pub(super) fn names(section: Option<&Node<'_>>) -> Vec<String> {
    match section.map(|node| (node, node.value())) {
        Some((_, Json::Str(text))) => {
            lines(text).filter_map(|(_, line)| Some(String::from(line.split_once(':')?.0))).collect()
        }
        Some((node, Json::Object(_))) => node.entries().iter().map(|(name, _)| String::from(*name)).collect(),
        _ => Vec::new(),
    }
}

/// Reads all users: by name, or as the text of an htpasswd file.
pub(super) fn read(node: &Node<'_>) -> Users {
    let users = match node.value() {
        Json::Str(text) => htpasswd(node, text),
        Json::Object(members) if is_variable(members) => {
            let cure = "write name: hash for each, or the text of an htpasswd file";
            node.error_cure("users are not read from a variable", cure);
            Vec::new()
        }
        _ => node.entries().into_iter().filter_map(|(name, node)| read_one(name, &node)).collect(),
    };
    let weak: Vec<&User> = users.iter().filter(|user| matches!(user.stored, Stored::Sha1(_))).collect();
    if let Some(user) = weak.first() {
        node.warn(
            format!(
                "{} of {} have {{SHA}} hashes, such as {}: they are found out in no time",
                weak.len(),
                users.len(),
                quote(&user.profile.name)
            ),
            Some("have them log in anew and hash their passwords with bcrypt"),
        );
    }
    let heavy = |user: &&User| user.stored.work() > 100_000;
    if let Some(user) = users.iter().find(heavy) {
        node.warn(
            format!("the hash of {} takes a worker more than a tenth of a second to check", quote(&user.profile.name)),
            Some("bcrypt with a cost of 10, and long passwords, are enough"),
        );
    }
    Users::new(users)
}

/// Whether this is `{ env: NAME }`, as secrets are written; a user may be called `env`, with a hash.
fn is_variable(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    matches!(members, [(name, Json::Str(value))] if name == "env" && Stored::parse(value).is_err())
}

fn read_one(name: &str, node: &Node<'_>) -> Option<User> {
    check_name(name, node);
    if node.value().as_str().is_some() {
        return Some(User { profile: Client::new(name), stored: stored(node)? });
    }
    let fields = node.fields(USER)?;
    let stored = match fields.scalar("password") {
        Some(password) => stored(&password),
        None => {
            node.error_cure("has no `password`", FORM);
            None
        }
    };
    Some(User { profile: profile(name, Some(&fields)), stored: stored? })
}

/// A name is whatever a Basic credential can carry (RFC 7617 section 2).
fn check_name(name: &str, node: &Node<'_>) {
    if name.is_empty() || name.len() > 256 || name.contains(':') || name.chars().any(char::is_control) {
        node.error("the name of a user has 1 to 256 octets, no colon and no control characters");
    } else if RESERVED.contains(&name) {
        node.error_cure(format!("{} has a meaning of its own", quote(name)), "choose another name");
    }
}

fn stored(node: &Node<'_>) -> Option<Stored> {
    match Stored::parse(node.text()?) {
        Ok(stored) => Some(stored),
        Err(fault) => {
            node.error_cure(fault.to_string(), cure(&fault));
            None
        }
    }
}

fn cure(fault: &Fault) -> &'static str {
    match fault {
        Fault::Cost(..) => "hash the password again, within them",
        _ => FORM,
    }
}

/// The lines of an htpasswd text that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn htpasswd(node: &Node<'_>, text: &str) -> Vec<User> {
    let mut users = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, line) in lines(text) {
        let Some((name, hash)) = line.split_once(':') else {
            node.error_cure(format!("line {number} has no colon"), "a line is name:hash, as htpasswd -B writes it");
            continue;
        };
        check_name(name, node);
        if let Some(first) = seen.insert(name, number) {
            node.error(format!("line {number} has the name of line {first}"));
        }
        match Stored::parse(hash) {
            Ok(stored) => users.push(User { profile: Client::new(name), stored }),
            Err(fault) => node.error_cure(format!("line {number} {fault}"), cure(&fault)),
        }
    }
    if users.is_empty() && seen.is_empty() {
        node.error_cure("is empty", "leave it out, or name a user");
    }
    users
}
