//! Reads the case table: tests/cases/*.yaml, strictly, with placeholders resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};

use gatekey::peer::{Known, read_address};
use serde_json::Value;

use super::keys;
use super::mint::{TokenText, mint_all};
use super::{Case, CaseFile, Expect, Request, Rung, Wanted};

/// Where requests go that name no host.
const HOST: &str = "gatekey.test";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(default)]
    env: BTreeMap<String, String>,
    policy: Value,
    #[serde(default)]
    tokens: BTreeMap<String, TokenText>,
    cases: Vec<CaseText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    name: String,
    request: RequestText,
    rungs: Option<Vec<Rung>>,
    expect: ExpectText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestText {
    /// Absent: GET. Null: none.
    #[serde(default = "get")]
    method: Option<String>,
    /// Absent: `/`. Null: none.
    #[serde(default = "root")]
    path: Option<Text>,
    #[serde(default)]
    headers: HeadersText,
    raw: Option<Text>,
    #[serde(default)]
    http10: bool,
    #[serde(default)]
    peer: PeerText,
    policy: Option<String>,
    introspected: Option<Value>,
    body: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeerText {
    address: Option<String>,
    certificate: Option<String>,
}

impl PeerText {
    fn known(&self) -> Result<Known, String> {
        let (address, certificate) = (self.address.as_ref(), self.certificate.as_ref());
        Ok(Known {
            address: address.map(|text| read_address(text.as_bytes()).ok_or("no address")).transpose()?,
            certificate: certificate.map(|name| keys::certificate(name)),
        })
    }
}

fn get() -> Option<String> {
    Some("GET".into())
}

fn root() -> Option<Text> {
    Some(Text::Plain("/".into()))
}

/// Octets: plain text, base64, or something long.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Base64(Base64Text),
    Long(LongText),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base64Text {
    b64: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongText {
    repeat: (String, usize),
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    suffix: String,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Texts {
    One(Text),
    Many(Vec<Text>),
}

/// Headers in the order written: a map (a list value repeats the header; null removes the default
/// host) or a list of pairs.
#[derive(Default)]
struct HeadersText(Vec<(String, Option<Texts>)>);

impl<'de> Deserialize<'de> for HeadersText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = HeadersText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers: a map, or a list of [name, value]")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeadersText, A::Error> {
                let mut headers = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    headers.push(entry);
                }
                Ok(HeadersText(headers))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<HeadersText, A::Error> {
                let mut headers = Vec::new();
                while let Some((name, value)) = seq.next_element::<(String, Text)>()? {
                    headers.push((name, Some(Texts::One(value))));
                }
                Ok(HeadersText(headers))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectText {
    decision: String,
    status: Option<u16>,
    reason: Option<String>,
    route: Option<String>,
    challenge: Option<Vec<String>>,
    #[serde(default)]
    challenge_contains: Vec<String>,
    #[serde(default)]
    body_contains: Vec<String>,
    code: Option<String>,
    #[serde(default)]
    upstream: HeadersText,
    #[serde(default)]
    response: HeadersText,
    grpc_status: Option<String>,
    /// Claims of the token that the caller, or the service, gets; null for one that must not be there.
    token: Option<serde_json::Map<String, Value>>,
    envoy: Option<EnvoyText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvoyText {
    status: u16,
}

/// Reads every file of the table and mints its tokens for this moment.
///
/// # Panics
/// If any file or case is not as it must be; all complaints are printed, each with file and case.
pub fn load_all(now_unix_seconds: u64) -> Vec<CaseFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    load_folder(&folder, now_unix_seconds).unwrap_or_else(|complaints| {
        for complaint in &complaints {
            println!("{complaint}");
        }
        panic!("the case table has {} mistakes", complaints.len())
    })
}

/// One file of the table, its tokens minted for this moment.
///
/// # Panics
/// If there is no such file, or it is not as it must be.
pub fn load_one(name: &str, now: u64) -> CaseFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cases/{name}.yaml"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse(name, &text, now).unwrap_or_else(|complaints| panic!("{name}.yaml: {complaints:?}"))
}

/// [`load_all`] for any folder, with the complaints as data.
pub fn load_folder(folder: &Path, now: u64) -> Result<Vec<CaseFile>, Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(|e| vec![format!("{}: {e}", folder.display())])?;
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    paths.sort();
    let mut files = Vec::new();
    let mut complaints = Vec::new();
    for path in paths {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_none_or(|e| e != "yaml") {
            complaints.push(format!("{}: only .yaml files belong here", path.display()));
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|e| vec![e.to_string()]);
        if text.as_ref().is_ok_and(|text| !text.starts_with("# ")) {
            complaints.push(format!("{stem}.yaml: the first line says what the file is about"));
        }
        match text.and_then(|text| parse(&stem, &text, now)) {
            Ok(file) => files.push(file),
            Err(all) => complaints.extend(all.into_iter().map(|why| format!("{stem}.yaml: {why}"))),
        }
    }
    complaints.extend(conflicts(&files));
    if complaints.is_empty() { Ok(files) } else { Err(complaints) }
}

/// All files share one VM, so a variable has one value.
fn conflicts(files: &[CaseFile]) -> Vec<String> {
    let mut seen: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut complaints = Vec::new();
    for file in files {
        for (name, value) in &file.env {
            match seen.insert(name, (value, &file.name)) {
                Some((other, place)) if other != value => {
                    complaints.push(format!("{}.yaml: env {name} has another value in {place}.yaml", file.name));
                }
                _ => {}
            }
        }
    }
    complaints
}

/// One file from its text.
pub fn parse(name: &str, text: &str, now: u64) -> Result<CaseFile, Vec<String>> {
    let file: FileText = serde_saphyr::from_str(text).map_err(|e| vec![e.to_string()])?;
    let tokens = mint_all(&file.tokens, now).map_err(|why| vec![why])?;
    let policy = with_keys(file.policy);
    let mut cases = Vec::new();
    let mut complaints = Vec::new();
    let mut names = BTreeSet::new();
    for case in file.cases {
        if !names.insert(case.name.clone()) {
            complaints.push(format!("case {}: another case has this name", case.name));
        }
        let name = case.name.clone();
        match build(case, &tokens) {
            Ok(case) => cases.push(case),
            Err(why) => complaints.push(format!("case {name}: {why}")),
        }
    }
    if names.is_empty() {
        complaints.push("no cases".into());
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let secrets = file.tokens.values().flat_map(|token| token.secrets().cloned());
    Ok(CaseFile {
        name: name.into(),
        confidential: file.env.values().cloned().chain(secrets).chain(tokens.into_values()).collect(),
        env: file.env.into_iter().collect(),
        policy,
        cases,
    })
}

/// Puts keys of tests/keys in their places: `{ $jwk: NAME, ... }` is that key's JWK with the other members laid
/// over it, `{ $pem: NAME }` its PEM text, and `{ $file: NAME }` the text of a file beside it.
fn with_keys(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(with_keys).collect()),
        Value::Object(mut members) => {
            if let Some(Value::String(name)) = members.get("$pem") {
                return Value::String(keys::pem(name));
            }
            if let Some(Value::String(name)) = members.get("$file") {
                return Value::String(keys::text(name));
            }
            if let Some(Value::String(name)) = members.remove("$jwk") {
                let mut jwk = keys::jwk(&name);
                jwk.as_object_mut().expect("an object").extend(members);
                return jwk;
            }
            Value::Object(members.into_iter().map(|(name, value)| (name, with_keys(value))).collect())
        }
        other => other,
    }
}

fn build(case: CaseText, tokens: &BTreeMap<String, String>) -> Result<Case, String> {
    let rungs = case.rungs.unwrap_or_else(|| Rung::ALL.to_vec());
    if rungs.is_empty() {
        return Err("runs nowhere".into());
    }
    let request = request(case.request, tokens)?;
    if request.raw.is_some() && rungs != [Rung::Envoy] {
        return Err("`raw` needs `rungs: [envoy]`".into());
    }
    if (request.method.is_none() || request.path.is_none()) && rungs.contains(&Rung::Envoy) {
        return Err("without method or path it cannot be sent to Envoy; list other rungs".into());
    }
    if request.introspected.is_some() && rungs.contains(&Rung::Envoy) {
        return Err("this Envoy has nobody to ask about tokens; list other rungs".into());
    }
    if request.peer.certificate.is_some() && rungs.contains(&Rung::Envoy) {
        return Err("this Envoy's listeners have no TLS; list other rungs".into());
    }
    let expect = expect(case.expect, tokens)?;
    Ok(Case { name: case.name, request, rungs, expect })
}

fn request(text: RequestText, tokens: &BTreeMap<String, String>) -> Result<Request, String> {
    let mut headers = Vec::new();
    let mut names_host = false;
    for (name, values) in text.headers.0 {
        let is_host = name.eq_ignore_ascii_case("host");
        names_host |= is_host;
        match values {
            None if is_host => {}
            None => return Err(format!("header {name}: only the host can be null")),
            Some(Texts::One(value)) => headers.push((name, octets(&value, tokens)?)),
            Some(Texts::Many(values)) => {
                for value in values {
                    headers.push((name.clone(), octets(&value, tokens)?));
                }
            }
        }
    }
    if !names_host {
        headers.insert(0, ("host".into(), HOST.into()));
    }
    let path = match text.path {
        None => None,
        Some(path) => Some(String::from_utf8(octets(&path, tokens)?).map_err(|_| "the path must be UTF-8")?),
    };
    let raw = text.raw.map(|raw| octets(&raw, tokens)).transpose()?.map(|raw| lines_to_crlf(&raw));
    // A text is what it says, so that what is no JSON can be answered too.
    let introspected = text.introspected.map(|answer| match answer {
        Value::String(text) => text,
        other => other.to_string(),
    });
    Ok(Request {
        method: text.method,
        path,
        headers,
        raw,
        http10: text.http10,
        peer: text.peer.known()?,
        policy: text.policy,
        introspected,
        body: text.body.map(|body| octets(&body, tokens)).transpose()?,
    })
}

/// Line feeds become CRLF, unless the text has CRs of its own; a head that does not end gets its end.
fn lines_to_crlf(raw: &[u8]) -> Vec<u8> {
    if raw.contains(&b'\r') {
        return raw.to_vec();
    }
    let mut out = Vec::new();
    for byte in raw {
        match byte {
            b'\n' => out.extend(b"\r\n"),
            other => out.push(*other),
        }
    }
    if !out.windows(4).any(|w| w == b"\r\n\r\n") {
        out.extend(if out.ends_with(b"\r\n") { &b"\r\n"[..] } else { b"\r\n\r\n" });
    }
    out
}

fn expect(text: ExpectText, tokens: &BTreeMap<String, String>) -> Result<Expect, String> {
    let refused = match text.decision.as_str() {
        "allow" | "serve" => false,
        "deny" | "report" => true,
        other => return Err(format!("decision {other}: allow, deny, serve or report")),
    };
    if refused != text.reason.is_some() {
        return Err("`reason` goes with deny and report, and only with them".into());
    }
    let told = text.challenge.is_some() || text.code.is_some() || text.grpc_status.is_some();
    let answered = matches!(text.decision.as_str(), "deny" | "serve");
    if !answered && (told || !text.response.0.is_empty() || !text.body_contains.is_empty()) {
        return Err("what the caller is told can only be asked of a deny or serve".into());
    }
    if answered && !text.upstream.0.is_empty() {
        return Err("after a deny or serve there is no upstream to look at".into());
    }
    Ok(Expect {
        decision: text.decision,
        status: text.status,
        reason: text.reason,
        route: text.route,
        challenge: text.challenge,
        challenge_contains: text.challenge_contains,
        body_contains: text.body_contains,
        code: text.code,
        upstream: expected(text.upstream, tokens)?,
        response: expected(text.response, tokens)?,
        grpc_status: text.grpc_status,
        token: text.token,
        envoy_status: text.envoy.map(|envoy| envoy.status),
    })
}

fn expected(headers: HeadersText, tokens: &BTreeMap<String, String>) -> Result<Wanted, String> {
    let one = |values| match values {
        None => Ok(None),
        Some(Texts::One(value)) => Ok(Some(vec![octets(&value, tokens)?])),
        Some(Texts::Many(all)) => all.iter().map(|v| octets(v, tokens)).collect::<Result<_, String>>().map(Some),
    };
    headers.0.into_iter().map(|(name, values)| Ok((name, one(values)?))).collect()
}

fn octets(text: &Text, tokens: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
    match text {
        Text::Plain(plain) => fill(plain, tokens).map(String::into_bytes),
        Text::Base64(coded) => STANDARD.decode(&coded.b64).map_err(|e| format!("b64: {e}")),
        Text::Long(long) => {
            let middle = fill(&long.repeat.0, tokens)?.repeat(long.repeat.1);
            Ok(format!("{}{middle}{}", fill(&long.prefix, tokens)?, fill(&long.suffix, tokens)?).into_bytes())
        }
    }
}

/// Replaces `{{NAME}}` by the token of that name.
fn fill(text: &str, tokens: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("`{{` without `}}`")?;
        out.push_str(before);
        out.push_str(tokens.get(name).ok_or_else(|| format!("{{{{{name}}}}} names no token"))?);
        rest = after;
    }
    Ok(out + rest)
}
