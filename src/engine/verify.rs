//! Whether what was shown counts: tokens, keys and passwords, each against whoever knows it, and against revocation lists.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use super::Case;
use crate::cidr::any_contains;
use crate::credential::Kinds;
use crate::credential::basic::Pair;
use crate::credential::key::{self, Client, KeyDigest};
use crate::credential::read::Found;
use crate::decision::{Question, Trace, Wish};
use crate::deny::Reason;
use crate::forwarded;
use crate::identity::Identity;
use crate::jose;
use crate::list::lists::Standing;
use crate::list::revoked::RevokedList;
use crate::password::Work;
use crate::password::stored::Stored;
use crate::revoke;
use crate::time::Time;

impl<'a, T: Trace> Case<'a, '_, '_, T> {
    /// Verifies everything that was shown; one bad credential spoils the rest.
    pub(super) fn verify(&mut self, found: &Found<'_>) -> Result<Vec<Identity<'a>>, Reason> {
        self.check_clock()?;
        let mut identities = Vec::with_capacity(2);
        if let Some(token) = &found.token {
            identities.push(self.verify_token(token)?);
        }
        if let Some(key) = &found.key {
            match self.verify_key(key) {
                // Where both kinds may stand and a token may have any shape, what is nobody's key is a token.
                Err(Reason::KeyInvalid) if found.either && found.token.is_none() => {
                    self.shown = Kinds { token: true, key: false, ..self.shown };
                    identities.push(self.verify_token(key)?);
                }
                verified => identities.push(verified?),
            }
        }
        if let Some(pair) = &found.password {
            identities.push(self.verify_password(pair)?);
        }
        Ok(identities)
    }

    /// Nothing that ends can be judged by a clock that cannot be right.
    pub(super) fn check_clock(&mut self) -> Result<(), Reason> {
        if self.now < Time::FLOOR {
            self.trace.step(|| String::from("the clock cannot be right"));
            return Err(Reason::Internal);
        }
        Ok(())
    }

    /// Checks a user's password. Somebody unknown costs as much as a wrong password, and is told the same.
    fn verify_password(&mut self, pair: &Pair) -> Result<Identity<'a>, Reason> {
        let policy = self.policy;
        let found = policy.users.find(pair.user());
        let stored = found.map(|(_, user)| &user.stored).or_else(|| policy.users.nobody()).ok_or(Reason::Internal)?;
        let name = pair.user().as_bytes();
        let digest = self.means.ledger.digest(name, pair.password(), &stored.mark());
        let source = self.address();
        let remembered = self.means.ledger.verdict(&digest, source, self.now);
        // Where the address is not known, whoever guesses might be who was right: memory must not help to guess on.
        let doubtful =
            remembered == Some(true) && source.is_none() && self.means.ledger.is_throttled(name, source, self.now);
        let verdict = match remembered.filter(|_| !doubtful) {
            None => {
                let known = found.is_some();
                let user = String::from(pair.user());
                let trusted = self.means.ledger.is_trusted(&digest, source, self.now);
                let work = Cell::default();
                self.check_password(Question { user, source, known, trusted, digest, work }, stored, pair)?
            }
            verdict => verdict,
        };
        match (verdict, found) {
            (Some(true), Some((index, user))) => {
                self.trace.step(|| format!("the password is that of user `{}`", user.profile.name));
                self.check_revoked(Reason::PasswordInvalid, |list| revoke::has_user(list, &user.profile.name))?;
                self.check_bounds(&user.profile)?;
                Ok(Identity::from_password(index, user))
            }
            // Nobody has looked into it so far: that says nothing of the password.
            (None, _) => Err(Reason::PasswordsBusy),
            _ => Err(Reason::PasswordInvalid),
        }
    }

    /// Checks a password of which nothing is known, or says that it is to be checked.
    fn check_password(&mut self, question: Question, stored: &Stored, pair: &Pair) -> Result<Option<bool>, Reason> {
        let (user, now) = (question.user.as_bytes(), self.now);
        if !question.trusted && self.means.ledger.is_throttled(user, question.source, now) {
            self.trace.step(|| String::from("too many wrong passwords were shown"));
            return Err(Reason::TooManyFailures);
        }
        let work = Work::new(stored, pair.password());
        if !self.means.at_once {
            question.work.set(Some(work));
            self.wants = Some(Wish::Password(Rc::new(question)));
            return Ok(None);
        }
        let right = work.finish() && question.known;
        let ledger = &mut *self.means.ledger;
        if right {
            ledger.note_right(question.digest, question.source, now);
        } else {
            ledger.note_wrong(question.digest, user, question.source, now);
        }
        Ok(Some(right))
    }

    fn verify_token(&mut self, token: &[u8]) -> Result<Identity<'a>, Reason> {
        let policy = self.policy;
        let token = jose::verify(token, &policy.issuers, self.now, self.means, self.trace).map_err(|refusal| {
            self.wants = refusal.wants;
            refusal.reason
        })?;
        let issuer = policy.issuers.get(token.issuer).ok_or(Reason::Internal)?;
        let identity = Identity::from_token(issuer, token);
        self.check_revoked(Reason::TokenRevoked, |list| revoke::has_token(list, &identity))?;
        Ok(identity)
    }

    /// The address of the caller, as far as it can be known.
    pub(super) fn address(&self) -> Option<IpAddr> {
        forwarded::caller(self.head, self.means.peer, self.policy.hops)
    }

    pub(super) fn tell_address(&mut self) {
        // To ask a host takes its time, so that it is asked only where somebody listens.
        let (head, peer, hops) = (self.head, self.means.peer, self.policy.hops);
        self.trace.step(|| match forwarded::caller(head, peer, hops) {
            Some(address) => format!("the caller's address is {address}"),
            None => String::from("the caller's address is not known"),
        });
    }

    /// Makes sure that a client or user calls from where, and what, it may.
    fn check_bounds(&mut self, client: &Client) -> Result<(), Reason> {
        if !client.from.is_empty() && !any_contains(&client.from, self.address()) {
            self.trace.step(|| format!("`{}` is bound to other addresses", client.name));
            self.tell_address();
            return Err(Reason::AddressForbidden);
        }
        let route = self.route.map(|route| &route.label);
        if !client.routes.is_empty() && !route.is_some_and(|route| client.routes.contains(route)) {
            self.trace.step(|| format!("`{}` is bound to other routes", client.name));
            return Err(Reason::ClientForbidden);
        }
        Ok(())
    }

    /// Whose key this is: the policy's own clients come before those of the store.
    pub(super) fn verify_key(&mut self, key: &[u8]) -> Result<Identity<'a>, Reason> {
        let digest = key::shown(key).ok_or(Reason::KeyInvalid)?;
        let (identity, bound) = match self.policy.clients.find(&digest, self.now)? {
            Some((index, client, expires)) => (Identity::from_key(index, client, expires), Some(client)),
            None => (self.find_stored(&digest)?, None),
        };
        self.trace.step(|| format!("the key is one of client `{}`", identity.name()));
        self.check_revoked(Reason::KeyRevoked, |list| revoke::has_key(list, identity.name(), &digest))?;
        bound.map_or(Ok(()), |client| self.check_bounds(client))?;
        Ok(identity)
    }

    fn find_stored(&mut self, digest: &KeyDigest) -> Result<Identity<'a>, Reason> {
        let (index, source) = self.policy.client_store().ok_or(Reason::KeyInvalid)?;
        let Some(list) = self.means.lists.clients(index, source, self.now) else {
            self.trace.step(|| String::from("the key is none of the policy, and the store of clients is not there"));
            self.wants = Some(Wish::List(index));
            return Err(Reason::ListUnavailable);
        };
        let found = list.find(digest).ok_or(Reason::KeyInvalid)?;
        if self.policy.clients.has_name(found.name) {
            self.trace.step(|| format!("the store has the key, of `{}`, who is a client of the policy", found.name));
            return Err(Reason::KeyInvalid);
        }
        key::in_time(found.not_before, found.expires, self.now)?;
        Ok(Identity::from_store(found.name, found.grants, found.expires))
    }

    /// Makes sure that no revocation list names somebody: neither the policy's own nor one that is fetched. One that
    /// cannot be had might.
    fn check_revoked(&mut self, reason: Reason, names: impl Fn(&RevokedList) -> bool) -> Result<(), Reason> {
        let policy = self.policy;
        if names(&policy.revoked) {
            return Err(reason);
        }
        let mut missing = false;
        for (index, source) in policy.lists.iter().enumerate().filter(|(_, source)| source.content.revokes()) {
            match self.means.lists.revoked(index, source, self.now) {
                Standing::Serves(list) if names(list) => {
                    self.trace.step(|| format!("the list `{}` revokes it", source.name));
                    self.wants = None;
                    return Err(reason);
                }
                Standing::Serves(_) | Standing::Silent => {}
                Standing::Awaited => self.wants = Some(Wish::List(index)),
                Standing::Missing => {
                    self.trace.step(|| format!("the list `{}` is fetched, and is not there", source.name));
                    self.wants = Some(Wish::List(index));
                    missing = true;
                }
            }
        }
        if missing { Err(Reason::ListUnavailable) } else { Ok(()) }
    }
}
