//! Compares what came of a request with what the case expects, as far as the rung could see it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Case, Outcome, Rung};

/// Compares one outcome with its case.
///
/// # Errors
/// Every difference, one per line.
pub fn check(case: &Case, rung: Rung, outcome: &Outcome) -> Result<(), String> {
    let mut found = Differences::default();
    let expect = &case.expect;
    if let (Rung::Envoy, Some(status)) = (rung, expect.envoy_status) {
        found.compare("status by Envoy itself", &status, &outcome.status);
        if outcome.upstream.is_some() {
            found.say("Envoy should refuse by itself, yet the service got the request".into());
        }
        return found.result(outcome);
    }
    let refused = matches!(expect.decision.as_str(), "deny" | "serve");
    match &outcome.decision {
        Some(decision) => found.compare("decision", &expect.decision, decision),
        None if refused == outcome.upstream.is_some() => found.say(format!("decision: {} expected", expect.decision)),
        None => {}
    }
    if refused == outcome.upstream.is_some() {
        found.say(format!("the service got the request: {}", outcome.upstream.is_some()));
    }
    let grpc_on_host = rung == Rung::Envoy && expect.grpc_status.is_some();
    if grpc_on_host {
        found.compare("status of a gRPC answer", &200, &outcome.status);
    } else if let Some(status) = expect.status {
        found.compare("status", &status, &outcome.status);
    }
    match (&expect.reason, &outcome.reason) {
        (Some(want), Some(got)) => found.compare("reason", want, got),
        (Some(want), None) if refused || rung == Rung::Core => found.say(format!("reason: {want} expected, none seen")),
        (None, Some(got)) => found.say(format!("reason: none expected, {got} seen")),
        (_, None) => {}
    }
    match (&expect.route, &outcome.route) {
        (Some(want), Some(got)) => found.compare("route", want, got),
        (Some(want), None) if rung == Rung::Core && want != "none" => {
            found.say(format!("route: {want} expected, none seen"))
        }
        _ => {}
    }
    if refused {
        reply(case, rung, outcome, &mut found);
    }
    if let Some(want) = &expect.token {
        token(want, outcome, &mut found);
    }
    if let Some(seen) = &outcome.upstream {
        for (name, want) in &expect.upstream {
            found.header("upstream", name, want.as_deref(), seen);
        }
    }
    found.result(outcome)
}

/// The token of ours, in the answer or in the header Authorization for the service; who checks its signature are others.
fn token(want: &serde_json::Map<String, Value>, outcome: &Outcome, found: &mut Differences) {
    let text = match &outcome.upstream {
        Some(seen) => {
            let all = values("authorization", seen);
            let bearer = all.first().and_then(|value| value.strip_prefix(b"Bearer "));
            bearer.map(lossy).filter(|_| all.len() == 1)
        }
        None => serde_json::from_slice::<Value>(&outcome.body).ok().and_then(|body| {
            let text = body["access_token"].as_str().map(String::from);
            text.filter(|_| body["token_type"] == "Bearer" && body["expires_in"].is_u64())
        }),
    };
    let parts: Vec<Vec<u8>> =
        text.iter().flat_map(|text| text.split('.')).flat_map(|part| URL_SAFE_NO_PAD.decode(part)).collect();
    let [header, claims, _] = parts.as_slice() else {
        return found.say("token: none is there".into());
    };
    let read = |part: &[u8]| serde_json::from_slice::<Value>(part).unwrap_or_default();
    let (header, claims) = (read(header), read(claims));
    found.compare("typ of the token", &"at+jwt", &header["typ"].as_str().unwrap_or_default());
    for name in ["iat", "nbf", "exp", "jti"] {
        if claims.get(name).is_none() {
            found.say(format!("token: it has no {name}"));
        }
    }
    for (name, want) in want {
        found.compare(&format!("claim {name} of the token"), want, claims.get(name).unwrap_or(&Value::Null));
    }
}

/// What the caller was told.
fn reply(case: &Case, rung: Rung, outcome: &Outcome, found: &mut Differences) {
    let expect = &case.expect;
    let challenges: Vec<String> = values("www-authenticate", &outcome.response).iter().map(|v| lossy(v)).collect();
    let schemes: Vec<String> = challenges.iter().flat_map(|value| schemes(value)).collect();
    if let Some(want) = &expect.challenge {
        found.compare("challenge", want, &schemes);
    }
    for want in &expect.challenge_contains {
        if !challenges.iter().any(|value| value.contains(want)) {
            found.say(format!("challenge: {challenges:?} does not contain {want:?}"));
        }
    }
    for (name, want) in &expect.response {
        found.header("response", name, want.as_deref(), &outcome.response);
    }
    if let Some(want) = &expect.grpc_status {
        let got = values("grpc-status", &outcome.response).first().map(|v| lossy(v));
        if rung == Rung::Envoy || got.is_some() {
            found.compare("grpc-status", &Some(want.clone()), &got);
        }
    }
    // Envoy answers HEAD without a body, and puts a gRPC message into a header.
    let bodiless = case.request.method.as_deref() == Some("HEAD") || expect.grpc_status.is_some();
    if rung == Rung::Envoy && bodiless {
        return;
    }
    if outcome.body.is_empty() {
        found.say("a refusal must have a body".into());
    }
    let body = lossy(&outcome.body);
    for want in &expect.body_contains {
        if !body.contains(want) {
            found.say(format!("body: {body:?} does not contain {want:?}"));
        }
    }
    // The body for gRPC is plain text on every rung.
    if let Some(want) = expect.code.as_ref().filter(|_| expect.grpc_status.is_none()) {
        match serde_json::from_slice::<serde_json::Value>(&outcome.body) {
            Ok(json) => found.compare("code", &Some(want.as_str()), &json["code"].as_str()),
            Err(_) => found.say(format!("code: the body is not JSON: {body:?}")),
        }
    }
}

/// The schemes of all challenges in one field value (RFC 9110 section 11.6.1).
fn schemes(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in value.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("never empty").push(c);
    }
    // A part that starts a challenge has its scheme before a space or stands alone; others are name=value.
    let scheme = |part: &String| {
        let word = part.trim().split(' ').next().unwrap_or_default().to_string();
        (!word.is_empty() && !word.contains('=')).then_some(word)
    };
    parts.iter().filter_map(scheme).collect()
}

fn values<'a>(name: &str, headers: &'a [(String, Vec<u8>)]) -> Vec<&'a [u8]> {
    headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_slice()).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn say(&mut self, text: String) {
        self.0.push(text);
    }

    fn compare<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, want: &T, got: &T) {
        if want != got {
            self.say(format!("{what}: {want:?} expected, {got:?} seen"));
        }
    }

    /// Repeated headers may arrive joined: hosts do that to some.
    fn header(&mut self, side: &str, name: &str, want: Option<&[Vec<u8>]>, seen: &[(String, Vec<u8>)]) {
        let got = values(name, seen);
        let shown: Vec<String> = got.iter().map(|v| v.escape_ascii().to_string()).collect();
        match want {
            None if got.is_empty() => {}
            None => self.say(format!("{side} {name}: must not be there, is {shown:?}")),
            Some(want) if want == got => {}
            Some(want) if got.len() == 1 && want.len() > 1 && want.join(&b","[..]) == got[0] => {}
            Some(want) => {
                let want: Vec<String> = want.iter().map(|v| v.escape_ascii().to_string()).collect();
                self.say(format!("{side} {name}: {want:?} expected, {shown:?} seen"));
            }
        }
    }

    fn result(self, outcome: &Outcome) -> Result<(), String> {
        if self.0.is_empty() {
            return Ok(());
        }
        let seen = format!(
            "seen: decision {:?}, status {}, reason {:?}, route {:?}",
            outcome.decision, outcome.status, outcome.reason, outcome.route
        );
        Err(format!("{}\n{seen}", self.0.join("\n")))
    }
}
