//! Answers as APISIX 3.18 does (wasm-nginx-module 0.7.0): measured statuses, lacks and worker crashes.

use std::net::IpAddr;

use crate::support::{Request, keys};

use super::state::{
    Abilities, Answer, BAD_ARGUMENT, Host, INTERNAL, NOT_FOUND, Pairs, Phase, Reply, UNIMPLEMENTED, remove_all,
    replace_all,
};

/// The APISIX host.
pub struct Apisix;

/// Variables that may be set.
const SETTABLE: &[&str] = &["args", "upstream_uri", "limit_rate", "wasm_process_req_body", "wasm_process_resp_body"];

/// Variables that exist and may not be set.
const READ_ONLY: &[&str] = &[
    "uri",
    "request_uri",
    "host",
    "scheme",
    "request_method",
    "remote_addr",
    "remote_port",
    "server_port",
    "request_id",
    "msec",
    "nginx_version",
    "is_args",
    "query_string",
];

/// Escapes what nginx escapes in names and values of headers.
fn escape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in bytes {
        if (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out
}

/// Splits a target at its first `?`.
fn split(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match target.iter().position(|b| *b == b'?') {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    }
}

/// The variable `uri`: decoded, slashes merged, dot segments resolved.
fn uri(target: &[u8]) -> Vec<u8> {
    let (path, _) = split(target);
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        let hex = path.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) if *byte == b'%' => {
                decoded.push(value);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    let mut out: Vec<&[u8]> = Vec::new();
    let mut open = true;
    for segment in decoded.split(|b| *b == b'/') {
        open = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    let mut joined = b"/".to_vec();
    joined.extend_from_slice(&out.join(&b'/'));
    if open && !out.is_empty() {
        joined.push(b'/');
    }
    joined
}

/// How nginx writes a normalised path into the request for the upstream.
fn escape_path(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in path {
        if byte.is_ascii_graphic() && !b"%?#".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn variable(host: &Host, name: &str) -> Option<Vec<u8>> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let (_, query) = split(&host.target);
    let query = || host.args.clone().or_else(|| query.map(<[u8]>::to_vec));
    match name {
        "uri" => Some(uri(&host.target)),
        "request_uri" => Some(host.target.clone()),
        "args" | "query_string" => query(),
        "request_id" => text("0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
        "request_method" => host.first(b":method").cloned(),
        "scheme" => text("http"),
        "host" => host.first(b"host").map(|value| {
            let lower = value.to_ascii_lowercase();
            lower.split(|b| *b == b':').next().unwrap_or_default().to_vec()
        }),
        "remote_addr" => text(&host.peer.address.unwrap_or(IpAddr::from([192, 0, 2, 7])).to_string()),
        "ssl_client_verify" => text(if host.peer.certificate.is_some() { "SUCCESS" } else { "NONE" }),
        "ssl_client_raw_cert" => host.peer.certificate.and_then(keys::certificate_text).map(String::into_bytes),
        "remote_port" => text("40000"),
        "server_port" => text("9080"),
        "msec" => text("1795000000.123"),
        "nginx_version" => text("1.29.2"),
        "plugin_root_id" => text("gatekey"),
        _ => {
            let wanted = name.strip_prefix("http_")?;
            // nginx compares names in lower case with `-` as `_`: both spellings of a header are one variable.
            let values: Vec<&[u8]> = host
                .headers
                .iter()
                .filter(|(n, _)| {
                    n.to_ascii_lowercase().iter().map(|b| if *b == b'-' { b'_' } else { *b }).eq(wanted.bytes())
                })
                .map(|(_, value)| value.as_slice())
                .collect();
            let joint: &[u8] = if wanted == "cookie" { b"; " } else { b", " };
            (!values.is_empty()).then(|| values.join(joint))
        }
    }
}

impl Apisix {
    fn set(&self, host: &mut Host, name: &[u8], value: &[u8], add: bool) -> Answer {
        if host.phase != Phase::Request {
            return Answer::Status(BAD_ARGUMENT);
        }
        match name.to_ascii_lowercase().as_slice() {
            b":path" => {
                // The value becomes the path, `?` is escaped, the old query stays.
                let (_, query) = split(&host.target);
                let mut target = escape_path(value);
                if let Some(query) = host.args.as_deref().or(query) {
                    target.push(b'?');
                    target.extend_from_slice(query);
                }
                host.args = None;
                host.target = target;
                return Answer::Done;
            }
            b":method" | b":authority" => {
                // Not a slip: setting `:authority` changes the method.
                if value.is_empty() || !value.iter().all(u8::is_ascii_alphabetic) {
                    return Answer::Status(BAD_ARGUMENT);
                }
                replace_all(&mut host.headers, b":method", value);
                return Answer::Done;
            }
            _ => {}
        }
        let name = match name.strip_prefix(b":") {
            Some(rest) => [b"%3A", rest].concat(),
            None => escape(name),
        };
        if value.is_empty() {
            remove_all(&mut host.headers, &name);
        } else if add {
            host.headers.push((name.to_ascii_lowercase(), escape(value)));
        } else {
            replace_all(&mut host.headers, &name, &escape(value));
        }
        Answer::Done
    }
}

impl Abilities for Apisix {
    fn missing_imports(&self) -> &'static [&'static str] {
        &["proxy_get_log_level", "proxy_get_metric"]
    }

    fn full_life(&self) -> bool {
        false
    }

    fn knows(&self, _name: &str) -> bool {
        false
    }

    fn prepare(&self, host: &mut Host, request: &Request) -> Result<(), u16> {
        for single in ["authorization", "host"] {
            if request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(single)).count() > 1 {
                return Err(400);
            }
        }
        let method = request.method.clone().ok_or(400_u16)?;
        let path = request.path.clone().ok_or(400_u16)?;
        if path.is_empty() {
            return Err(400);
        }
        // HTTP/1.1 needs Host; HTTP/1.0 does not, and then `:authority` crashes the worker.
        if !request.http10 && !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            return Err(400);
        }
        host.target = path.into_bytes();
        host.headers = request
            .headers
            .iter()
            // `ignore_invalid_headers` drops these; underscores pass in APISIX.
            .filter(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
            .map(|(name, value)| (name.to_ascii_lowercase().into_bytes(), value.clone()))
            .collect();
        host.headers.push((b":method".to_vec(), method.into_bytes()));
        Ok(())
    }

    fn time(&self, _host: &Host) -> Result<u64, u32> {
        Err(UNIMPLEMENTED)
    }

    fn all_headers(&self, _host: &Host) -> Answer {
        Answer::Crash(
            "the module asked APISIX for all request headers: a real worker crashes on a request without Host"
                .to_owned(),
        )
    }

    fn header(&self, host: &Host, name: &[u8]) -> Answer {
        if host.phase != Phase::Request {
            return Answer::Status(BAD_ARGUMENT);
        }
        let value = match name.to_ascii_lowercase().as_slice() {
            b":path" => Some(host.target.clone()),
            b":scheme" => Some(b"http".to_vec()),
            b":authority" => match host.first(b"host") {
                Some(value) => Some(value.clone()),
                None => {
                    return Answer::Crash(
                        "the module asked APISIX for :authority of a request without Host: a real worker crashes"
                            .to_owned(),
                    );
                }
            },
            name => host.first(name).cloned(),
        };
        value.map_or(Answer::Status(NOT_FOUND), Answer::Bytes)
    }

    fn replace(&self, host: &mut Host, name: &[u8], value: &[u8]) -> Answer {
        self.set(host, name, value, false)
    }

    fn add(&self, host: &mut Host, name: &[u8], value: &[u8]) -> Answer {
        self.set(host, name, value, true)
    }

    fn remove(&self, host: &mut Host, name: &[u8]) -> Answer {
        if host.phase != Phase::Request || name.starts_with(b":") {
            return Answer::Status(BAD_ARGUMENT);
        }
        remove_all(&mut host.headers, name);
        Answer::Done
    }

    fn property(&self, host: &Host, path: &[u8]) -> Answer {
        if host.phase == Phase::Other || (host.phase == Phase::Configure && path != b"plugin_root_id") {
            return Answer::Status(BAD_ARGUMENT);
        }
        match std::str::from_utf8(path) {
            Ok(name) if !path.contains(&0) => variable(host, name).map_or(Answer::Status(NOT_FOUND), Answer::Bytes),
            _ => Answer::Status(NOT_FOUND),
        }
    }

    fn set_property(&self, host: &mut Host, path: &[u8], value: &[u8]) -> Answer {
        if host.phase != Phase::Request {
            return Answer::Status(BAD_ARGUMENT);
        }
        let name = String::from_utf8_lossy(path).into_owned();
        if name == "args" {
            host.args = Some(value.to_vec());
            Answer::Done
        } else if SETTABLE.contains(&name.as_str()) {
            Answer::Done
        } else if READ_ONLY.contains(&name.as_str()) || name.starts_with("http_") {
            Answer::Status(INTERNAL)
        } else {
            Answer::Status(NOT_FOUND)
        }
    }

    fn configuration(&self, host: &Host) -> Answer {
        Answer::Bytes(host.config.clone())
    }

    fn define_metric(&self, _host: &mut Host, _name: &str) -> Option<u32> {
        None
    }

    fn increment(&self, _host: &mut Host, _id: u32, _by: i64) -> Answer {
        Answer::Done
    }

    fn upstream(&self, host: &Host) -> Pairs {
        let target = match &host.args {
            // Once the query was set, nginx builds the target from the normalised path.
            Some(args) => {
                let mut target = escape_path(&uri(&host.target));
                if !args.is_empty() {
                    target.push(b'?');
                    target.extend_from_slice(args);
                }
                target
            }
            None => host.target.clone(),
        };
        let mut pairs = vec![(b":path".to_vec(), target)];
        if let Some(name) = host.first(b"host") {
            pairs.push((b":authority".to_vec(), name.clone()));
        }
        pairs.extend(host.headers.iter().cloned());
        pairs
    }

    fn response(&self, _host: &Host, reply: &Reply) -> (u16, Pairs, Vec<u8>) {
        // The gRPC status argument is ignored here: only headers of the module reach the caller.
        let headers = reply.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        (u16::try_from(reply.status).unwrap_or(0), headers, reply.body.clone())
    }
}
