//! The answer to a refused caller: status, challenges (RFC 9110 section 11.6.1, RFC 6750 section 3) and body.

use crate::decision::Denial;
use crate::deny::{Body, Code, DenyStyle, Reason};
use crate::json::write_text;

/// When to try again while keys cannot be had, in seconds (RFC 9110 section 10.2.3): after the next attempt,
/// mostly.
const RETRY_AFTER: &str = "5";

/// What the filter answers in place of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; never empty.
    pub body: String,
    /// For gRPC calls, the status that stands in for the HTTP status.
    pub grpc_status: Option<u32>,
    /// For the host's log, never for the caller.
    pub details: String,
}

/// What of the request shapes the answer to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'r> {
    /// The id under which the host logs the request.
    pub id: Option<&'r [u8]>,
    /// Whether it is a gRPC call.
    pub grpc: bool,
}

impl Reply {
    /// The answer to a denial.
    pub fn new(denial: &Denial, style: &DenyStyle, asked: Asked<'_>) -> Self {
        let code = denial.reason.code();
        let word = if style.show_reason { denial.reason.word() } else { code.word() };
        let (content_type, body) = match style.body {
            // The body becomes `grpc-message`, which people read.
            _ if asked.grpc => ("text/plain", String::from(code.message())),
            Body::Problem => ("application/problem+json", problem(code, word, asked.id)),
            Body::Json => ("application/json", json(word, code.message())),
            Body::Text => ("text/plain", format!("{}\n", if style.show_reason { word } else { code.message() })),
        };
        let mut headers =
            vec![("content-type", String::from(content_type)), ("cache-control", String::from("no-store"))];
        headers.extend(challenges(denial, style).into_iter().map(|challenge| ("www-authenticate", challenge)));
        if matches!(denial.reason, Reason::KeysUnavailable | Reason::IssuerUnavailable) {
            headers.push(("retry-after", String::from(RETRY_AFTER)));
        }
        Self {
            status: code.status(),
            headers,
            body,
            grpc_status: asked.grpc.then_some(code.grpc_status()),
            details: format!("gatekey{{{}}}", denial.reason.word()),
        }
    }
}

/// Whether a content type is that of gRPC calls.
pub fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    match content_type.split_at_checked(GRPC.len()) {
        Some((start, rest)) => start.eq_ignore_ascii_case(GRPC) && matches!(rest, [] | [b'+' | b';' | b' ', ..]),
        None => false,
    }
}

fn problem(code: Code, word: &str, id: Option<&[u8]>) -> String {
    let mut text = format!(
        "{{\"type\":\"urn:gatekey:error:{word}\",\"title\":\"{}\",\"status\":{},\"detail\":\"{}\",\"code\":\"{word}\"",
        code.title(),
        code.status(),
        code.message(),
    );
    if let Some(id) = id.and_then(plain_id) {
        text.push_str(",\"instance\":");
        // Writing into a String cannot fail.
        let _ = write_text(id, &mut text);
    }
    text.push_str("}\n");
    text
}

fn json(word: &str, message: &str) -> String {
    format!("{{\"code\":\"{word}\",\"message\":\"{message}\"}}\n")
}

/// A request id as a host makes it. Anything else might be a caller's, and is not echoed.
fn plain_id(id: &[u8]) -> Option<&str> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let fits = (1..=128).contains(&id.len()) && id.iter().all(plain);
    str::from_utf8(id).ok().filter(|_| fits)
}

fn challenges(denial: &Denial, style: &DenyStyle) -> Vec<String> {
    let code = denial.reason.code();
    let bearer = format!("Bearer realm=\"{}\"", style.realm);
    let key = format!("ApiKey realm=\"{}\"", style.realm);
    let with_error = |challenge: String, error: &str| {
        format!("{challenge}, error=\"{error}\", error_description=\"{}\"", code.message())
    };
    match code {
        Code::CredentialMissing => {
            let accepted = [(denial.takes_token, bearer), (denial.takes_key, key)];
            accepted.into_iter().filter_map(|(takes, challenge)| takes.then_some(challenge)).collect()
        }
        Code::InvalidToken | Code::TokenExpired => vec![with_error(bearer, "invalid_token")],
        Code::InvalidKey => vec![key],
        Code::InvalidRequest => {
            let scheme = if denial.takes_token { bearer } else { key };
            vec![with_error(scheme, "invalid_request")]
        }
        Code::InsufficientScope => {
            let scheme = if denial.takes_token { bearer } else { key };
            let challenge = with_error(scheme, "insufficient_scope");
            vec![format!("{challenge}, scope=\"{}\"", denial.scopes.join(" "))]
        }
        Code::Forbidden | Code::TemporarilyUnavailable => Vec::new(),
    }
}
