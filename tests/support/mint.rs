//! Mints the tokens that a case file names, good and broken ones.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::keys;

/// A token as a case file describes it.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenText {
    /// Another token, copied before the rest is laid over it.
    from: Option<String>,
    /// The header's `alg`, and how `key` or `secret` signs. Other than HS256/384/512, with a secret and without
    /// `signature`: an empty signature for `none`, HS256 for the rest.
    alg: Option<String>,
    secret: Option<String>,
    secret_b64url: Option<String>,
    /// The public side of this key of tests/keys, as PEM text, is the secret: a classic confusion.
    secret_pem: Option<String>,
    /// The key of tests/keys that signs, however `alg` is called.
    key: Option<String>,
    /// Laid over `{"alg": .., "typ": "JWT"}`; null removes a member.
    header: Option<Map<String, Value>>,
    /// The whole header as text in place of `header`.
    header_json: Option<String>,
    /// `{ in: 60 }` stands for a number of seconds from now. With `from`, null removes a member.
    claims: Option<Map<String, Value>>,
    /// The whole payload as text in place of `claims`; `{now}`, `{now+60}` and `{now-60}` are replaced.
    claims_json: Option<String>,
    /// In place of the MAC, as it is.
    signature: Option<String>,
    /// One or more of flip_signature, flip_signature:OCTET, strip_signature, swap_signature (s before r),
    /// der_signature (r and s in DER), truncate, uppercase, append:TEXT, prepend:TEXT, pad; done in order on the
    /// whole text.
    mutate: Option<Mutations>,
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Mutations {
    One(String),
    Many(Vec<String>),
}

impl TokenText {
    /// The secrets that this description shows.
    pub fn secrets(&self) -> impl Iterator<Item = &String> {
        self.secret.iter().chain(&self.secret_b64url)
    }
}

/// The texts of all named tokens.
pub fn mint_all(specs: &BTreeMap<String, TokenText>, now: u64) -> Result<BTreeMap<String, String>, String> {
    specs
        .keys()
        .map(|name| {
            let token = resolve(specs, name, 0).and_then(|spec| mint(&spec, now));
            token.map(|text| (name.clone(), text)).map_err(|why| format!("token {name}: {why}"))
        })
        .collect()
}

/// Follows `from`.
fn resolve(specs: &BTreeMap<String, TokenText>, name: &str, depth: usize) -> Result<TokenText, String> {
    let spec = specs.get(name).ok_or_else(|| format!("`from: {name}` names no token"))?.clone();
    let Some(base) = &spec.from else { return Ok(spec) };
    if depth > 8 {
        return Err("`from` goes in a circle".into());
    }
    let base = resolve(specs, base, depth + 1)?;
    // A text replaces an inherited map and the other way round.
    let merged = |over: Option<Map<String, Value>>, below: Option<Map<String, Value>>| match (over, below) {
        (Some(over), Some(mut below)) => {
            for (name, value) in over {
                if value.is_null() {
                    below.remove(&name);
                } else {
                    below.insert(name, value);
                }
            }
            Some(below)
        }
        (over, below) => over.or(below),
    };
    let new_key = [&spec.secret, &spec.secret_b64url, &spec.secret_pem, &spec.key].into_iter().any(Option::is_some);
    Ok(TokenText {
        from: None,
        alg: spec.alg.or(base.alg),
        secret: if new_key { spec.secret } else { base.secret },
        secret_b64url: if new_key { spec.secret_b64url } else { base.secret_b64url },
        secret_pem: if new_key { spec.secret_pem } else { base.secret_pem },
        key: if new_key { spec.key } else { base.key },
        header_json: if spec.header.is_some() { None } else { spec.header_json.or(base.header_json) },
        claims_json: if spec.claims.is_some() { None } else { spec.claims_json.or(base.claims_json) },
        // Header nulls must survive: they remove defaults.
        header: match (spec.header, base.header) {
            (Some(over), Some(mut below)) => {
                below.extend(over);
                Some(below)
            }
            (over, below) => over.or(below),
        },
        claims: merged(spec.claims, base.claims),
        signature: spec.signature.or(base.signature),
        mutate: spec.mutate.or(base.mutate),
    })
}

fn mint(spec: &TokenText, now: u64) -> Result<String, String> {
    let alg = spec.alg.as_deref().unwrap_or("HS256");
    let header = match &spec.header_json {
        Some(text) => place_times(text, now)?,
        None => {
            let mut header = json!({ "alg": alg, "typ": "JWT" });
            for (name, value) in spec.header.iter().flatten() {
                if value.is_null() {
                    header.as_object_mut().expect("an object").remove(name);
                } else {
                    header[name] = value.clone();
                }
            }
            header.to_string()
        }
    };
    let claims = match &spec.claims_json {
        Some(text) => place_times(text, now)?,
        None => with_times(&Value::Object(spec.claims.clone().unwrap_or_default()), now)?.to_string(),
    };
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = match (&spec.signature, alg) {
        (Some(text), _) => text.clone(),
        (None, "none") => String::new(),
        (None, _) => URL_SAFE_NO_PAD.encode(match &spec.key {
            Some(name) => keys::sign(name, alg, signed.as_bytes()),
            None => mac(alg, &key(spec)?, signed.as_bytes()),
        }),
    };
    let mut token = format!("{signed}.{signature}");
    let mutations = match &spec.mutate {
        None => &[][..],
        Some(Mutations::One(one)) => std::slice::from_ref(one),
        Some(Mutations::Many(many)) => many,
    };
    for mutation in mutations {
        token = mutate(&token, mutation)?;
    }
    Ok(token)
}

fn key(spec: &TokenText) -> Result<Vec<u8>, String> {
    match (&spec.secret, &spec.secret_b64url, &spec.secret_pem) {
        (Some(text), None, None) => Ok(text.clone().into_bytes()),
        (None, Some(text), None) => URL_SAFE_NO_PAD.decode(text).map_err(|e| format!("secret_b64url: {e}")),
        (None, None, Some(name)) => Ok(keys::pem(name).into_bytes()),
        (None, None, None) => Err("needs `secret`, `secret_b64url`, `secret_pem`, `key` or `signature`".into()),
        _ => Err("`secret`, `secret_b64url` and `secret_pem` exclude each other".into()),
    }
}

fn mac(alg: &str, key: &[u8], signed: &[u8]) -> Vec<u8> {
    macro_rules! hs {
        ($hash:ty) => {{
            let mut mac = <Hmac<$hash> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
            mac.update(signed);
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match alg {
        "HS384" => hs!(Sha384),
        "HS512" => hs!(Sha512),
        _ => hs!(Sha256),
    }
}

fn mutate(token: &str, mutation: &str) -> Result<String, String> {
    let (head, signature) = token.rsplit_once('.').ok_or("nothing to mutate")?;
    Ok(match mutation.split_once(':').unwrap_or((mutation, "")) {
        ("flip_signature", at) => {
            let at: usize = if at.is_empty() { 0 } else { at.parse().map_err(|_| "flip_signature:OCTET")? };
            let mut bytes = URL_SAFE_NO_PAD.decode(signature).map_err(|e| format!("flip_signature: {e}"))?;
            *bytes.get_mut(at).ok_or("flip_signature: the signature is shorter")? ^= 1;
            format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes))
        }
        ("swap_signature", "") => {
            let bytes = URL_SAFE_NO_PAD.decode(signature).map_err(|e| format!("swap_signature: {e}"))?;
            let (r, s) = bytes.split_at(bytes.len() / 2);
            format!("{head}.{}", URL_SAFE_NO_PAD.encode([s, r].concat()))
        }
        ("der_signature", "") => {
            let bytes = URL_SAFE_NO_PAD.decode(signature).map_err(|e| format!("der_signature: {e}"))?;
            let der = p256::ecdsa::Signature::from_slice(&bytes).map_err(|e| format!("der_signature: {e}"))?.to_der();
            format!("{head}.{}", URL_SAFE_NO_PAD.encode(der.as_bytes()))
        }
        // Two dots stay.
        ("strip_signature", "") => format!("{head}."),
        // Whole groups of four stay, so that the rest is still good base64url, only too short.
        ("truncate", "") => {
            let keep = signature.len().saturating_sub(1) / 4 * 4;
            format!("{head}.{}", &signature[..keep])
        }
        ("uppercase", "") => token.to_uppercase(),
        ("append", text) => format!("{token}{text}"),
        ("prepend", text) => format!("{text}{token}"),
        ("pad", "") => {
            let padded = |part: &str| format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4));
            token.split('.').map(padded).collect::<Vec<_>>().join(".")
        }
        _ => return Err(format!("unknown mutation {mutation}")),
    })
}

/// Replaces every `{ in: SECONDS }` at any depth.
fn with_times(value: &Value, now: u64) -> Result<Value, String> {
    Ok(match value {
        Value::Object(map) if map.len() == 1 && map.contains_key("in") => match map["in"].as_i64() {
            Some(seconds) => json!(now.saturating_add_signed(seconds)),
            None => return Err("`in` takes whole seconds".into()),
        },
        Value::Object(map) => {
            let members = map.iter().map(|(name, v)| Ok((name.clone(), with_times(v, now)?)));
            Value::Object(members.collect::<Result<_, String>>()?)
        }
        Value::Array(items) => Value::Array(items.iter().map(|v| with_times(v, now)).collect::<Result<_, _>>()?),
        other => other.clone(),
    })
}

/// Replaces `{now}`, `{now+60}` and `{now-60}`.
fn place_times(text: &str, now: u64) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{now") {
        let (offset, after) = after.split_once('}').ok_or("`{now` without `}`")?;
        let seconds = match offset {
            "" => 0,
            number => number.parse::<i64>().map_err(|_| format!("{{now{number}}} is no time"))?,
        };
        out.push_str(before);
        out.push_str(&now.saturating_add_signed(seconds).to_string());
        rest = after;
    }
    Ok(out + rest)
}
