//! What the filter answers by itself, and well: documents that anybody may read, and tokens for clients.

use std::borrow::Cow;

use super::Case;
use crate::condition::Facts;
use crate::conditions::Unmet;
use crate::credential::basic::Pair;
use crate::credential::{Kinds, read};
use crate::decision::{Denial, Shape, Trace, Verdict};
use crate::deny::Reason;
use crate::identity::Identity;
use crate::issue::claims::Statement;
use crate::issue::endpoint::TokenEndpoint;
use crate::issue::form::{self, Form};
use crate::reply::Reply;

/// The kinds of credential that a token endpoint takes: an API key, or one in the place of a password.
const TAKES: Kinds = Kinds { token: false, key: true, password: true };

impl<'a, T: Trace> Case<'a, '_, '_, T> {
    /// The answer to a request for something that is served, and whom it is for; `None` if the request is for a service.
    pub(super) fn serve(&mut self) -> Option<(Verdict, Vec<Identity<'a>>)> {
        let policy = self.policy;
        if let Some(document) = policy.documents.iter().find(|document| document.is_asked(self.head)) {
            self.trace.step(|| format!("the request asks for the document {}", document.path));
            return Some((Verdict::Serve(Reply::document(document)), Vec::new()));
        }
        let endpoint = policy.token_endpoint.as_ref().filter(|endpoint| endpoint.is_asked(self.head))?;
        self.trace.step(|| String::from("the request asks for a token"));
        Some(match self.grant(endpoint) {
            Ok((reply, identity)) => (Verdict::Serve(reply), vec![identity]),
            Err(reason) => {
                self.trace.step(|| format!("refused: {}", reason.word()));
                let denial = Denial { reason, takes: TAKES, scopes: Vec::new(), shape: Shape::OAuth };
                (Verdict::Deny(denial), Vec::new())
            }
        })
    }

    /// Gives a client a token (RFC 6749 section 4.4).
    fn grant(&mut self, endpoint: &'a TokenEndpoint) -> Result<(Reply, Identity<'a>), Reason> {
        if self.head.first(":method") != Some(b"POST") {
            self.trace.step(|| String::from("tokens are asked for by POST"));
            return Err(Reason::RequestMalformed);
        }
        let form = self.form()?;
        match form.get("grant_type") {
            Some("client_credentials") => {}
            Some(_) => return Err(Reason::GrantUnsupported),
            None => return Err(Reason::RequestMalformed),
        }
        let identity = self.client(&form)?;
        // A token would carry it beyond, as it would beyond the routes of a client.
        if identity.models().is_some() {
            self.trace.step(|| format!("`{}` is bound to models", identity.name()));
            return Err(Reason::ClientForbidden);
        }
        let mut identities = endpoint.allow.admit(vec![identity])?;
        let facts = Facts { captures: &[], head: Some(self.head) };
        if let Some(Unmet { reason, asked, .. }) = endpoint.allow.unmet(&identities, &facts, &|| self.address()) {
            self.trace.step(|| format!("the token endpoint asks for {asked}"));
            // That is about who may ask, not about what was asked for.
            return Err(if reason == Reason::ScopeMissing { Reason::ClientForbidden } else { reason });
        }
        let identity = identities.pop().ok_or(Reason::Internal)?;
        let scopes = scopes(&form, &identity)?;
        let audience = audience(&form, &endpoint.profile.audience)?;
        let name = identity.client().unwrap_or_else(|| identity.name());
        let about = Statement { sub: name, client: Some(name), audience: &audience, scopes: &scopes, actor: None };
        let said = endpoint.profile.say(&about, std::slice::from_ref(&identity), &[]);
        let said = said.map_err(|_| Reason::ClaimMismatch)?;
        // No token outlives the key that it stands for.
        let full = self.now.plus(endpoint.profile.ttl);
        let expires = identity.expires().map_or(full, |end| end.min(full));
        let means = &mut *self.means;
        let token = means.mint.make(&endpoint.profile, &said, self.now, expires, means.offload);
        let token = token.ok_or_else(|| self.unsigned())?;
        self.trace.step(|| format!("client `{name}` gets a token"));
        Ok((endpoint.answer(&token, expires.millis() / 1000 - self.now.millis() / 1000, &scopes), identity))
    }

    /// The host had to sign a token, and did not.
    pub(super) fn unsigned(&mut self) -> Reason {
        self.trace.step(|| String::from("the host has not signed the token"));
        Reason::Internal
    }

    fn form(&mut self) -> Result<Form, Reason> {
        self.reads_body = Some(form::LONGEST);
        let body = self.body(form::LONGEST)?;
        if !self.head.only("content-type").is_some_and(form::is_form) {
            self.trace.step(|| String::from("the body is no application/x-www-form-urlencoded"));
            return Err(Reason::RequestMalformed);
        }
        Form::read(body).ok_or(Reason::RequestMalformed)
    }

    /// Who asks: by user and password (RFC 6749 section 2.3.1), in the header or the form, or by an API key in its usual
    /// place. More than one of these is one too many.
    fn client(&mut self, form: &Form) -> Result<Identity<'a>, Reason> {
        self.check_clock()?;
        let found = read::read(&self.policy.read, TAKES, self.head)?;
        let posted = (form.get("client_id"), form.get("client_secret"));
        let (key, password) = (found.key.is_some() || posted.1.is_some(), found.password.is_some());
        self.shown = Kinds { token: false, key, password };
        if found.token.is_some() {
            return Err(Reason::KeyInvalid);
        }
        match (found.password, found.key, posted) {
            (None, None, (_, None)) => Err(Reason::CredentialMissing),
            (Some(pair), None, (id, None)) => {
                let (name, secret) = coded(&pair).ok_or(Reason::RequestMalformed)?;
                // Named once more, it is the same.
                if id.is_some_and(|id| id != name) {
                    return Err(Reason::RequestMalformed);
                }
                self.named(&name, secret.as_bytes())
            }
            (None, Some(key), (id, None)) => {
                let identity = self.verify_key(&key)?;
                if id.is_some_and(|id| id != identity.name()) { Err(Reason::KeyInvalid) } else { Ok(identity) }
            }
            (None, None, (Some(name), Some(secret))) => self.named(name, secret.as_bytes()),
            (None, None, (None, Some(_))) => Err(Reason::RequestMalformed),
            _ => Err(Reason::CredentialAmbiguous),
        }
    }

    /// The client of this name, whose key this is.
    fn named(&mut self, name: &str, key: &[u8]) -> Result<Identity<'a>, Reason> {
        let identity = self.verify_key(key)?;
        if identity.name() == name {
            return Ok(identity);
        }
        self.trace.step(|| String::from("the key is that of another client than the one named"));
        Err(Reason::KeyInvalid)
    }
}

/// User and password, each coded as in a form (RFC 6749 section 2.3.1).
fn coded(pair: &Pair) -> Option<(String, String)> {
    Some((form::decode(pair.user().as_bytes())?, form::decode(pair.password())?))
}

/// The scopes of the token: those asked for, which the client must have, else all that it has (RFC 6749 section 3.3).
fn scopes<'i>(form: &Form, identity: &'i Identity<'_>) -> Result<Cow<'i, [String]>, Reason> {
    let Some(asked) = form.get("scope") else {
        return Ok(Cow::Borrowed(identity.scopes()));
    };
    let mut scopes: Vec<String> = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        if !identity.scopes().iter().any(|other| other == scope) {
            return Err(Reason::ScopeMissing);
        }
        if !scopes.iter().any(|other| other == scope) {
            scopes.push(String::from(scope));
        }
    }
    Ok(Cow::Owned(scopes))
}

/// Whom the token is for: the one asked for (RFC 8707 section 2), else all that it can be for.
fn audience<'p>(form: &Form, known: &'p [String]) -> Result<Cow<'p, [String]>, Reason> {
    match (form.get("audience"), form.get("resource")) {
        (None, None) => Ok(Cow::Borrowed(known)),
        (Some(asked), None) | (None, Some(asked)) if known.iter().any(|other| other == asked) => {
            Ok(Cow::Owned(vec![String::from(asked)]))
        }
        _ => Err(Reason::AudienceMismatch),
    }
}
