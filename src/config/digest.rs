//! Names a policy without telling its secrets: a digest of its canonical form.

use std::borrow::Cow;

use super::secret::is_secret_member;
use super::value::whole_numbers;
use crate::credential::key::digest;
use crate::json::Json;
use crate::ordered;

/// 16 hexadecimal digits that change when the policy does, secrets excepted. Two spellings of one policy, such
/// as those that hosts make of it, have the same digest.
pub(super) fn of(policy: &Json<'_>) -> String {
    let canonical = canonical(policy, false).to_string();
    digest(canonical.as_bytes()).iter().take(8).map(|octet| format!("{octet:02x}")).collect()
}

/// The value with members sorted, null members left out, and whole numbers as integers. Without secrets, what
/// may be one is replaced by a mark, and an empty object is an empty list.
pub(super) fn canonical<'a>(value: &'a Json<'_>, secrets: bool) -> Json<'a> {
    match value {
        Json::Null => Json::Null,
        Json::Bool(flag) => Json::Bool(*flag),
        Json::Int(number) => Json::Int(*number),
        Json::Float(number) => whole_numbers(Json::Float(*number)),
        Json::Str(text) => Json::Str(Cow::Borrowed(text)),
        Json::Array(items) => Json::Array(items.iter().map(|item| canonical(item, secrets)).collect()),
        Json::Object(members) if members.is_empty() && !secrets => Json::Array(Vec::new()),
        Json::Object(members) => {
            let member = |(name, value): &'a (Cow<'_, str>, Json<'_>)| {
                let value =
                    if !secrets && is_secret_member(name, value) { masked(value) } else { canonical(value, secrets) };
                (Cow::Borrowed(name.as_ref()), value)
            };
            let members = ordered::map(members.iter().filter(|(_, value)| *value != Json::Null).map(member));
            Json::Object(members.into_iter().collect())
        }
    }
}

/// What may be a secret, without it: the names of variables stay, and how many there are.
fn masked<'a>(value: &'a Json<'_>) -> Json<'a> {
    match value {
        Json::Array(items) => Json::Array(items.iter().map(masked).collect()),
        Json::Object(members) => {
            let member = |(name, value): &'a (Cow<'_, str>, Json<'_>)| {
                let shown =
                    if name == "env" && value.as_str().is_some() { canonical(value, true) } else { masked(value) };
                (Cow::Borrowed(name.as_ref()), shown)
            };
            let members = ordered::map(members.iter().map(member));
            Json::Object(members.into_iter().collect())
        }
        _ => Json::Str(Cow::Borrowed("***")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, read};

    fn named(text: &str) -> String {
        of(&read(text.as_bytes(), Limits { depth: 9, members: 99 }).unwrap())
    }

    #[test]
    fn does_not_depend_on_spelling_or_secrets() {
        let one = named(r#"{"version":1,"issuers":{"a":{"secret":{"value":"x"}}},"routes":[]}"#);
        assert_eq!(one, named(r#"{"issuers":{"a":{"secret":{"value":"y"},"type":null}},"routes":{},"version":1.0}"#));
        assert_ne!(one, named(r#"{"version":1,"issuers":{"b":{"secret":{"value":"x"}}},"routes":[]}"#));
        assert_ne!(one, named(r#"{"version":1,"issuers":{"a":{"secret":{"env":"x"}}},"routes":[]}"#));
        assert_eq!(one.len(), 16);
    }
}
