//! The section `token_endpoint`: where clients get tokens (RFC 6749 section 4.4).

use super::allow::{self, Parties};
use super::fields::TOKEN_ENDPOINT;
use super::node::Node;
use super::secret::Secrets;
use super::token_profile;
use crate::credential::Kind;
use crate::issue::endpoint::TokenEndpoint;
use crate::path::NormalPath;
use crate::rule::{Party, Requirement, Rule};

/// Reads a token endpoint.
pub(super) fn read(node: &Node<'_>, parties: &Parties, secrets: &Secrets<'_>) -> Option<TokenEndpoint> {
    let fields = node.fields(TOKEN_ENDPOINT)?;
    let path = match fields.scalar("path") {
        Some(node) => path(&node),
        None => {
            node.error_cure("has no `path`", "clients ask for tokens there, such as /oauth/token");
            None
        }
    };
    if !parties.has_keys() {
        node.error_cure("has nobody to give tokens to", "name `clients`, whose keys are their secrets");
    }
    let allow = match fields.get("allow") {
        None => Some(Requirement::any(vec![Party::Clients])),
        Some(node) => match allow::read(&node, parties, &[]) {
            Rule::Require(requirement) => {
                let other = |party: &Party| party.kind() != Kind::Key;
                if requirement.parties.iter().copied().any(|party| other(&party)) {
                    node.error("only clients get tokens here");
                }
                if requirement.optional {
                    node.error("nobody gets a token without a key");
                }
                Some(requirement)
            }
            Rule::Public => {
                node.error("nobody gets a token without a key");
                None
            }
        },
    };
    let profile = token_profile::read(node, &fields, secrets, &[], None);
    Some(TokenEndpoint { path: path?, allow: allow?, profile: profile? })
}

/// Reads the path of something that is served: one that has a single spelling.
pub(super) fn path(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let plain = NormalPath::read(text.as_bytes()).is_ok_and(|path| path.display() == text);
    if !plain || text.contains(['*', '{', '?', '#']) {
        node.error_cure("is no plain path", "write one such as /oauth/token");
        return None;
    }
    Some(String::from(text))
}
