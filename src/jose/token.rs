//! A verified token, as far as decisions look at it: its issuer, its claims, and the roles and scopes in them.

use super::binding::Binding;
use super::issuer::Issuer;
use super::time::Times;
use crate::json::Json;
use crate::time::Time;

/// Claims of a token whose signature holds and whose issuer's rules are met.
#[derive(Debug)]
pub struct Claims(Json<'static>);

impl Claims {
    /// The claims as they stand in the token.
    pub fn json(&self) -> &Json<'static> {
        &self.0
    }
}

/// A verified token. Only [`super::verify`] makes one.
#[derive(Debug)]
pub struct Token {
    /// The index of its issuer in the policy's list.
    pub issuer: usize,
    /// Its claims.
    pub claims: Claims,
    /// The roles that its issuer gives the bearer.
    pub roles: Vec<String>,
    /// The scopes that its issuer gives the bearer.
    pub scopes: Vec<String>,
    /// Its time claims, which are checked again whenever it is shown again.
    pub(super) times: Times,
    /// Whose it is, which is checked again likewise.
    pub(super) binding: Binding,
}

/// A claim where roles or scopes should be holds something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfitClaim;

impl Token {
    /// When it was issued (RFC 7519 section 4.1.6), if it says so.
    pub fn issued(&self) -> Option<Time> {
        self.times.issued()
    }

    /// When it ends (RFC 7519 section 4.1.4), if it says so.
    pub fn expires(&self) -> Option<Time> {
        self.times.expires()
    }

    /// Takes verified claims.
    ///
    /// # Errors
    /// [`UnfitClaim`] if the claim that should hold roles or scopes is neither text nor a list of texts.
    pub(super) fn new(
        index: usize,
        issuer: &Issuer,
        claims: Json<'_>,
        times: Times,
        binding: Binding,
    ) -> Result<Self, UnfitClaim> {
        let roles = match issuer.roles.find(&claims) {
            Some(Json::Str(role)) => vec![String::from(role.as_ref())],
            other => list_of(other)?,
        };
        let found = match &issuer.scopes {
            Some(path) => path.find(&claims),
            None => claims.get("scope").or_else(|| claims.get("scp")),
        };
        let scopes = match found {
            // RFC 8693 section 4.2: a list with single spaces.
            Some(Json::Str(list)) => list.split(' ').filter(|scope| !scope.is_empty()).map(String::from).collect(),
            other => list_of(other)?,
        };
        Ok(Self { issuer: index, claims: Claims(claims.into_owned()), roles, scopes, times, binding })
    }
}

/// The texts of a list; nothing where there is nothing.
fn list_of(value: Option<&Json<'_>>) -> Result<Vec<String>, UnfitClaim> {
    match value {
        None => Ok(Vec::new()),
        Some(Json::Array(items)) => {
            items.iter().map(|item| item.as_str().map(String::from).ok_or(UnfitClaim)).collect()
        }
        Some(_) => Err(UnfitClaim),
    }
}
