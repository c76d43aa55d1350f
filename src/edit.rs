//! What changes on the way to the service: identity headers removed first, then credentials, then identity set.

use std::borrow::Cow;

use crate::credential::read::{cookie_pairs, is_named, parameters, query_of};
use crate::credential::{Location, Read, basic, bearer};
use crate::head::Head;
use crate::identity::Identity;
use crate::provider::{KEY_PARAMETERS, hidden_headers};
use crate::upstream::{UnfitValue, Upstream, is_spelling, spellings_of};

/// Edits of one request head. They always begin with the identity headers that the policy owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Headers to remove, every value of each.
    pub remove: Vec<Vec<u8>>,
    /// Headers to set in place of all values they have. They win over `remove`.
    pub set: Vec<(String, Vec<u8>)>,
    /// As `set`, for values that nobody but the service may know.
    pub secret: Vec<(String, Hidden)>,
    /// The request target without its credential.
    pub target: Option<Target>,
}

/// A value that is shown to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Vec<u8>);

impl Hidden {
    /// The value, for the request only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A request target whose query lost a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Path and query.
    pub path: Vec<u8>,
    /// The query alone, without its question mark.
    pub query: Vec<u8>,
}

impl Edits {
    /// The removal of everything that could pass for an identity, in every spelling; the start of all edits.
    pub fn strip(upstream: &Upstream, head: &Head<'_>) -> Self {
        let mut edits = Self::default();
        if head.complete {
            for (name, _) in head.pairs.iter().filter(|(name, _)| upstream.strip.covers(name)) {
                edits.take_away(name);
            }
        } else {
            edits.remove = upstream.strip.spellings().map(String::into_bytes).collect();
        }
        edits.guard_connection(upstream, head);
        edits
    }

    /// Takes the names we own, and those that the policy went by, out of `Connection`, whose tokens a proxy may drop as
    /// hop-by-hop (RFC 9110 section 7.6.1).
    fn guard_connection(&mut self, upstream: &Upstream, head: &Head<'_>) {
        let ours = |name: &[u8]| upstream.strip.covers(name) || upstream.compared.covers(name);
        let tokens = || head.values("connection").flat_map(|value| value.split(|b| *b == b',')).map(<[u8]>::trim_ascii);
        if !tokens().any(ours) {
            return;
        }
        let kept: Vec<&[u8]> = tokens().filter(|token| !ours(token)).collect();
        self.replace("connection", kept.join(b", ".as_slice()));
    }

    /// Removes the credential from every place where the policy reads one.
    pub fn hide_credentials(&mut self, read: &Read, head: &Head<'_>) {
        for location in read.locations() {
            match location {
                Location::Bearer if head.values("authorization").any(bearer::is_bearer) => {
                    self.take_away(b"authorization");
                }
                Location::Header(name) => self.hide_header(name, head),
                Location::Cookie(name) => self.hide_cookie(name, head),
                Location::Query(name) => self.hide_parameter(name, head),
                Location::Bearer => {}
            }
        }
    }

    /// Removes whatever could be a key for a provider, wherever one takes it, and whatever tells it who is to pay.
    pub fn hide_provider_keys(&mut self, own: &str, head: &Head<'_>) {
        hidden_headers(own).for_each(|name| self.hide_header(name, head));
        KEY_PARAMETERS.iter().for_each(|name| self.hide_parameter(name, head));
    }

    /// Removes a header in every spelling.
    pub fn hide_header(&mut self, name: &str, head: &Head<'_>) {
        if head.complete {
            let spelled = head.pairs.iter().map(|(spelled, _)| *spelled).filter(|n| is_spelling(n, name));
            spelled.for_each(|spelled| self.take_away(spelled));
        } else {
            spellings_of(name).for_each(|spelled| self.take_away(spelled.as_bytes()));
        }
    }

    /// Removes a header, once however many reasons there are: each removal is a call to the host.
    fn take_away(&mut self, name: &[u8]) {
        if !self.remove.iter().any(|other| other == name) {
            self.remove.push(name.to_vec());
        }
    }

    /// Removes user and password.
    pub fn hide_password(&mut self, head: &Head<'_>) {
        if head.values("authorization").any(basic::is_basic) {
            self.take_away(b"authorization");
        }
    }

    fn hide_cookie(&mut self, name: &str, head: &Head<'_>) {
        let headers: Vec<&[u8]> = match self.set.iter().find(|(n, _)| n == "cookie") {
            Some((_, value)) => vec![value.as_slice()],
            None => head.values("cookie").collect(),
        };
        let hidden = |pair: &[u8]| cookie_pairs(pair).any(|(n, _)| n == name.as_bytes());
        let pairs = || headers.iter().flat_map(|header| header.split(|b| *b == b';'));
        if !pairs().any(hidden) {
            return;
        }
        let kept: Vec<&[u8]> = pairs().filter(|pair| !hidden(pair)).map(<[u8]>::trim_ascii).collect();
        let kept = kept.join(b"; ".as_slice());
        self.replace("cookie", kept);
    }

    fn hide_parameter(&mut self, name: &str, head: &Head<'_>) {
        let target = match &self.target {
            Some(target) => target.path.clone(),
            None => head.first(":path").unwrap_or_default().to_vec(),
        };
        let Some(query) = query_of(&target) else {
            return;
        };
        if !parameters(query).any(|(n, _)| is_named(n, name)) {
            return;
        }
        let hidden = |pair: &[u8]| parameters(pair).any(|(n, _)| is_named(n, name));
        let kept: Vec<&[u8]> = query.split(|b| *b == b'&').filter(|pair| !hidden(pair)).collect();
        let query_kept = kept.join(b"&".as_slice());
        let mut path = target.split(|b| *b == b'?').next().unwrap_or_default().to_vec();
        if !query_kept.is_empty() {
            path.push(b'?');
            path.extend_from_slice(&query_kept);
        }
        self.target = Some(Target { path, query: query_kept });
    }

    /// Sets the identity headers.
    ///
    /// # Errors
    /// [`UnfitValue`] if a claim holds what must not go into a header.
    pub fn identify(
        &mut self,
        upstream: &Upstream,
        identities: &[Identity<'_>],
        captures: &[(&str, Cow<'_, str>)],
    ) -> Result<(), UnfitValue> {
        for header in &upstream.set {
            match header.value.render(identities, captures)? {
                Some(value) if !value.is_empty() => self.replace(&header.name, value.into_bytes()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sets a header, or removes it where nothing is left of it.
    fn replace(&mut self, name: &str, value: Vec<u8>) {
        self.set.retain(|(n, _)| n != name);
        if value.is_empty() {
            self.remove.push(name.as_bytes().to_vec());
        } else {
            self.set.push((String::from(name), value));
        }
    }

    /// Sets a header to what nobody but the service may know.
    pub fn set_secret(&mut self, name: &str, value: Vec<u8>) {
        self.set.retain(|(other, _)| other != name);
        self.secret.retain(|(other, _)| other != name);
        self.secret.push((String::from(name), Hidden(value)));
    }

    /// Every header that is set, and its value.
    pub fn all_set(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let secret = self.secret.iter().map(|(name, value)| (name.as_str(), value.expose()));
        self.set.iter().map(|(name, value)| (name.as_str(), value.as_slice())).chain(secret)
    }

    /// The head as the service sees it.
    pub fn apply(&self, pairs: &[(&[u8], &[u8])]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let is_set = |name: &[u8]| self.all_set().any(|(n, _)| n.as_bytes().eq_ignore_ascii_case(name));
        let is_removed = |name: &[u8]| self.remove.iter().any(|n| n.eq_ignore_ascii_case(name));
        let kept = pairs.iter().filter(|(name, _)| !is_set(name) && !is_removed(name));
        let renewed = kept.map(|(name, value)| match &self.target {
            Some(target) if *name == b":path" => (name.to_vec(), target.path.clone()),
            _ => (name.to_vec(), value.to_vec()),
        });
        let set = self.all_set().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()));
        renewed.chain(set).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(location: Location, pairs: &[(&[u8], &[u8])]) -> Edits {
        let read = Read { token: vec![location], key: vec![], opaque: false };
        let mut edits = Edits::default();
        edits.hide_credentials(&read, &Head { pairs, complete: true });
        edits
    }

    #[test]
    fn hides_a_cookie_and_leaves_the_rest() {
        let at = || Location::Cookie("s".into());
        let edits = hide(at(), &[(b"cookie", b"a=1; s=tok; b=\"x y\""), (b"cookie", b"s=2;c=3")]);
        assert_eq!(edits.set, [("cookie".into(), b"a=1; b=\"x y\"; c=3".to_vec())]);
        let edits = hide(at(), &[(b"cookie", b"s=tok")]);
        assert_eq!((edits.remove, edits.set), (vec![b"cookie".to_vec()], vec![]));
        assert_eq!(hide(at(), &[(b"cookie", b"as=1; sa=2")]), Edits::default());
    }

    #[test]
    fn hides_a_parameter_and_leaves_the_rest() {
        for (target, expected) in [
            ("/p?z=1&t=tok&a=%20b", Some(("/p?z=1&a=%20b", "z=1&a=%20b"))),
            ("/p?%74=tok", Some(("/p", ""))),
            ("/p?tt=1", None),
            ("/p", None),
        ] {
            let edits = hide(Location::Query("t".into()), &[(b":path", target.as_bytes())]);
            let target =
                edits.target.map(|t| (String::from_utf8(t.path).unwrap(), String::from_utf8(t.query).unwrap()));
            assert_eq!(target.as_ref().map(|(p, q)| (p.as_str(), q.as_str())), expected);
        }
    }
}
