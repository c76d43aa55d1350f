//! The token endpoint (RFC 6749 section 3.2): where it is, who may use it, and what it answers.

use super::claims::TokenProfile;
use crate::deny::Reason;
use crate::head::Head;
use crate::json::write_text;
use crate::reply::Reply;
use crate::rule::Requirement;

/// A token endpoint.
pub struct TokenEndpoint {
    /// Its path.
    pub path: String,
    /// Who gets tokens.
    pub allow: Requirement,
    /// How they are made.
    pub profile: TokenProfile,
}

impl TokenEndpoint {
    /// Whether a request is for it.
    pub fn is_asked(&self, head: &Head<'_>) -> bool {
        head.path() == Some(self.path.as_bytes())
    }

    /// The answer with a token (RFC 6749 section 5.1).
    pub fn answer(&self, token: &str, seconds: i64, scopes: &[String]) -> Reply {
        let mut body = format!("{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":{seconds}");
        if !scopes.is_empty() {
            body.push_str(",\"scope\":");
            // Writing into a String cannot fail.
            let _ = write_text(&scopes.join(" "), &mut body);
        }
        body.push_str("}\n");
        let headers = [("content-type", "application/json"), ("cache-control", "no-store"), ("pragma", "no-cache")];
        Reply::with(200, &headers, body, "gatekey_token")
    }
}

/// The error code for a refusal and its status (RFC 6749 section 5.2, RFC 8707 section 2).
pub const fn error(reason: Reason) -> (&'static str, u16) {
    match reason {
        Reason::GrantUnsupported => ("unsupported_grant_type", 400),
        Reason::ScopeMissing => ("invalid_scope", 400),
        Reason::AudienceMismatch => ("invalid_target", 400),
        Reason::RoleMissing
        | Reason::ClaimForbidden
        | Reason::ClaimMismatch
        | Reason::ClientForbidden
        | Reason::AddressForbidden
        | Reason::CredentialNotAccepted => ("unauthorized_client", 400),
        Reason::CredentialMissing | Reason::KeyInvalid | Reason::KeyExpired | Reason::KeyRevoked => {
            ("invalid_client", 401)
        }
        Reason::KeysUnavailable
        | Reason::IssuerUnavailable
        | Reason::ListUnavailable
        | Reason::PasswordsBusy
        | Reason::PolicyUnknown
        | Reason::Internal => ("temporarily_unavailable", 503),
        Reason::BodyTooLarge => ("invalid_request", 413),
        _ => ("invalid_request", 400),
    }
}

/// One sentence on an error code, for people.
pub fn description(error: &str) -> &'static str {
    match error {
        "unsupported_grant_type" => "The grant type is not client_credentials",
        "invalid_scope" => "The client does not have this scope",
        "invalid_target" => "There are no tokens for this audience",
        "unauthorized_client" => "The client gets no token here",
        "invalid_client" => "The client or its secret is not valid",
        "temporarily_unavailable" => "No token can be made now",
        _ => "The request is malformed, or has a parameter or credential twice",
    }
}
