//! Answers as Envoy 1.40 does: every call works, header maps keep order and duplicates, metrics really count.

use std::net::{IpAddr, SocketAddr};

use crate::support::{CLUSTER, ON_THE_HOST, Request};

use super::state::{
    Abilities, Answer, BAD_ARGUMENT, Host, NOT_FOUND, Pairs, Phase, Reply, clean, remove_all, replace_all,
};

/// The Envoy host.
pub struct Envoy;

/// Headers of which Envoy keeps one: a repeated one is joined by a comma before any filter sees it. Some are built in,
/// some are registered by filters that the official build has (CORS).
const SINGLE: &[&[u8]] = &[
    b":authority",
    b"accept",
    b"accept-encoding",
    b"access-control-request-headers",
    b"access-control-request-method",
    b"authorization",
    b"cache-control",
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"expect",
    b"grpc-accept-encoding",
    b"grpc-timeout",
    b"keep-alive",
    b"origin",
    b"proxy-connection",
    b"referer",
    b"te",
    b"transfer-encoding",
    b"upgrade",
    b"user-agent",
    b"via",
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-request-id",
];

fn alias(name: &[u8]) -> Vec<u8> {
    let name = name.to_ascii_lowercase();
    if name == b"host" { b":authority".to_vec() } else { name }
}

fn append(pairs: &mut Pairs, name: Vec<u8>, value: &[u8]) {
    if SINGLE.contains(&name.as_slice())
        && let Some((_, old)) = pairs.iter_mut().find(|(n, _)| *n == name)
    {
        old.push(b',');
        old.extend_from_slice(value);
        return;
    }
    pairs.push((name, value.to_vec()));
}

fn check_value(host: &mut Host, name: &[u8], value: &[u8]) {
    if !clean(value) {
        // The call says 0, and the request dies later with 503 "invalid header value for: x".
        host.wrongs
            .push(format!("request header {:?} set to a value with control characters", String::from_utf8_lossy(name)));
    }
}

impl Abilities for Envoy {
    fn missing_imports(&self) -> &'static [&'static str] {
        &[]
    }

    fn full_life(&self) -> bool {
        true
    }

    fn knows(&self, _name: &str) -> bool {
        true
    }

    fn prepare(&self, host: &mut Host, request: &Request) -> Result<(), u16> {
        let mut pairs: Pairs = Vec::new();
        for (name, value) in &request.headers {
            if name.eq_ignore_ascii_case("host") {
                append(&mut pairs, b":authority".to_vec(), value);
            }
        }
        if pairs.is_empty() {
            return Err(400);
        }
        if let Some(path) = &request.path {
            pairs.push((b":path".to_vec(), path.as_bytes().to_vec()));
        }
        if let Some(method) = &request.method {
            pairs.push((b":method".to_vec(), method.as_bytes().to_vec()));
        }
        pairs.push((b":scheme".to_vec(), b"http".to_vec()));
        for (name, value) in &request.headers {
            if !name.eq_ignore_ascii_case("host") {
                append(&mut pairs, name.to_ascii_lowercase().into_bytes(), value);
            }
        }
        append(&mut pairs, b"x-forwarded-proto".to_vec(), b"http");
        if !pairs.iter().any(|(name, _)| name == b"x-request-id") {
            pairs.push((b"x-request-id".to_vec(), b"6a9f0d52-3a1b-4c1f-9d9e-000000000001".to_vec()));
        }
        host.headers = pairs;
        Ok(())
    }

    fn time(&self, host: &Host) -> Result<u64, u32> {
        Ok(host.now_ns)
    }

    fn all_headers(&self, host: &Host) -> Answer {
        if host.phase != Phase::Request {
            return Answer::Status(BAD_ARGUMENT);
        }
        Answer::Bytes(super::memory::encode(&host.headers))
    }

    fn header(&self, host: &Host, name: &[u8]) -> Answer {
        if host.phase != Phase::Request {
            return Answer::Status(BAD_ARGUMENT);
        }
        match host.first(&alias(name)) {
            Some(value) => Answer::Bytes(value.clone()),
            None => Answer::Status(NOT_FOUND),
        }
    }

    fn replace(&self, host: &mut Host, name: &[u8], value: &[u8]) -> Answer {
        if host.phase != Phase::Request {
            return Answer::Status(BAD_ARGUMENT);
        }
        check_value(host, name, value);
        replace_all(&mut host.headers, &alias(name), value);
        Answer::Done
    }

    fn add(&self, host: &mut Host, name: &[u8], value: &[u8]) -> Answer {
        if host.phase != Phase::Request {
            return Answer::Status(BAD_ARGUMENT);
        }
        check_value(host, name, value);
        append(&mut host.headers, alias(name), value);
        Answer::Done
    }

    fn remove(&self, host: &mut Host, name: &[u8]) -> Answer {
        if host.phase != Phase::Request {
            return Answer::Status(BAD_ARGUMENT);
        }
        remove_all(&mut host.headers, &alias(name));
        Answer::Done
    }

    fn property(&self, host: &Host, path: &[u8]) -> Answer {
        let parts: Vec<&str> = path.split(|b| *b == 0).map(|part| std::str::from_utf8(part).unwrap_or("?")).collect();
        let header = |name: &[u8]| host.first(name).cloned();
        let whole = header(b":path").unwrap_or_default();
        let cut = whole.iter().position(|b| *b == b'?').unwrap_or(whole.len());
        let value = match parts.as_slice() {
            ["plugin_name" | "plugin_root_id"] => Some(b"gatekey".to_vec()),
            [one] => host.states.get(*one).cloned(),
            _ if host.phase != Phase::Request => None,
            ["request", "id"] => header(b"x-request-id"),
            ["request", "path"] => header(b":path"),
            ["request", "url_path"] => Some(whole[..cut].to_vec()),
            ["request", "query"] => Some(whole.get(cut + 1..).unwrap_or_default().to_vec()),
            ["request", "host"] => header(b":authority"),
            ["request", "method"] => header(b":method"),
            ["request", "scheme"] => header(b":scheme"),
            ["request", "protocol"] => Some(b"HTTP/1.1".to_vec()),
            ["request", "headers", name] => header(name.as_bytes()),
            ["source", "address"] => {
                let address = host.peer.address.unwrap_or(IpAddr::from([192, 0, 2, 7]));
                Some(SocketAddr::from((address, 40_000)).to_string().into_bytes())
            }
            ["xds", "cluster_name"] => Some(CLUSTER.into()),
            ["xds", "route_metadata", "filter_metadata", "gatekey", "policy"] => {
                host.policy.as_ref().filter(|name| !name.starts_with(ON_THE_HOST)).map(|name| name.as_bytes().to_vec())
            }
            ["xds", "virtual_host_metadata", "filter_metadata", "gatekey", "policy"] => host
                .policy
                .as_ref()
                .and_then(|name| name.strip_prefix(ON_THE_HOST))
                .map(|name| name.as_bytes().to_vec()),
            ["connection", "sha256_peer_certificate_digest"] => {
                host.peer.certificate.map(|digest| digest.iter().map(|b| format!("{b:02x}")).collect::<String>().into())
            }
            _ => None,
        };
        value.map_or(Answer::Status(NOT_FOUND), Answer::Bytes)
    }

    fn set_property(&self, host: &mut Host, path: &[u8], value: &[u8]) -> Answer {
        if path.contains(&0) {
            // Envoy says 0 and makes a key that nothing can read.
            host.wrongs.push("a property with several segments is set".to_owned());
        } else {
            host.states.insert(String::from_utf8_lossy(path).into_owned(), value.to_vec());
        }
        Answer::Done
    }

    fn configuration(&self, host: &Host) -> Answer {
        if host.phase == Phase::Configure { Answer::Bytes(host.config.clone()) } else { Answer::Status(NOT_FOUND) }
    }

    fn define_metric(&self, host: &mut Host, name: &str) -> Option<u32> {
        let at = host.metrics.iter().position(|known| known == name).unwrap_or_else(|| {
            host.metrics.push(name.to_owned());
            host.metrics.len() - 1
        });
        // Ids are not small numbers on a real host: low bits tell the kind.
        Some(u32::try_from(at).expect("few metrics") * 4 + 1000)
    }

    fn increment(&self, host: &mut Host, id: u32, by: i64) -> Answer {
        let at = usize::try_from(id.wrapping_sub(1000) / 4).expect("fits");
        match host.metrics.get(at).cloned() {
            Some(name) => {
                host.increments.push((name, by));
                Answer::Done
            }
            None => Answer::Status(NOT_FOUND),
        }
    }

    fn upstream(&self, host: &Host) -> Pairs {
        host.headers.clone()
    }

    fn response(&self, host: &Host, reply: &Reply) -> (u16, Pairs, Vec<u8>) {
        let grpc = host.first(b"content-type").is_some_and(|value| {
            value.starts_with(b"application/grpc") && matches!(value.get(16), None | Some(b'+' | b';'))
        });
        let mut headers: Pairs = Vec::new();
        let status = u16::try_from(reply.status).unwrap_or(0);
        if !grpc {
            for (name, value) in &reply.headers {
                append(&mut headers, name.to_ascii_lowercase(), value);
            }
            if !headers.iter().any(|(name, _)| name == b"content-type") {
                headers.push((b"content-type".to_vec(), b"text/plain".to_vec()));
            }
            return (status, headers, reply.body.clone());
        }
        let code = match (reply.grpc_status, status) {
            (given @ 0.., _) => given,
            (_, 400) => 13,
            (_, 401) => 16,
            (_, 403) => 7,
            (_, 404) => 12,
            (_, 429 | 502 | 503 | 504) => 14,
            _ => 2,
        };
        headers.push((b"content-type".to_vec(), b"application/grpc".to_vec()));
        headers.push((b"grpc-status".to_vec(), code.to_string().into_bytes()));
        if !reply.body.is_empty() {
            headers.push((b"grpc-message".to_vec(), reply.body.clone()));
        }
        for (name, value) in &reply.headers {
            let name = name.to_ascii_lowercase();
            // Added, not replaced: a second value of these is joined and breaks the client.
            match headers.iter_mut().find(|(n, _)| *n == name) {
                Some((_, old)) if name == b"content-type" || name.starts_with(b"grpc-") => {
                    old.push(b',');
                    old.extend_from_slice(value);
                }
                _ => headers.push((name, value.clone())),
            }
        }
        (200, headers, Vec::new())
    }
}
