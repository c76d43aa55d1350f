//! Token introspection (RFC 7662): for tokens that say nothing by themselves, their issuer is asked.

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::iss::Name;
use super::issuer::{Issuer, Keys};
use super::token::Token;
use super::{Registered, check_audience};
use crate::cache::{BadToken, Basis, Cache};
use crate::condition::Facts;
use crate::deny::Reason;
use crate::json::{self, Json, Limits};
use crate::jwks::fetch::Answer;
use crate::jwks::source::{TIMEOUT, Uri};
use crate::percent::escaped;
use crate::redact::Secret;
use crate::time::Time;

/// The longest answer that is read, in octets.
pub const MAX_ANSWER: usize = 64 * 1024;

/// How long it is remembered that a token is no good, in milliseconds.
const BAD_TTL: i64 = 10_000;

const LIMITS: Limits = Limits { depth: 16, members: 2_048 };

/// Where an issuer is asked about tokens.
pub struct Endpoint {
    /// The host's name for the servers that are asked.
    pub cluster: String,
    /// What is asked.
    pub uri: Uri,
    /// Who asks.
    pub login: Login,
    /// How long an answer counts at most, in milliseconds.
    pub ttl: i64,
}

/// How the one who asks shows who it is (RFC 7662 section 2.1).
pub enum Login {
    /// A client and its secret in the Authorization header (RFC 6749 section 2.3.1).
    Basic(String, Secret),
    /// The same in the body.
    Post(String, Secret),
    /// An access token.
    Bearer(Secret),
}

/// A POST request that the shell is to make.
pub struct Question {
    /// The head.
    pub head: Vec<(&'static str, Zeroizing<Vec<u8>>)>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
    /// How long the answer may take, in milliseconds.
    pub timeout: i64,
}

impl Endpoint {
    /// The request that asks about a token.
    pub fn question(&self, token: &[u8]) -> Question {
        let mut body = Zeroizing::new(b"token=".to_vec());
        body.extend(escaped(token).bytes());
        body.extend(b"&token_type_hint=access_token");
        let mut head: Vec<(&'static str, Zeroizing<Vec<u8>>)> = Vec::with_capacity(8);
        let mut add = |name, value: &[u8]| head.push((name, Zeroizing::new(value.to_vec())));
        add(":method", b"POST");
        add(":scheme", self.uri.scheme().as_bytes());
        add(":authority", self.uri.authority.as_bytes());
        add(":path", self.uri.path.as_bytes());
        add("accept", b"application/json");
        add("content-type", b"application/x-www-form-urlencoded");
        add("user-agent", format!("gatekey/{}", crate::VERSION).as_bytes());
        match &self.login {
            Login::Basic(id, secret) => {
                let secret = Zeroizing::new(escaped(secret.expose()));
                let pair = Zeroizing::new(format!("{}:{}", escaped(id.as_bytes()), secret.as_str()));
                let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
                add("authorization", value.as_bytes());
            }
            Login::Post(id, secret) => {
                body.extend(format!("&client_id={}&client_secret=", escaped(id.as_bytes())).bytes());
                body.extend(Zeroizing::new(escaped(secret.expose())).bytes());
            }
            Login::Bearer(token) => {
                let mut value = Zeroizing::new(b"Bearer ".to_vec());
                value.extend(token.expose());
                add("authorization", &value);
            }
        }
        Question { head, body, timeout: TIMEOUT }
    }
}

/// How asking about a token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is good.
    Active,
    /// It is not, or not for us.
    Inactive,
    /// There was no answer, or one that says so.
    Unreachable,
    /// The answer has another status than 200: the one who asks may not be known there.
    Status,
    /// The answer is not what RFC 7662 section 2.2 says, or too long.
    Document,
}

impl Outcome {
    /// The word in metrics and log lines.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Active => "active",
            Outcome::Inactive => "inactive",
            Outcome::Unreachable => "unreachable",
            Outcome::Status => "status",
            Outcome::Document => "document",
        }
    }

    /// What happened, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Outcome::Active => "the token is good",
            Outcome::Inactive => "the token is not good",
            Outcome::Unreachable => {
                "no answer, or 502, 503 or 504 in place of one; is `cluster` right, and the server up?"
            }
            Outcome::Status => "the status is not 200; are id and secret right?",
            Outcome::Document => "the answer is not what RFC 7662 says, or too long",
        }
    }

    /// Whether the issuer said something about the token.
    pub const fn is_answer(self) -> bool {
        matches!(self, Outcome::Active | Outcome::Inactive)
    }
}

/// Takes the answer about a token, and keeps what it says in the cache, where the next decision finds it.
pub fn settle(index: usize, issuer: &Issuer, text: &[u8], answer: &Answer, cache: &mut Cache, now: Time) -> Outcome {
    let Keys::Asked(endpoint) = &issuer.keys else {
        return Outcome::Document;
    };
    let body = match answer.status {
        None | Some(502..=504) => return Outcome::Unreachable,
        Some(200) => answer.body.as_deref().filter(|body| body.len() <= MAX_ANSWER),
        Some(_) => return Outcome::Status,
    };
    let (Some(body), Some(place)) = (body, cache.place(text)) else {
        return Outcome::Document;
    };
    let basis = Basis { issuer: index, generation: 0 };
    match read(body, index, issuer, now) {
        Ok(Ok(token)) => {
            cache.keep(place, text, &Rc::new(token), basis, Some(endpoint.ttl), now);
            Outcome::Active
        }
        Ok(Err(reason)) => {
            cache.keep_bad(place, text, BadToken { basis, reason, open: false }, Some(BAD_TTL), now);
            Outcome::Inactive
        }
        Err(NoAnswer) => Outcome::Document,
    }
}

/// The document is no answer to the question.
struct NoAnswer;

/// What an answer says of a token: what it is, or why it does not count.
fn read(body: &[u8], index: usize, issuer: &Issuer, now: Time) -> Result<Result<Token, Reason>, NoAnswer> {
    let claims = json::read(body, LIMITS).map_err(|_| NoAnswer)?;
    match claims.get("active") {
        Some(Json::Bool(true)) => Ok(judge(claims, index, issuer, now)),
        Some(Json::Bool(false)) => Ok(Err(Reason::TokenInactive)),
        _ => Err(NoAnswer),
    }
}

/// Asks of an active token what is asked of any.
fn judge(claims: Json<'_>, index: usize, issuer: &Issuer, now: Time) -> Result<Token, Reason> {
    // A refresh token is active too, and gives no access; a bound one is not its bearer's alone.
    for (name, never) in [("token_type", ["refresh_token", "refresh", "dpop", "pop"]), ("token_use", NEVER_USED)] {
        match claims.get(name) {
            None => {}
            Some(Json::Str(kind)) if !never.iter().any(|never| kind.eq_ignore_ascii_case(never)) => {}
            Some(_) => return Err(Reason::TypeMismatch),
        }
    }
    let registered = Registered::read(&claims)?;
    let captures = match registered.iss {
        // Whose of many tenants it is, nobody says.
        None if matches!(issuer.iss, Name::Like(_)) => return Err(Reason::IssuerUnknown),
        None => Vec::new(),
        Some(iss) => issuer.iss.captures(iss).ok_or(Reason::IssuerUnknown)?,
    };
    registered.times.check(issuer, now)?;
    check_audience(registered.aud, &issuer.audience)?;
    let facts = Facts { captures: &captures, head: None };
    if !issuer.require.iter().all(|condition| condition.holds(&claims, &facts)) {
        return Err(Reason::ClaimMismatch);
    }
    let (times, binding) = (registered.times, registered.binding);
    Token::new(index, issuer, claims, times, binding).map_err(|_| Reason::ClaimMismatch)
}

/// What some servers call tokens that are none for access.
const NEVER_USED: [&str; 4] = ["refresh_token", "refresh", "id_token", "id"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_as_the_client_that_it_is() {
        let secret = || Secret::new(b"s/+ e".to_vec());
        let endpoint = |login| Endpoint {
            cluster: String::from("idp"),
            uri: Uri::parse("https://id.test/introspect").unwrap(),
            login,
            ttl: 1,
        };
        let question = endpoint(Login::Basic(String::from("a:b"), secret())).question(b"t&x=1");
        assert_eq!(question.body.as_slice(), b"token=t%26x%3D1&token_type_hint=access_token");
        let (_, value) = question.head.iter().find(|(name, _)| *name == "authorization").unwrap();
        assert_eq!(value.as_slice(), format!("Basic {}", STANDARD.encode("a%3Ab:s%2F%2B%20e")).as_bytes());
        let question = endpoint(Login::Post(String::from("a"), secret())).question(b"t");
        let body = b"token=t&token_type_hint=access_token&client_id=a&client_secret=s%2F%2B%20e";
        assert_eq!(question.body.as_slice(), body);
        assert!(question.head.iter().all(|(name, _)| *name != "authorization"));
        let question = endpoint(Login::Bearer(secret())).question(b"t");
        assert!(
            question.head.iter().any(|(name, value)| *name == "authorization" && value.as_slice() == b"Bearer s/+ e")
        );
    }
}
