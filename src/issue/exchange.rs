//! Tokens for the service behind: what the caller showed is replaced by a short-lived token of ours (RFC 8693 in spirit,
//! without a request of its own).

use std::borrow::Cow;

use super::claims::{Statement, TokenProfile, UnfitClaims};
use super::mint::Mint;
use crate::credential::Kind;
use crate::identity::Identity;
use crate::jose::offload::Offload;
use crate::time::Time;

/// How the service is told who calls.
pub struct Exchange {
    /// The header that carries the token, lower-case. `authorization` has the scheme Bearer before it.
    pub header: String,
    /// How tokens are made.
    pub profile: TokenProfile,
    /// Whether the token tells who acts for the subject (RFC 8693 section 4.1).
    pub act: bool,
}

/// How long a token for a service may count whose caller shows something of its own for a little while yet, in
/// milliseconds.
const LEAST: i64 = 10_000;

/// When a token ends that stands for this identity: with it; within the leeway of a token, shortly, and with the leeway.
fn end(identity: &Identity<'_>, now: Time) -> Option<Time> {
    let shortly = identity.counts_until()?.min(now.plus(LEAST));
    identity.expires().map(|end| end.max(shortly))
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// A claim cannot be told exactly, or there are too many of them.
    Claims,
    /// The host had to sign, and did not.
    Signature,
}

impl From<UnfitClaims> for Untold {
    fn from(_: UnfitClaims) -> Self {
        Self::Claims
    }
}

impl Exchange {
    /// Whether the token stands where credentials do.
    pub fn takes_authorization(&self) -> bool {
        self.header == "authorization"
    }

    /// The value of the header for these identities; `place` is the policy's.
    ///
    /// # Errors
    /// Why there is none.
    pub fn value(
        &self,
        place: usize,
        identities: &[Identity<'_>],
        captures: &[(&str, Cow<'_, str>)],
        (mint, offload): (&mut Mint, &dyn Offload),
        now: Time,
    ) -> Result<Option<Vec<u8>>, Untold> {
        let Some(first) = identities.first() else {
            return Ok(None);
        };
        // Only a key says whose it is: a token calls its client what it likes, and may have no subject.
        let own = identities.iter().filter(|identity| identity.kind() == Kind::Key).find_map(Identity::client);
        let client = own.or_else(|| identities.iter().find_map(Identity::client));
        // The scopes are those of whom the token is about, not of others who came along.
        let subject = identities.iter().find_map(|identity| Some((identity.sub()?, identity.scopes())));
        let (sub, scopes) = subject.unwrap_or_else(|| (own.unwrap_or_else(|| first.name()), first.scopes()));
        let about = Statement {
            sub,
            client,
            audience: &self.profile.audience,
            scopes,
            actor: client.filter(|client| self.act && *client != sub),
        };
        let said = self.profile.say(&about, identities, captures)?;
        let limit = identities.iter().filter_map(|identity| end(identity, now)).min();
        let token = mint.keep(place, &self.profile, said, now, limit, offload).ok_or(Untold::Signature)?;
        let scheme = if self.takes_authorization() { "Bearer " } else { "" };
        Ok(Some([scheme.as_bytes(), token.as_bytes()].concat()))
    }
}
