//! A store of clients' keys: a million of them in a table of digests, with names and shared roles, scopes and claims.

use std::collections::HashMap;
use std::rc::Rc;

use foldhash::fast::FixedState;
use subtle::ConstantTimeEq;

use super::fault::{Fault, Flaw};
use super::names::Names;
use super::reader::{Body, Reader};
use super::table::{Building, Entry, Table};
use super::words::Words;
use crate::config::is_name;
use crate::credential::key::{Grants, KeyDigest};
use crate::json::{self, Json, Limits};
use crate::peer::read_digest;
use crate::time::Time;

/// How many sets of roles, scopes and claims a store has at most, and how long they are together, in octets.
const MOST_SETS: usize = 4_096;
const MOST_SET_TEXT: usize = 1024 * 1024;
/// How many different pairs of a set and a beginning there are at most.
const MOST_TERMS: usize = 65_536;
/// What a set may look like.
const LIMITS: Limits = Limits { depth: 16, members: 2_048 };

/// A store that serves.
#[derive(Debug, Default)]
pub struct ClientList {
    keys: Table<Key>,
    names: Names,
    terms: Vec<Terms>,
}

/// A key: the first half of its digest, and where the rest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    digest: [u32; 4],
    name: u32,
    terms: u32,
    /// Seconds since 1970 from which it does not count any more; 0 for never.
    expires: u32,
}

impl Entry for Key {
    fn key(&self) -> u64 {
        u64::from(self.digest[0]) << 32 | u64::from(self.digest[1])
    }
}

/// What many keys share.
#[derive(Debug)]
struct Terms {
    grants: Rc<Grants>,
    not_before: Option<Time>,
}

/// What a store knows of a key.
#[derive(Clone, Debug)]
pub struct Found<'l> {
    /// The name of its client.
    pub name: &'l str,
    /// What its client has.
    pub grants: &'l Rc<Grants>,
    /// From when it counts.
    pub not_before: Option<Time>,
    /// From when it does not count any more.
    pub expires: Option<Time>,
}

/// A store while it is read.
#[derive(Debug)]
pub(super) struct Builder {
    keys: Building<Key>,
    names: Names,
    /// The name before, which a client with several keys repeats.
    last: (String, u32),
    /// Sets, and where each stands by its name.
    grants: Vec<Rc<Grants>>,
    by_name: Index,
    set_text: usize,
    /// Terms, and where each stands by the words for it.
    terms: Vec<Terms>,
    by_words: Index,
    /// The words at hand, whose room serves for the next.
    words: String,
}

type Index = HashMap<String, usize, FixedState>;

/// The first half of a digest.
fn half(digest: &KeyDigest) -> [u32; 4] {
    let mut half = [0; 4];
    for (word, octets) in half.iter_mut().zip(digest.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*octets);
    }
    half
}

impl Builder {
    /// An empty store. Nobody who does not know the seed can choose names that are slow to find.
    fn new(seed: u64) -> Self {
        let index = || Index::with_hasher(FixedState::with_seed(seed));
        Self {
            keys: Building::default(),
            names: Names::default(),
            last: Default::default(),
            grants: Vec::new(),
            by_name: index(),
            set_text: 0,
            terms: Vec::new(),
            by_words: index(),
            words: String::new(),
        }
    }

    /// Puts a part of what was read in order. Whether all of it is.
    ///
    /// # Errors
    /// [`Fault::Twice`] if a key stands twice.
    pub(super) fn sort(&mut self, entries: usize) -> Result<bool, Flaw> {
        let check = |one: &Key, other: &Key| if one.digest == other.digest { Err(Fault::Twice) } else { Ok(()) };
        self.keys.sort(entries, check).map_err(|fault| Flaw { line: 0, fault })
    }

    /// The store.
    pub(super) fn finish(self) -> ClientList {
        ClientList { keys: self.keys.finish(), names: self.names, terms: self.terms }
    }

    /// `set NAME {...}`
    fn set(&mut self, mut words: Words<'_>) -> Result<(), Fault> {
        let name = words.next()?;
        if name == "-" || !is_name(&name) {
            return Err(Fault::Name);
        }
        let text = words.rest()?;
        self.set_text += text.len();
        if self.grants.len() >= MOST_SETS || self.set_text > MOST_SET_TEXT {
            return Err(Fault::Many);
        }
        let grants = Rc::new(read_set(text)?);
        if self.by_name.insert(name.into_owned(), self.grants.len()).is_some() {
            return Err(Fault::SetName);
        }
        self.grants.push(grants);
        Ok(())
    }

    /// `key DIGEST CLIENT [SET [EXPIRES [NOT_BEFORE]]]`, with `-` for nothing.
    fn key(&mut self, mut words: Words<'_>) -> Result<(), Fault> {
        let digest = words.next()?;
        let digest = digest.strip_prefix("sha256:").unwrap_or(&digest);
        let digest = read_digest(digest.as_bytes()).ok_or(Fault::Digest)?;
        let name = words.next()?;
        if !is_name(&name) {
            return Err(Fault::Name);
        }
        let mut optional = || Ok(words.maybe()?.filter(|word| word != "-"));
        let (set, expires, not_before) = (optional()?, optional()?, optional()?);
        words.end()?;
        let time = |text: Option<_>| match text {
            Some(text) => Time::parse(text).map(Some).ok_or(Fault::Time),
            None => Ok(None),
        };
        let began = not_before.as_deref().unwrap_or_default();
        let (expires, not_before) = (time(expires.as_deref())?, time(not_before.as_deref())?);
        if let (Some(from), Some(until)) = (not_before, expires)
            && until <= from
        {
            return Err(Fault::Time);
        }
        let terms = self.terms(set.as_deref(), began, not_before)?;
        let name = self.name(&name)?;
        // Rounded down, so that none counts for longer than was said.
        let expires = expires.map_or(0, |time| u32::try_from((time.millis() / 1000).max(1)).unwrap_or(u32::MAX));
        let key = Key { digest: half(&digest), name, terms, expires };
        self.keys.push(key)
    }

    /// The place of the terms of a set and a beginning, which is given in words too.
    fn terms(&mut self, set: Option<&str>, began: &str, not_before: Option<Time>) -> Result<u32, Fault> {
        self.words.clear();
        self.words.extend([set.unwrap_or_default(), " ", began]);
        let place = match self.by_words.get(&self.words) {
            Some(place) => *place,
            None => {
                let grants = match set {
                    Some(name) => {
                        let place = self.by_name.get(name).ok_or(Fault::SetName)?;
                        self.grants.get(*place).cloned().unwrap_or_default()
                    }
                    None => Rc::default(),
                };
                if self.terms.len() >= MOST_TERMS {
                    return Err(Fault::Many);
                }
                self.terms.push(Terms { grants, not_before });
                self.by_words.insert(self.words.clone(), self.terms.len() - 1);
                self.terms.len() - 1
            }
        };
        u32::try_from(place).map_err(|_| Fault::Many)
    }

    fn name(&mut self, name: &str) -> Result<u32, Fault> {
        if self.last.0 != name {
            let at = self.names.push(name).ok_or(Fault::Many)?;
            self.last.0.clear();
            self.last.0.push_str(name);
            self.last.1 = at;
        }
        Ok(self.last.1)
    }
}

impl Body for Builder {
    const NAME: &'static str = "gatekey-clients";

    fn expect(&mut self, entries: usize) {
        self.keys = Building::with_room(entries);
    }

    fn line(&mut self, kind: &str, words: Words<'_>) -> Result<bool, Fault> {
        match kind {
            "key" => self.key(words).map(|()| true),
            "set" => self.set(words).map(|()| false),
            _ => Err(Fault::Kind),
        }
    }
}

impl Reader<Builder> {
    /// Reads a store.
    pub(super) fn clients(seed: u64) -> Self {
        Self::new(Builder::new(seed))
    }
}

/// Reads roles, scopes and claims.
///
/// # Errors
/// [`Fault::Set`] if they are not as they must be.
pub fn read_set(text: &str) -> Result<Grants, Fault> {
    let value = json::read(text.as_bytes(), LIMITS).map_err(|_| Fault::Set)?;
    let Json::Object(members) = value else {
        return Err(Fault::Set);
    };
    let mut grants = Grants::default();
    for (name, value) in members {
        match (name.as_ref(), value) {
            ("roles", value) => grants.roles = texts(value)?,
            ("scopes", value) => grants.scopes = texts(value)?,
            ("claims", claims @ Json::Object(_)) => grants.claims = claims.into_owned(),
            _ => return Err(Fault::Set),
        }
    }
    // RFC 6749 section 3.3.
    let is_scope = |scope: &String| scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    if grants.scopes.iter().all(is_scope) { Ok(grants) } else { Err(Fault::Set) }
}

fn texts(value: Json<'_>) -> Result<Vec<String>, Fault> {
    let Json::Array(items) = value else {
        return Err(Fault::Set);
    };
    let text = |item: &Json<'_>| item.as_str().filter(|text| !text.is_empty()).map(String::from).ok_or(Fault::Set);
    items.iter().map(text).collect()
}

impl ClientList {
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is known of the key with this digest, of which the first half counts.
    pub fn find(&self, digest: &KeyDigest) -> Option<Found<'_>> {
        let wanted = half(digest);
        let first = u64::from(wanted[0]) << 32 | u64::from(wanted[1]);
        // The search compares digests, which tell a guesser nothing about keys; the last word is constant in time.
        let key = self.keys.find(first).find(|key| bool::from(key.digest.as_slice().ct_eq(wanted.as_slice())))?;
        let terms = self.terms.get(usize::try_from(key.terms).ok()?)?;
        Some(Found {
            name: self.names.get(key.name)?,
            grants: &terms.grants,
            not_before: terms.not_before,
            expires: (key.expires != 0).then(|| Time::from_seconds(i64::from(key.expires))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::key::digest;

    fn hex(key: &str) -> String {
        digest(key.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect()
    }

    fn read(lines: &str) -> Result<ClientList, Flaw> {
        let keys = lines.lines().filter(|line| line.starts_with("key")).count();
        let mut reader = Reader::clients(5);
        reader.feed(format!("gatekey-clients 1 {keys}\n{lines}\nend\n").as_bytes())?;
        let mut builder = reader.end()?;
        builder.sort(usize::MAX)?;
        Ok(builder.finish())
    }

    #[test]
    fn finds_keys_and_what_goes_with_them() {
        let (a, b, c) = (hex("a"), hex("b"), hex("c"));
        let list = read(&format!(
            "set gold {{\"roles\":[\"partner\"],\"scopes\":[\"x:y\"],\"claims\":{{\"tier\":\"gold\"}}}}\nkey {a} acme gold\nkey sha256:{b} acme gold 2026-12-31T00:00:00.9Z\nkey {c} globex - - 2027-01-01T00:00:00Z"
        ))
        .unwrap();
        assert_eq!(list.len(), 3);
        let found = |key: &str| list.find(&digest(key.as_bytes()));
        let acme = found("a").unwrap();
        assert_eq!((acme.name, acme.expires, acme.not_before), ("acme", None, None));
        assert_eq!(
            (acme.grants.roles.as_slice(), acme.grants.scopes.as_slice()),
            (&["partner".into()][..], &["x:y".into()][..])
        );
        assert_eq!(acme.grants.claims.get("tier").and_then(Json::as_str), Some("gold"));
        let second = found("b").unwrap();
        assert_eq!((second.name, second.expires), ("acme", Time::parse("2026-12-31T00:00:00Z")));
        assert!(Rc::ptr_eq(second.grants, acme.grants));
        let globex = found("c").unwrap();
        assert_eq!((globex.name, globex.not_before), ("globex", Time::parse("2027-01-01T00:00:00Z")));
        assert!(globex.grants.roles.is_empty() && globex.grants.claims == Json::Object(Vec::new()));
        assert!(found("d").is_none());
        // One digest that begins like another is another.
        let mut near = digest(b"a");
        near[15] ^= 1;
        assert!(list.find(&near).is_none());
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let a = hex("a");
        for (lines, line, fault) in [
            (String::from("key zz acme"), 2, Fault::Digest),
            (format!("key {a}0 acme"), 2, Fault::Digest),
            (format!("key {a}"), 2, Fault::Count),
            (format!("key {a} a.b"), 2, Fault::Name),
            (format!("key {a} \"\""), 2, Fault::Words),
            (format!("key {a} acme gold"), 2, Fault::SetName),
            (format!("key {a} acme - tomorrow"), 2, Fault::Time),
            (format!("key {a} acme -  -"), 2, Fault::Words),
            (format!("key {a} acme - - - -"), 2, Fault::Count),
            (format!("key {a} acme - 2026-01-01T00:00:00Z 2026-01-01T00:00:00Z"), 2, Fault::Time),
            (format!("key {a} acme\nkey {a} globex"), 0, Fault::Twice),
            (String::from("set - {}"), 2, Fault::Name),
            (String::from("set a"), 2, Fault::Count),
            (String::from("set a {}\nset a {}"), 3, Fault::SetName),
            (String::from("set a {\"role\":[]}"), 2, Fault::Set),
            (String::from("set a {\"roles\":\"x\"}"), 2, Fault::Set),
            (String::from("set a {\"roles\":[\"\"]}"), 2, Fault::Set),
            (String::from("set a {\"scopes\":[\"a b\"]}"), 2, Fault::Set),
            (String::from("set a {\"claims\":[]}"), 2, Fault::Set),
            (String::from("set a {} {}"), 2, Fault::Set),
            (String::from("client a"), 2, Fault::Kind),
        ] {
            assert_eq!(read(&lines).unwrap_err(), Flaw { line, fault }, "{lines}");
        }
    }

    #[test]
    fn sets_have_an_end() {
        let sets: String = (0..=MOST_SETS).map(|n| format!("set s{n} {{}}\n")).collect();
        assert_eq!(read(sets.trim_end()).unwrap_err().fault, Fault::Many);
        let long = format!("{{\"roles\":[\"{}\"]}}", "x".repeat(60_000));
        let sets: String = (0..18).map(|n| format!("set s{n} {long}\n")).collect();
        assert_eq!(read(sets.trim_end()).unwrap_err().fault, Fault::Many);
    }
}
