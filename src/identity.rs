//! Who the caller is: the same view of every kind of credential.

use std::rc::Rc;

use crate::credential::Kind;
use crate::credential::key::{Client, Grants};
use crate::credential::user::User;
use crate::globs::Globs;
use crate::jose::issuer::{Issuer, Keys};
use crate::jose::token::Token;
use crate::json::Json;
use crate::time::Time;

/// A verified caller.
pub struct Identity<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    Token { issuer: &'a Issuer, token: Rc<Token> },
    Key { index: usize, client: &'a Client, expires: Option<Time> },
    Password { index: usize, user: &'a User },
    Stored { name: String, grants: Rc<Grants>, expires: Option<Time> },
}

impl<'a> Identity<'a> {
    /// The bearer of a verified token.
    pub fn from_token(issuer: &'a Issuer, token: Rc<Token>) -> Self {
        Self { source: Source::Token { issuer, token } }
    }

    /// The bearer of a client's key, which may end.
    pub fn from_key(index: usize, client: &'a Client, expires: Option<Time>) -> Self {
        Self { source: Source::Key { index, client, expires } }
    }

    /// The user whose password was shown.
    pub fn from_password(index: usize, user: &'a User) -> Self {
        Self { source: Source::Password { index, user } }
    }

    /// The bearer of a key of the store, of the client with this name.
    pub fn from_store(name: &str, grants: &Rc<Grants>, expires: Option<Time>) -> Self {
        Self { source: Source::Stored { name: String::from(name), grants: Rc::clone(grants), expires } }
    }

    /// `jwt`, `opaque` for a token that its issuer was asked about, `key`, or `basic`.
    pub fn method(&self) -> &'static str {
        match self.source {
            Source::Token { issuer: Issuer { keys: Keys::Asked(_), .. }, .. } => "opaque",
            Source::Token { .. } => "jwt",
            Source::Key { .. } | Source::Stored { .. } => "key",
            Source::Password { .. } => "basic",
        }
    }

    /// What was shown.
    pub fn kind(&self) -> Kind {
        match self.source {
            Source::Token { .. } => Kind::Token,
            Source::Key { .. } | Source::Stored { .. } => Kind::Key,
            Source::Password { .. } => Kind::Password,
        }
    }

    /// The name of the issuer, client or user.
    pub fn name(&self) -> &str {
        match &self.source {
            Source::Token { issuer, .. } => &issuer.name,
            Source::Key { client, .. } => &client.name,
            Source::Password { user, .. } => &user.profile.name,
            Source::Stored { name, .. } => name,
        }
    }

    /// The index of the issuer, for tokens.
    pub fn issuer_index(&self) -> Option<usize> {
        match self.source {
            Source::Token { ref token, .. } => Some(token.issuer),
            Source::Key { .. } | Source::Stored { .. } | Source::Password { .. } => None,
        }
    }

    /// The index of the client, for keys of the policy.
    pub fn client_index(&self) -> Option<usize> {
        match self.source {
            Source::Key { index, .. } => Some(index),
            Source::Token { .. } | Source::Stored { .. } | Source::Password { .. } => None,
        }
    }

    /// The index of the user, for passwords.
    pub fn user_index(&self) -> Option<usize> {
        match self.source {
            Source::Password { index, .. } => Some(index),
            Source::Token { .. } | Source::Key { .. } | Source::Stored { .. } => None,
        }
    }

    /// The claims of the token, or those that the policy gives the client.
    pub fn claims(&self) -> &Json<'_> {
        match &self.source {
            Source::Token { token, .. } => token.claims.json(),
            Source::Key { client, .. } => &client.claims,
            Source::Password { user, .. } => &user.profile.claims,
            Source::Stored { grants, .. } => &grants.claims,
        }
    }

    /// The subject of a token; the name of a user.
    pub fn sub(&self) -> Option<&str> {
        match &self.source {
            Source::Password { user, .. } => Some(&user.profile.name),
            _ => self.token_claim("sub"),
        }
    }

    /// The token's id.
    pub fn jti(&self) -> Option<&str> {
        self.token_claim("jti")
    }

    /// The client: `client_id`, else `azp` of a token; the name of the key's client.
    pub fn client(&self) -> Option<&str> {
        match &self.source {
            Source::Token { .. } => self.token_claim("client_id").or_else(|| self.token_claim("azp")),
            Source::Key { client, .. } => Some(&client.name),
            Source::Password { .. } => None,
            Source::Stored { name, .. } => Some(name),
        }
    }

    /// The party that the token was issued to (OpenID Connect Core section 2), which may differ from its client.
    pub fn authorized_party(&self) -> Option<&str> {
        self.token_claim("azp")
    }

    /// The `iss` of the token. Of an issuer that is asked about its tokens it is the name that the policy knows it by,
    /// where the answer does not repeat it (RFC 7662 section 2.2).
    pub fn issuer(&self) -> Option<&str> {
        match &self.source {
            Source::Token { issuer, .. } => self.token_claim("iss").or_else(|| issuer.iss.exactly()),
            Source::Key { .. } | Source::Stored { .. } | Source::Password { .. } => None,
        }
    }

    /// When the token was issued.
    pub fn issued(&self) -> Option<Time> {
        match &self.source {
            Source::Token { token, .. } => token.issued(),
            Source::Key { .. } | Source::Stored { .. } | Source::Password { .. } => None,
        }
    }

    /// Until when what was shown counts, the leeway of tokens included.
    pub fn counts_until(&self) -> Option<Time> {
        let leeway = match &self.source {
            Source::Token { issuer, .. } => issuer.leeway,
            _ => 0,
        };
        self.expires().map(|end| end.plus(leeway))
    }

    /// When what was shown ends, the leeway of tokens left out.
    pub fn expires(&self) -> Option<Time> {
        match &self.source {
            Source::Token { token, .. } => token.expires(),
            Source::Key { expires, .. } | Source::Stored { expires, .. } => *expires,
            Source::Password { .. } => None,
        }
    }

    /// The models of providers that it may use; `None` for all.
    pub fn models(&self) -> Option<&Globs> {
        match &self.source {
            Source::Key { client, .. } => client.models.as_ref(),
            Source::Token { .. } | Source::Stored { .. } | Source::Password { .. } => None,
        }
    }

    /// The roles.
    pub fn roles(&self) -> &[String] {
        match &self.source {
            Source::Token { token, .. } => &token.roles,
            Source::Key { client, .. } => &client.roles,
            Source::Password { user, .. } => &user.profile.roles,
            Source::Stored { grants, .. } => &grants.roles,
        }
    }

    /// The scopes.
    pub fn scopes(&self) -> &[String] {
        match &self.source {
            Source::Token { token, .. } => &token.scopes,
            Source::Key { client, .. } => &client.scopes,
            Source::Password { user, .. } => &user.profile.scopes,
            Source::Stored { grants, .. } => &grants.scopes,
        }
    }

    fn token_claim(&self, name: &str) -> Option<&str> {
        match &self.source {
            Source::Token { token, .. } => token.claims.json().get(name).and_then(Json::as_str),
            Source::Key { .. } | Source::Stored { .. } | Source::Password { .. } => None,
        }
    }
}
