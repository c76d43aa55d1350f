//! Requests as people and scripts write them down, for explanations.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use gatekey::credential::{Location, Read};
use gatekey::json::{self, Json, Limits};
use gatekey::peer::{Known, read_address, read_digest};
use gatekey::percent::escaped;

const LIMITS: Limits = Limits { depth: 8, members: 100_000 };

/// The head of a request: pseudo headers and headers.
#[derive(Default)]
pub(super) struct Request {
    /// Names and values, in order.
    pub(super) pairs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Who sends it.
    pub(super) peer: Known,
    /// The policy that the proxy's route names.
    pub(super) policy: Option<String>,
    /// The cluster that the proxy's route leads to.
    pub(super) cluster: Option<String>,
    /// What an issuer that is asked about the token answers, as JSON.
    pub(super) introspected: Option<String>,
    /// What follows the head.
    pub(super) body: Vec<u8>,
}

/// A request of a list: its id, and the request or what is wrong with its line.
pub(super) struct Line {
    /// As written; null if there is none.
    pub(super) id: Json<'static>,
    /// What the line says.
    pub(super) request: Result<Request, String>,
}

/// Reads `{"id","method","path","headers":[[name,value],...]}`. A request without method or path is a GET of `/`;
/// null leaves them out.
pub(super) fn read_line(line: &str) -> Line {
    let value = match json::read(line.as_bytes(), LIMITS) {
        Ok(value) => value,
        Err(error) => return Line { id: Json::Null, request: Err(format!("no JSON: {error}")) },
    };
    let id = value.get("id").cloned().map_or(Json::Null, Json::into_owned);
    Line { id, request: read_request(&value) }
}

fn read_request(value: &Json<'_>) -> Result<Request, String> {
    if !matches!(value, Json::Object(_)) {
        return Err(String::from("no JSON object"));
    }
    let mut request = Request::default();
    for (name, pseudo, default) in [("method", ":method", "GET"), ("path", ":path", "/")] {
        let octets = match value.get(name) {
            None => default.as_bytes().to_vec(),
            Some(Json::Null) => continue,
            Some(value) => octets(value).ok_or_else(|| format!("{name}: no text"))?,
        };
        request.pairs.push((pseudo.into(), octets));
    }
    const FORM: &str = "headers: write [[name, value], ...]";
    match value.get("headers") {
        None | Some(Json::Null) => {}
        Some(Json::Array(pairs)) => {
            for pair in pairs {
                let Json::Array(pair) = pair else {
                    return Err(String::from(FORM));
                };
                let [name, value] = pair.as_slice() else {
                    return Err(String::from(FORM));
                };
                let (name, value) = octets(name).zip(octets(value)).ok_or(FORM)?;
                request.pairs.push((name, value));
            }
        }
        Some(_) => return Err(String::from(FORM)),
    }
    request.peer = read_peer(value.get("peer"))?;
    request.introspected = value.get("introspected").filter(|answer| **answer != Json::Null).map(Json::to_string);
    request.body = match value.get("body") {
        None | Some(Json::Null) => Vec::new(),
        Some(value) => octets(value).ok_or("body: no text")?,
    };
    for (name, place) in [("policy", &mut request.policy), ("cluster", &mut request.cluster)] {
        *place = match value.get(name) {
            None | Some(Json::Null) => None,
            Some(Json::Str(text)) => Some(String::from(text.as_ref())),
            Some(_) => return Err(format!("{name}: no text")),
        };
    }
    Ok(request)
}

/// `{"address": "192.0.2.7", "certificate": "<SHA-256, 64 hexadecimal digits>"}`, both as they are known.
fn read_peer(value: Option<&Json<'_>>) -> Result<Known, String> {
    let members = match value {
        None | Some(Json::Null) => return Ok(Known::default()),
        Some(Json::Object(members)) => members,
        Some(_) => return Err(String::from("peer: write {\"address\": ..., \"certificate\": ...}")),
    };
    let mut peer = Known::default();
    for (name, value) in members {
        let text = value.as_str().unwrap_or_default().as_bytes();
        match name.as_ref() {
            "address" => peer.address = Some(read_address(text).ok_or("peer.address: no IP address")?),
            "certificate" => {
                peer.certificate = Some(read_digest(text).ok_or("peer.certificate: no SHA-256 in hexadecimal digits")?);
            }
            _ => return Err(String::from("peer: has address and certificate, nothing else")),
        }
    }
    Ok(peer)
}

/// Text, or `{"b64": "..."}` for octets that are not UTF-8.
fn octets(value: &Json<'_>) -> Option<Vec<u8>> {
    match value {
        Json::Str(text) => Some(text.as_bytes().to_vec()),
        Json::Object(members) => match members.as_slice() {
            [(name, Json::Str(text))] if name == "b64" => {
                let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
                GeneralPurpose::new(&STANDARD, config).decode(text.as_bytes()).ok()
            }
            _ => None,
        },
        _ => None,
    }
}

impl Request {
    /// A request without headers.
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self { pairs: vec![(":method".into(), method.into()), (":path".into(), path.into())], ..Self::default() }
    }

    /// Adds `Name: value`; `None` if it is not written so.
    pub(super) fn header(&mut self, line: &str) -> Option<()> {
        let at = line.char_indices().skip(1).find(|(_, c)| *c == ':')?.0;
        let (name, value) = line.split_at_checked(at)?;
        let value = value.strip_prefix(':')?.trim_matches([' ', '\t']);
        self.pairs.push((name.trim_end().into(), value.into()));
        Some(())
    }

    /// Shows a credential where the policy looks first, at a place that is not taken.
    pub(super) fn show(&mut self, credential: &str, places: &[Location]) -> Option<()> {
        let free = places.iter().find(|place| match place {
            Location::Bearer => !self.has("authorization"),
            Location::Header(name) => !self.has(name),
            Location::Cookie(_) => !self.has("cookie"),
            Location::Query(_) => true,
        });
        match free? {
            Location::Bearer => self.pairs.push(("authorization".into(), format!("Bearer {credential}").into())),
            Location::Header(name) => self.pairs.push((name.as_str().into(), credential.into())),
            Location::Cookie(name) => self.pairs.push(("cookie".into(), format!("{name}={credential}").into())),
            Location::Query(name) => {
                let (_, path) = self.pairs.iter_mut().find(|(name, _)| name == b":path")?;
                path.push(if path.contains(&b'?') { b'&' } else { b'?' });
                path.extend(name.bytes());
                path.push(b'=');
                path.extend(escaped(credential.as_bytes()).bytes());
            }
        }
        Some(())
    }

    fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The pairs as the core takes them.
    pub(super) fn head(&self) -> Vec<(&[u8], &[u8])> {
        self.pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect()
    }
}

/// The places of keys, those that only keys have first: a key beside a token must not stand in the token's place.
pub(super) fn key_places(read: &Read) -> Vec<Location> {
    let (shared, own): (Vec<_>, Vec<_>) = read.key.iter().cloned().partition(|place| read.token.contains(place));
    own.into_iter().chain(shared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Result<Vec<String>, String> {
        let show = |(name, value): (&[u8], &[u8])| format!("{}={}", name.escape_ascii(), value.escape_ascii());
        read_line(line).request.map(|request| request.head().into_iter().map(show).collect())
    }

    #[test]
    fn reads_lines() {
        assert_eq!(request(r#"{}"#).unwrap(), [":method=GET", ":path=/"]);
        let line = r#"{"id":7,"method":"PUT","path":null,"headers":[["A","b"],["a",{"b64":"/w=="}]]}"#;
        assert_eq!(request(line).unwrap(), [":method=PUT", "A=b", "a=\\xff"]);
        assert_eq!(read_line(line).id, Json::Int(7));
        for line in [
            "",
            "[]",
            "{\"method\":1}",
            "{\"headers\":{}}",
            "{\"headers\":[[\"a\"]]}",
            "{\"headers\":[[\"a\",{\"b64\":\"!\"}]]}",
            "{\"a\":1,\"a\":2}",
            "{\"peer\":[]}",
            "{\"policy\":1}",
            "{\"body\":{}}",
            "{\"peer\":{\"address\":\"x\"}}",
            "{\"peer\":{\"certificate\":1}}",
            "{\"peer\":{\"port\":\"1\"}}",
        ] {
            assert!(request(line).is_err(), "{line}");
        }
    }

    #[test]
    fn shows_credentials_in_free_places() {
        let mut request = Request::new("GET", "/a?b");
        assert_eq!(request.header(":authority: x"), Some(()));
        assert_eq!(request.header("X-A:  b "), Some(()));
        assert_eq!(request.header("nothing"), None);
        let places = [Location::Bearer, Location::Query(String::from("k"))];
        assert_eq!(request.show("t", &places), Some(()));
        assert_eq!(request.show("k/1", &places), Some(()));
        let shown: Vec<String> =
            request.head().into_iter().map(|(n, v)| format!("{}={}", n.escape_ascii(), v.escape_ascii())).collect();
        assert_eq!(shown, [":method=GET", ":path=/a?b&k=k%2F1", ":authority=x", "X-A=b", "authorization=Bearer t"]);
    }
}
