//! Refusals in the words of a provider, so that its libraries show them as they show its own.

use super::preset::Preset;
use crate::json::write_text;

/// The body of a refusal, as JSON.
pub fn body(preset: Preset, status: u16, code: &str, message: &str, id: &str) -> String {
    let quoted = |text: &str| {
        let mut quoted = String::new();
        // Writing into a String cannot fail.
        let _ = write_text(text, &mut quoted);
        quoted
    };
    let (message, id, code) = (quoted(message), quoted(id), quoted(code));
    let kind = quoted(kind(preset, status));
    match preset {
        Preset::OpenAi => {
            format!("{{\"error\":{{\"message\":{message},\"type\":{kind},\"param\":null,\"code\":{code}}}}}\n")
        }
        Preset::Anthropic => {
            format!("{{\"type\":\"error\",\"error\":{{\"type\":{kind},\"message\":{message}}},\"request_id\":{id}}}\n")
        }
        Preset::Azure => format!("{{\"error\":{{\"code\":{code},\"message\":{message}}}}}\n"),
        Preset::Gemini => {
            format!("{{\"error\":{{\"code\":{status},\"message\":{message},\"status\":{kind}}}}}\n")
        }
        Preset::Plain => String::new(),
    }
}

/// What a provider calls errors of this status.
const fn kind(preset: Preset, status: u16) -> &'static str {
    match (preset, status) {
        (Preset::Gemini, 401) => "UNAUTHENTICATED",
        (Preset::Gemini, 403) => "PERMISSION_DENIED",
        (Preset::Gemini, 429) => "RESOURCE_EXHAUSTED",
        (Preset::Gemini, 500..) => "UNAVAILABLE",
        (Preset::Gemini, _) => "INVALID_ARGUMENT",
        (_, 401) => "authentication_error",
        (_, 403) => "permission_error",
        (_, 413) => "request_too_large",
        (_, 429) => "rate_limit_error",
        (Preset::Anthropic, 500..) => "api_error",
        (_, 500..) => "server_error",
        (_, _) => "invalid_request_error",
    }
}
