//! The field `login` of `deny`: where browsers are sent.

use super::error::quote;
use super::fields::LOGIN;
use super::node::Node;
use super::value::is_token;
use crate::deny::Code;
use crate::jwks::source::Uri;
use crate::login::Login;

/// Codes after which a login helps.
const CODES: [Code; 5] =
    [Code::CredentialMissing, Code::TokenExpired, Code::InvalidToken, Code::InsufficientScope, Code::Forbidden];

/// Reads where browsers are sent.
pub(super) fn read(node: &Node<'_>) -> Option<Login> {
    let fields = node.fields(LOGIN)?;
    let url = match fields.scalar("url") {
        Some(url) => read_url(&url),
        None => {
            node.error_cure("has no `url`", "name the login page");
            None
        }
    };
    let parameter = fields.scalar("return_to").map_or(Some(String::from("return_to")), |node| {
        let name = node.text()?;
        if !is_token(name) {
            node.error(format!("{} is no name of a parameter", quote(name)));
        }
        Some(String::from(name))
    });
    let codes = fields.get("codes").map_or(vec![Code::CredentialMissing, Code::TokenExpired], |node| codes(&node));
    Some(Login { url: url?, parameter: parameter?, codes })
}

/// An absolute address, or a path of this host.
fn read_url(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let path = text.starts_with('/') && !text.starts_with("//");
    let checked = if path { format!("https://this.host{text}") } else { String::from(text) };
    match Uri::parse(&checked) {
        Ok(_) => Some(String::from(text)),
        Err(message) => {
            node.error_cure(message, "write https://id.example.com/login, or /login for a path of this host");
            None
        }
    }
}

fn codes(node: &Node<'_>) -> Vec<Code> {
    let words = || CODES.iter().map(|code| code.word());
    let read = |item: &Node<'_>| {
        let word = item.text()?;
        let code = CODES.into_iter().find(|code| code.word() == word);
        if code.is_none() {
            let cure = format!("a login helps after {}", words().collect::<Vec<_>>().join(", "));
            item.unknown("code", word, words(), Some(cure));
        }
        code
    };
    node.some_items("leave it out for credential_missing and token_expired").iter().filter_map(read).collect()
}
