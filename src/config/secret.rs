//! Secrets of a policy: from the environment of the host's VM or from the policy, and fit for HMAC.
//! No message of this file quotes what it reads.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::fields::SECRET;
use super::node::Node;
use super::value::one_of;
use crate::credential::key::digest;
use crate::jose::alg::Alg;
use crate::json::Json;
use crate::path::hex;
use crate::redact::Secret;

/// Where secrets come from, and the ones met so far.
pub(super) struct Secrets<'c> {
    env: &'c dyn Fn(&str) -> Option<String>,
    seen: Vec<([u8; 32], String)>,
}

#[derive(Clone, Copy)]
enum Encoding {
    Text,
    Base64,
    Base64url,
    Hex,
}

impl<'c> Secrets<'c> {
    /// Reads variables through `env`.
    pub(super) fn new(env: &'c dyn Fn(&str) -> Option<String>) -> Self {
        Self { env, seen: Vec::new() }
    }

    /// Reads `{ env: NAME }` or `{ value: TEXT }`, long enough for an algorithm.
    pub(super) fn read(&mut self, node: &Node<'_>, alg: Alg) -> Option<Secret> {
        let (at, secret) = self.octets(node)?;
        self.check(&at, secret, alg)
    }

    /// Reads `{ env: NAME }` or `{ value: TEXT }` of any length.
    pub(super) fn read_any(&self, node: &Node<'_>) -> Option<Secret> {
        self.octets(node).map(|(_, secret)| secret)
    }

    /// The octets, and where they stand.
    fn octets<'j>(&self, node: &Node<'j>) -> Option<(Node<'j>, Secret)> {
        if node.value().as_str().is_some() {
            node.error_cure("a secret is not bare text", "write { env: NAME } or { value: ... }");
            return None;
        }
        let fields = node.fields(SECRET)?;
        let encoding = fields.scalar("encoding").map_or(Some(Encoding::Text), |node| {
            let choices = [
                ("text", Encoding::Text),
                ("base64", Encoding::Base64),
                ("base64url", Encoding::Base64url),
                ("hex", Encoding::Hex),
            ];
            // What is longer than any encoding's name may be the secret, in the wrong place.
            if node.text()?.len() > 16 {
                node.error_cure("unknown encoding", "it is one of text, base64, base64url, hex");
                return None;
            }
            one_of(&node, "encoding", &choices)
        });
        let (at, text) = match (fields.scalar("env"), fields.scalar("value")) {
            (Some(_), Some(_)) => {
                node.error_cure("has both env and value", "keep one");
                return None;
            }
            (None, None) => {
                node.error_cure("names no secret", "write { env: NAME } or { value: ... }");
                return None;
            }
            (Some(at), None) => {
                let text = self.variable(&at)?;
                (at, text)
            }
            (None, Some(at)) => {
                let text = String::from(at.any_text()?);
                at.warn(
                    "the secret stands in the policy, where config dumps show it",
                    Some("{ env: NAME } keeps it out"),
                );
                (at, text)
            }
        };
        let text = Secret::new(text.into_bytes());
        let Some(octets) = decode(text.expose(), encoding?) else {
            at.error("is not in the encoding named");
            return None;
        };
        // Text in PEM ends so.
        let is_pem = octets.starts_with(b"-----BEGIN ");
        if matches!(encoding, Some(Encoding::Text)) && octets.ends_with(b"\n") && !is_pem {
            at.warn("ends in a line break, which counts as part of the secret", None);
        }
        Some((at, Secret::new(octets)))
    }

    /// The value of a variable of the environment.
    pub(super) fn variable(&self, node: &Node<'_>) -> Option<String> {
        let name = node.text()?;
        let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
        if !name.bytes().all(|b| letter(b) || b.is_ascii_digit()) || !name.bytes().next().is_some_and(letter) {
            node.error_cure("is not the name of an environment variable", "write { value: ... } for the secret itself");
            return None;
        }
        let value = (self.env)(name);
        if value.is_none() {
            // Who writes the secret itself here is not to read it in a log. Names of variables are upper case
            // words; no encoding of a secret that is long enough has upper case and `_` only.
            let word = name.len() <= 20 || (name.len() <= 64 && name.contains('_'));
            let word = word && !name.bytes().any(|b| b.is_ascii_lowercase());
            let shown = if word { name } else { "this variable" };
            node.error_cure(
                format!("{shown} is not set in the environment"),
                "export it for the command, or name it in the host's VM environment (`host_env_keys` in Envoy)",
            );
        }
        value
    }

    /// Reads a secret to sign with, long enough for an algorithm.
    pub(super) fn read_signing(&self, node: &Node<'_>, alg: Alg) -> Option<Secret> {
        let (at, secret) = self.octets(node)?;
        let digest = digest(secret.expose());
        if let Some((_, path)) = self.seen.iter().find(|(seen, _)| *seen == digest) {
            at.warn(
                format!("is the same secret as {path}: who checks what it signs can make tokens of that issuer"),
                None,
            );
        }
        fit(&at, &secret, alg).then_some(secret)
    }

    /// Refuses what is no HMAC secret, or too short a one (RFC 7518 section 3.2).
    pub(super) fn check(&mut self, node: &Node<'_>, secret: Secret, alg: Alg) -> Option<Secret> {
        if !fit(node, &secret, alg) {
            return None;
        }
        let digest = digest(secret.expose());
        if let Some((_, path)) = self.seen.iter().find(|(seen, _)| *seen == digest) {
            node.warn(format!("is the same secret as {path}: who signs for one can sign for the other"), None);
        }
        self.seen.push((digest, node.path()));
        Some(secret)
    }
}

/// Whether a secret is fit for HMAC; what is odd about it.
fn fit(node: &Node<'_>, secret: &Secret, alg: Alg) -> bool {
    let octets = secret.expose();
    let (length, least) = (octets.len(), alg.hash_length());
    if looks_like_key_file(octets) {
        node.error("looks like a PEM file or a JWK, not like an HMAC secret: a public key is no secret");
        return false;
    }
    if length < least {
        node.error(format!("is {length} octets; {} needs at least {least} (RFC 7518 section 3.2)", alg.name()));
        return false;
    }
    if octets.iter().all(|b| *b == 0) {
        node.error("is all zero octets");
        return false;
    }
    if octets.iter().all(|b| Some(b) == octets.first()) || octets == b"a-string-secret-at-least-256-bits-long" {
        node.warn("is a secret that everybody knows", Some("make one with `openssl rand -base64 48`"));
    }
    true
}

fn looks_like_key_file(octets: &[u8]) -> bool {
    let holds = |wanted: &[u8]| octets.windows(wanted.len()).any(|part| part == wanted);
    holds(b"-----BEGIN")
        || octets.starts_with(b"ssh-")
        || (octets.trim_ascii_start().starts_with(b"{") && holds(b"\"kty\""))
}

fn decode(text: &[u8], encoding: Encoding) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    match encoding {
        Encoding::Text => Some(text.to_vec()),
        Encoding::Base64 => GeneralPurpose::new(&STANDARD, config).decode(text).ok(),
        Encoding::Base64url => GeneralPurpose::new(&URL_SAFE, config).decode(text).ok(),
        Encoding::Hex => from_hex(text),
    }
}

/// The octets that hexadecimal digits stand for.
pub(super) fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    let octet = |[high, low]: &[u8; 2]| Some(hex(*high)? * 16 + hex(*low)?);
    if rest.is_empty() { pairs.iter().map(octet).collect() } else { None }
}

/// Whether a JSON value is a secret in its place, for [`super::digest`].
pub(super) fn is_secret_member(name: &str, value: &Json<'_>) -> bool {
    match name {
        "secret" | "private_key" => true,
        // Keys of a provider for single clients; what `clients` of a policy have is another thing.
        "clients" => matches!(value, Json::Object(members) if !members.is_empty() && members.iter().all(is_secret)),
        "plain" | "k" => value.as_str().is_some(),
        _ => false,
    }
}

/// Whether a member is `NAME: { env: ... }` or `NAME: { value: ... }`.
fn is_secret((_, value): &(std::borrow::Cow<'_, str>, Json<'_>)) -> bool {
    value.get("env").is_some() || value.get("value").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        for (text, encoding, expected) in [
            ("-_8", Encoding::Base64url, Some(vec![0xfb, 0xff])),
            ("-_8=", Encoding::Base64url, Some(vec![0xfb, 0xff])),
            ("+/8=", Encoding::Base64, Some(vec![0xfb, 0xff])),
            ("+/8", Encoding::Base64, Some(vec![0xfb, 0xff])),
            ("-_8", Encoding::Base64, None),
            ("fbFF", Encoding::Hex, Some(vec![0xfb, 0xff])),
            ("fbf", Encoding::Hex, None),
            ("0x", Encoding::Hex, None),
            ("a b", Encoding::Base64, None),
        ] {
            assert_eq!(decode(text.as_bytes(), encoding), expected, "{text}");
        }
    }

    #[test]
    fn sees_key_files() {
        for text in ["-----BEGIN PUBLIC KEY-----", "\n x -----BEGIN", " {\"kty\":\"RSA\"}", "ssh-rsa AAAA"] {
            assert!(looks_like_key_file(text.as_bytes()), "{text}");
        }
        assert!(!looks_like_key_file(b"{not a jwk}"));
    }
}
