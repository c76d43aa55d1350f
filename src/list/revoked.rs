//! A revocation list: who no longer counts, as keyed fingerprints of 64 bits.
//!
//! A fingerprint does not tell what it is of, and takes 8 octets however long that is. Somebody who is not on a list
//! of a million entries is taken for somebody who is with a probability of 2^-44; never the other way round. The seed
//! is the worker's own, so nobody can look for such a chance in advance.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::fault::{Fault, Flaw};
use super::reader::{Body, Reader};
use super::table::{Building, Entry, Table};
use super::words::Words;
use crate::credential::key::KeyDigest;
use crate::json::{self, Json, Limits};
use crate::time::Time;

/// The longest document in JSON, in octets: it is read in one go.
pub(super) const MAX_JSON: usize = 256 * 1024;

/// The fewest hexadecimal digits of a key's digest that an entry has, and as many as count.
pub const KEY_DIGITS: usize = 16;

/// What an entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The id of a token (RFC 7519 section 4.1.7).
    Jti,
    /// The subject of tokens.
    Sub,
    /// A client, of tokens and of keys.
    Client,
    /// A key, by the beginning of its digest.
    Key,
    /// A user with a password.
    User,
}

impl Kind {
    /// Every kind, and its word.
    pub const ALL: [(Kind, &'static str); 5] =
        [(Kind::Jti, "jti"), (Kind::Sub, "sub"), (Kind::Client, "client"), (Kind::Key, "key"), (Kind::User, "user")];

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(kind, _)| *kind)
    }

    /// Its place among the kinds, as a bit.
    const fn bit(self) -> u16 {
        match self {
            Kind::Jti => 1,
            Kind::Sub => 2,
            Kind::Client => 4,
            Kind::Key => 8,
            Kind::User => 16,
        }
    }

    /// Whether an entry of the kind may name an issuer.
    pub const fn has_issuer(self) -> bool {
        matches!(self, Kind::Jti | Kind::Sub | Kind::Client)
    }
}

/// A list that serves.
#[derive(Debug, Default)]
pub struct RevokedList {
    seed: u64,
    marks: Table<u64>,
    since: Table<Since>,
    /// Which kinds there are entries of, and which that name an issuer, so that nothing is looked for in vain.
    kinds: u16,
    scoped: u16,
}

/// Tokens of somebody that were issued before a time do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Since {
    /// The fingerprint in two halves, which take less room.
    mark: [u32; 2],
    /// Seconds since 1970, rounded up.
    time: u32,
}

impl Entry for Since {
    fn key(&self) -> u64 {
        u64::from(self.mark[0]) << 32 | u64::from(self.mark[1])
    }

    /// The latest time counts, and comes last.
    fn covers(&self, _other: &Self) -> bool {
        true
    }
}

/// A list while it is read.
#[derive(Debug)]
pub struct Builder {
    seed: u64,
    marks: Building<u64>,
    since: Building<Since>,
    kinds: u16,
    scoped: u16,
}

/// The bit of `issued_before` among the kinds.
const SINCE: u16 = 32;

fn mark(seed: u64, kind: u16, iss: Option<&str>, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    // Each part says how long it is, so that no two entries are the same octets.
    (kind, iss, value).hash(&mut hasher);
    hasher.finish()
}

/// The part of a key's digest that counts, from hexadecimal digits.
fn key_id(digits: &str) -> Option<String> {
    let digits = digits.strip_prefix("sha256:").unwrap_or(digits);
    let fits = (KEY_DIGITS..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    digits.get(..KEY_DIGITS).filter(|_| fits).map(str::to_ascii_lowercase)
}

impl Builder {
    /// An empty list, whose fingerprints are made with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, marks: Building::default(), since: Building::default(), kinds: 0, scoped: 0 }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`Fault::Digest`] for a key that is not at least [`KEY_DIGITS`] digits of a digest, [`Fault::Count`] for an
    /// issuer where none can be, [`Fault::Many`] and [`Fault::Alike`] where there is no room.
    pub fn add(&mut self, kind: Kind, value: &str, iss: Option<&str>) -> Result<(), Fault> {
        if iss.is_some() && !kind.has_issuer() {
            return Err(Fault::Count);
        }
        let value = match kind {
            Kind::Key => Cow::Owned(key_id(value).ok_or(Fault::Digest)?),
            _ => Cow::Borrowed(value),
        };
        self.kinds |= kind.bit();
        if iss.is_some() {
            self.scoped |= kind.bit();
        }
        self.marks.push(mark(self.seed, kind.bit(), iss, &value))
    }

    /// Adds that tokens of an issuer, a subject, or a subject of an issuer do not count if they were issued before a
    /// time.
    ///
    /// # Errors
    /// [`Fault::Count`] if neither is named, [`Fault::Many`] and [`Fault::Alike`] where there is no room.
    pub fn add_before(&mut self, time: Time, iss: Option<&str>, sub: Option<&str>) -> Result<(), Fault> {
        if iss.is_none() && sub.is_none() {
            return Err(Fault::Count);
        }
        let mark = mark(self.seed, SINCE, iss, sub.unwrap_or_default());
        let seconds = time.millis().max(0).saturating_add(999) / 1000;
        let halves = [mark >> 32, mark & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or_default());
        let since = Since { mark: halves, time: u32::try_from(seconds).unwrap_or(u32::MAX) };
        self.kinds |= SINCE;
        self.since.push(since)
    }

    /// Puts a part of what was read in order. Whether all of it is.
    pub(super) fn sort(&mut self, entries: usize) -> bool {
        let fine = |_: &u64, _: &u64| Ok::<(), std::convert::Infallible>(());
        self.marks.sort(entries, fine) == Ok(true) && self.since.sort(entries, |_, _| Ok::<(), Fault>(())) == Ok(true)
    }

    /// The list.
    pub fn finish(self) -> RevokedList {
        RevokedList {
            seed: self.seed,
            marks: self.marks.finish(),
            since: self.since.finish(),
            kinds: self.kinds,
            scoped: self.scoped,
        }
    }
}

impl Body for Builder {
    const NAME: &'static str = "gatekey-revoked";

    fn expect(&mut self, entries: usize) {
        self.marks = Building::with_room(entries);
    }

    fn line(&mut self, kind: &str, mut words: Words<'_>) -> Result<bool, Fault> {
        if kind == "issued_before" {
            let time = Time::parse(&words.next()?).ok_or(Fault::Time)?;
            let iss = words.next()?;
            let sub = words.maybe()?;
            words.end()?;
            self.add_before(time, (iss != "*").then_some(iss.as_ref()), sub.as_deref())?;
            return Ok(true);
        }
        let kind = Kind::parse(kind).ok_or(Fault::Kind)?;
        let value = words.next()?;
        let iss = words.maybe()?;
        words.end()?;
        self.add(kind, &value, iss.as_deref())?;
        Ok(true)
    }
}

impl Reader<Builder> {
    /// Reads a list of lines.
    pub(super) fn revoked(seed: u64) -> Self {
        Self::new(Builder::new(seed))
    }
}

/// Reads a list in JSON: the object that `revoked` is in a policy.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_json(text: &[u8], seed: u64) -> Result<Builder, Flaw> {
    let flaw = |fault| Flaw { line: 0, fault };
    if text.len() > MAX_JSON {
        return Err(flaw(Fault::Long));
    }
    let limits = Limits { depth: 4, members: MAX_JSON };
    let document = json::read(text, limits).map_err(|_| flaw(Fault::Json))?;
    let Json::Object(members) = &document else {
        return Err(flaw(Fault::Json));
    };
    let mut list = Builder::new(seed);
    for (name, items) in members {
        let (kind, Json::Array(items)) = (name.as_ref(), items) else {
            return Err(flaw(Fault::Json));
        };
        for item in items {
            let added = match (kind, Kind::parse(kind)) {
                ("issued_before", _) => read_before(item).and_then(|(time, iss, sub)| list.add_before(time, iss, sub)),
                (_, Some(kind)) => read_item(item).and_then(|(value, iss)| list.add(kind, value, iss)),
                (_, None) => Err(Fault::Kind),
            };
            added.map_err(flaw)?;
        }
    }
    Ok(list)
}

/// Text, or `{ "value": ..., "iss": ... }`.
fn read_item<'j>(item: &'j Json<'_>) -> Result<(&'j str, Option<&'j str>), Fault> {
    match item {
        Json::Str(value) if !value.is_empty() => Ok((value, None)),
        Json::Object(_) => {
            let [value, iss] = texts(item, ["value", "iss"])?;
            Ok((value.ok_or(Fault::Json)?, iss))
        }
        _ => Err(Fault::Json),
    }
}

/// `{ "time": ..., "iss": ..., "sub": ... }`.
fn read_before<'j>(item: &'j Json<'_>) -> Result<(Time, Option<&'j str>, Option<&'j str>), Fault> {
    let [time, iss, sub] = texts(item, ["time", "iss", "sub"])?;
    Ok((time.and_then(Time::parse).ok_or(Fault::Time)?, iss, sub))
}

/// The members of an object that has no others, each a text that is not empty.
fn texts<'j, const N: usize>(item: &'j Json<'_>, names: [&str; N]) -> Result<[Option<&'j str>; N], Fault> {
    let Json::Object(members) = item else {
        return Err(Fault::Json);
    };
    let good = |(name, value): &(Cow<'_, str>, Json<'_>)| {
        names.contains(&name.as_ref()) && value.as_str().is_some_and(|text| !text.is_empty())
    };
    if !members.iter().all(good) {
        return Err(Fault::Json);
    }
    Ok(names.map(|name| item.get(name).and_then(Json::as_str)))
}

impl RevokedList {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.marks.len() + self.since.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there are entries of a kind.
    pub fn has_kind(&self, kind: Kind) -> bool {
        self.kinds & kind.bit() != 0
    }

    /// Whether somebody is on the list, by an entry without issuer or with this one.
    pub fn has(&self, kind: Kind, value: &str, iss: Option<&str>) -> bool {
        let holds = |iss| self.marks.find(mark(self.seed, kind.bit(), iss, value)).next().is_some();
        self.has_kind(kind) && (holds(None) || (iss.is_some() && self.scoped & kind.bit() != 0 && holds(iss)))
    }

    /// Whether a key is on the list, by the beginning of its digest.
    pub fn has_key(&self, digest: &KeyDigest) -> bool {
        if !self.has_kind(Kind::Key) {
            return false;
        }
        let digits: String = digest.iter().take(KEY_DIGITS / 2).map(|octet| format!("{octet:02x}")).collect();
        self.has(Kind::Key, &digits, None)
    }

    /// Before which time the tokens of somebody do not count; the latest that there is.
    pub fn issued_before(&self, iss: Option<&str>, sub: Option<&str>) -> Option<Time> {
        if self.kinds & SINCE == 0 {
            return None;
        }
        let latest = |iss: Option<&str>, sub: Option<&str>| {
            let key = mark(self.seed, SINCE, iss, sub.unwrap_or_default());
            self.since.find(key).map(|since| since.time).max()
        };
        let issuer = iss.and_then(|_| latest(iss, None));
        let subject = sub.and_then(|_| latest(None, sub));
        let both = iss.zip(sub).and_then(|_| latest(iss, sub));
        let seconds = [issuer, subject, both].into_iter().flatten().max()?;
        Some(Time::from_seconds(i64::from(seconds)))
    }

    /// Whether there are such times.
    pub fn has_times(&self) -> bool {
        self.kinds & SINCE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<RevokedList, Flaw> {
        let count = lines.lines().count();
        let mut reader = Reader::revoked(7);
        reader.feed(format!("gatekey-revoked 1 {count}\n{lines}\nend\n").as_bytes())?;
        reader.end().map(Builder::finish)
    }

    const A: &str = "https://a.test/";
    const B: &str = "https://b.test/";

    #[test]
    fn an_entry_is_of_its_kind_and_issuer() {
        let text =
            format!("jti one\njti two {A}\nsub \"a b\"\nclient app {B}\nuser ops\nkey sha256:00112233445566778899");
        let json = format!(
            r#"{{"jti":["one",{{"value":"two","iss":"{A}"}}],"sub":["a b"],"client":[{{"iss":"{B}","value":"app"}}],"user":["ops"],"key":["0011223344556677"]}}"#
        );
        for list in [read(&text).unwrap(), read_json(json.as_bytes(), 3).unwrap().finish()] {
            assert_eq!(list.len(), 6);
            for (kind, value, iss, expected) in [
                (Kind::Jti, "one", None, true),
                (Kind::Jti, "one", Some(A), true),
                (Kind::Jti, "two", None, false),
                (Kind::Jti, "two", Some(A), true),
                (Kind::Jti, "two", Some(B), false),
                (Kind::Sub, "one", None, false),
                (Kind::Sub, "a b", Some(B), true),
                (Kind::Client, "app", None, false),
                (Kind::Client, "app", Some(B), true),
                (Kind::User, "ops", None, true),
                (Kind::User, "op", None, false),
                (Kind::Key, "ops", None, false),
            ] {
                assert_eq!(list.has(kind, value, iss), expected, "{kind:?} {value} {iss:?}");
            }
            let mut digest = [0; 32];
            digest[..10].copy_from_slice(&[0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99]);
            assert!(list.has_key(&digest));
            digest[7] = 0x78;
            assert!(!list.has_key(&digest));
        }
    }

    #[test]
    fn the_latest_time_counts() {
        let list = read(&format!(
            "issued_before 2026-01-01T00:00:00Z {A}\nissued_before 2026-01-03T00:00:00Z * eve\nissued_before 2026-01-02T00:00:00.5Z {A} bob\nissued_before 2026-01-04T00:00:00Z * eve"
        ))
        .unwrap();
        let day = |text: &str| Time::parse(text);
        assert_eq!(list.issued_before(Some(A), None), day("2026-01-01T00:00:00Z"));
        assert_eq!(list.issued_before(Some(A), Some("bob")), day("2026-01-02T00:00:01Z"));
        assert_eq!(list.issued_before(Some(B), Some("bob")), None);
        assert_eq!(list.issued_before(Some(B), Some("eve")), day("2026-01-04T00:00:00Z"));
        assert_eq!(list.issued_before(None, Some("eve")), day("2026-01-04T00:00:00Z"));
        assert_eq!(list.issued_before(None, None), None);
        assert!(list.has_times() && !RevokedList::default().has_times());
        assert_eq!(list.len(), 3, "one time for each is enough");
    }

    #[test]
    fn refuses_the_same_again_and_again() {
        let same = |line: &str, count| read(&vec![line; count].join("\n"));
        let before = format!("issued_before 2026-01-01T00:00:00Z {A}");
        assert_eq!(same(&before, 16 * 1024).unwrap().len(), 1);
        for line in [before.as_str(), "jti a"] {
            assert_eq!(same(line, 16 * 1024 + 1).unwrap_err().fault, Fault::Alike, "{line}");
        }
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        for (line, fault) in [
            ("one", Fault::Kind),
            ("jti", Fault::Count),
            ("jti a b c", Fault::Count),
            ("kid a", Fault::Kind),
            ("key 0011", Fault::Digest),
            ("key 001122334455667g", Fault::Digest),
            ("key é011223344556677", Fault::Digest),
            ("user ops https://a.test/", Fault::Count),
            ("issued_before yesterday *", Fault::Time),
            ("issued_before 2026-01-01T00:00:00Z", Fault::Count),
            ("issued_before 2026-01-01T00:00:00Z *", Fault::Count),
            ("set a {}", Fault::Kind),
        ] {
            assert_eq!(read(line).unwrap_err(), Flaw { line: 2, fault }, "{line}");
        }
        for text in [
            "",
            "[]",
            r#"{"jti":"a"}"#,
            r#"{"jti":[1]}"#,
            r#"{"jti":[""]}"#,
            r#"{"jti":[{"value":"a","issuer":"b"}]}"#,
            r#"{"jti":[{"iss":"a"}]}"#,
            r#"{"jti":["a"],"jti":["b"]}"#,
            r#"{"jit":["a"]}"#,
            r#"{"key":["a"]}"#,
            r#"{"issued_before":["a"]}"#,
            r#"{"issued_before":[{"time":"2026-01-01T00:00:00Z"}]}"#,
            r#"{"jti":["a"]"#,
        ] {
            assert!(read_json(text.as_bytes(), 0).is_err(), "{text}");
        }
        assert!(read_json(b"{}", 0).is_ok());
    }
}
