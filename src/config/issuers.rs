//! The section `issuers`: whose tokens are taken.

use super::claims::{Captures, claim_map, claim_path};
use super::error::quote;
use super::fields::ISSUER;
use super::keys;
use super::node::{Fields, Node};
use super::secret::Secrets;
use super::value::{check_name, duration, is_token, one_of, texts};
use crate::claims::ClaimPath;
use crate::jose::binding::Confirmation;
use crate::jose::iss::{IssPattern, Name};
use crate::jose::issuer::{Audience, Issuer, Issuers, Keys};
use crate::jose::short_type;

/// The clock difference tolerated where the policy says nothing, in milliseconds.
const LEEWAY: i64 = 30_000;
/// The most that may be tolerated, in milliseconds.
const MAX_LEEWAY: i64 = 300_000;
/// Types that no bearer token has.
const NEVER: [&str; 3] = ["dpop+jwt", "logout+jwt", "secevent+jwt"];

/// Reads all issuers.
pub(super) fn read(node: &Node<'_>, secrets: &mut Secrets<'_>) -> Issuers {
    let mut issuers = Vec::new();
    let mut named: Vec<(Option<&str>, String)> = Vec::new();
    for (name, node) in node.entries() {
        check_name(name, &node);
        let Some(fields) = node.fields(ISSUER) else {
            continue;
        };
        let iss = fields.scalar("issuer");
        let text = match &iss {
            Some(node) => node.text(),
            None => None,
        };
        if text.is_some() || iss.is_none() {
            match (named.iter().find(|(other, _)| *other == text), &iss) {
                (Some((_, path)), Some(iss)) => iss.error(format!("is the same as {path}.issuer")),
                (Some((_, path)), None) => node.error_cure(
                    format!("is a second issuer without `issuer`: {path} takes every token that names no other"),
                    "give it an `issuer`",
                ),
                (None, _) => named.push((text, node.path())),
            }
        }
        issuers.extend(read_one(name, iss_name(iss.as_ref(), text), &node, &fields, secrets));
    }
    let mut asked = issuers.iter().filter(|issuer: &&Issuer| matches!(issuer.keys, Keys::Asked(_)));
    if let (Some(first), Some(_)) = (asked.next(), asked.next()) {
        node.error_cure(
            format!(
                "has more issuers than {} that are asked: an opaque token does not say whose it is",
                quote(&first.name)
            ),
            "keep `introspect` with one",
        );
    }
    Issuers::new(issuers)
}

/// Which `iss` the tokens have: a text, or a pattern with captures.
fn iss_name(node: Option<&Node<'_>>, text: Option<&str>) -> Name {
    let Some(text) = text else {
        return Name::Others;
    };
    match IssPattern::parse(text) {
        Ok(None) => Name::Exactly(String::from(text)),
        Ok(Some(pattern)) => Name::Like(pattern),
        Err(message) => {
            if let Some(node) = node {
                node.error(message);
            }
            Name::Exactly(String::from(text))
        }
    }
}

fn read_one(name: &str, iss: Name, node: &Node<'_>, fields: &Fields<'_>, secrets: &mut Secrets<'_>) -> Option<Issuer> {
    let audience = audience(node, fields);
    let (algorithms, keys) = keys::read(node, fields, &iss, secrets);
    let types = fields.get("type").map(|node| types(&node)).unwrap_or_default();
    let leeway = fields.scalar("leeway").map(|node| leeway(&node));
    let max_age = fields.scalar("max_age").and_then(|node| {
        let age = duration(&node)?;
        if age == 0 {
            node.error("no token is that young");
        }
        Some(age)
    });
    // What an issuer says of a token counts for so short a time that the token need not say when it ends.
    let is_asked = matches!(keys, Keys::Asked(_));
    let optional_exp = is_asked || fields.flag("optional_exp");
    if optional_exp && !is_asked && max_age.is_none() {
        node.warn("a token without exp is taken for ever", Some("max_age ends it"));
    }
    let confirmation = fields.scalar("confirmation").and_then(|node| confirmation(&node));
    let captures: Vec<&str> = match &iss {
        Name::Like(pattern) => pattern.names().collect(),
        Name::Exactly(_) | Name::Others => Vec::new(),
    };
    let require = fields.get("require").map(|node| claim_map(&node, Captures::Issuer(&captures))).unwrap_or_default();
    let roles = fields.scalar("roles").and_then(|node| claim_path(&node)).or_else(|| ClaimPath::parse("roles").ok());
    let scopes = fields.scalar("scopes").and_then(|node| claim_path(&node));
    Some(Issuer {
        name: String::from(name),
        iss,
        audience,
        algorithms,
        keys,
        types,
        leeway: leeway.unwrap_or(LEEWAY),
        max_age,
        optional_exp,
        confirmation: confirmation.unwrap_or_default(),
        require,
        roles: roles?,
        scopes,
    })
}

fn confirmation(node: &Node<'_>) -> Option<Confirmation> {
    let choices =
        [("checked", Confirmation::Checked), ("required", Confirmation::Required), ("ignored", Confirmation::Ignored)];
    let choice = one_of(node, "confirmation", &choices);
    if choice == Some(Confirmation::Ignored) {
        node.warn(
            "a token that is bound to somebody is taken from anybody",
            Some("`checked` takes it from its bearer"),
        );
    }
    choice
}

fn audience(node: &Node<'_>, fields: &Fields<'_>) -> Audience {
    let any = fields.flag("any_audience");
    match fields.get("audience") {
        Some(_) if any => {
            node.error_cure("has both audience and any_audience", "keep one");
            Audience::Unnamed
        }
        Some(audience) => {
            Audience::OneOf(texts(&audience.some_items("leave it out, or name who the tokens are meant for")))
        }
        None if any => Audience::Any,
        None => Audience::Unnamed,
    }
}

fn types(node: &Node<'_>) -> Vec<String> {
    let read = |item: &Node<'_>| {
        let text = item.text()?;
        let short = short_type(text).to_ascii_lowercase();
        if NEVER.contains(&short.as_str()) {
            item.error(format!("{} is never taken as a bearer token", quote(text)));
        } else if !short.split('/').all(is_token) {
            item.error(format!("{} is no media type", quote(text)));
        }
        Some(short)
    };
    node.some_items("leave it out for any type").iter().filter_map(read).collect()
}

fn leeway(node: &Node<'_>) -> i64 {
    let leeway = duration(node).unwrap_or(LEEWAY);
    if leeway > MAX_LEEWAY {
        node.error("is more than 300s: that is no clock difference any more");
    }
    leeway
}
