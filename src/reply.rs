//! The answer to a refused caller: status, challenges (RFC 9110 section 11.6.1, RFC 6750 section 3) and body.

use std::borrow::Cow;

use crate::answer::{Custom, Escape, Values, fill};
use crate::decision::{Denial, Shape};
use crate::deny::{Body, Code, DenyStyle, Reason};
use crate::document::Document;
use crate::head::Head;
use crate::issue::endpoint;
use crate::json::write_text;
use crate::password::throttle::WINDOW;
use crate::policy::Policy;
use crate::provider::preset::Preset;
use crate::provider::refusal;

/// When to try again while something cannot be had, in seconds (RFC 9110 section 10.2.3): after the next attempt,
/// mostly.
const RETRY_AFTER: &str = "5";

/// What the filter answers in place of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(Cow<'static, str>, String)>,
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
    /// Its head, if there is one that can be read.
    pub head: Option<&'r Head<'r>>,
}

impl Reply {
    /// The answer to a denial, in the way of a policy.
    pub fn new(denial: &Denial, policy: &Policy, asked: Asked<'_>) -> Self {
        let mut reply = match denial.shape {
            Shape::Own => Self::plain(denial, policy.deny_style(), asked),
            Shape::Provider(preset) => Self::provider(denial, policy.deny_style(), preset, asked),
            Shape::OAuth => return Self::oauth(denial, policy.deny_style()),
        };
        let Some(head) = asked.head else {
            return reply;
        };
        // Who calls a provider is a program, and waits for the provider's words.
        let login = policy.deny_style().login.as_ref().filter(|_| !asked.grpc && denial.shape == Shape::Own);
        if let Some(place) = login.and_then(|login| login.redirect(denial.reason.code(), head, policy.read())) {
            reply.send_to(place);
        }
        if let Some(cors) = &policy.cors {
            reply.headers.extend(cors.headers(head).into_iter().map(own));
        }
        reply
    }

    /// The answer to a denial, in a style.
    pub fn plain(denial: &Denial, style: &DenyStyle, asked: Asked<'_>) -> Self {
        let code = denial.reason.code();
        let word = if style.show_reason { denial.reason.word() } else { code.word() };
        let custom = style.custom(denial.reason);
        let of = |field: fn(&Custom) -> Option<&String>, ours| custom.and_then(field).map_or(ours, String::as_str);
        let values = Values {
            code: word,
            title: of(|custom| custom.title.as_ref(), code.title()),
            message: of(|custom| custom.message.as_ref(), code.message()),
            status: custom.and_then(|custom| custom.status).unwrap_or_else(|| code.status()),
            id: asked.id.and_then(plain_id).unwrap_or_default(),
            realm: &style.realm,
        };
        let body = custom.and_then(|custom| custom.body.as_ref());
        let (content_type, body) = match (style.body, body) {
            // The body becomes `grpc-message`, which people read.
            _ if asked.grpc => ("text/plain", String::from(values.message)),
            (_, Some(body)) => {
                (body.content_type.as_str(), fill(&body.pieces, &values, Escape::of(&body.content_type)))
            }
            (Body::Problem, None) => ("application/problem+json", problem(&values)),
            (Body::Json, None) => ("application/json", json(&values)),
            (Body::Text, None) => {
                ("text/plain", format!("{}\n", if style.show_reason { word } else { values.message }))
            }
        };
        let mut headers =
            vec![own(("content-type", String::from(content_type))), own(("cache-control", "no-store".into()))];
        // An answer that hides what it is about does not tell how to authenticate either.
        if matches!(values.status, 400 | 401 | 403) {
            headers.extend(challenges(denial, style).into_iter().map(|value| own(("www-authenticate", value))));
        }
        let unavailable =
            [Reason::KeysUnavailable, Reason::IssuerUnavailable, Reason::ListUnavailable, Reason::PasswordsBusy];
        if unavailable.contains(&denial.reason) {
            headers.push(own(("retry-after", String::from(RETRY_AFTER))));
        }
        if denial.reason == Reason::TooManyFailures {
            headers.push(own(("retry-after", (WINDOW / 1000).to_string())));
        }
        for (name, pieces) in custom.iter().flat_map(|custom| &custom.headers) {
            headers.retain(|(other, _)| other != name);
            headers.push((Cow::Owned(name.clone()), fill(pieces, &values, Escape::Plain)));
        }
        Self {
            status: values.status,
            headers,
            body,
            grpc_status: asked.grpc.then_some(code.grpc_status()),
            details: format!("gatekey{{{}}}", denial.reason.word()),
        }
    }

    /// A document that anybody may read.
    pub fn document(document: &Document) -> Self {
        let headers = [
            ("content-type", "application/json"),
            ("cache-control", "public, max-age=3600"),
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET, HEAD, OPTIONS"),
            ("access-control-allow-headers", "*"),
        ];
        Self::with(200, &headers, document.body.clone(), "gatekey_document")
    }

    /// An answer of our own; `details` is for the host's log.
    pub fn with(status: u16, headers: &[(&'static str, &str)], body: String, details: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| own((*name, String::from(*value)))).collect();
        Self { status, headers, body, grpc_status: None, details: String::from(details) }
    }

    /// The answer to a denial in the words of a provider, unless the operator has words for it.
    fn provider(denial: &Denial, style: &DenyStyle, preset: Preset, asked: Asked<'_>) -> Self {
        let mut reply = Self::plain(denial, style, asked);
        let custom = style.custom(denial.reason).is_some_and(|custom| custom.body.is_some() || custom.title.is_some());
        if custom || asked.grpc || preset == Preset::Plain {
            return reply;
        }
        let code = denial.reason.code();
        let word = if style.show_reason { denial.reason.word() } else { code.word() };
        let message = style.custom(denial.reason).and_then(|custom| custom.message.as_deref());
        let id = asked.id.and_then(plain_id).unwrap_or_default();
        reply.body = refusal::body(preset, reply.status, word, message.unwrap_or(code.message()), id);
        reply.headers.retain(|(name, _)| name != "content-type");
        reply.headers.push(own(("content-type", String::from("application/json"))));
        reply
    }

    /// The body as others than the caller may see it: without the token that it gives.
    pub fn shown(&self) -> Cow<'_, str> {
        const BEFORE: &str = "\"access_token\":\"";
        match self.body.split_once(BEFORE) {
            Some((start, rest)) => {
                let (_, end) = rest.split_once('"').unwrap_or_default();
                Cow::Owned(format!("{start}{BEFORE}***\"{end}"))
            }
            None => Cow::Borrowed(&self.body),
        }
    }

    /// The answer of a token endpoint to a denial (RFC 6749 section 5.2).
    fn oauth(denial: &Denial, style: &DenyStyle) -> Self {
        let (error, status) = endpoint::error(denial.reason);
        let description = endpoint::description(error);
        let body = format!("{{\"error\":\"{error}\",\"error_description\":\"{description}\"}}\n");
        let headers = [("content-type", "application/json"), ("cache-control", "no-store"), ("pragma", "no-cache")];
        let mut reply = Self::with(status, &headers, body, &format!("gatekey{{{}}}", denial.reason.word()));
        if status == 401 {
            reply.headers.push(own(("www-authenticate", format!("Basic realm=\"{}\"", style.realm))));
        }
        if status == 503 {
            reply.headers.push(own(("retry-after", String::from(RETRY_AFTER))));
        }
        reply
    }

    /// Makes this a redirect for a browser.
    fn send_to(&mut self, place: String) {
        self.status = 302;
        self.headers.retain(|(name, _)| !matches!(name.as_ref(), "www-authenticate" | "content-type"));
        self.headers.push(own(("content-type", String::from("text/plain"))));
        self.headers.push(own(("location", place)));
        self.headers.push(own(("vary", String::from("Accept"))));
        self.body = String::from("You are sent to the login page\n");
    }
}

/// A header of our own.
fn own((name, value): (&'static str, String)) -> (Cow<'static, str>, String) {
    (Cow::Borrowed(name), value)
}

/// Whether a content type is that of gRPC calls.
pub fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    match content_type.split_at_checked(GRPC.len()) {
        Some((start, rest)) => start.eq_ignore_ascii_case(GRPC) && matches!(rest, [] | [b'+' | b';' | b' ', ..]),
        None => false,
    }
}

fn problem(values: &Values<'_>) -> String {
    let mut text = format!("{{\"type\":\"urn:gatekey:error:{}\",\"title\":", values.code);
    // Writing into a String cannot fail.
    let _ = write_text(values.title, &mut text);
    text.push_str(&format!(",\"status\":{},\"detail\":", values.status));
    let _ = write_text(values.message, &mut text);
    text.push_str(&format!(",\"code\":\"{}\"", values.code));
    if !values.id.is_empty() {
        text.push_str(",\"instance\":");
        let _ = write_text(values.id, &mut text);
    }
    text.push_str("}\n");
    text
}

fn json(values: &Values<'_>) -> String {
    let mut text = format!("{{\"code\":\"{}\",\"message\":", values.code);
    let _ = write_text(values.message, &mut text);
    text.push_str("}\n");
    text
}

/// A request id as a host makes it. Anything else might be a caller's, and is not echoed.
fn plain_id(id: &[u8]) -> Option<&str> {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let fits = (1..=128).contains(&id.len()) && id.iter().all(plain);
    str::from_utf8(id).ok().filter(|_| fits)
}

fn challenges(denial: &Denial, style: &DenyStyle) -> Vec<String> {
    let code = denial.reason.code();
    let mut bearer = format!("Bearer realm=\"{}\"", style.realm);
    if let Some(address) = &style.metadata {
        bearer.push_str(&format!(", resource_metadata=\"{address}\""));
    }
    let key = format!("ApiKey realm=\"{}\"", style.realm);
    let basic = format!("Basic realm=\"{}\", charset=\"UTF-8\"", style.realm);
    let with_error = |challenge: String, error: &str| {
        format!("{challenge}, error=\"{error}\", error_description=\"{}\"", code.message())
    };
    match code {
        Code::CredentialMissing => {
            let takes = denial.takes;
            let accepted = [(takes.token, bearer), (takes.key, key), (takes.password, basic)];
            accepted.into_iter().filter_map(|(takes, challenge)| takes.then_some(challenge)).collect()
        }
        Code::InvalidToken | Code::TokenExpired => vec![with_error(bearer, "invalid_token")],
        Code::InvalidKey => vec![key],
        Code::InvalidPassword => vec![basic],
        Code::InvalidRequest => {
            match (denial.takes.token, denial.takes.key, denial.takes.password) {
                (true, _, _) => vec![with_error(bearer, "invalid_request")],
                // The scheme has no word for a request that makes no sense (RFC 7617).
                (false, false, true) => vec![basic],
                _ => vec![with_error(key, "invalid_request")],
            }
        }
        Code::InsufficientScope => {
            let scheme = if denial.takes.token { bearer } else { key };
            let challenge = with_error(scheme, "insufficient_scope");
            vec![format!("{challenge}, scope=\"{}\"", denial.scopes.join(" "))]
        }
        Code::Forbidden
        | Code::ModelForbidden
        | Code::ContentTooLarge
        | Code::TooManyRequests
        | Code::TemporarilyUnavailable => Vec::new(),
    }
}
