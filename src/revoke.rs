//! Who no longer counts: whether a verified caller is on a revocation list.

use crate::credential::key::KeyDigest;
use crate::identity::Identity;
use crate::list::revoked::{Kind, RevokedList};

/// Whether the token of an identity, which may name two clients, is on a list. Claims are looked up only where there are
/// entries for them.
pub fn has_token(list: &RevokedList, identity: &Identity<'_>) -> bool {
    if list.is_empty() {
        return false;
    }
    let iss = identity.issuer();
    let has = |kind, value: Option<&str>| value.is_some_and(|value| list.has(kind, value, iss));
    (list.has_kind(Kind::Jti) && has(Kind::Jti, identity.jti()))
        || (list.has_kind(Kind::Sub) && has(Kind::Sub, identity.sub()))
        || (list.has_kind(Kind::Client)
            && (has(Kind::Client, identity.client()) || has(Kind::Client, identity.authorized_party())))
        || is_too_old(list, identity, iss)
}

/// Whether a token was issued before the time that a list names for its issuer or subject. One that does not say when
/// it was issued may have been.
fn is_too_old(list: &RevokedList, identity: &Identity<'_>, iss: Option<&str>) -> bool {
    list.has_times()
        && list
            .issued_before(iss, identity.sub())
            .is_some_and(|time| identity.issued().is_none_or(|issued| issued < time))
}

/// Whether a key, or its client, is on a list.
pub fn has_key(list: &RevokedList, client: &str, digest: &KeyDigest) -> bool {
    list.has(Kind::Client, client, None) || list.has_key(digest)
}

/// Whether a user with a password is on a list.
pub fn has_user(list: &RevokedList, name: &str) -> bool {
    list.has(Kind::User, name, None)
}
